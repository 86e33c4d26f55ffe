import Measuring
import Text

/// A line that an input means, found.
public struct GPIOPlace: Sendable, Hashable, CustomStringConvertible {
  /// Of the chip's device file, inside the root.
  public let path: String
  public let chipName: String
  public let chipLabel: String
  public let offset: UInt32
  /// nil: it has none.
  public let lineName: String?

  package init(_ line: GPIOLine, of chip: GPIOChip) {
    path = chip.path
    chipName = chip.name
    chipLabel = chip.label
    offset = line.offset
    lineName = line.name
  }

  public var description: String {
    let chip = "\(printable(chipLabel)) (\(chipName))"
    return lineName.map { "\(printable($0)), line \(offset) of \(chip)" } ?? "line \(offset) of \(chip)"
  }
}

extension GPIOInput {
  /// The line that is meant, if it can be taken.
  ///
  /// - Throws: ``GPIOError``, also for a line that is held, or that is an output.
  public func place(in inventory: GPIOInventory) throws(GPIOError) -> GPIOPlace {
    let (line, chip) = try line(in: inventory)
    let place = GPIOPlace(line, of: chip)
    guard !line.isUsed else { throw .busy(place, consumer: line.consumer) }
    guard !line.isOutput || isForced else { throw .output(place) }
    return place
  }

  private func line(in inventory: GPIOInventory) throws(GPIOError) -> (GPIOLine, GPIOChip) {
    guard !inventory.chips.isEmpty else { throw .noChip(inventory.failures) }
    switch line {
    case .name(let name):
      let chips = try chip.map { wanted throws(GPIOError) in [try Self.chip(wanted, in: inventory)] } ?? inventory.chips
      let matches = chips.flatMap { chip in chip.lines.filter { $0.name == name }.map { ($0, chip) } }
      guard let match = matches.first else {
        throw .noSuchLine(
          name, chips: chips.map(\.label), existing: chips.flatMap { $0.lines.compactMap(\.name) },
          unread: chip == nil ? inventory.failures : [])
      }
      guard matches.count == 1 else {
        throw .ambiguousLine(name, candidates: matches.map { GPIOPlace($0, of: $1) })
      }
      return match
    case .offset(let offset):
      let found =
        if let chip { try Self.chip(chip, in: inventory) } else { try Self.header(of: inventory) }
      guard let line = found.lines.first(where: { $0.offset == offset }) else {
        throw .noSuchOffset(offset, chip: found.label, lines: found.lines.count)
      }
      return (line, found)
    }
  }

  /// A chip by its label, name or path, in this order: a label is the name that stays.
  private static func chip(_ wanted: String, in inventory: GPIOInventory) throws(GPIOError) -> GPIOChip {
    for key in [\GPIOChip.label, \.name, \.path] {
      let matches = inventory.chips.filter { $0[keyPath: key] == wanted }
      guard matches.count <= 1 else {
        throw .ambiguousChip(wanted, candidates: matches.map(\.name))
      }
      if let match = matches.first { return match }
    }
    throw .noSuchChip(wanted, existing: inventory.chips.map(\.label), unread: inventory.failures)
  }

  private static func header(of inventory: GPIOInventory) throws(GPIOError) -> GPIOChip {
    let headers = inventory.chips.filter(\.isHeader)
    guard let header = headers.first else {
      throw .noHeader(existing: inventory.chips.map(\.label), unread: inventory.failures)
    }
    guard headers.count == 1 else { throw .ambiguousChip(header.label, candidates: headers.map(\.name)) }
    return header
  }
}
