import JSON
import LimpetPlatform
import LimpetText
import NIOCore
import Sensing
import YAML

/// What `limpet scan` says of GPIO: every chip and line, by the names that stay.
public struct GPIOScan {
  private let inventory: GPIOInventory
  private let claimed: ClaimedPins

  /// Looks at the chips; nothing is requested, so no line changes.
  public init(root: FileRoot) { self.init(GPIOInventory(root: root), claimed: ClaimedPins(root: root)) }

  package init(_ inventory: GPIOInventory, claimed: ClaimedPins = ClaimedPins()) {
    self.inventory = inventory
    self.claimed = claimed
  }

  /// Chips that could not be looked at.
  public var problems: [String] { inventory.failures.map(\.description) }

  /// A line a line, under its chip. Consumers are any program's own text.
  public var text: String {
    guard !inventory.chips.isEmpty else { return "no GPIO chips" }
    return inventory.chips.map { chip in
      let rows = TextTable(chip.lines.map(Self.cells)).lines().map { "  " + $0 }
      return (["\(printable(chip.label)) (\(chip.name)), \(chip.lines.count) lines"] + rows).joined(separator: "\n")
    }.joined(separator: "\n")
  }

  private static func cells(_ line: GPIOLine) -> [String] {
    let use =
      switch (line.isUsed, line.consumer) {
      case (false, _): "free"
      case (true, nil): "used"
      case (true, let consumer?): "used by \(printable(consumer))"
      }
    return [
      String(line.offset).aligned(to: 3), line.name.map { printable($0) } ?? "-",
      (line.isOutput ? "output" : "input").padded(to: 6), use + (line.isActiveLow ? ", active low" : ""),
    ]
  }

  /// The value of `gpio` in the JSON of `limpet scan --json`: a list of chips with their lines.
  package var json: [ByteBuffer] {
    inventory.chips.map { chip in
      var object = JSONObject()
      object.add("name", chip.name)
      object.add("label", chip.label)
      object.add("path", chip.path)
      object.add("lines", list: chip.lines.map(Self.json))
      return object.finish()
    }
  }

  private static func json(_ line: GPIOLine) -> ByteBuffer {
    var object = JSONObject()
    object.add("offset", UInt64(line.offset))
    object.add("name", line.name)
    object.add("direction", line.isOutput ? "output" : "input")
    object.add("used", line.isUsed)
    object.add("consumer", line.consumer)
    object.add("active_low", line.isActiveLow)
    return object.finish()
  }

  /// `inputs:` for a configuration, commented out: which lines are inputs only the board's owner knows, and requesting all of
  /// them would take those that other things are wired to. On a Raspberry Pi lines off the header are the board's own: its
  /// SD card, its radio.
  public var yaml: String {
    let headers = inventory.chips.filter(\.isHeader)
    let isHeader = !headers.isEmpty
    let lines = (isHeader ? headers : inventory.chips).flatMap { chip in
      (isHeader ? chip.headerLines : chip.freeLines).map { ($0, chip) }
    }
    guard !lines.isEmpty else { return "# inputs: no GPIO chip with free lines was found" }
    let title =
      isHeader
      ? "uncomment what is wired to the header"
      : "uncomment what is wired to these lines, the free ones"
    var names = ScannedNames()
    return
      (["# inputs: \(title), without the comment signs"] + ["# inputs:"]
      + lines.map { line, chip in
        let user = claimed.user(of: line.offset, chip: chip)
        let entry = self.entry(line, of: chip, &names)
        return user.map { "#   # \(entry)  # \(printable($0)) has this pin" } ?? "#   \(entry)"
      }).joined(separator: "\n")
  }

  private func entry(_ line: GPIOLine, of chip: GPIOChip, _ names: inout ScannedNames) -> String {
    let isUnique = inventory.chips.flatMap(\.lines).count { $0.name == line.name } == 1
    // A name of digits alone would be an offset.
    if let name = line.name, isUnique, name.unicodeScalars.contains(where: { !("0"..."9").contains($0) }) {
      return "- {name: \(names.name(of: name, or: "gpio\(line.offset)")), line: \(yamlScalar(name))}"
    }
    let fallback = chip.isHeader ? "gpio\(line.offset)" : "\(chip.label)_\(line.offset)"
    return "- {name: \(names.name(of: fallback, or: "gpio")), \(selection(of: chip)), line: \(line.offset)}"
  }

  /// What names a chip, also after the next boot where that can be.
  private func selection(of chip: GPIOChip) -> String {
    if inventory.chips.count(where: { $0.label == chip.label }) == 1 { return "chip: \(yamlScalar(chip.label))" }
    let end = chip.device.map { String($0[($0.lastIndex(of: "/").map($0.index(after:)) ?? $0.startIndex)...]) }
    if let end, inventory.chips.count(where: { $0.device?.hasSuffix("/" + end) == true }) == 1 {
      return "device: \(yamlScalar(end))"
    }
    return "chip: \(yamlScalar(chip.name))"
  }
}

extension GPIOChip {
  /// Lines of the 40-pin header that are free: 2 to 27; 0 and 1 are for the EEPROM of an add-on board.
  fileprivate var headerLines: [GPIOLine] {
    freeLines.filter { (2...27).contains($0.offset) }
  }

  fileprivate var freeLines: [GPIOLine] { lines.filter { !$0.isUsed && !$0.isOutput } }
}
