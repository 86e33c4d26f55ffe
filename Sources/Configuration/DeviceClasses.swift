import LimpetText

/// Classes of Home Assistant (`device_class`), by the kind of entity that knows them, with the units that a sensor's class
/// allows: it refuses an entity with a class of another kind or with another unit, and only its own log says so
/// (developers.home-assistant.io, "Sensor entity"; home-assistant.io, "Binary sensor", "Event").
enum DeviceClasses {
  enum Kind: String {
    case sensor = "a sensor"
    case binarySensor = "a binary sensor"
    case event = "an event"
  }

  /// - Parameters:
  ///   - kind: what the entity is; nil: unknown before a value was read.
  ///   - unit: of its values; nil: none is known.
  ///   - mayBeBinary: `as: binary_sensor` would make a binary sensor of it.
  /// - Returns: why the class does not fit, and what to do; nil: it may.
  static func objection(to name: String, as kind: Kind?, unit: String?, mayBeBinary: Bool) -> String? {
    // `none` is read as an empty text.
    guard !name.isEmpty, let kind else { return nil }
    guard kinds(of: name).contains(kind) else {
      return "\(name) is a class of \(Suggestion.list(kinds(of: name).map(\.rawValue))), and this is \(kind.rawValue); "
        + (mayBeBinary && binary.contains(name)
          ? "write another, or also write as: binary_sensor" : "write another, or remove class")
    }
    guard kind == .sensor, let units = units[name], let unit, !units.contains(unit) else { return nil }
    let shown = unit.isEmpty ? "has no unit" : "is in \(unit)"
    guard !units.isEmpty else { return unit.isEmpty ? nil : "\(name) has no unit, and this \(shown); remove class" }
    return "\(name) is in \(Suggestion.list(units)), and this \(shown); remove class, or write another"
  }

  private static func kinds(of name: String) -> [Kind] {
    var kinds: [Kind] = []
    if units[name] != nil { kinds.append(.sensor) }
    if binary.contains(name) { kinds.append(.binarySensor) }
    if events.contains(name) { kinds.append(.event) }
    return kinds
  }

  static let all = ["none"] + Set(units.keys).union(binary).union(events).sorted()

  private static let binary: Set = [
    "battery", "battery_charging", "carbon_monoxide", "cold", "connectivity", "door", "garage_door", "gas", "heat",
    "light", "lock", "moisture", "motion", "moving", "occupancy", "opening", "plug", "power", "presence", "problem",
    "running", "safety", "smoke", "sound", "tamper", "update", "vibration", "window",
  ]

  private static let events: Set = ["button", "doorbell", "motion"]

  private static let volumes = ["L", "mL", "m³", "CCF", "MCF", "ft³", "gal", "fl. oz."]
  private static let pressures = ["Pa", "hPa", "kPa", "bar", "cbar", "mbar", "mmHg", "inHg", "psi"]
  private static let energies = ["J", "kJ", "MJ", "GJ", "mWh", "Wh", "kWh", "MWh", "GWh", "TWh", "cal", "kcal"]
  private static let masses = ["µg/m³", "mg/m³", "µg/ft³"]

  /// Units of a sensor's class; empty: it has none. They include all that Home Assistant of any year accepts.
  private static let units: [String: [String]] = [
    "absolute_humidity": ["g/m³", "mg/m³"], "apparent_power": ["VA", "mVA", "kVA"], "aqi": [],
    "area": ["m²", "cm²", "km²", "mm²", "in²", "ft²", "yd²", "ha"],
    "atmospheric_pressure": pressures, "battery": ["%"], "blood_glucose_concentration": ["mg/dL", "mmol/L"],
    "carbon_dioxide": ["ppm"], "carbon_monoxide": ["ppm", "ppb"] + masses, "conductivity": ["S/cm", "mS/cm", "µS/cm"],
    "current": ["A", "mA", "µA"],
    "data_rate": [
      "bit/s", "kbit/s", "Mbit/s", "Gbit/s", "B/s", "kB/s", "MB/s", "GB/s", "KiB/s", "MiB/s", "GiB/s",
    ],
    "data_size": ["bit", "kbit", "Mbit", "Gbit", "B", "kB", "MB", "GB", "TB", "PB", "KiB", "MiB", "GiB", "TiB", "PiB"],
    "date": [], "distance": ["mm", "cm", "m", "km", "in", "ft", "yd", "mi"],
    "duration": ["µs", "ms", "s", "min", "h", "d"], "energy": energies,
    "energy_distance": ["kWh/100km", "Wh/km", "mi/kWh", "km/kWh"], "energy_storage": energies, "enum": [],
    "frequency": ["Hz", "kHz", "MHz", "GHz", "mHz"], "gas": ["m³", "ft³", "CCF", "MCF", "L"],
    "humidity": ["%", "%RH"], "illuminance": ["lx"], "irradiance": ["W/m²", "BTU/(h⋅ft²)"], "moisture": ["%"],
    "monetary": ["EUR", "USD", "GBP", "CHF", "€", "$"], "nitrogen_dioxide": ["ppm", "ppb"] + masses,
    "nitrogen_monoxide": ["ppb"] + masses, "nitrous_oxide": masses,
    "ozone": ["ppm", "ppb"] + masses, "ph": [], "pm1": masses, "pm10": masses, "pm25": masses, "pm4": masses,
    "power": ["W", "mW", "kW", "MW", "GW", "TW"], "power_factor": ["%", ""],
    "precipitation": ["mm", "cm", "in"], "precipitation_intensity": ["mm/h", "mm/d", "in/h", "in/d"],
    "pressure": pressures, "reactive_energy": ["varh", "kvarh"], "reactive_power": ["var", "kvar", "mvar"],
    "signal_strength": ["dB", "dBm"],
    "sound_pressure": ["dB", "dBA"], "speed": ["mm/s", "m/s", "km/h", "mm/h", "mm/d", "in/s", "ft/s", "mph", "kn"],
    "sulphur_dioxide": ["ppm", "ppb"] + masses, "temperature": ["°C", "°F", "K"],
    "temperature_delta": ["°C", "°F", "K"], "timestamp": [],
    "volatile_organic_compounds": masses, "volatile_organic_compounds_parts": ["ppm", "ppb"],
    "voltage": ["V", "mV", "µV", "kV", "MV"], "volume": volumes,
    "volume_flow_rate": ["L/min", "L/h", "L/s", "m³/h", "m³/min", "m³/s", "mL/s", "ft³/min", "gal/min"],
    "volume_storage": volumes, "water": volumes, "weight": ["µg", "mg", "g", "kg", "oz", "lb", "st"],
    "wind_direction": ["°"], "wind_speed": ["m/s", "km/h", "mph", "kn", "ft/s", "Beaufort"],
  ]
}
