import Configuration
import Discovery
import LimpetText
import Presence

/// What Home Assistant shows of the device itself, below "Diagnostic": whether it is connected, with the reason and since
/// when, and, with `health.interval`, how the agent is doing.
///
/// Ids have a slash behind `limpet`: no other reading's id has one, except those of channels of a reading called
/// limpet.
struct HomeAssistantDiagnostics {
  private let configuration: Configuration
  private let device: String

  init(_ configuration: Configuration, device: String) {
    self.configuration = configuration
    self.device = device
  }

  var all: [HomeAssistantComponent] { [connection] + (configuration.health.interval > .zero ? health : []) }

  /// Its own history shows offline: it is available as soon as there is any status.
  private var connection: HomeAssistantComponent {
    let presence = configuration.presence
    var fields = head("Connection", "connection", "binary_sensor")
    fields.add("dev_cla", "connectivity")
    fields.add("stat_t", presence.topic.expanded(device: device))
    fields.add("pl_on", presence.online)
    fields.add("pl_off", presence.offline)
    fields.add("avty_tpl", presence.online.contains("'") ? nil : "{{ '\(presence.online)' }}")
    fields.add("json_attr_t", TopicTemplate.description.expanded(device: device))
    fields.add(
      "json_attr_tpl",
      "{{ {'reason': value_json.get('reason'), 'since': value_json.get('since'), 'gone_for': value_json.get('gone_for'), "
        + "'event': value_json.get('event'), 'conflict': value_json.get('conflict')} | tojson }}")
    return HomeAssistantComponent("limpet/connection", "binary_sensor", fields)
  }

  private var health: [HomeAssistantComponent] {
    [
      figure("Uptime", "uptime", "value_json.uptime_seconds", unit: "s", "duration"),
      figure("Waiting readings", "waiting", "value_json.buffer_readings"),
      figure("Dropped readings", "dropped", "value_json.dropped_readings"),
      figure(
        "Lost connections", "losses", "(value_json.get('connection_losses') or {}).values() | map('int') | sum"),
      figure("Memory", "memory", "value_json.memory_resident_bytes", unit: "B", "data_size"),
    ]
  }

  private func figure(
    _ title: String, _ id: String, _ value: String, unit: String? = nil, _ deviceClass: String? = nil
  ) -> HomeAssistantComponent {
    var fields = head(title, id, "sensor")
    fields.add("dev_cla", deviceClass)
    fields.add("stat_cla", "measurement")
    fields.add("unit_of_meas", unit)
    fields.add("sug_dsp_prc", 0)
    fields.add("stat_t", TopicTemplate.health.expanded(device: device))
    fields.add("val_tpl", "{{ \(value) }}")
    return HomeAssistantComponent("limpet/\(id)", "sensor", fields)
  }

  private func head(_ title: String, _ id: String, _ platform: String) -> HomeAssistantFields {
    var fields = HomeAssistantFields()
    fields.add("name", title)
    fields.add("uniq_id", "\(device)/limpet/\(id)")
    fields.add("ent_cat", "diagnostic")
    fields.add("def_ent_id", "\(platform).\(HomeAssistantComponents.slug("\(device)_\(id)"))")
    return fields
  }
}

/// The rate of a total, as meters show it.
struct HomeAssistantRate {
  var unit: String
  var deviceClass: String?
  /// The factor from units a second to `unit`.
  var perUnit = 1.0

  init(of total: String?) {
    switch total {
    case "L": (unit, deviceClass, perUnit) = ("L/min", "volume_flow_rate", 60)
    case "m³": (unit, deviceClass, perUnit) = ("m³/h", "volume_flow_rate", 3600)
    case "Wh": (unit, deviceClass, perUnit) = ("W", "power", 3600)
    case "kWh": (unit, deviceClass, perUnit) = ("kW", "power", 3600)
    case "mm": (unit, deviceClass, perUnit) = ("mm/h", "precipitation_intensity", 3600)
    case nil, "": (unit, deviceClass, perUnit) = ("1/min", nil, 60)
    case let total?: (unit, deviceClass, perUnit) = ("\(total)/min", nil, 60)
    }
  }
}
