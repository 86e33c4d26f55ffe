import Configuration
import Discovery
import JSON
import LimpetText
import Measuring

/// Makes the entities of a configuration. Templates give `None`, which is the state "unknown", for a reading that could
/// not be taken, and nothing, which leaves the state as it is, for a gap.
package struct HomeAssistantComponents {
  package let configuration: Configuration
  package let device: String

  package init(configuration: Configuration, device: String) {
    self.configuration = configuration
    self.device = device
  }

  package var all: [HomeAssistantComponent] {
    configuration.sensors.flatMap { sensor in
      sensor.describedValues.map { presented(component($0, of: sensor), sensor.presentation, sensor.defaultCategory) }
    }
      + configuration.inputs.map { presented(component($0), $0.presentation, nil) }
      + configuration.inputs.flatMap { triggers($0) }
      + configuration.inputs.compactMap(rate) + HomeAssistantDiagnostics(configuration, device: device).all
      + configuration.outputs.flatMap { output in
        components(of: output).map { presented($0, output.presentation, nil) }
      }
  }

  /// The form that the configuration asks for.
  private func presented(
    _ component: HomeAssistantComponent, _ presentation: Presentation, _ category: String?
  ) -> HomeAssistantComponent {
    var fields = component.fields
    if let deviceClass = presentation.deviceClass { fields.set("dev_cla", deviceClass.isEmpty ? nil : deviceClass) }
    if let precision = presentation.precision { fields.set("sug_dsp_prc", precision) }
    fields.add("ic", presentation.icon)
    // What belongs to it, such as the state of a button, is an entity of its own.
    if let id = presentation.uniqueID, !component.id.contains("/") { fields.set("uniq_id", id) }
    switch presentation.category {
    case .diagnostic: fields.add("ent_cat", "diagnostic")
    case .some(.none): break
    case nil: fields.add("ent_cat", category)
    }
    if !presentation.isEnabled { fields.add("en", false) }
    fields.add("def_ent_id", "\(component.kind).\(Self.slug("\(device)_\(component.id)"))")
    return HomeAssistantComponent(component.id, component.kind, fields)
  }

  /// An id for an entity: lower-case letters, digits and underscores.
  static func slug(_ text: String) -> String {
    String(text.lowercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" })
  }

  /// How fast a counter counts, in the unit that meters have for it.
  private func rate(_ input: InputConfiguration) -> HomeAssistantComponent? {
    guard input.gpio.mode == .counter, isJSON else { return nil }
    let id = "\(input.name)/rate"
    var fields = common(input.name, id, "\(input.presentation.title ?? input.name.title) rate")
    fields.add("exp_aft", expiry(period: input.interval))
    let rate = HomeAssistantRate(of: input.unit)
    fields.add("dev_cla", rate.deviceClass)
    fields.add("stat_cla", "measurement")
    fields.add("unit_of_meas", rate.unit)
    fields.add("sug_dsp_prc", 2)
    let factor = rate.perUnit == 1 ? "" : " * \(Int(rate.perUnit))"
    fields.add(
      "val_tpl", guarded("{{ 'None' if value_json.get('rate') is none else value_json.rate\(factor) }}"))
    if input.unit ?? "" == "" { fields.add("en", false) }
    return presented(HomeAssistantComponent(id, "sensor", fields), Presentation(), nil)
  }

  var isJSON: Bool { configuration.format == .json }

  func common(_ name: String, _ id: String, _ title: String) -> HomeAssistantFields {
    let topic = configuration.topic.expanded(device: device, name: name)
    var fields = HomeAssistantFields()
    fields.add("name", title)
    fields.add("uniq_id", "\(device)/\(id)")
    fields.add("stat_t", topic)
    // Why a value is missing or in doubt.
    if isJSON {
      fields.add("json_attr_t", topic)
      fields.add("json_attr_tpl", Self.qualityTemplate)
    }
    return fields
  }

  private static let qualityTemplate =
    "{{ {'quality': value_json.get('quality', 'good'), 'error': value_json.get('error')} | tojson }}"

  // MARK: Sensors

  private func component(_ value: DescribedValue, of sensor: SensorConfiguration) -> HomeAssistantComponent {
    let id = value.name + (value.channel.map { "/" + $0 } ?? "")
    var fields = common(value.name, id, value.title(sensor.presentation.title))
    fields.add("exp_aft", expiry(of: sensor))
    let text = expression(of: value)
    let isPlug = value.meaning == .plug && sensor.presentation.platform == nil && sensor.isAsRead
    if isPlug { fields.add("dev_cla", "plug") }
    if isPlug || sensor.presentation.platform == .binarySensor, value.shape != .flag {
      // Everything except zero, off, false and no.
      let truth = "(\(text.value) | string | lower) not in ['0', '0.0', 'false', 'off', 'no', '']"
      return HomeAssistantComponent(
        id, "binary_sensor",
        fields.adding([("pl_on", "True"), ("pl_off", "False"), ("val_tpl", guarded(text.or(truth)))]))
    }
    switch value.shape {
    case .flag where sensor.presentation.platform == .sensor:
      fields.add("val_tpl", guarded(text.or(text.value)))
    case .flag:
      if value.meaning == .problem { fields.add("dev_cla", "problem") }
      return binarySensor(id, fields, text.value, isJSON ? ("True", "False") : ("true", "false"))
    case .number where value.meaning == .moment && sensor.isAsRead:
      fields.add("dev_cla", "timestamp")
      fields.add("val_tpl", guarded(text.or("(\(text.value) | int) | timestamp_utc")))
    case .number:
      fields.add(HomeAssistantClass(of: value))
      fields.add("sug_dsp_prc", sensor.decimals ?? Self.digits(of: value.unit))
      fields.add("val_tpl", guarded(text.or(text.value)))
    case .choice(let texts) where !texts.contains("") && !texts.contains("None"):
      fields.add("dev_cla", "enum")
      fields.add("ops", texts: texts)
      fields.add("val_tpl", text.or(text.value))
    case .text, .any, .choice:
      // A state has 255 characters at most, and None is the word for an unknown one.
      let shown = "(\(text.value) | string)[:255]"
      fields.add("val_tpl", text.or("'none' if \(shown) == 'None' else \(shown)"))
    }
    return HomeAssistantComponent(id, "sensor", fields)
  }

  /// Digits to show if the configuration does not say how many.
  private static func digits(of unit: String?) -> Int? {
    switch unit {
    case "°C", "°F", "K", "%", "%RH", "hPa", "mbar", "W", "s": 1
    case "V", "A", "kWh", "m³": 2
    case "rpm", "B", "lx", "ppm", "dBm", "Hz": 0
    default: nil
    }
  }

  /// Digits of a total of such steps: those of one step, and no more than anybody reads.
  private static func digits(ofScale scale: Double) -> Int {
    let digits = scale.shortestDecimal.split(separator: ".").dropFirst().first?.count ?? 0
    return min(digits, 3)
  }

  /// Where a value is in a payload, and how to know that it is none.
  private struct Expression {
    let value: String
    let isNone: String

    func or(_ text: String) -> String { "{{ 'None' if \(isNone) else \(text) }}" }
  }

  private func expression(of value: DescribedValue) -> Expression {
    guard let channel = value.channel else {
      return isJSON
        ? Expression(value: "value_json.value", isNone: "value_json.value is none")
        : Expression(value: "value", isNone: "value == ''")
    }
    // `values` would be the method of that name with a dot before it.
    return isJSON
      ? Expression(value: "value_json['values']['\(channel)']", isNone: "value_json.get('values') is none")
      : Expression(value: "value_json['\(channel)']", isNone: "value == ''")
  }

  /// After how many seconds without a message a value expires; nil: never.
  ///
  /// Only if limpet publishes it periodically. Twice the period, so that one message may be late, plus the time that a
  /// read may take and that limpet may need to notice a lost connection.
  private func expiry(of sensor: SensorConfiguration) -> Int? {
    let sample = sensor.average?.window ?? sensor.interval
    if sensor.change == nil { return expiry(period: sample + sensor.timeout) }
    return sensor.maxAge.map { expiry(period: $0 + sample + sensor.timeout) }
  }

  private func expiry(period: Duration) -> Int {
    let keepAlive = configuration.broker.keepalive > .zero ? configuration.broker.keepalive : .seconds(60)
    return Int((period * 2 + keepAlive * 3 / 2).components.seconds) + 1
  }

  // MARK: Inputs

  private static let edgeTemplate =
    "{% if value_json.get('edge') %}{{ {'event_type': value_json.edge, 'time': value_json.time} | tojson }}{% endif %}"

  /// Gestures in the words that Home Assistant has for buttons since 2026.8, and for doorbells
  /// (developers.home-assistant.io, "Event entity"); other versions take any.
  private func gestures(_ input: InputConfiguration) -> (types: [String], template: String) {
    let isBell = input.presentation.deviceClass == "doorbell"
    let table = Gesture.allCases.map { gesture in
      let count = gesture == .double ? ", 'multi_press_count': 2" : ""
      return "'\(gesture.rawValue)': {'event_type': '\(gesture.eventType(ofBell: isBell))'\(count)}"
    }.joined(separator: ", ")
    let value = isJSON ? "value_json.value" : "value"
    let event = isJSON ? "dict(events[\(value)], time=value_json.time)" : "events[\(value)]"
    return (
      Gesture.allCases.map { $0.eventType(ofBell: isBell) },
      "{% set events = {\(table) } %}{% if \(value) in events %}{{ \(event) | tojson }}{% endif %}"
    )
  }

  private static let plainEdgeTemplate = "{% if value %}{{ {'event_type': value} | tojson }}{% endif %}"

  /// A doorbell rings when it is pressed, and its release is nothing.
  private func ring(_ input: InputConfiguration) -> String {
    let isRinging =
      isJSON
      ? "value_json.get('edge') == 'rising'" : "value == \(JSONValue.text(input.levels.on).compact)"
    let time = isJSON ? ", 'time': value_json.time" : ""
    return "{% if \(isRinging) %}{{ {'event_type': 'ring'\(time)} | tojson }}{% endif %}"
  }

  private func component(_ input: InputConfiguration) -> HomeAssistantComponent {
    var fields = common(input.name, input.name, input.presentation.title ?? input.name.title)
    switch input.gpio.mode {
    case .state where input.presentation.platform == .sensor:
      fields.add("val_tpl", isJSON ? guarded("{{ value_json.value }}") : "{{ 'None' if value == '' else value }}")
      return HomeAssistantComponent(input.name, "sensor", fields)
    case .state:
      return binarySensor(
        input.name, fields, isJSON ? "value_json.value" : "value",
        isJSON ? ("True", "False") : (input.levels.on, input.levels.off))
    case .event:
      if input.presentation.deviceClass == "doorbell" {
        fields.add("evt_typ", texts: ["ring"])
        fields.add("val_tpl", ring(input))
        return HomeAssistantComponent(input.name, "event", fields)
      }
      fields.add("evt_typ", texts: isJSON ? ["rising", "falling"] : [input.levels.on, input.levels.off])
      fields.add("val_tpl", isJSON ? Self.edgeTemplate : Self.plainEdgeTemplate)
      return HomeAssistantComponent(input.name, "event", fields)
    case .gesture:
      fields.add("dev_cla", "button")
      let (types, template) = gestures(input)
      fields.add("evt_typ", texts: types)
      fields.add("val_tpl", template)
      return HomeAssistantComponent(input.name, "event", fields)
    case .frequency, .duty, .pulseWidth:
      fields.add("exp_aft", expiry(period: input.interval))
      fields.add(HomeAssistantClass(measuredIn: input.unit))
      fields.add("val_tpl", guarded("{{ \(isJSON ? "value_json.value" : "'None' if value == '' else value") }}"))
      return HomeAssistantComponent(input.name, "sensor", fields)
    case .counter, .encoder:
      let text = isJSON ? "value_json.value" : "'None' if value == '' else value"
      let isCounter = input.gpio.mode == .counter
      if isCounter { fields.add("exp_aft", expiry(period: input.interval)) }
      fields.add(
        HomeAssistantClass(
          totalIn: input.unit, isRising: isCounter && input.scale > 0, isGas: input.name.lowercased().contains("gas")))
      fields.add("sug_dsp_prc", Self.digits(ofScale: input.scale))
      fields.add("val_tpl", guarded("{{ \(text) }}"))
      return HomeAssistantComponent(input.name, "sensor", fields)
    }
  }

  /// Presses of a button trigger automations by name (home-assistant.io, "MQTT Device Trigger").
  private func triggers(_ input: InputConfiguration) -> [HomeAssistantComponent] {
    guard input.gpio.mode == .gesture else { return [] }
    return Gesture.allCases.map { gesture in
      var fields = HomeAssistantFields()
      fields.add("atype", "trigger")
      fields.add("t", configuration.topic.expanded(device: device, name: input.name))
      fields.add("type", gesture.triggerType)
      fields.add("stype", input.name.title)
      fields.add("pl", gesture.rawValue)
      if isJSON { fields.add("val_tpl", "{{ value_json.value }}") }
      return HomeAssistantComponent("\(input.name)/\(gesture.rawValue)", "device_automation", fields)
    }
  }

  /// - Parameter value: prints as one of `texts`, as nothing, or as `None`.
  private func binarySensor(
    _ id: String, _ fields: HomeAssistantFields, _ value: String, _ texts: (on: String, off: String)
  ) -> HomeAssistantComponent {
    var fields = fields
    fields.add("pl_on", texts.on)
    fields.add("pl_off", texts.off)
    fields.add("val_tpl", isJSON ? guarded("{{ \(value) }}") : "{{ 'None' if value == '' else \(value) }}")
    return HomeAssistantComponent(id, "binary_sensor", fields)
  }

  /// A gap is about the past; in the format plain it looks like a reading that failed.
  func guarded(_ template: String) -> String {
    isJSON ? "{% if value_json.get('quality') != 'gap' %}\(template){% endif %}" : template
  }
}

extension Gesture {
  fileprivate func eventType(ofBell isBell: Bool) -> String {
    switch self {
    case .single: isBell ? "ring" : "press_end"
    case .double: "multi_press_end"
    case .long: "long_press_start"
    }
  }

  /// In Home Assistant's words for buttons.
  fileprivate var triggerType: String {
    switch self {
    case .single: "button_short_press"
    case .double: "button_double_press"
    case .long: "button_long_press"
    }
  }
}

extension SensorConfiguration {
  /// Values about the board itself are diagnostic.
  fileprivate var defaultCategory: String? { if case .one(.system, _) = source { "diagnostic" } else { nil } }

  /// The value is published as it was read.
  fileprivate var isAsRead: Bool { map.isEmpty && scale == 1 && offset == 0 && unit == nil && average == nil }
}

extension HomeAssistantFields {
  fileprivate mutating func add(_ classes: HomeAssistantClass) {
    add("dev_cla", classes.deviceClass)
    add("stat_cla", classes.stateClass)
    add("unit_of_meas", classes.unit)
  }
}
