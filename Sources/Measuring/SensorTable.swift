import Text

/// The table of sensor types; ``SensorType`` lists them and says how to add one. Beside an entry is what makes its
/// settings in code, where something does.

// MARK: thermal

extension SensorEntry {
  static let thermal = SensorEntry(
    keys: [
      SensorKey(
        "zone", .component, .required("write the zone's type, such as cpu-thermal"), help: "The zone's type.",
        example: "cpu-thermal")
    ],
    examples: ["{name: cpu_temperature, type: thermal, zone: cpu-thermal, change: 0.5, max_age: 5m}"],
    title: { "thermal zone \($0.text("zone"))" },
    unit: { _ in "°C" })
}

extension SensorKind {
  public static func thermal(zone: String) -> SensorKind { .one(.thermal, SensorSettings(["zone": zone])) }
}

// MARK: hwmon

extension SensorEntry {
  static let hwmon = SensorEntry(
    keys: [
      SensorKey(
        "chip", .component, .required("write the chip's name, such as pwmfan"), help: "The chip's name.",
        example: "pwmfan"),
      SensorKey(
        "device", .devicePath,
        help: "Of several chips of one name: the path of its device, or the end of it, such as 1-0048.",
        example: "1-0048"),
      SensorKey("channel", .hwmonChannel, help: "The channel, such as temp1 or fan1; or label.", example: "fan1"),
      SensorKey("label", .text, help: "The text of the channel's label; or channel.", example: "Board"),
    ],
    selection: SensorKey.Selection(
      ["channel", "label"], missing: "write the channel, such as temp1, or the label of one",
      conflict: "channel and label both name a channel; remove one of them",
      several: SensorKey(
        "channels", .hwmonChannel, help: "Instead of channel: several, which are published in one reading.",
        example: "[temp1, humidity1]")),
    examples: [
      "{name: cpu_fan, type: hwmon, chip: pwmfan, channel: fan1, interval: 30s}",
      "{name: board_temperature, type: hwmon, chip: lm75, device: 1-0048, label: Board}",
      "{name: air, type: hwmon, chip: sht3x, channels: [temp1, humidity1]}",
    ],
    title: { settings in
      "hwmon \(settings.text("chip")) \(HwmonSelector(settings))" + (settings["device"].map { " at \($0)" } ?? "")
    },
    unit: { $0["channel"].flatMap { HwmonChannel($0)?.kind.unit } },
    meaning: { $0["channel"]?.hasPrefix("energy") == true ? .total : .level })
}

extension SensorKind {
  public static func hwmon(chip: String, device: String? = nil, selector: HwmonSelector) -> SensorKind {
    var settings = SensorSettings(["chip": chip, "device": device])
    switch selector {
    case .channel(let channel): settings.set("channel", .text(channel))
    case .label(let label): settings.set("label", .text(label))
    }
    return .one(.hwmon, settings)
  }
}

extension HwmonSelector: CustomStringConvertible {
  package init(_ settings: SensorSettings) {
    self = settings["label"].map { .label($0) } ?? .channel(settings.text("channel"))
  }

  public var description: String {
    switch self {
    case .channel(let channel): channel
    case .label(let label): "\"\(label)\""
    }
  }
}

// MARK: iio

extension SensorEntry {
  static let iio = SensorEntry(
    keys: [
      SensorKey(
        "device", .device, .required("write the device's name, such as ads1015"),
        help: "The device's name or label, or the path of its device, or the end of that.", example: "ads1015"),
      SensorKey(
        "channel", .iioChannel, help: "The channel, such as in_voltage0: its attributes without _raw or _input.",
        example: "in_voltage0"),
    ],
    selection: SensorKey.Selection(
      ["channel"], missing: "write the channel, such as in_voltage0",
      several: SensorKey(
        "channels", .iioChannel, help: "Instead of channel: several, which are published in one reading.",
        example: "[in_voltage0, in_voltage1]")),
    examples: ["{name: soil, type: iio, device: ads1015, channel: in_voltage0, interval: 1m}"],
    title: { "iio \($0.text("device")) \($0.text("channel"))" },
    unit: { IIOQuantity(channel: $0.text("channel")).unit },
    meaning: { IIOQuantity(channel: $0.text("channel")).meaning })
}

extension SensorKind {
  public static func iio(device: String, channel: String) -> SensorKind {
    .one(.iio, SensorSettings(["device": device, "channel": channel]))
  }
}

// MARK: w1

extension SensorEntry {
  static let w1 = SensorEntry(
    keys: [
      SensorKey(
        "id", .w1Identifier, .required("write the sensor's id, such as 28-0316a2795bff"),
        help: "The sensor's id on the bus.", example: "28-0316a2795bff")
    ],
    examples: ["{name: tank, type: w1, id: 28-0316a2795bff, interval: 30s}"],
    title: { "1-Wire \($0.text("id"))" },
    unit: { _ in "°C" })
}

extension SensorKind {
  public static func w1(id: String) -> SensorKind { .one(.w1, SensorSettings(["id": id])) }
}

// MARK: power_supply

extension SensorEntry {
  static let powerSupply = SensorEntry(
    keys: [
      SensorKey(
        "supply", .component, .required("write the supply's name, such as BAT0"), help: "The supply's name.",
        example: "BAT0"),
      SensorKey(
        "property", .attribute, help: "The property to read, such as capacity or voltage_now.", example: "capacity"),
    ],
    selection: SensorKey.Selection(
      ["property"], missing: "write the property, such as capacity",
      several: SensorKey(
        "properties", .attribute, help: "Instead of property: several, which are published in one reading.",
        example: "[capacity, voltage_now]")),
    examples: ["{name: battery, type: power_supply, supply: BAT0, property: capacity, interval: 1m}"],
    title: { "power supply \($0.text("supply")) \($0.text("property"))" },
    unit: { PowerSupplyScale(property: $0.text("property"))?.unit },
    shape: { PowerSupplyScale(property: $0.text("property")) == nil ? .any : .number },
    meaning: { $0.text("property") == "capacity" ? .charge : .store })
}

extension SensorKind {
  public static func powerSupply(supply: String, property: String) -> SensorKind {
    .one(.powerSupply, SensorSettings(["supply": supply, "property": property]))
  }
}

// MARK: system

extension SensorEntry {
  static let system = SensorEntry(
    keys: [
      SensorKey(
        "value", .word(SystemWord.allCases.map(\.rawValue)),
        .required("write \(Suggestion.list(SystemWord.allCases.map(\.rawValue)))"), help: "The value to read.",
        example: "disk_free"),
      subject(
        .path, .absolutePath, "write a path on the file system, such as /",
        help: "A path on the file system of disk_free, disk_used.", example: "/"),
      subject(
        .interface, .interface, "write the interface, such as wlan0",
        help: "The interface of rx_bytes and the like, operstate, wifi_signal.", example: "wlan0"),
      subject(
        .device, .component, "write the device, such as mmcblk0", help: "The eMMC of life_time, such as mmcblk0.",
        example: "mmcblk0"),
    ],
    samples: [
      "{name: load, type: system, value: load1}",
      "{name: memory_available, type: system, value: memory_available, interval: 30s}",
      "{name: uptime, type: system, value: uptime, interval: 1m}",
    ],
    examples: [
      "{name: disk_free, type: system, value: disk_free, path: /, interval: 5m}",
      "{name: wifi_signal, type: system, value: wifi_signal, interface: wlan0, interval: 1m}",
    ],
    title: { "system \(SystemValue($0))" },
    unit: { SystemValue($0).unit },
    shape: { SystemValue($0).word.shape },
    meaning: { SystemValue($0).word.meaning })

  private static func subject(
    _ subject: SystemWord.Subject, _ kind: SensorKey.Kind, _ missing: String, help: String, example: String
  ) -> SensorKey {
    SensorKey(
      subject.rawValue, kind, .with(key: "value", words: subject.words, missing: missing), help: help,
      example: example)
  }
}

extension SensorKind {
  public static func system(_ value: SystemValue) -> SensorKind {
    var settings = SensorSettings(["value": value.word.rawValue])
    if let key = value.word.subject?.rawValue { settings.set(key, value.subject.map { .text($0) }) }
    return .one(.system, settings)
  }
}

extension SystemValue {
  package init(_ settings: SensorSettings) {
    guard let word = SystemWord(rawValue: settings.text("value")) else {
      preconditionFailure("\(settings.text("value")) is no value of the system; the key takes none but those")
    }
    self.init(word, of: word.subject.flatMap { settings[$0.rawValue] })
  }
}

// MARK: file

extension SensorEntry {
  static let file = SensorEntry(
    keys: [
      SensorKey(
        "path", .absolutePath, .required("write the file's path"), help: "A file that holds a number, or a text.",
        example: "/run/tank"),
      SensorKey(
        "match", .pattern,
        help: "Of the file, the first group of the first match of this POSIX extended regular expression.",
        example: "'level: ([0-9]+)'"),
      SensorKey(
        "text", .flag(isImpliedByMap: true), help: "The value is the text itself, not a number."),
    ],
    examples: [
      "{name: backlight, type: file, path: /sys/class/backlight/rpi_backlight/brightness, unit: \"%\", scale: 0.392}",
      "{name: level, type: file, path: /run/tank, match: \"level: ([0-9]+)\", unit: mm}",
    ],
    title: { "file \($0.text("path"))" + ($0.pattern("match").map { " matching \($0)" } ?? "") },
    shape: { $0.isSet("text") ? .text : .number })
}

extension SensorKind {
  public static func file(path: String, content: FileContent = FileContent()) -> SensorKind {
    var settings = SensorSettings(["path": path])
    settings.set("match", content.match.map { .pattern($0) })
    settings.set("text", .flag(content.isText))
    return .one(.file, settings)
  }
}

extension FileContent {
  package init(_ settings: SensorSettings) {
    self.init(match: settings.pattern("match"), isText: settings.isSet("text"))
  }
}
