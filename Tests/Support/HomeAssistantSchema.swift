import Foundation

/// What Home Assistant makes of a device-based discovery message: the schema of home-assistant.io, "MQTT", "Device
/// discovery payload", "Sensor", "Binary sensor", "Event" (MQTT), and the device classes of
/// developers.home-assistant.io, "Sensor entity", as far as limpet uses them. What it does not name is a problem.
package enum HomeAssistantSchema {
  /// What is wrong with a message; empty: nothing.
  package static func problems(topic: String, payload: String, prefix: String = "homeassistant") -> [String] {
    var problems: [String] = []
    let levels = topic.dropFirst(prefix.count + 1).split(separator: "/", omittingEmptySubsequences: false)
    let object = levels.count == 3 ? levels[1] : ""
    if !topic.hasPrefix(prefix + "/") || levels.first != "device" || levels.last != "config" || object.isEmpty
      || !object.utf8.allSatisfy({ idCharacters.contains($0) })
    {
      problems.append("topic \(topic)")
    }
    guard let root = try? JSONSerialization.jsonObject(with: Data(payload.utf8)) as? [String: Any] else {
      return problems + ["no JSON object"]
    }
    problems += fields(of: root, rootFields, required: ["dev", "o", "cmps"], "message")
    problems += fields(of: root["dev"], deviceFields, required: ["ids"], "dev")
    problems += fields(of: root["o"], originFields, required: ["name"], "o")
    let components = root["cmps"] as? [String: Any] ?? [:]
    var identifiers: Set<String> = []
    for (id, component) in components {
      // Home Assistant tells its own ids apart by spaces.
      if id.isEmpty || id.contains(" ") { problems.append("component id \"\(id)\"") }
      guard let component = component as? [String: Any] else { return problems + ["\(id): no object"] }
      problems += Self.problems(of: component, id)
      // What stands at the root is copied to each component that lacks it.
      let isTwice = component["avty_t"] ?? root["avty_t"] != nil
      if component["avty"] != nil, isTwice { problems.append("\(id): avty beside avty_t") }
      if let identifier = component["uniq_id"] as? String, !identifiers.insert(identifier).inserted {
        problems.append("\(id): unique_id \(identifier) is another's too")
      }
    }
    return problems.sorted()
  }

  private enum Kind { case text, texts, integer, object, objects, positive, flag, lists }

  private static let idCharacters = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-".utf8)

  private static let rootFields: [String: Kind] = [
    "dev": .object, "o": .object, "cmps": .object, "avty_t": .text, "pl_avail": .text, "pl_not_avail": .text,
  ]
  private static let deviceFields: [String: Kind] = [
    "ids": .texts, "name": .text, "sw": .text, "mdl": .text, "mf": .text, "sn": .text, "sa": .text, "cns": .lists,
  ]
  private static let originFields: [String: Kind] = ["name": .text, "sw": .text, "url": .text]
  private static let entityFields: [String: Kind] = [
    "p": .text, "name": .text, "uniq_id": .text, "stat_t": .text, "val_tpl": .text, "dev_cla": .text,
    "json_attr_t": .text, "json_attr_tpl": .text, "qos": .integer, "ic": .text, "ent_cat": .text, "en": .flag,
    "def_ent_id": .text, "avty_tpl": .text, "avty_t": .text, "pl_avail": .text, "pl_not_avail": .text, "avty": .objects,
    "avty_mode": .text,
  ]
  private static let availabilityFields: [String: Kind] = [
    "t": .text, "pl_avail": .text, "pl_not_avail": .text, "val_tpl": .text,
  ]
  private static let actingFields: [String: Kind] = [
    "cmd_t": .text, "opt": .flag, "ret": .flag, "message_expiry_interval": .positive,
  ]
  private static let actingPlatforms: Set = ["switch", "number", "button", "light", "fan", "valve"]
  private static let platformFields: [String: [String: Kind]] = [
    "sensor": [
      "exp_aft": .positive, "stat_cla": .text, "unit_of_meas": .text, "sug_dsp_prc": .integer, "ops": .texts,
    ],
    "binary_sensor": ["exp_aft": .positive, "pl_on": .text, "pl_off": .text],
    "event": ["evt_typ": .texts],
    "switch": [
      "pl_on": .text, "pl_off": .text, "stat_on": .text, "stat_off": .text,
    ],
    "number": ["min": .integer, "max": .integer, "step": .integer, "mode": .text, "unit_of_meas": .text],
    "button": ["pl_prs": .text],
    "light": [
      "pl_on": .text, "pl_off": .text, "stat_val_tpl": .text, "bri_cmd_t": .text, "bri_stat_t": .text,
      "bri_val_tpl": .text, "bri_scl": .positive, "on_cmd_type": .text,
    ],
    "fan": [
      "pl_on": .text, "pl_off": .text, "stat_val_tpl": .text, "pct_cmd_t": .text, "pct_stat_t": .text,
      "pct_val_tpl": .text, "spd_rng_min": .positive, "spd_rng_max": .positive,
    ],
    "valve": ["pl_open": .text, "pl_cls": .text, "reports_position": .flag],
    "device_automation": ["atype": .text, "type": .text, "stype": .text, "t": .text, "pl": .text],
  ]

  private static func fields(
    of value: Any?, _ known: [String: Kind], required: Set<String>, _ place: String
  ) -> [String] {
    guard let object = value as? [String: Any] else { return ["\(place): no object"] }
    let missing = required.subtracting(object.keys).map { "\(place): \($0) is missing" }
    return missing
      + object.compactMap { name, value in
        guard let kind = known[name] else { return "\(place): \(name) is unknown" }
        let fits =
          switch kind {
          case .text: (value as? String)?.isEmpty == false
          case .texts: (value as? [String])?.isEmpty == false
          case .integer: value as? Int != nil
          case .positive: (value as? Int).map { $0 > 0 } == true
          case .object: value as? [String: Any] != nil
          case .objects: (value as? [[String: Any]])?.isEmpty == false
          case .flag: value is Bool
          case .lists: (value as? [[String]])?.isEmpty == false
          }
        return fits ? nil : "\(place): \(name) is \(value)"
      }
  }

  private static func problems(of component: [String: Any], _ id: String) -> [String] {
    guard let platform = component["p"] as? String, let own = platformFields[platform] else {
      return ["\(id): platform \(component["p"] ?? "none")"]
    }
    // The platform alone takes the entity away.
    guard component.count > 1 else { return [] }
    var required: Set = ["name", "uniq_id", "stat_t"]
    if platform == "event" { required.insert("evt_typ") }
    let acts = actingPlatforms.contains(platform)
    if acts { required.formUnion(["cmd_t", "opt", "ret", "qos", "message_expiry_interval", "avty"]) }
    // It has no state.
    if platform == "button" { required.remove("stat_t") }
    // No entity: it begins automations.
    if platform == "device_automation" { required = ["atype", "type", "stype", "t"] }
    let known = entityFields.merging(own) { $1 }.merging(acts ? actingFields : [:]) { $1 }
    var problems = fields(of: component, known, required: required, id)
    for availability in component["avty"] as? [[String: Any]] ?? [] {
      problems += fields(of: availability, availabilityFields, required: ["t"], "\(id): avty")
    }
    for (name, value) in component where name.hasSuffix("tpl") {
      let text = value as? String ?? ""
      if text.components(separatedBy: "{{").count != text.components(separatedBy: "}}").count
        || text.components(separatedBy: "{%").count != text.components(separatedBy: "%}").count
      {
        problems.append("\(id): template \(text)")
      }
    }
    if platform == "device_automation", component["atype"] as? String != "trigger" {
      problems.append("\(id): automation type \(component["atype"] ?? "none")")
    }
    if platform == "event", let name = component["dev_cla"] as? String, name != "button" {
      problems.append("\(id): device class \(name)")
    }
    if platform == "sensor" { problems += classProblems(of: component, id) }
    if platform == "binary_sensor", let name = component["dev_cla"] as? String, !binaryClasses.contains(name) {
      problems.append("\(id): device class \(name)")
    }
    return problems
  }

  /// DEVICE_CLASS_UNITS and DEVICE_CLASS_STATE_CLASSES of Home Assistant.
  private static func classProblems(of component: [String: Any], _ id: String) -> [String] {
    let unit = component["unit_of_meas"] as? String
    let state = component["stat_cla"] as? String
    var problems: [String] = []
    if let state, !["measurement", "total", "total_increasing"].contains(state) {
      problems.append("\(id): state class \(state)")
    }
    if component["ops"] != nil, component["dev_cla"] as? String != "enum" || state != nil || unit != nil {
      problems.append("\(id): options belong to enum, without a unit or a state class")
    }
    guard let name = component["dev_cla"] as? String else { return problems }
    guard let known = classes[name] else { return problems + ["\(id): device class \(name)"] }
    if !known.units.contains(unit ?? "") { problems.append("\(id): \(name) in \(unit ?? "no unit")") }
    if let state, !known.states.contains(state) { problems.append("\(id): \(name) as \(state)") }
    return problems
  }

  private static let binaryClasses: Set = ["problem", "connectivity", "door", "moisture", "window", "motion"]
  private static let every: Set = ["measurement", "total", "total_increasing"]
  private static let measurement: Set = ["measurement"]
  private static let total: Set = ["total", "total_increasing"]
  private static let energies: Set = [
    "J", "kJ", "MJ", "GJ", "mWh", "Wh", "kWh", "MWh", "GWh", "TWh", "cal", "kcal", "Mcal", "Gcal",
  ]
  private static let bytes: Set = [
    "bit", "kbit", "Mbit", "Gbit", "B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB", "KiB", "MiB", "GiB", "TiB",
    "PiB", "EiB", "ZiB", "YiB",
  ]
  private static let volumes: Set = ["ft³", "CCF", "m³", "L", "mL", "gal", "fl. oz."]

  private static let classes: [String: (units: Set<String>, states: Set<String>)] = [
    "timestamp": ([""], []), "enum": ([""], []),
    "apparent_power": (["VA"], measurement),
    "battery": (["%"], measurement),
    "carbon_dioxide": (["ppm"], measurement),
    "current": (["A", "mA"], measurement),
    "data_rate": (
      ["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "B/s", "kB/s", "MB/s", "GB/s", "KiB/s", "MiB/s", "GiB/s"], measurement
    ),
    "data_size": (bytes, every),
    "distance": (["km", "m", "cm", "mm", "mi", "yd", "in", "ft"], every),
    "duration": (["d", "h", "min", "s", "ms", "µs"], every),
    "energy": (energies, total), "energy_storage": (energies, measurement),
    "frequency": (["Hz", "kHz", "MHz", "GHz"], measurement),
    "humidity": (["%"], measurement),
    "illuminance": (["lx"], measurement),
    "irradiance": (["W/m²", "BTU/(h⋅ft²)"], measurement),
    "pm1": (["µg/m³"], measurement), "pm25": (["µg/m³"], measurement), "pm10": (["µg/m³"], measurement),
    "power": (["mW", "W", "kW", "MW", "GW", "TW"], measurement),
    "pressure": (["Pa", "hPa", "kPa", "bar", "cbar", "mbar", "mmHg", "inHg", "psi"], measurement),
    "signal_strength": (["dB", "dBm"], measurement),
    "speed": (
      ["ft/s", "in/s", "m/s", "mm/s", "km/h", "kn", "mph", "Beaufort", "mm/d", "mm/h", "in/d", "in/h"], measurement
    ),
    "temperature": (["°C", "°F", "K"], measurement),
    "volatile_organic_compounds_parts": (["ppm", "ppb"], measurement),
    "voltage": (["V", "mV", "µV", "kV", "MV"], measurement),
    "volume": (volumes, total), "volume_storage": (volumes, measurement),
    "volume_flow_rate": (["m³/h", "ft³/min", "L/min", "gal/min", "mL/s"], measurement),
    "water": (["ft³", "CCF", "m³", "L", "gal"], total), "gas": (["ft³", "CCF", "m³"], total),
    "precipitation_intensity": (["mm/h", "mm/d", "in/h", "in/d"], measurement),
    "weight": (["kg", "g", "mg", "µg", "oz", "lb", "st"], every),
  ]
}
