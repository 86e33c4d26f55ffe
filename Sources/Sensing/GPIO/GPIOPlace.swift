import LimpetText
import Measuring

/// A line that an input means, found.
public struct GPIOPlace: Sendable, Hashable, CustomStringConvertible {
  /// Of the chip's device file, inside the root.
  public let path: String
  public let chipName: String
  public let chipLabel: String
  public let offset: UInt32
  /// nil: it has none.
  public let lineName: String?
  /// Where the chip is connected; nil: the kernel does not say.
  public let device: String?
  /// How often limpet looks at its level, since the chip has no interrupt for it; nil: the kernel reports its edges.
  public var poll: Duration?

  /// Behind an I²C or SPI bus, where each look is a transfer, and interrupts are a wire of its own that may be missing.
  public var isBehindBus: Bool {
    device?.split(separator: "/").contains { $0.hasPrefix("i2c-") || $0.hasPrefix("spi") } == true
  }

  package init(_ line: GPIOLine, of chip: GPIOChip) {
    path = chip.path
    chipName = chip.name
    chipLabel = chip.label
    offset = line.offset
    lineName = line.name
    device = chip.device
  }

  public var description: String {
    let chip = "\(printable(chipLabel)) (\(chipName))"
    let line = lineName.map { "\(printable($0)), line \(offset) of \(chip)" } ?? "line \(offset) of \(chip)"
    return line + (poll.map { ", which has no interrupt and is looked at every \($0.inWords)" } ?? "")
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
      let chips = isOfOneChip ? [try chosenChip(in: inventory)] : inventory.chips
      var matches = chips.flatMap { chip in chip.lines.filter { $0.name == name }.map { ($0, chip) } }
      if matches.isEmpty { matches = Self.headerLines(name, of: chips) }
      guard let match = matches.first else {
        throw .noSuchLine(
          name, chips: chips.map(\.label), existing: chips.flatMap { $0.lines.compactMap(\.name) },
          unread: !isOfOneChip ? inventory.failures : [])
      }
      guard matches.count == 1 else {
        throw .ambiguousLine(name, candidates: matches.map { GPIOPlace($0, of: $1) })
      }
      return match
    case .offset(let offset):
      let found = isOfOneChip ? try chosenChip(in: inventory) : try Self.header(of: inventory)
      guard let line = found.lines.first(where: { $0.offset == offset }) else {
        throw .noSuchOffset(offset, chip: found.label, lines: found.lines.count)
      }
      return (line, found)
    }
  }

  /// The line that `GPIO4` means on a header whose lines the kernel names otherwise: Debian's names for a Pi 3 and 4 are
  /// those of functions, `GPIO_GCLK`.
  private static func headerLines(_ name: String, of chips: [GPIOChip]) -> [(GPIOLine, GPIOChip)] {
    guard name.hasPrefix("GPIO"), let offset = UInt32(name.dropFirst(4)), name == "GPIO\(offset)" else { return [] }
    return chips.filter(\.isHeader).flatMap { chip in chip.lines.filter { $0.offset == offset }.map { ($0, chip) } }
  }

  /// The chip that `chip` and `device` mean together.
  private func chosenChip(in inventory: GPIOInventory) throws(GPIOError) -> GPIOChip {
    let candidates = try chip.map { wanted throws(GPIOError) in try Self.chips(wanted, in: inventory) }
    guard let device else {
      let matches = candidates ?? []
      guard matches.count <= 1 else { throw .ambiguousChip(chip ?? "", candidates: matches.map(Self.distinction)) }
      if let match = matches.first { return match }
      throw .noSuchChip(chip ?? "", existing: inventory.chips.map(\.label), unread: inventory.failures)
    }
    let matches = (candidates ?? inventory.chips).filter { $0.device?.isPath(endingIn: device) == true }
    guard let match = matches.first else {
      throw .noSuchDevice(
        device, existing: (candidates ?? inventory.chips).compactMap(\.device), unread: inventory.failures)
    }
    guard matches.count == 1 else { throw .ambiguousDevice(device, candidates: matches.map(Self.distinction)) }
    return match
  }

  /// What distinguishes a chip from another with the same label.
  private static func distinction(_ chip: GPIOChip) -> String {
    chip.device.map { "\(chip.name) at \($0)" } ?? chip.name
  }

  /// Chips by their label, name or path, in this order: a label is the name that stays. A path may be any that leads to
  /// the device file.
  private static func chips(_ wanted: String, in inventory: GPIOInventory) throws(GPIOError) -> [GPIOChip] {
    for key in [\GPIOChip.label, \.name, \.path] {
      let matches = inventory.chips.filter { $0[keyPath: key] == wanted }
      if !matches.isEmpty { return matches }
    }
    if let chip = inventory.chips.first(where: { $0.aliases.contains(wanted) }) { return [chip] }
    if let chip = wanted.hasPrefix("/") ? inventory.chip(at: wanted) : nil { return [chip] }
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
