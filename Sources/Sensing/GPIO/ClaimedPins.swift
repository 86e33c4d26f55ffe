import LimpetPlatform
import LimpetText

/// Pins of the header that the device tree gives to a bus: I²C, SPI, a serial port. The kernel says that such a line is free,
/// and requesting it takes the pin away from the bus, which then is silent.
///
/// A node that is switched on has a list of pin groups in `pinctrl-0`, by their phandles; a group lies below the pin
/// controller and has the numbers of its pins (`brcm,pins`) or their names (`pins`, on a Pi 5).
public struct ClaimedPins: Sendable, Equatable {
  /// By offset in the header's chip: the node that has it, `i2c@7e804000`.
  private let users: [UInt32: String]

  private static let tree = "/proc/device-tree"
  /// A tree has some hundred nodes, five folders deep at the most.
  private static let (nodeLimit, depth) = (4096, 6)
  private static let buses = ["i2c", "spi", "serial", "uart", "i2s", "pwm", "mmc"]

  package init(_ users: [UInt32: String] = [:]) { self.users = users }

  public init(root: FileRoot) {
    var walk = Walk(root: root)
    walk.visit(Self.tree, name: "", isOn: true, depth: Self.depth)
    var users: [UInt32: String] = [:]
    for (name, groups) in walk.users {
      for pin in groups.flatMap({ walk.groups[$0] ?? [] }) { users[pin] = users[pin] ?? name }
    }
    self.users = users
  }

  /// Who has a line; nil: nobody, or it is not one of the header.
  public func user(of offset: UInt32, chip: GPIOChip) -> String? { chip.isHeader ? users[offset] : nil }

  /// Who has the line of an input that is found; nil: nobody, or it is not one of the header.
  public func user(of place: GPIOPlace) -> String? {
    GPIOChip.headerLabels.contains(place.chipLabel) ? users[place.offset] : nil
  }

  private struct Walk {
    let root: FileRoot
    var users: [(name: String, groups: [UInt32])] = []
    /// Pins by phandle.
    var groups: [UInt32: [UInt32]] = [:]
    var visited = 0

    mutating func visit(_ path: String, name: String, isOn: Bool, depth: Int) {
      visited += 1
      guard depth > 0, visited < nodeLimit, let entries = try? root.entries(of: path) else { return }
      let status = entries.contains("status") ? try? root.text(of: path + "/status") : nil
      let isOn = isOn && (status ?? "okay") != "disabled"
      if isOn, entries.contains("pinctrl-0"), buses.contains(where: name.hasPrefix) {
        users.append((name, numbers(path + "/pinctrl-0")))
      }
      let phandle = entries.contains("phandle") ? numbers(path + "/phandle").first : nil
      if let phandle { groups[phandle, default: []] += pins(path, entries) }
      for entry in entries where !entry.contains(",") && entry != "__symbols__" && entry != "aliases" {
        let child = "\(path)/\(entry)"
        guard !properties.contains(entry), isNode(child) else { continue }
        visit(child, name: entry, isOn: isOn, depth: depth - 1)
        // A group may have its pins in nodes of their own.
        if let phandle, let below = try? root.entries(of: child) { groups[phandle, default: []] += pins(child, below) }
      }
    }

    private let properties: Set = [
      "name", "status", "phandle", "compatible", "reg", "pinctrl-0", "pinctrl-names", "pins",
    ]

    private func isNode(_ path: String) -> Bool { (try? root.entries(of: path)) != nil }

    private func pins(_ path: String, _ entries: [String]) -> [UInt32] {
      if entries.contains("brcm,pins") { return numbers(path + "/brcm,pins") }
      guard entries.contains("pins"), let bytes = try? root.bytes(of: path + "/pins") else { return [] }
      return bytes.split(separator: 0).compactMap { name in
        let name = String(decoding: name, as: UTF8.self)
        return name.hasPrefix("gpio") ? UInt32(name.dropFirst(4)) : nil
      }
    }

    /// The cells of a property: 32 bits, the highest first.
    private func numbers(_ path: String) -> [UInt32] {
      guard let bytes = try? root.bytes(of: path) else { return [] }
      return stride(from: 0, to: bytes.count - 3, by: 4).map { start in
        bytes[start..<start + 4].reduce(0) { $0 << 8 | UInt32($1) }
      }
    }
  }
}
