import Measuring
import Readings
import Text

/// Reads `sensors`.
struct SensorSection {
  private(set) var sensors: [SensorConfiguration] = []
  /// Their `name` keys.
  private(set) var names: [NamedReading] = []

  init(_ readers: [MappingReader]) {
    for reader in readers { read(reader) }
  }

  private mutating func read(_ reader: MappingReader) {
    let name = reader.read(SensorKeys.name)
    let type = reader.read(SensorKeys.type)
    let interval = reader.read(SensorKeys.interval)
    let maxAge = reader.read(SensorKeys.maxAge)
    if let age = maxAge.value, age < interval.value, !interval.isWrong {
      reader.conflict(
        maxAge.written, interval.written,
        "max_age \(WrittenDuration.text(age)) is shorter than interval "
          + "\(WrittenDuration.text(interval.value)); write a longer max_age"
      )
    }
    let timeout = reader.read(SensorKeys.timeout).value
    let change = reader.read(SensorKeys.change).value
    let unit = reader.read(SensorKeys.unit)
    let map = reader.readTexts(SensorKeys.map, limit: 256)
    let scale = reader.read(SensorKeys.scale)
    let offset = reader.read(SensorKeys.offset)
    let range = RangeSection(reader)
    let average = AverageKeys(reader, interval)
    let decimals = reader.read(SensorKeys.round).value
    let isRetained = reader.read(SensorKeys.retain).value
    let keep = reader.read(SensorKeys.keep).value
    let sourceReader = SourceReader(reader: reader, isMapped: map.isWritten)
    let source = type.value.flatMap { sourceReader.source($0) }
    if case .channels? = source {
      let single = [unit.written, map.written, scale.written, offset.written, range.written, average.written]
      for written in single {
        reader.error(written, "has no meaning for several channels at once; remove it, or give each its own entry")
      }
    }
    reject(reader, type.value)
    guard let text = name.value, let written = name.written else { return }
    names.append(NamedReading(name: text, written: written))
    guard let source else { return }
    sensors.append(
      SensorConfiguration(
        name: text, source: source, interval: interval.value, timeout: timeout, change: change, maxAge: maxAge.value,
        unit: unit.value, map: map.value, scale: scale.value, offset: offset.value, range: range.range,
        average: average.average, decimals: decimals, isRetained: isRetained, keep: keep))
  }

  /// Without a type every type's keys are let pass: it is the type that is wrong.
  private func reject(_ reader: MappingReader, _ type: SensorType?) {
    let types = type.map { [$0] } ?? SensorType.allCases
    reader.reject(unknownTo: SensorKeys.common + types.flatMap(SensorKeys.keys)) { key in
      let owners = SensorKeys.variants.filter { $0.keys.contains { $0.name == key } }.map(\.name)
      guard let type, !owners.isEmpty else { return nil }
      return "belongs to type \(Suggestion.list(owners)), not \(type.rawValue); remove it"
    }
  }
}

/// Reads `range`.
private struct RangeSection {
  var range: ValueRange?
  /// Where the key stands.
  var written: Written?

  init(_ reader: MappingReader) {
    guard let position = reader.position(of: SensorKeys.rangeName) else { return }
    written = Written(path: reader.path(to: SensorKeys.rangeName), key: position, value: position)
    let section = reader.section(SensorKeys.rangeName)
    let min = section.read(RangeKeys.min)
    let max = section.read(RangeKeys.max)
    if let low = min.value, let high = max.value, low > high {
      section.error(
        min.written,
        "min \(low.shortestDecimal) is more than max \(high.shortestDecimal); raise max or lower min")
    }
    if min.value == nil, max.value == nil, !min.isWrong, !max.isWrong {
      section.missing(RangeKeys.min.name, "write min, max or both")
    }
    section.reject(unknownTo: RangeKeys.all)
    range = ValueRange(min: min.value, max: max.value)
  }
}

/// Reads `average` and `window`.
private struct AverageKeys {
  var average: Average?
  var written: Written?

  init(_ reader: MappingReader, _ interval: Field<Duration>) {
    let statistic = reader.read(SensorKeys.average)
    let window = reader.read(SensorKeys.window)
    written = statistic.written
    if window.isWritten, !statistic.isWritten, !statistic.isWrong {
      reader.error(window.written, "a window needs an average; write mean, median, min or max beside it")
    }
    guard let statistic = statistic.value else { return }
    guard let length = window.value else {
      if !window.isWrong { reader.missing(SensorKeys.window.name, "write how long average looks back, such as 1m") }
      return
    }
    if !interval.isWrong {
      if length < interval.value {
        reader.conflict(
          window.written, interval.written,
          "window \(WrittenDuration.text(length)) is shorter than interval \(WrittenDuration.text(interval.value)); "
            + "write a longer window")
      } else if length / interval.value > Double(Average.sampleLimit) {
        reader.conflict(
          window.written, interval.written,
          "window \(WrittenDuration.text(length)) has more than \(Average.sampleLimit) intervals; "
            + "write a longer interval or a shorter window")
      }
    }
    average = Average(statistic: statistic, window: length)
  }
}

/// Reads the keys of one sensor that its type brings; nil after an error.
private struct SourceReader {
  let reader: MappingReader
  /// Texts become values, so a file may hold one.
  let isMapped: Bool

  func source(_ type: SensorType) -> SensorKind? {
    switch type {
    case .thermal: text(SensorKeys.zone).map { .thermal(zone: $0) }
    case .file: file()
    case .w1: text(SensorKeys.id).map { .w1(id: $0) }
    case .iio: iio()
    case .powerSupply: powerSupply()
    case .hwmon: hwmon()
    case .system: system()
    }
  }

  private func text(_ key: Key<String?>) -> String? { reader.read(key).value }

  private func hwmon() -> SensorKind? {
    let chip = text(SensorKeys.chip)
    let device = text(SensorKeys.chipDevice)
    let channel = reader.read(SensorKeys.channel)
    let label = reader.read(SensorKeys.label)
    if channel.isWritten, label.isWritten {
      reader.conflict(channel.written, label.written, "channel and label both name a channel; remove one of them")
    }
    if let channels = several(SensorKeys.channels, insteadOf: [channel, label]) {
      guard let chip else { return nil }
      return group(channels) { .hwmon(chip: chip, device: device, selector: .channel($0)) }
    }
    if !channel.isWritten, !label.isWritten, !channel.isWrong, !label.isWrong {
      reader.missing(SensorKeys.channel.name, "write the channel, such as temp1, or the label of one")
    }
    guard let chip else { return nil }
    if let channel = channel.value { return .hwmon(chip: chip, device: device, selector: .channel(channel)) }
    return label.value.map { .hwmon(chip: chip, device: device, selector: .label($0)) }
  }

  private func iio() -> SensorKind? {
    let device = text(SensorKeys.iioDevice)
    let channel = reader.read(SensorKeys.iioChannel)
    if let channels = several(SensorKeys.iioChannels, insteadOf: [channel]) {
      guard let device else { return nil }
      return group(channels) { .iio(device: device, channel: $0) }
    }
    if !channel.isWritten, !channel.isWrong {
      reader.missing(SensorKeys.iioChannel.name, "write the channel, such as in_voltage0")
    }
    guard let device else { return nil }
    return channel.value.map { .iio(device: device, channel: $0) }
  }

  private func powerSupply() -> SensorKind? {
    let supply = text(SensorKeys.supply)
    let property = reader.read(SensorKeys.property)
    if let properties = several(SensorKeys.properties, insteadOf: [property]) {
      guard let supply else { return nil }
      return group(properties) { .powerSupply(supply: supply, property: $0) }
    }
    if !property.isWritten, !property.isWrong {
      reader.missing(SensorKeys.property.name, "write the property, such as capacity")
    }
    guard let supply else { return nil }
    return property.value.map { .powerSupply(supply: supply, property: $0) }
  }

  /// The values of a list that stands in the place of other keys; nil where it is not written.
  private func several(_ key: Key<String?>, insteadOf others: [Field<String?>]) -> [String]? {
    guard reader.position(of: key.name) != nil else { return nil }
    let fields = reader.readList(key, limit: 32)
    for (index, field) in fields.enumerated() where fields[..<index].contains(where: { $0.value == field.value }) {
      if let written = field.written {
        reader.log.error(written.value, written.path, "\(quoted(field.value)) is in the list already; remove it")
      }
    }
    for other in others {
      guard let written = other.written, let position = reader.position(of: key.name) else { continue }
      reader.conflict(
        written, Written(path: reader.path(to: key.name), key: position, value: position),
        "\(key.name) takes the place of this key; remove one of them")
    }
    return fields.map(\.value)
  }

  private func group(_ names: [String], _ kind: (String) -> SensorKind) -> SensorKind? {
    names.isEmpty ? nil : .channels(names.map { SensorKind.NamedKind($0, kind($0)) })
  }

  private func file() -> SensorKind? {
    let path = text(SensorKeys.path)
    let match = reader.read(SensorKeys.match).value
    let isText = reader.read(SensorKeys.text).value
    return path.map { .file(path: $0, content: FileContent(match: match, isText: isText || isMapped)) }
  }

  private func system() -> SensorKind? {
    let value = reader.read(SensorKeys.value)
    let path = reader.read(SensorKeys.diskPath)
    let interface = reader.read(SensorKeys.interface)
    let device = reader.read(SensorKeys.blockDevice)
    guard let word = value.value else { return nil }
    let subjects: [(SystemWord.Subject, Field<String?>, String)] = [
      (.path, path, "write a path on the file system, such as /"),
      (.interface, interface, "write the interface, such as wlan0"),
      (.device, device, "write the device, such as mmcblk0"),
    ]
    for (subject, field, advice) in subjects {
      if subject == word.subject {
        if !field.isWritten, !field.isWrong { reader.missing(subject.rawValue, advice) }
      } else {
        let owners = SystemWord.allCases.filter { $0.subject == subject }.map(\.rawValue)
        reader.error(
          field.written, "belongs to value \(Suggestion.list(owners)), not \(word.rawValue); remove it")
      }
    }
    return SystemValue(word, path: path.value, interface: interface.value, device: device.value).map { .system($0) }
  }
}

extension SystemValue {
  /// nil where what it is of is missing.
  package init?(_ word: SystemWord, path: String?, interface: String?, device: String?) {
    let value: SystemValue? =
      switch word {
      case .load1: .load1
      case .load5: .load5
      case .load15: .load15
      case .cpu: .cpu
      case .memoryAvailable: .memoryAvailable
      case .memoryTotal: .memoryTotal
      case .memoryUsed: .memoryUsed
      case .uptime: .uptime
      case .bootTime: .bootTime
      case .clockSynchronized: .clockSynchronized
      case .underVoltage: .underVoltage
      case .throttled: .throttled
      case .diskFree: path.map { .diskFree(path: $0) }
      case .diskUsed: path.map { .diskUsed(path: $0) }
      case .operationalState: interface.map { .operationalState(interface: $0) }
      case .wifiSignal: interface.map { .wifiSignal(interface: $0) }
      case .lifeTime: device.map { .lifeTime(device: $0) }
      case .receivedBytes, .sentBytes, .receivedPackets, .sentPackets, .receiveErrors, .sendErrors, .receiveDrops,
        .sendDrops:
        interface.flatMap { interface in
          NetworkCounter(rawValue: word.rawValue).map { .network($0, interface: interface) }
        }
      }
    guard let value else { return nil }
    self = value
  }
}
