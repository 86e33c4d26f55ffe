import LimpetPlatform

/// A chip on an I²C or SPI bus that the kernel knows of, from the device tree or a `new_device`, and that no driver
/// has: nothing can read it until one does.
public struct BusClient: Sendable, Equatable {
  /// `i2c-1`, `spi0`.
  public let bus: String
  /// As the kernel names it: `1-0076`, `spi0.0`.
  public let device: String
  /// On I²C, of 7 bits.
  public let address: UInt8?
  /// Its type in the device tree: `bme280`.
  public let name: String

  package init(bus: String, device: String, address: UInt8?, name: String) {
    self.bus = bus
    self.device = device
    self.address = address
    self.name = name
  }

  /// Those of all buses without a driver, in the order of their names.
  package static func undriven(in root: FileRoot) -> [BusClient] {
    clients(of: "i2c", in: root) { device in
      // 1-0076; buses are i2c-1, and what begins with 10 instead of 00 has ten bits.
      let parts = device.split(separator: "-")
      guard parts.count == 2, parts[0].allSatisfy(\.isNumber), let address = UInt8(parts[1], radix: 16) else {
        return nil
      }
      return ("i2c-\(parts[0])", address)
    }
      + clients(of: "spi", in: root) { device in
        let parts = device.split(separator: ".")
        return parts.count == 2 && device.hasPrefix("spi") ? (String(parts[0]), nil) : nil
      }
  }

  private static func clients(
    of kind: String, in root: FileRoot, _ place: (String) -> (bus: String, address: UInt8?)?
  ) -> [BusClient] {
    let folder = "/sys/bus/\(kind)/devices"
    return ((try? root.entries(of: folder)) ?? []).sorted().compactMap { device in
      guard let (bus, address) = place(device), !root.exists("\(folder)/\(device)/driver"),
        let name = name(of: "\(folder)/\(device)", in: root), name != "dummy"
      else { return nil }
      return BusClient(bus: bus, device: device, address: address, name: name)
    }
  }

  /// I²C says it alone; of SPI the modalias does, `spi:mcp3008`.
  private static func name(of path: String, in root: FileRoot) -> String? {
    if let name = try? root.text(of: path + "/name") { return name }
    guard let alias = try? root.text(of: path + "/modalias") else { return nil }
    return alias.split(separator: ":", maxSplits: 1).last.map(String.init)
  }
}
