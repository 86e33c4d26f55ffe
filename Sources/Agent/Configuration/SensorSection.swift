import Sensing

/// The `type` of a sensor.
enum SensorType: String, CaseIterable {
  case thermal, hwmon, iio, w1
  case powerSupply = "power_supply"
  case system, file
}

/// The `value` of a sensor of type system: those `Sensing` knows, and those still to come.
enum SystemWord: String, CaseIterable {
  case load1, load5, load15, cpu
  case memoryAvailable = "memory_available"
  case uptime
  case diskFree = "disk_free"
  case wifiSignal = "wifi_signal"
}

enum SensorKeys {
  static let name = Key(
    required: "name", .name, missing: "write what the reading is called, such as cpu_temperature",
    help: "What the reading is called; the {name} of topics.")
  static let type = Key(
    required: "type", ValueKind<SensorType>.choice,
    missing: "write \(Suggestion.list(SensorType.allCases.map(\.rawValue)))", help: "What kind of source is read.")
  static let interval = Key(
    "interval", .duration(.milliseconds(10)...(.days(7))), default: "10s", help: "How often it is read.")
  static let change = Key(
    optional: "change", ValueKind<SensorConfiguration.Change>.change,
    help: "Publish when the value moved this much, a number or a percentage; without it, every sample.")
  static let maxAge = Key(
    optional: "max_age", .duration(.milliseconds(10)...(.days(30))),
    help: "Publish after this long even without a change.")
  static let unit = Key(
    optional: "unit", .text(bytes: 0...64), help: "The unit to publish; without it, that of what is read.")
  static let scale = Key("scale", .scale, default: "1", help: "What was read is multiplied by this.")
  static let offset = Key("offset", .number, default: "0", help: "Added after scale.")
  static let retain = Key("retain", .boolean, default: "false", help: "The server keeps the last reading.")

  static let common: [Declaration] = [
    name.declaration, type.declaration, interval.declaration, change.declaration, maxAge.declaration,
    unit.declaration, scale.declaration, offset.declaration, retain.declaration,
  ]

  static let zone = Key(
    required: "zone", .component, missing: "write the zone's type, such as cpu-thermal", help: "The zone's type.")
  static let chip = Key(
    required: "chip", .component, missing: "write the chip's name, such as pwmfan", help: "The chip's name.")
  static let channel = Key(
    optional: "channel", .channel, help: "The channel, such as temp1 or fan1; or label.")
  static let label = Key(optional: "label", .text(bytes: 1...255), help: "The text of the channel's label; or channel.")
  static let iioDevice = Key(
    required: "device", .component, missing: "write the device's name, such as ads1015", help: "The device's name.")
  static let iioChannel = Key(
    required: "channel", .attribute, missing: "write the channel, such as in_voltage0", help: "The channel.")
  static let id = Key(
    required: "id", .w1, missing: "write the sensor's id, such as 28-0316a2795bff", help: "The sensor's id on the bus.")
  static let supply = Key(
    required: "supply", .component, missing: "write the supply's name, such as BAT0", help: "The supply's name.")
  static let property = Key(
    required: "property", .attribute, missing: "write the property, such as capacity", help: "The property to read.")
  static let value = Key(
    required: "value", ValueKind<SystemWord>.choice,
    missing: "write \(Suggestion.list(SystemWord.allCases.map(\.rawValue)))", help: "The value to read.")
  static let diskPath = Key(optional: "path", .absolutePath, help: "A path on the file system of disk_free.")
  static let interface = Key(optional: "interface", .interface, help: "The interface of wifi_signal.")
  static let path = Key(
    required: "path", .absolutePath, missing: "write the file's path", help: "A file that holds one number.")

  static let variants: [Declaration.Variant] = SensorType.allCases.map { type in
    Declaration.Variant(name: type.rawValue, keys: keys(of: type))
  }

  static func keys(of type: SensorType) -> [Declaration] {
    switch type {
    case .thermal: [zone.declaration]
    case .hwmon: [chip.declaration, channel.declaration, label.declaration]
    case .iio: [iioDevice.declaration, iioChannel.declaration]
    case .w1: [id.declaration]
    case .powerSupply: [supply.declaration, property.declaration]
    case .system: [value.declaration, diskPath.declaration, interface.declaration]
    case .file: [path.declaration]
    }
  }
}

extension ValueKind where Value == String {
  /// Documentation/hwmon/sysfs-interface.rst: a type and a number.
  static let channel = ValueKind(.identifier(characters: "a-z0-9", count: 2...31)) { text throws(Mismatch) in
    let letters = text.unicodeScalars.prefix { ("a"..."z").contains($0) }
    let digits = text.unicodeScalars.dropFirst(letters.count).prefix(while: \.isDigit)
    let channel = String(letters) + String(digits)
    guard !letters.isEmpty, !digits.isEmpty, channel.utf8.count <= 31 else {
      throw Mismatch(message: "\(quoted(text)) is not a channel; write a kind and a number, such as temp1 or fan2")
    }
    guard channel == text else {
      throw Mismatch(message: "\(quoted(text)) is not a channel; write \(channel)")
    }
    return text
  }

  /// The name of a sysfs attribute.
  static let attribute = ValueKind(.identifier(characters: "a-z0-9_-", count: 1...64)) { text throws(Mismatch) in
    let isRight = text.unicodeScalars.allSatisfy { $0.isDigit || ("a"..."z").contains($0) || $0 == "_" || $0 == "-" }
    guard isRight, (1...64).contains(text.utf8.count) else {
      throw Mismatch(message: "\(quoted(text)) is not the name of an attribute; write 1 to 64 of a-z 0-9 _ -")
    }
    return text
  }

  /// Documentation/w1: the family, a dash and the serial number.
  static let w1 = ValueKind(.identifier(characters: "0-9a-f-", count: 15...15)) { text throws(Mismatch) in
    let scalars = Array(text.lowercased().unicodeScalars)
    let isRight =
      scalars.count == 15
      && scalars.enumerated().allSatisfy { index, scalar in
        index == 2 ? scalar == "-" : scalar.isDigit || ("a"..."f").contains(scalar)
      }
    guard isRight else {
      throw Mismatch(
        message: "\(quoted(text)) is not a 1-Wire id; write 2 hex digits, \"-\" and 12 more, such as 28-0316a2795bff")
    }
    return text.lowercased()
  }

  /// IFNAMSIZ is 16 with the NUL.
  static let interface = component.map { text throws(Mismatch) in
    guard text.utf8.count <= 15 else {
      throw Mismatch(message: "\(quoted(text)) is not an interface; write one such as wlan0")
    }
    return text
  }
}

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
    let change = reader.read(SensorKeys.change).value
    let unit = reader.read(SensorKeys.unit).value
    let scale = reader.read(SensorKeys.scale).value
    let offset = reader.read(SensorKeys.offset).value
    let isRetained = reader.read(SensorKeys.retain).value
    let source = type.value.flatMap { SourceReader(reader: reader).source($0) }
    reject(reader, type.value)
    if let source, source.kind == nil, let written = type.written {
      let what = if case .system = type.value { "this value" } else { "type \(type.value?.rawValue ?? "")" }
      reader.log.warning(
        written.value, written.path, "\(what) is not served by this version yet; the entry is ignored")
    }
    guard let text = name.value, let written = name.written else { return }
    names.append(NamedReading(name: text, written: written))
    guard let source else { return }
    sensors.append(
      SensorConfiguration(
        name: text, source: source, interval: interval.value, change: change, maxAge: maxAge.value, unit: unit,
        scale: scale, offset: offset, isRetained: isRetained))
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

/// Reads the keys of one sensor that its type brings; nil after an error.
private struct SourceReader {
  let reader: MappingReader

  func source(_ type: SensorType) -> ConfiguredSource? {
    switch type {
    case .thermal: text(SensorKeys.zone).map { .served(.thermal(zone: $0)) }
    case .file: text(SensorKeys.path).map { .served(.file(path: $0)) }
    case .w1: text(SensorKeys.id).map { .w1(id: $0) }
    case .iio: pair(SensorKeys.iioDevice, SensorKeys.iioChannel).map { .iio(device: $0, channel: $1) }
    case .powerSupply: pair(SensorKeys.supply, SensorKeys.property).map { .powerSupply(supply: $0, property: $1) }
    case .hwmon: hwmon()
    case .system: system()
    }
  }

  private func text(_ key: Key<String?>) -> String? { reader.read(key).value }

  /// Both are read before either is missed, so that both are reported.
  private func pair(_ first: Key<String?>, _ second: Key<String?>) -> (String, String)? {
    let (first, second) = (text(first), text(second))
    guard let first, let second else { return nil }
    return (first, second)
  }

  private func hwmon() -> ConfiguredSource? {
    let chip = reader.read(SensorKeys.chip).value
    let channel = reader.read(SensorKeys.channel)
    let label = reader.read(SensorKeys.label)
    if channel.isWritten, label.isWritten {
      reader.conflict(channel.written, label.written, "channel and label both name a channel; remove one of them")
    } else if !channel.isWritten, !label.isWritten, !channel.isWrong, !label.isWrong {
      reader.missing(SensorKeys.channel.name, "write the channel, such as temp1, or the label of one")
    }
    guard let chip else { return nil }
    if let channel = channel.value { return .served(.hwmon(chip: chip, selector: .channel(channel))) }
    return label.value.map { .served(.hwmon(chip: chip, selector: .label($0))) }
  }

  private func system() -> ConfiguredSource? {
    let value = reader.read(SensorKeys.value)
    let path = reader.read(SensorKeys.diskPath)
    let interface = reader.read(SensorKeys.interface)
    guard let word = value.value else { return nil }
    for (owner, written) in [(SystemWord.diskFree, path.written), (.wifiSignal, interface.written)]
    where word != owner {
      reader.error(written, "belongs to value \(owner.rawValue), not \(word.rawValue); remove it")
    }
    switch word {
    case .diskFree:
      if !path.isWritten, !path.isWrong { reader.missing("path", "write a path on the file system, such as /") }
      return path.value.map { .diskFree(path: $0) }
    case .wifiSignal:
      if !interface.isWritten, !interface.isWrong { reader.missing("interface", "write the interface, such as wlan0") }
      return interface.value.map { .wifiSignal(interface: $0) }
    case .load1, .load5, .load15, .cpu, .memoryAvailable, .uptime:
      // `Sensing` decides what is served: a value it learns is served here without a change.
      return SystemValue(rawValue: word.rawValue).map { .served(.system($0)) } ?? .cpu
    }
  }
}
