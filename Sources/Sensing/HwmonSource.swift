import LimpetInstants
import LimpetPlatform
import LimpetText
import Measuring
import Synchronization

/// Reads one channel of a hwmon chip (Documentation/hwmon/sysfs-interface.rst), both by names that stay.
final class HwmonSource: SensorSource {
  private struct Place {
    let chip: HwmonChip
    let item: Item
  }

  private enum Item {
    case input(HwmonInput)
    case attribute(path: String, HwmonAttribute)
  }

  private let chip: String
  private let device: String?
  private let selector: HwmonSelector
  private let root: FileRoot
  private let found = StableName<Place>()
  private let adapter = Mutex<Bus?>(nil)

  init(chip: String, device: String?, selector: HwmonSelector, root: FileRoot) {
    self.chip = chip
    self.device = device
    self.selector = selector
    self.root = root
  }

  var bus: Bus { adapter.withLock { $0 } ?? Bus("hwmon \(chip)" + (device.map { " \($0)" } ?? "")) }

  var hasEvents: Bool { true }

  func isConcerned(by event: DeviceEvent) -> Bool { event.isComingOrGoing && event.subsystem == "hwmon" }

  func locate() { _ = try? find() }

  var notifies: Bool {
    if case .attribute(let name) = selector { HwmonAttribute(name).meaning == .alarm } else { false }
  }

  func notifyingPath() -> String? {
    guard notifies, case .attribute(let path, _)? = (try? search())?.item else { return nil }
    return path
  }

  func read() throws(SensorError) -> Measurement {
    try found.read { () throws(SensorError) in
      try search()
    } at: { place throws(SensorError) in
      let name = try reading { () throws(ReadError) in try root.text(of: place.chip.namePath) }
      guard name == chip, isPlaced(place.chip) else { throw .moved(chip, path: place.chip.folder) }
      switch place.item {
      case .input(let input): return try measure(input)
      case .attribute(let path, let attribute): return try measure(path, attribute)
      }
    }
  }

  private func measure(_ input: HwmonInput) throws(SensorError) -> Measurement {
    // Asked first: with a fault, the value is whatever the converter makes of an open wire.
    if let path = input.faultPath, try root.integer(of: path) != 0 { throw .fault(path: path) }
    let raw = try root.integer(of: input.path)
    let kind = input.channel.kind
    let value = Value.divided(raw, by: kind.divisor)
    let time = BootClock.now
    return Measurement(value: value, unit: kind.unit, doubt: alarm(of: input), time: time)
  }

  private func measure(_ path: String, _ attribute: HwmonAttribute) throws(SensorError) -> Measurement {
    switch attribute.meaning {
    case .quantity(let divisor, let unit):
      Measurement(value: .divided(try root.integer(of: path), by: divisor), unit: unit, time: .now)
    case .alarm: Measurement(value: .flag(try root.integer(of: path) != 0), time: .now)
    case .other: Measurement(value: try root.numberOrText(of: path), time: .now)
    }
  }

  /// Whether a chip is still that of the device. A path below the device is certain; by its number, in a tree without
  /// links, it may be another chip of the same name.
  private func isPlaced(_ chip: HwmonChip) -> Bool {
    guard let device, chip.folder.hasPrefix(HwmonChip.classFolder) else { return true }
    return chip.isOf(device: device, in: root)
  }

  /// Limits are the driver's, so its alarm becomes a doubt as it is; a missing alarm does not make a value bad.
  private func alarm(of input: HwmonInput) -> Doubt? {
    var raised: [String] = []
    for path in input.alarmPaths where (try? root.integer(of: path)) ?? 0 != 0 {
      raised.append(String(path[(path.lastIndex(of: "/").map(path.index(after:)) ?? path.startIndex)...]))
    }
    return raised.isEmpty ? nil : Doubt(.alarm, "the driver reports \(raised.joined(separator: ", "))")
  }

  /// The channel that it would read, by the kernel's name; nil: there is none now.
  var channelName: String? {
    guard case .input(let input)? = try? search().item else { return nil }
    return "\(input.channel)"
  }

  private func search() throws(SensorError) -> Place {
    let match = try find()
    // Where the device decides, the chip is read below it: that path is gone, not another's, when the chip moves.
    let place = device == nil ? match : match.belowItsDevice(in: root)
    return Place(chip: place, item: try select(from: place))
  }

  /// The chip, and which adapter it is at.
  private func find() throws(SensorError) -> HwmonChip {
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
    adapter.withLock { $0 = Bus.adapter(ofDevice: match.device(in: root)) }
    return match
  }

  private func select(from match: HwmonChip) throws(SensorError) -> Item {
    if case .attribute(let name) = selector {
      return .attribute(path: try path(of: name, in: match), HwmonAttribute(name))
    }
    let inputs = try reading { () throws(ReadError) in try match.channels(in: root) }
    return .input(try select(from: inputs, of: match))
  }

  private func path(of attribute: String, in chip: HwmonChip) throws(SensorError) -> String {
    let folders = [chip.folder, chip.folder + "/device"]
    if let folder = folders.first(where: { root.exists("\($0)/\(attribute)") }) { return "\(folder)/\(attribute)" }
    let others = ["name", "uevent", "device", "subsystem", "power", "of_node"]
    throw .noSuchName(
      attribute, what: "attribute of hwmon chip \(self.chip)", place: chip.folder,
      existing: ((try? root.entries(of: chip.folder)) ?? []).filter { !others.contains($0) })
  }

  private func select(from inputs: [HwmonInput], of match: HwmonChip) throws(SensorError) -> HwmonInput {
    switch selector {
    case .attribute(let name):
      preconditionFailure("\(name) is an attribute, not a channel")
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
