import JSON
import NIOCore
import Platform
import Sensing
import Text
import YAML

/// What `limpet scan` says of GPIO: every chip and line, by the names that stay.
public struct GPIOScan {
  private let inventory: GPIOInventory

  /// Looks at the chips; nothing is requested, so no line changes.
  public init(root: FileRoot) { inventory = GPIOInventory(root: root) }

  package init(_ inventory: GPIOInventory) { self.inventory = inventory }

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

  /// `inputs:` for a configuration, commented out: which of the header's lines are inputs only its owner knows, and
  /// requesting all of them would take those that other things are wired to. Lines off the header are a board's own: its
  /// SD card, its radio.
  public var yaml: String {
    let lines = inventory.chips.filter(\.isHeader).flatMap { chip in chip.headerLines.map { ($0, chip) } }
    guard !lines.isEmpty else { return "# inputs: no Raspberry Pi header with free lines was found" }
    return
      (["# inputs: what is wired to the header, without the comment signs"] + ["# inputs:"]
      + lines.map { line, chip in "#   " + Self.entry(line, of: chip, in: inventory) }).joined(separator: "\n")
  }

  private static func entry(_ line: GPIOLine, of chip: GPIOChip, in inventory: GPIOInventory) -> String {
    let isUnique = inventory.chips.flatMap(\.lines).count { $0.name == line.name } == 1
    guard let name = line.name, isUnique, name.unicodeScalars.allSatisfy(\.isNameCharacter) else {
      return "- {name: gpio\(line.offset), chip: \(yamlScalar(chip.label)), line: \(line.offset)}"
    }
    return "- {name: \(name.lowercased()), line: \(name)}"
  }
}

extension GPIOChip {
  /// Lines of the 40-pin header that are free: 2 to 27; 0 and 1 are for the EEPROM of an add-on board.
  fileprivate var headerLines: [GPIOLine] {
    lines.filter { (2...27).contains($0.offset) && !$0.isUsed && !$0.isOutput }
  }
}
