import Instants
import Measuring
import Platform
import Text

/// Reads one channel of a hwmon chip (Documentation/hwmon/sysfs-interface.rst), both by names that stay.
final class HwmonSource: SensorSource {
  private struct Place {
    let chip: HwmonChip
    let input: HwmonInput
  }

  private let chip: String
  private let device: String?
  private let selector: HwmonSelector
  private let root: FileRoot
  private let found = StableName<Place>()

  init(chip: String, device: String?, selector: HwmonSelector, root: FileRoot) {
    self.chip = chip
    self.device = device
    self.selector = selector
    self.root = root
  }

  var bus: Bus { Bus("hwmon \(chip)" + (device.map { " \($0)" } ?? "")) }

  func read() throws(SensorError) -> Measurement {
    try found.read { () throws(SensorError) in
      try search()
    } at: { place throws(SensorError) in
      let name = try reading { () throws(ReadError) in try root.text(of: place.chip.namePath) }
      guard name == chip, isPlaced(place.chip) else { throw .moved(chip, path: place.chip.folder) }
      // Asked first: with a fault, the value is whatever the converter makes of an open wire.
      if let path = place.input.faultPath, try root.integer(of: path) != 0 { throw .fault(path: path) }
      let raw = try root.integer(of: place.input.path)
      let kind = place.input.channel.kind
      let value = Value.divided(raw, by: kind.divisor)
      let time = BootClock.now
      return Measurement(value: value, unit: kind.unit, doubt: alarm(of: place.input), time: time)
    }
  }

  /// Whether a chip is still that of the device. Below its device it is, as it is there; by its number in a tree without
  /// links it may be another of its name.
  private func isPlaced(_ chip: HwmonChip) -> Bool {
    guard let device, chip.folder.hasPrefix(HwmonChip.classFolder) else { return true }
    return chip.isOf(device: device, in: root)
  }

  /// Limits are the driver's, so what it says of them is told as it stands; what it does not say takes no value away.
  private func alarm(of input: HwmonInput) -> Doubt? {
    var raised: [String] = []
    for path in input.alarmPaths where (try? root.integer(of: path)) ?? 0 != 0 {
      raised.append(String(path[(path.lastIndex(of: "/").map(path.index(after:)) ?? path.startIndex)...]))
    }
    return raised.isEmpty ? nil : Doubt(.alarm, "the driver reports \(raised.joined(separator: ", "))")
  }

  private func search() throws(SensorError) -> Place {
    let chips = try reading { () throws(ReadError) in try HwmonChip.all(in: root) }
    let named = chips.filter { $0.name == chip }
    guard !named.isEmpty else {
      throw .noSuchName(chip, what: "hwmon chip", place: HwmonChip.classFolder, existing: chips.map(\.name))
    }
    let matches = device.map { device in named.filter { $0.isOf(device: device, in: root) } } ?? named
    guard let match = matches.first else {
      throw .noSuchName(
        device ?? "", what: "device of a hwmon chip \(chip)", place: HwmonChip.classFolder,
        existing: named.map { $0.device(in: root) })
    }
    guard matches.count == 1 else {
      throw .ambiguous(
        chip, what: "hwmon chip", candidates: matches.map { $0.device(in: root) },
        instead: "say which with device:, by the end of its path")
    }
    // Where the device decides, the chip is read below it: that path is gone, not another's, when the chip moves.
    let place = device == nil ? match : match.belowItsDevice(in: root)
    let inputs = try reading { () throws(ReadError) in try place.channels(in: root) }
    return Place(chip: place, input: try select(from: inputs, of: place))
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

extension SensorDriver {
  static let hwmon = SensorDriver(
    source: { settings, root, _ in
      HwmonSource(
        chip: settings.text("chip"), device: settings["device"], selector: HwmonSelector(settings), root: root)
    },
    sensors: { channels($0) })

  private static func channels(_ root: FileRoot) -> [FoundSensor] {
    let chips = ((try? HwmonChip.all(in: root)) ?? []).map { (chip: $0, device: $0.device(in: root)) }
    return chips.flatMap { chip, device -> [FoundSensor] in
      // The same values as those of the thermal zone, the power supply or the 1-Wire sensor it belongs to.
      let isMirror =
        device.contains("/thermal_zone") || device.contains("/power_supply/") || chip.name == "w1_slave_temp"
      guard !isMirror else { return [] }
      let namesakes = chips.filter { $0.chip.name == chip.name }.map(\.device)
      let end = FoundSensor.shortEnd(of: device, components: 1, among: namesakes)
      return ((try? chip.channels(in: root)) ?? []).map { input in
        let channel = "\(input.channel)"
        let label = input.label ?? channel
        return FoundSensor(
          .hwmon(chip: chip.name, device: namesakes.count > 1 ? end : nil, selector: .channel(channel)),
          named: [
            [chip.name, label], [chip.name, label, channel], [chip.name, end, channel], [chip.name, device, channel],
          ])
      }
    }
  }
}
