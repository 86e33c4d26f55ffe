import JSON
import LimpetPlatform
import LimpetText
import NIOCore
import Sensing

/// What is wired to a board and has no driver yet, and the way to one: `limpet scan` reads what the kernel's drivers read.
package struct WiringScan {
  private struct Bus {
    let number: Int
    let probe: AddressProbe
  }

  private let clients: [BusClient]
  private let buses: [Bus]
  private let isRaspberryPi: Bool
  private let has1Wire: Bool

  /// - Parameter probesI2C: addresses of all I²C buses are asked, which is only done when asked for.
  package init(root: FileRoot, probesI2C: Bool) {
    clients = BusClient.undriven(in: root)
    buses =
      probesI2C
      ? AddressProbe.buses(in: root).map { Bus(number: $0, probe: AddressProbe(bus: $0, root: root)) } : []
    isRaspberryPi = (try? root.text(of: "/proc/device-tree/model"))?.hasPrefix("Raspberry Pi") == true
    has1Wire = ((try? root.entries(of: "/sys/bus/w1/devices")) ?? []).contains { $0.hasPrefix("w1_bus_master") }
  }

  /// Buses that could not be looked at.
  package var problems: [String] { buses.compactMap(\.probe.problem) }

  /// For people; empty: there is nothing to say.
  package var text: String {
    var parts: [String] = []
    if !clients.isEmpty {
      parts.append(section("without a driver, so limpet cannot read them", clients.map(Self.cells)))
    }
    for bus in buses where bus.probe.problem == nil || !bus.probe.found.isEmpty {
      let rows = bus.probe.found.map { found in
        [Self.text(found.address), found.answer == .driven ? "has a driver" : Self.candidates(found.address)]
      }
      parts.append(
        rows.isEmpty
          ? "i2c-\(bus.number): no address answers" : section("i2c-\(bus.number), addresses that answer", rows))
    }
    if isRaspberryPi, !has1Wire || !clients.isEmpty {
      let rows = DeviceOverlay.unseen.filter { !has1Wire || !$0.0.hasPrefix("1-Wire") }.map { [$0.0, $0.1] }
      parts.append(section("no scan can see these; each needs a line in /boot/firmware/config.txt", rows))
    }
    return parts.joined(separator: "\n")
  }

  private func section(_ title: String, _ rows: [[String]]) -> String {
    ([title] + TextTable(rows).lines().map { "  " + $0 }).joined(separator: "\n")
  }

  private static func cells(_ client: BusClient) -> [String] {
    [client.device, printable(client.name), way(to: client)]
  }

  /// How it gets a driver.
  private static func way(to client: BusClient) -> String {
    guard let overlay = DeviceOverlay.named(client.name) else {
      return "load its driver's module; dmesg says why it refused"
    }
    return overlay.line(at: client.address)
  }

  private static func candidates(_ address: UInt8) -> String {
    let lines = DeviceOverlay.at(address).map { $0.line(at: address) }
    return lines.isEmpty ? "not known by its address" : lines.joined(separator: " or ")
  }

  private static func text(_ address: UInt8) -> String {
    "0x" + (address < 16 ? "0" : "") + String(address, radix: 16)
  }

  /// Comments for a configuration; empty: there is nothing to say.
  package var yaml: String { text.split(separator: "\n").map { "# \($0)" }.joined(separator: "\n") }

  /// The value of `undriven` in the JSON of `limpet scan --json`.
  package var json: [ByteBuffer] {
    clients.map { client in
      var object = JSONObject()
      object.add("bus", client.bus)
      object.add("device", client.device)
      object.add("name", client.name)
      if let overlay = DeviceOverlay.named(client.name) { object.add("overlay", overlay.line(at: client.address)) }
      return object.finish()
    }
      + buses.flatMap { bus in
        bus.probe.found.filter { $0.answer == .answers }.map { found in
          var object = JSONObject()
          object.add("bus", "i2c-\(bus.number)")
          object.add("address", Self.text(found.address))
          object.add(
            "overlays", DeviceOverlay.at(found.address).map { $0.line(at: found.address) }.joined(separator: "\n"))
          return object.finish()
        }
      }
  }
}
