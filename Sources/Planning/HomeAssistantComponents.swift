import Configuration
import Discovery
import Measuring
import Text

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
    configuration.sensors.flatMap { sensor in sensor.describedValues.map { component($0, of: sensor) } }
      + configuration.inputs.map { component($0) }
  }

  private var isJSON: Bool { configuration.format == .json }

  private func common(_ name: String, _ id: String, _ title: String) -> HomeAssistantFields {
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
    var fields = common(value.name, id, value.title)
    fields.add("exp_aft", expiry(of: sensor))
    let text = expression(of: value)
    switch value.shape {
    case .flag:
      if value.meaning == .problem { fields.add("dev_cla", "problem") }
      return binarySensor(id, fields, text.value, isJSON ? ("True", "False") : ("true", "false"))
    case .number where value.meaning == .moment && sensor.isAsRead:
      fields.add("dev_cla", "timestamp")
      fields.add("val_tpl", guarded(text.or("(\(text.value) | int) | timestamp_utc")))
    case .number:
      fields.add(HomeAssistantClass(of: value))
      fields.add("sug_dsp_prc", sensor.decimals)
      fields.add("val_tpl", guarded(text.or(text.value)))
    case .choice(let texts) where !texts.contains(""):
      fields.add("dev_cla", "enum")
      fields.add("ops", texts: texts)
      fields.add("val_tpl", text.or(text.value))
    case .text, .any, .choice:
      // A state has 255 characters at most.
      fields.add("val_tpl", text.or("(\(text.value) | string)[:255]"))
    }
    return HomeAssistantComponent(id, "sensor", fields)
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

  /// After how many seconds without a message a value is no longer one; nil: it may stand for any time.
  ///
  /// Only where limpet publishes again and again by itself. Twice, so that one message may be late, with the time that a
  /// read may take and that a lost connection may need to be noticed.
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
  private static let plainEdgeTemplate = "{% if value %}{{ {'event_type': value} | tojson }}{% endif %}"

  private func component(_ input: InputConfiguration) -> HomeAssistantComponent {
    var fields = common(input.name, input.name, input.name.title)
    switch input.gpio.mode {
    case .state:
      return binarySensor(
        input.name, fields, isJSON ? "value_json.value" : "value",
        isJSON ? ("True", "False") : (input.levels.on, input.levels.off))
    case .event:
      fields.add("evt_typ", texts: isJSON ? ["rising", "falling"] : [input.levels.on, input.levels.off])
      fields.add("val_tpl", isJSON ? Self.edgeTemplate : Self.plainEdgeTemplate)
      return HomeAssistantComponent(input.name, "event", fields)
    case .counter:
      let text = isJSON ? "value_json.value" : "'None' if value == '' else value"
      fields.add("exp_aft", expiry(period: input.interval))
      fields.add(HomeAssistantClass(totalIn: input.unit, isRising: input.scale > 0))
      fields.add("val_tpl", guarded("{{ \(text) }}"))
      return HomeAssistantComponent(input.name, "sensor", fields)
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
  private func guarded(_ template: String) -> String {
    isJSON ? "{% if value_json.get('quality') != 'gap' %}\(template){% endif %}" : template
  }
}

extension SensorConfiguration {
  /// Nothing is made of what was read.
  fileprivate var isAsRead: Bool { map.isEmpty && scale == 1 && offset == 0 && unit == nil && average == nil }
}

extension HomeAssistantFields {
  fileprivate mutating func add(_ classes: HomeAssistantClass) {
    add("dev_cla", classes.deviceClass)
    add("stat_cla", classes.stateClass)
    add("unit_of_meas", classes.unit)
  }
}
