import LimpetInstants
import LimpetPlatform
import LimpetText
import Measuring
import Synchronization

/// Reads one channel of an IIO device: `_input`, or (`_raw` + offset) × scale, in the usual unit.
final class IIOSource: SensorSource {
  private struct Place {
    let device: IIODevice
    let item: Item
  }

  private enum Item {
    case channel(IIOChannel)
    case attribute(path: String)
  }

  private let device: String
  private let selector: IIOSelector
  private let root: FileRoot
  private let found = StableName<Place>()
  private let adapter = Mutex<Bus?>(nil)

  init(device: String, selector: IIOSelector, root: FileRoot) {
    self.device = device
    self.selector = selector
    self.root = root
  }

  var bus: Bus { adapter.withLock { $0 } ?? Bus("iio \(device)") }

  var hasEvents: Bool { true }

  func isConcerned(by event: DeviceEvent) -> Bool { event.isComingOrGoing && event.subsystem == "iio" }

  func locate() { _ = try? find() }

  func read() throws(SensorError) -> Measurement {
    try found.read { () throws(SensorError) in
      try search()
    } at: { place throws(SensorError) in
      // A path is the device's own; a name may be another's by now.
      if !device.contains("/") {
        let file = place.device.folder + (place.device.name == device ? "/name" : "/label")
        let name = try reading { () throws(ReadError) in try root.text(of: file) }
        guard name == device else { throw .moved(device, path: place.device.folder) }
      }
      switch place.item {
      case .channel(let channel): return try measure(channel)
      case .attribute(let path): return Measurement(value: try root.numberOrText(of: path), time: .now)
      }
    }
  }

  private func measure(_ channel: IIOChannel) throws(SensorError) -> Measurement {
    let raw = try root.number(of: channel.path)
    let time = BootClock.now
    // Read each time: a gain may be set while we run.
    let scale = try channel.scalePath.map { path throws(SensorError) in try root.number(of: path) }
    let offset = try channel.offsetPath.map { path throws(SensorError) in try root.number(of: path) }
    let quantity = channel.quantity
    if scale == nil, offset == nil, quantity == .none { return Measurement(value: raw, time: time) }
    guard let value = Self.value(raw, scale, offset, quantity) else {
      throw .notOneNumber(path: channel.path, content: "\(raw)", flaw: .tooLarge)
    }
    return Measurement(value: .number(value), unit: quantity.unit, time: time)
  }

  /// Rounded to the digits that the decimal numbers have together; nil past the range of a Double.
  static func value(_ raw: Value, _ scale: Value?, _ offset: Value?, _ quantity: IIOQuantity) -> Double? {
    guard let raw = raw.number, let scale = (scale ?? .integer(1)).number, let offset = (offset ?? .integer(0)).number
    else { return nil }
    let exact = (raw + offset) * scale * quantity.factor / quantity.divisor
    guard exact.isFinite, let rawDecimals = raw.decimals, let offsetDecimals = offset.decimals,
      let scaleDecimals = scale.decimals
    else { return nil }
    let shift = quantity.divisor > 1 ? 3 : 0
    return exact.rounded(decimals: max(rawDecimals, offsetDecimals) + scaleDecimals + shift)
  }

  /// The channel that it would read, by the kernel's name; nil: there is none now.
  var channelName: String? { if case .channel(let channel)? = try? search().item { channel.name } else { nil } }

  private func search() throws(SensorError) -> Place {
    let match = try find()
    // Found by its path it is read there: that path is gone, not another's, when the device moves.
    let folder = device.contains("/") ? (try? root.resolve(match.folder)) ?? match.folder : match.folder
    let place = IIODevice(name: match.name, label: match.label, folder: folder)
    return Place(device: place, item: try select(from: place))
  }

  /// The device, and which adapter it is at.
  private func find() throws(SensorError) -> IIODevice {
    let devices = try reading { () throws(ReadError) in try IIODevice.all(in: root) }
    let matches = devices.filter { $0.answers(to: device, in: root) }
    guard let match = matches.first else {
      let existing = devices.map { device in device.label.map { "\(device.name) (\($0))" } ?? device.name }
      throw .noSuchName(device, what: "iio device", place: IIODevice.busFolder, existing: existing)
    }
    guard matches.count == 1 else {
      throw .ambiguous(
        device, what: "iio device", candidates: matches.map { $0.label ?? $0.device(in: root) },
        instead: "name one by its label or by its path")
    }
    adapter.withLock { $0 = Bus.adapter(ofDevice: match.device(in: root)) }
    return match
  }

  private func select(from place: IIODevice) throws(SensorError) -> Item {
    if case .attribute(let name) = selector {
      let path = "\(place.folder)/\(name)"
      if root.exists(path) { return .attribute(path: path) }
      throw .noSuchName(
        name, what: "attribute of iio device \(device)", place: place.folder,
        existing: ((try? root.entries(of: place.folder)) ?? []).filter { $0 != "uevent" })
    }
    let channels = try reading { () throws(ReadError) in try place.channels(in: root) }
    let existing = channels.map { channel in channel.label.map { "\(channel.name) (\($0))" } ?? channel.name }
    switch selector {
    case .channel(let name):
      if let channel = channels.first(where: { $0.name == name }) { return .channel(channel) }
      throw .noSuchName(name, what: "channel of iio device \(device)", place: place.folder, existing: existing)
    case .label(let text), .attribute(let text):
      let labelled = channels.filter { $0.label == text }
      guard let channel = labelled.first else {
        throw .noSuchName(text, what: "label of iio device \(device)", place: place.folder, existing: existing)
      }
      guard labelled.count == 1 else {
        throw .ambiguous(
          text, what: "label of iio device \(device)", candidates: labelled.map(\.name),
          instead: "use channel: instead of label:")
      }
      return .channel(channel)
    }
  }
}

extension SensorDriver {
  static let iio = SensorDriver(
    source: { settings, root, _ in
      IIOSource(device: settings.text("device"), selector: IIOSelector(settings), root: root)
    },
    sensors: { channels($0) })

  private static func channels(_ root: FileRoot) -> [FoundSensor] {
    let devices = (try? IIODevice.all(in: root)) ?? []
    return devices.flatMap { device -> [FoundSensor] in
      let namesakes = devices.filter { $0.name == device.name }
      let path = device.device(in: root)
      var wanted = device.name
      if namesakes.count > 1 {
        wanted = FoundSensor.shortEnd(of: path, components: 2, among: namesakes.map { $0.device(in: root) })
        if let label = device.label, namesakes.count(where: { $0.label == label }) == 1 { wanted = label }
      }
      return ((try? device.channels(in: root)) ?? [])
        .filter { !$0.isMeanOfAnother && $0.name.hasPrefix("in_") && !$0.name.hasPrefix("in_timestamp") }
        .map { channel in
          let short = String(channel.name.dropFirst("in_".count))
          return FoundSensor(
            .iio(device: wanted, channel: channel.name),
            named: [
              [device.name, channel.label ?? short], [device.name, short], [wanted, short], [device.name, path, short],
            ])
        }
    }
  }
}
