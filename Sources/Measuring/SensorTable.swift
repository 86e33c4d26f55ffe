import LimpetText

/// The table of sensor types; ``SensorType`` lists them and says how to add one. Beside an entry are the functions that
/// make its settings in code, if there are any.

// MARK: thermal

extension SensorEntry {
  static let thermal = SensorEntry(
    keys: [
      SensorKey(
        "zone", .component, .required("write the zone's type, such as cpu-thermal"), help: "The zone's type.",
        example: "cpu-thermal"),
      SensorKey(
        "attribute", .attribute, help: "Another attribute of the zone, such as trip_point_0_temp or policy.",
        example: "trip_point_0_temp"),
    ],
    examples: [
      "{name: cpu_temperature, type: thermal, zone: cpu-thermal, change: 0.5, max_age: 5m}",
      "{name: cpu_limit, type: thermal, zone: cpu-thermal, attribute: trip_point_0_temp, interval: 1h}",
    ],
    title: { "thermal zone \($0.text("zone"))" + ($0["attribute"].map { " \($0)" } ?? "") },
    unit: { ThermalAttribute.isTemperature($0["attribute"]) ? "°C" : nil },
    shape: { ThermalAttribute.isTemperature($0["attribute"]) ? .number : .any })
}

/// Attributes of a thermal zone.
package enum ThermalAttribute {
  /// In millidegrees; nil: `temp`.
  package static func isTemperature(_ attribute: String?) -> Bool {
    guard let attribute else { return true }
    return attribute == "temp" || attribute.hasSuffix("_temp") || attribute.hasSuffix("_hyst")
  }
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
      SensorKey(
        "attribute", .attribute,
        help: "Instead of channel: another attribute of the chip, such as fan1_target, temp1_max or intrusion0_alarm.",
        example: "temp1_max"),
    ],
    selection: SensorKey.Selection(
      ["channel", "label", "attribute"], missing: "write the channel, such as temp1, or the label of one",
      conflict: "channel, label and attribute each say what is read; remove all but one",
      several: SensorKey(
        "channels", .hwmonChannel, help: "Instead of channel: several, which are published in one reading.",
        example: "[temp1, humidity1]")),
    examples: [
      "{name: cpu_fan, type: hwmon, chip: pwmfan, channel: fan1, interval: 30s}",
      "{name: board_temperature, type: hwmon, chip: lm75, device: 1-0048, label: Board}",
      "{name: air, type: hwmon, chip: sht3x, channels: [temp1, humidity1]}",
      "{name: fan_alarm, type: hwmon, chip: emc2305, attribute: fan1_alarm, interval: 1m}",
    ],
    title: { settings in
      "hwmon \(settings.text("chip")) \(HwmonSelector(settings))" + (settings["device"].map { " at \($0)" } ?? "")
    },
    unit: { settings in
      settings["attribute"].map { HwmonAttribute($0).unit }
        ?? settings["channel"].flatMap { HwmonChannel($0)?.kind.unit }
    },
    shape: { settings in
      switch settings["attribute"].map({ HwmonAttribute($0).meaning }) {
      case .quantity?, nil: .number
      case .alarm?: .flag
      case .other?: .any
      }
    },
    meaning: { settings in
      if let attribute = settings["attribute"] {
        return HwmonAttribute(attribute).meaning == .alarm ? .problem : .level
      }
      return settings["channel"]?.hasPrefix("energy") == true ? .total : .level
    })
}

extension SensorKind {
  public static func hwmon(chip: String, device: String? = nil, selector: HwmonSelector) -> SensorKind {
    var settings = SensorSettings(["chip": chip, "device": device])
    switch selector {
    case .channel(let channel): settings.set("channel", .text(channel))
    case .label(let label): settings.set("label", .text(label))
    case .attribute(let attribute): settings.set("attribute", .text(attribute))
    }
    return .one(.hwmon, settings)
  }
}

extension HwmonSelector: CustomStringConvertible {
  package init(_ settings: SensorSettings) {
    self =
      settings["label"].map { .label($0) } ?? settings["attribute"].map { .attribute($0) }
      ?? .channel(settings.text("channel"))
  }

  public var description: String {
    switch self {
    case .channel(let name), .attribute(let name): name
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
      SensorKey("label", .text, help: "The text of the channel's label; or channel.", example: "soil"),
      SensorKey(
        "attribute", .attribute,
        help: "Instead of channel: another attribute of the device as it stands, such as sampling_frequency.",
        example: "sampling_frequency"),
    ],
    selection: SensorKey.Selection(
      ["channel", "label", "attribute"], missing: "write the channel, such as in_voltage0, or the label of one",
      conflict: "channel, label and attribute each say what is read; remove all but one",
      several: SensorKey(
        "channels", .iioChannel, help: "Instead of channel: several, which are published in one reading.",
        example: "[in_voltage0, in_voltage1]")),
    examples: [
      "{name: soil, type: iio, device: ads1015, channel: in_voltage0, interval: 1m}",
      "{name: supply, type: iio, device: ads1015, label: supply, interval: 1m}",
    ],
    title: { "iio \($0.text("device")) \(IIOSelector($0))" },
    unit: { $0["channel"].flatMap { IIOQuantity(channel: $0).unit } },
    shape: { $0["attribute"] == nil ? .number : .any },
    meaning: { $0["channel"].map { IIOQuantity(channel: $0).meaning } ?? .level })
}

extension IIOSelector: CustomStringConvertible {
  package init(_ settings: SensorSettings) {
    self =
      settings["label"].map { .label($0) } ?? settings["attribute"].map { .attribute($0) }
      ?? .channel(settings.text("channel"))
  }

  public var description: String {
    switch self {
    case .channel(let name), .attribute(let name): name
    case .label(let label): "\"\(label)\""
    }
  }
}

extension SensorKind {
  public static func iio(device: String, channel: String) -> SensorKind {
    iio(device: device, selector: .channel(channel))
  }

  public static func iio(device: String, selector: IIOSelector) -> SensorKind {
    var settings = SensorSettings(["device": device])
    switch selector {
    case .channel(let channel): settings.set("channel", .text(channel))
    case .label(let label): settings.set("label", .text(label))
    case .attribute(let attribute): settings.set("attribute", .text(attribute))
    }
    return .one(.iio, settings)
  }
}

// MARK: w1

extension SensorEntry {
  static let w1 = SensorEntry(
    keys: [
      SensorKey(
        "id", .w1Identifier, .required("write the sensor's id, such as 28-0316a2795bff"),
        help:
          "The sensor's id on the bus; without attribute, a thermometer's (\(W1Quantity.families.joined(separator: ", "))).",
        example: "28-0316a2795bff"),
      SensorKey(
        "attribute", .attribute,
        help: "Another attribute of the sensor, such as vad or vdd of a DS2438.", example: "vad"),
    ],
    flaw: { settings in
      let family = W1Quantity.family(of: settings.text("id"))
      guard settings["attribute"] == nil, !W1Quantity.families.contains(family) else { return nil }
      return (
        "id",
        "family \(family) is not a thermometer (those are \(W1Quantity.families.joined(separator: ", "))); "
          + "write the attribute to read, or another id"
      )
    },
    examples: [
      "{name: tank, type: w1, id: 28-0316a2795bff, interval: 30s}",
      "{name: solar, type: w1, id: 26-00000191ec09, attribute: vad, interval: 30s}",
    ],
    title: { "1-Wire \($0.text("id"))" + ($0["attribute"].map { " \($0)" } ?? "") },
    unit: { W1Quantity($0)?.unit },
    shape: { W1Quantity($0) == nil ? .any : .number })
}

extension W1Quantity {
  package init?(_ settings: SensorSettings) {
    self.init(id: settings.text("id"), attribute: settings["attribute"] ?? Self.temperature)
  }
}

extension SensorKind {
  public static func w1(id: String, attribute: String? = nil) -> SensorKind {
    .one(.w1, SensorSettings(["id": id, "attribute": attribute]))
  }
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
    meaning: { settings in
      switch settings.text("property") {
      case "capacity": .charge
      case "online", "present": .plug
      default: .store
      }
    })
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
        help: "A path on the file system of disk_free, disk_used, inodes_free, read_only.", example: "/"),
      subject(
        .interface, .interface, "write the interface, such as wlan0",
        help: "The interface of rx_bytes and the like, operstate, wifi_signal, link_speed, addresses.", example: "wlan0"
      ),
      subject(
        .device, .component, "write the device, such as mmcblk0",
        help: "The eMMC of life_time and pre_eol_info, such as mmcblk0; the partition of fs_errors, such as mmcblk0p2.",
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
      preconditionFailure("\(settings.text("value")) is not a value of type system, though the key allows no other")
    }
    self.init(word, of: word.subject.flatMap { settings[$0.rawValue] })
  }
}

// MARK: file

extension SensorEntry {
  static let file = SensorEntry(
    keys: [
      SensorKey(
        "path", .absolutePath, .required("write the file's path"), help: "A file that contains a number, or a text.",
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

// MARK: Parts

extension SensorKind {
  /// The chip that it is a channel of, and which; nil: it is no part of anything.
  package var part: (chip: String, channel: String)? {
    guard case .one(let type, let settings) = self else { return nil }
    switch type {
    case .hwmon:
      let place = settings["device"].map { " at \($0)" } ?? ""
      return ("hwmon \(settings.text("chip"))\(place)", "\(HwmonSelector(settings))")
    case .iio: return ("iio \(settings.text("device"))", "\(IIOSelector(settings))")
    case .powerSupply: return ("power supply \(settings.text("supply"))", settings.text("property"))
    case .thermal, .w1, .system, .file: return nil
    }
  }
}
