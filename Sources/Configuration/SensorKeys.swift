import Measuring
import Readings
import Text

/// The `type` of a sensor.
package enum SensorType: String, CaseIterable {
  case thermal, hwmon, iio, w1
  case powerSupply = "power_supply"
  case system, file
}

/// The `value` of a sensor of type system.
package enum SystemWord: String, CaseIterable {
  case load1, load5, load15, cpu
  case memoryAvailable = "memory_available"
  case memoryTotal = "memory_total"
  case memoryUsed = "memory_used"
  case uptime
  case bootTime = "boot_time"
  case clockSynchronized = "clock_synchronized"
  case diskFree = "disk_free"
  case diskUsed = "disk_used"
  case receivedBytes = "rx_bytes"
  case sentBytes = "tx_bytes"
  case receivedPackets = "rx_packets"
  case sentPackets = "tx_packets"
  case receiveErrors = "rx_errors"
  case sendErrors = "tx_errors"
  case receiveDrops = "rx_dropped"
  case sendDrops = "tx_dropped"
  case operationalState = "operstate"
  case wifiSignal = "wifi_signal"
  case underVoltage = "under_voltage"
  case throttled
  case lifeTime = "life_time"

  /// The key that says of what it is.
  package enum Subject: String, CaseIterable {
    case path, interface, device
  }

  package var subject: Subject? {
    switch self {
    case .diskFree, .diskUsed: .path
    case .operationalState, .wifiSignal: .interface
    case .lifeTime: .device
    default: NetworkCounter(rawValue: rawValue) == nil ? nil : .interface
    }
  }
}

package enum SensorKeys {
  package static let name = Key(
    required: "name", .name, missing: "write what the reading is called, such as cpu_temperature",
    help: "What the reading is called; the {name} of topics.",
    example: "cpu_temperature")
  package static let type = Key(
    required: "type", ValueKind<SensorType>.choice,
    missing: "write \(Suggestion.list(SensorType.allCases.map(\.rawValue)))", help: "What kind of source is read.",
    example: "thermal")
  package static let interval = Key(
    "interval", .duration(.milliseconds(10)...(.days(7))), default: "10s", help: "How often it is read.")
  package static let timeout = Key(
    "timeout", .duration(.milliseconds(10)...(.minutes(5)), unit: "s"), default: "5s",
    help:
      "How long one read may take; then the reading is bad, and nothing more is read of it until the kernel answers.")
  package static let change = Key(
    optional: "change", ValueKind<ChangeThreshold>.change,
    help: "Publish when the value moved this much, a number or a percentage; without it, every sample.",
    example: "0.5")
  package static let maxAge = Key(
    optional: "max_age", .duration(.milliseconds(10)...(.days(30))),
    help: "Publish after this long even without a change.", example: "5m")
  package static let unit = Key(
    optional: "unit", .text(bytes: 0...64), help: "The unit to publish; without it, that of what is read.",
    example: "°C")
  package static let map = Declaration(
    name: "map", help: "What texts stand for, such as {open: 1, closed: 0}; any other text is a bad reading.",
    need: .optional, content: .texts, examples: ["{open: true, shut: false}"])
  package static let scale = Key("scale", .scale, default: "1", help: "What was read is multiplied by this.")
  package static let offset = Key("offset", .number, default: "0", help: "Added after scale.")
  static let rangeName = "range"
  package static let average = Key(
    optional: "average", ValueKind<Average.Statistic>.choice,
    help: "One value for each window: the mean, the median, the smallest or the largest of its samples.",
    example: "mean")
  package static let window = Key(
    optional: "window", .duration(.milliseconds(10)...(.days(7))), help: "How long the window of average is.",
    example: "1m")
  package static let round = Key(
    optional: "round", .integer(0...9), help: "Digits behind the point; without it, as many as the value has.",
    example: "1")
  package static let retain = Key("retain", .boolean, default: "false", help: "The server keeps the last reading.")
  package static let keep = Key(
    "keep", ValueKind<Keep>.choice, default: "all",
    help: "Which readings wait for the broker: all, or only the latest.")

  package static let common: [Declaration] = [
    name.declaration, type.declaration, interval.declaration, timeout.declaration, change.declaration,
    maxAge.declaration, unit.declaration, map, scale.declaration, offset.declaration,
    .section(rangeName, RangeKeys.all, help: "The values there can be; one outside is a bad reading."),
    average.declaration, window.declaration, round.declaration, retain.declaration, keep.declaration,
  ]

  package static let samples = [
    "{name: load, type: system, value: load1}",
    "{name: memory_available, type: system, value: memory_available, interval: 30s}",
    "{name: uptime, type: system, value: uptime, interval: 1m}",
  ]

  package static let examples = [
    "{name: disk_free, type: system, value: disk_free, path: /, interval: 5m}",
    "{name: wifi_signal, type: system, value: wifi_signal, interface: wlan0, interval: 1m}",
    "{name: cpu_temperature, type: thermal, zone: cpu-thermal, change: 0.5, max_age: 5m}",
    "{name: cpu_fan, type: hwmon, chip: pwmfan, channel: fan1, interval: 30s}",
    "{name: board_temperature, type: hwmon, chip: lm75, device: 1-0048, label: Board}",
    "{name: air, type: hwmon, chip: sht3x, channels: [temp1, humidity1]}",
    "{name: soil, type: iio, device: ads1015, channel: in_voltage0, interval: 1m}",
    "{name: tank, type: w1, id: 28-0316a2795bff, interval: 30s}",
    "{name: battery, type: power_supply, supply: BAT0, property: capacity, interval: 1m}",
    "{name: backlight, type: file, path: /sys/class/backlight/rpi_backlight/brightness, unit: \"%\", scale: 0.392}",
    "{name: level, type: file, path: /run/tank, match: \"level: ([0-9]+)\", unit: mm}",
  ]

  package static let zone = Key(
    required: "zone", .component, missing: "write the zone's type, such as cpu-thermal", help: "The zone's type.",
    example: "cpu-thermal")
  package static let chip = Key(
    required: "chip", .component, missing: "write the chip's name, such as pwmfan", help: "The chip's name.",
    example: "pwmfan")
  static let chipDevice = Key(
    optional: "device", .devicePath,
    help: "Of several chips of one name: the path of its device, or the end of it, such as 1-0048.", example: "1-0048")
  package static let channel = Key(
    optional: "channel", .channel, help: "The channel, such as temp1 or fan1; or label.", example: "fan1")
  package static let label = Key(
    optional: "label", .text(bytes: 1...255), help: "The text of the channel's label; or channel.",
    example: "Board")
  package static let channels = Key(
    optionalList: "channels", .channel, help: "Instead of channel: several, which are published in one reading.",
    example: "[temp1, humidity1]")
  static let iioDevice = Key(
    required: "device", .device, missing: "write the device's name, such as ads1015",
    help: "The device's name or label, or the path of its device, or the end of that.", example: "ads1015")
  static let iioChannel = Key(
    optional: "channel", .iioChannel, help: "The channel, such as in_voltage0: its attributes without _raw or _input.",
    example: "in_voltage0")
  static let iioChannels = Key(
    optionalList: "channels", .iioChannel, help: "Instead of channel: several, which are published in one reading.",
    example: "[in_voltage0, in_voltage1]")
  package static let id = Key(
    required: "id", .w1, missing: "write the sensor's id, such as 28-0316a2795bff", help: "The sensor's id on the bus.",
    example: "28-0316a2795bff")
  package static let supply = Key(
    required: "supply", .component, missing: "write the supply's name, such as BAT0", help: "The supply's name.",
    example: "BAT0")
  package static let property = Key(
    optional: "property", .attribute, help: "The property to read, such as capacity or voltage_now.",
    example: "capacity")
  package static let properties = Key(
    optionalList: "properties", .attribute, help: "Instead of property: several, which are published in one reading.",
    example: "[capacity, voltage_now]")
  package static let value = Key(
    required: "value", ValueKind<SystemWord>.choice,
    missing: "write \(Suggestion.list(SystemWord.allCases.map(\.rawValue)))", help: "The value to read.",
    example: "disk_free")
  static let diskPath = Key(
    optional: "path", .absolutePath, help: "A path on the file system of disk_free, disk_used.",
    example: "/")
  package static let interface = Key(
    optional: "interface", .interface, help: "The interface of rx_bytes and the like, operstate, wifi_signal.",
    example: "wlan0")
  static let blockDevice = Key(
    optional: "device", .component, help: "The eMMC of life_time, such as mmcblk0.", example: "mmcblk0")
  package static let path = Key(
    required: "path", .absolutePath, missing: "write the file's path", help: "A file that holds a number, or a text.",
    example: "/run/tank")
  package static let match = Key(
    optional: "match", ValueKind<Pattern>.pattern,
    help: "Of the file, the first group of the first match of this POSIX extended regular expression.",
    example: "'level: ([0-9]+)'")
  package static let text = Key("text", .boolean, default: "false", help: "The value is the text itself, not a number.")

  package static let variants: [Declaration.Variant] = SensorType.allCases.map { type in
    Declaration.Variant(name: type.rawValue, keys: keys(of: type))
  }

  package static func keys(of type: SensorType) -> [Declaration] {
    switch type {
    case .thermal: [zone.declaration]
    case .hwmon:
      [chip.declaration, chipDevice.declaration, channel.declaration, label.declaration, channels.declaration]
    case .iio: [iioDevice.declaration, iioChannel.declaration, iioChannels.declaration]
    case .w1: [id.declaration]
    case .powerSupply: [supply.declaration, property.declaration, properties.declaration]
    case .system: [value.declaration, diskPath.declaration, interface.declaration, blockDevice.declaration]
    case .file: [path.declaration, match.declaration, text.declaration]
    }
  }
}

package enum RangeKeys {
  package static let min = Key(optional: "min", .number, help: "The smallest value there can be.", example: "-40")
  package static let max = Key(optional: "max", .number, help: "The largest value there can be.", example: "85")

  package static let all = [min.declaration, max.declaration]
}

extension ValueKind where Value == String {
  /// Documentation/hwmon/sysfs-interface.rst: a type and a number.
  package static let channel = ValueKind(.identifier(characters: "a-z0-9", count: 2...31)) { text throws(Mismatch) in
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
  }.matching("[a-z]+[0-9]+")

  /// The name of a sysfs attribute.
  package static let attribute = ValueKind(.identifier(characters: "A-Za-z0-9_-", count: 1...64)) {
    text throws(Mismatch) in
    let isRight = text.unicodeScalars.allSatisfy { $0.isNameCharacter && $0 != "." }
    guard isRight, (1...64).contains(text.utf8.count) else {
      throw Mismatch(message: "\(quoted(text)) is not the name of an attribute; write 1 to 64 of A-Z a-z 0-9 _ -")
    }
    return text
  }

  /// What the attributes of an iio channel begin with.
  static let iioChannel = attribute.map { text throws(Mismatch) in
    for suffix in ["_raw", "_input"] where text.hasSuffix(suffix) {
      throw Mismatch(message: "\(quoted(text)) is not a channel; write \(text.dropLast(suffix.count))")
    }
    return text
  }

  /// A path in /sys/devices, or its last components.
  static let devicePath = path.map { text throws(Mismatch) in
    guard !text.hasSuffix("/"), !text.split(separator: "/").contains("..") else {
      throw Mismatch(
        message: "\(quoted(text)) is not a device's path; write its last part, such as 1-0048, or all of it")
    }
    return text
  }

  /// A name, or a device's path.
  package static let device = text(bytes: 1...4095).map { text throws(Mismatch) in
    try text.contains("/") ? devicePath.parse(text) : component.parse(text)
  }

  /// Documentation/w1: the family, a dash and the serial number.
  package static let w1 = ValueKind(.identifier(characters: "0-9a-fA-F-", count: 15...15)) { text throws(Mismatch) in
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
  }.matching("[0-9a-fA-F]{2}-[0-9a-fA-F]{12}")

  /// IFNAMSIZ is 16 with the NUL.
  package static let interface = component.map { text throws(Mismatch) in
    guard text.utf8.count <= 15 else {
      throw Mismatch(message: "\(quoted(text)) is not an interface; write one such as wlan0")
    }
    return text
  }
}

extension ValueKind where Value == Pattern {
  package static let pattern = ValueKind<String>.text(bytes: 1...4096).map { text throws(Mismatch) in
    do throws(Pattern.Flaw) {
      return try Pattern(text)
    } catch {
      switch error {
      case .tooLong:
        throw Mismatch(message: "\(text.utf8.count) bytes long; write at most \(Pattern.sizeLimit)")
      case .backReference:
        throw Mismatch(message: "holds a back reference, such as \\1; write what it stands for")
      case .tooManyRepetitions:
        throw Mismatch(
          message: "repeats more than \(Pattern.repetitionLimit) times, counted together; write * or + instead")
      case .syntax(let reason):
        throw Mismatch(message: "\(quoted(text)) is not a POSIX extended regular expression: \(reason); correct it")
      }
    }
  }
}
