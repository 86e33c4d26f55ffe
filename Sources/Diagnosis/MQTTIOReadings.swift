import LimpetText

/// Reads `digital_inputs` and `sensor_inputs`, writes `inputs` and `sensors`.
struct MQTTIOReadings {
  let reasons: [String: String]
  /// In Home Assistant; nil: there are none.
  let entities: MQTTIOEntities?
  private var names: Set<String> = []
  private var lines: Set<String> = []

  init(reasons: [String: String], entities: MQTTIOEntities?) {
    self.reasons = reasons
    self.entities = entities
  }

  mutating func write(
    inputs: [ForeignMapping], _ modules: [String: ForeignMapping], to file: inout WrittenConfiguration
  ) {
    guard !inputs.isEmpty else { return }
    file.line("inputs:")
    for var input in inputs {
      guard let name = name(&input, &file) else { continue }
      guard let moduleName = input.text("module"), var module = modules[moduleName] else {
        file.comment("\(name): its module is not in gpio_modules", indentation: "  ")
        continue
      }
      guard let place = place(&input, &module, name, &file) else { continue }
      var pairs = ["name: \(literal(name))"] + place
      let (up, down) = (input.flag("pullup") ?? false, input.flag("pulldown") ?? false)
      if up != down { pairs.append("pull: \(up ? "up" : "down")") }
      if up, down { file.comment("\(name): pullup and pulldown cancel each other", indentation: "  ") }
      if input.flag("inverted") ?? false { pairs.append("active_low: true") }
      let interrupt = input.text("interrupt")
      if let time = input.integer("bouncetime"), time > 0, time <= 3_600_000 { pairs.append("debounce: \(time)ms") }
      if interrupt == "rising" || interrupt == "falling" {
        file.comment(
          "\(name): interrupt \(interrupt ?? "") is not imported: limpet publishes both edges", indentation: "  ")
      }
      let (on, off) = (input.text("on_payload") ?? "ON", input.text("off_payload") ?? "OFF")
      if on == off {
        file.comment("\(name): on_payload and off_payload are the same text", indentation: "  ")
      } else {
        pairs += ["on: \(literal(on))", "off: \(literal(off))"]
      }
      pairs.append("retain: \(input.flag("retain") ?? false)")
      pairs += entity(
        &input, moduleName, "input", "binary_sensor", ["binary_sensor": nil, "sensor": "sensor"], name, &file)
      file.comment(restOf: input, indentation: "  ", reasons: reasons)
      file.line("  - {\(pairs.joined(separator: ", "))}")
    }
  }

  /// `chip` and `line`; nil, and a comment, where limpet has no such chip or line.
  mutating func place(
    _ input: inout ForeignMapping, _ module: inout ForeignMapping, _ name: String, _ file: inout WrittenConfiguration
  ) -> [String]? {
    let kind = module.text("module") ?? "?"
    guard kind == "gpiod" || kind == "raspberrypi" else {
      file.comment(
        "\(name): the module \(quoted(kind)) has no counterpart; with a driver of the kernel its lines are a chip of their own, see `limpet scan`",
        indentation: "  ")
      return nil
    }
    guard let pin = input.integer("pin"), (0...65535).contains(pin) else {
      file.comment("\(name): its pin is not a number", indentation: "  ")
      return nil
    }
    let chip = kind == "gpiod" ? module.text("chip") ?? "/dev/gpiochip0" : nil
    guard lines.insert("\(chip ?? "") \(pin)").inserted else {
      file.comment("\(name): pin \(pin) is used above already; a line can be used only once", indentation: "  ")
      return nil
    }
    return (chip.map { ["chip: \(literal($0))"] } ?? []) + ["line: \(pin)"]
  }

  mutating func write(
    sensors: [ForeignMapping], _ modules: [String: ForeignMapping], to file: inout WrittenConfiguration
  ) {
    guard !sensors.isEmpty else { return }
    file.line("sensors:")
    for var sensor in sensors {
      guard let name = name(&sensor, &file) else { continue }
      guard let moduleName = sensor.text("module"), var module = modules[moduleName] else {
        file.comment("\(name): its module is not in sensor_modules", indentation: "  ")
        continue
      }
      guard let source = source(&module, name, &file) else { continue }
      var pairs = ["name: \(literal(name))"] + source
      let interval = sensor.number("interval") ?? 60
      pairs.append("interval: \(Int(min(max(interval, 1), 604_800)))s")
      pairs.append("round: \(min(max(sensor.integer("digits") ?? 2, 0), 9))")
      if sensor.flag("retain") ?? false { pairs.append("retain: true") }
      pairs += entity(&sensor, moduleName, "sensor", "sensor", ["sensor": nil], name, &file)
      file.comment(restOf: sensor, indentation: "  ", reasons: reasons)
      file.line("  - {\(pairs.joined(separator: ", "))}")
    }
  }

  /// 1-Wire families by the names of their parts.
  private static let families = [
    "DS18S20": "10", "DS1822": "22", "DS18B20": "28", "DS1825": "3b", "DS28EA00": "42", "MAX31850K": "3b",
  ]

  private func source(
    _ module: inout ForeignMapping, _ name: String, _ file: inout WrittenConfiguration
  ) -> [String]? {
    switch module.text("module") {
    case "ds18b":
      let address = module.text("address")?.lowercased() ?? ""
      let family = Self.families[module.text("type")?.uppercased() ?? ""]
      guard let family, address.count == 12, address.allSatisfy({ $0.isASCII && $0.isHexDigit }) else {
        file.comment("\(name): type or address of its ds18b is not known", indentation: "  ")
        return nil
      }
      return ["type: w1", "id: \(family)-\(address)"]
    case "lm75":
      guard let bus = module.integer("i2c_bus_num"), let address = module.integer("chip_addr"),
        (0...255).contains(bus), (3...0x77).contains(address)
      else {
        file.comment("\(name): i2c_bus_num or chip_addr of its lm75 is not a number", indentation: "  ")
        return nil
      }
      let digits = String(address, radix: 16)
      let place = "\(bus)-" + digits.aligned(to: 4, filling: "0")
      file.comment(
        "\(name): read by the kernel's driver; dtoverlay=i2c-sensor,lm75,addr=0x\(digits), or: echo lm75 0x\(digits) > /sys/bus/i2c/devices/i2c-\(bus)/new_device",
        indentation: "  ")
      return ["type: hwmon", "chip: lm75", "device: \(literal(place))", "channel: temp1"]
    case let kind:
      file.comment(
        "\(name): the module \(quoted(kind ?? "?")) has no counterpart; the kernel may have a driver, see `limpet scan`",
        indentation: "  ")
      return nil
    }
  }

  /// The keys that carry an entity of Home Assistant on.
  ///
  /// - Parameter components: what limpet can describe it as, and what `as` is then.
  func entity(
    _ mapping: inout ForeignMapping, _ module: String, _ place: String, _ component: String,
    _ components: [String: String?], _ name: String, _ file: inout WrittenConfiguration
  ) -> [String] {
    guard let entities else { return [] }
    let entry = MQTTIOEntities.Entry(
      name: mapping.text("name") ?? name, module: module, place: place, component: component, components: components)
    return entities.pairs(&mapping, entry, as: name, &file, reasons: reasons)
  }

  /// A name that limpet takes, and that no other reading has.
  mutating func name(_ mapping: inout ForeignMapping, _ file: inout WrittenConfiguration) -> String? {
    guard let written = mapping.text("name") else {
      file.comment("\(mapping.path) has no name", indentation: "  ")
      return nil
    }
    var name = String(written.unicodeScalars.prefix(56).map { $0.isNameCharacter ? Character($0) : "_" })
    var number = 2
    let base = name
    while !names.insert(name).inserted {
      name = "\(base)_\(number)"
      number += 1
    }
    if name != written { file.comment("\(quoted(written)) is called \(name) here", indentation: "  ") }
    return name
  }
}
