/// Reads one channel of a hwmon chip (Documentation/hwmon/sysfs-interface.rst), both by names that stay.
final class HwmonSource: SensorSource {
  private struct Place {
    let chip: HwmonChip
    let input: HwmonInput
  }

  private let chip: String
  private let selector: HwmonSelector
  private let root: FileRoot
  private let found = StableName<Place>()

  init(chip: String, selector: HwmonSelector, root: FileRoot) {
    self.chip = chip
    self.selector = selector
    self.root = root
  }

  var bus: Bus { Bus("hwmon \(chip)") }

  func read() throws(SensorError) -> Measurement {
    try found.read { () throws(SensorError) in
      try search()
    } at: { place throws(SensorError) in
      let name = try reading { () throws(ReadError) in try root.text(of: place.chip.namePath) }
      guard name == chip else { throw .moved(chip, path: place.chip.folder) }
      // Asked first: with a fault, the value is whatever the converter makes of an open wire.
      if let path = place.input.faultPath, try root.integer(of: path) != 0 { throw .fault(path: path) }
      let raw = try root.integer(of: place.input.path)
      let kind = place.input.channel.kind
      return Measurement(value: .divided(raw, by: kind.divisor), unit: kind.unit)
    }
  }

  private func search() throws(SensorError) -> Place {
    let chips = try reading { () throws(ReadError) in try HwmonChip.all(in: root) }
    let matches = chips.filter { $0.name == chip }
    guard let match = matches.first else {
      throw .noSuchName(chip, what: "hwmon chip", place: HwmonChip.classFolder, existing: chips.map(\.name))
    }
    guard matches.count == 1 else {
      throw .ambiguous(
        chip, what: "hwmon chip", candidates: matches.map { $0.device(in: root) },
        instead: "name one attribute by its path, with type: file")
    }
    let inputs = try reading { () throws(ReadError) in try match.channels(in: root) }
    return Place(chip: match, input: try select(from: inputs, of: match))
  }

  private func select(from inputs: [HwmonInput], of match: HwmonChip) throws(SensorError) -> HwmonInput {
    switch selector {
    case .channel(let name):
      guard let input = inputs.first(where: { $0.channel.description == name }) else {
        let existing = inputs.map { input in input.label.map { "\(input.channel) (\($0))" } ?? "\(input.channel)" }
        throw .noSuchName(name, what: "channel of hwmon chip \(chip)", place: match.folder, existing: existing)
      }
      return input
    case .label(let text):
      let labelled = inputs.filter { $0.label == text }
      guard let input = labelled.first else {
        let existing = inputs.compactMap { input in input.label.map { "\($0) (\(input.channel))" } }
        throw .noSuchName(text, what: "label of hwmon chip \(chip)", place: match.folder, existing: existing)
      }
      guard labelled.count == 1 else {
        throw .ambiguous(
          text, what: "label of hwmon chip \(chip)", candidates: labelled.map { "\($0.channel)" },
          instead: "use channel: instead of label:")
      }
      return input
    }
  }
}
