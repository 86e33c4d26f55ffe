import Measuring

/// How Home Assistant classes a number: `device_class` with the `state_class` and the unit that it allows for it
/// (home-assistant.io, "Sensor"; developers.home-assistant.io, "Sensor entity"). A class that is wrong for its unit is an
/// error there, so without certainty there is none.
struct HomeAssistantClass: Equatable {
  var deviceClass: String?
  var stateClass: String?
  var unit: String?

  /// Of a sensor's value that is a number.
  init(of value: DescribedValue) {
    stateClass = "measurement"
    let written = Self.spelled(value.unit)
    unit = written == "%RH" ? "%" : written
    deviceClass = written.flatMap { Self.measured[$0] }
    switch value.meaning {
    case .total: take(total: unit)
    case .charge where unit == "%": deviceClass = "battery"
    case .charge, .store: if Self.energies.contains(unit ?? "") { deviceClass = "energy_storage" }
    // Neither a span of time nor a temperature, whose units they have.
    case .moment, .colour: deviceClass = nil
    case .carbonDioxide: if unit == "ppm" { deviceClass = "carbon_dioxide" }
    case .volatileOrganicCompounds: if unit == "ppm" { deviceClass = "volatile_organic_compounds_parts" }
    case .particles(let size): if unit == "µg/m³" { deviceClass = Self.particles[size] }
    case .level, .problem, .plug: break
    }
  }

  /// Of a counter's total.
  /// - Parameter isGas: otherwise a volume is water, since a pulse counter in a home is a meter.
  init(totalIn unit: String?, isRising: Bool, isGas: Bool = false) {
    self.unit = unit == "" ? nil : Self.spelled(unit)
    stateClass = "total"
    guard isRising else { return }
    take(total: self.unit)
    if deviceClass == "volume", self.unit == "L" || self.unit == "m³" {
      deviceClass = !isGas ? "water" : self.unit == "m³" ? "gas" : deviceClass
    }
  }

  /// Of what a line's pulses measure.
  init(measuredIn unit: String?) {
    self.unit = unit == "" ? nil : Self.spelled(unit)
    stateClass = "measurement"
    deviceClass = self.unit.flatMap { Self.measured[$0] }
  }

  /// Micro has two characters in Unicode, U+00B5 and U+03BC. Home Assistant knew its units by the first until 2025.8; since
  /// then it replaces the first by the second when it comes by MQTT. So the first is right for all of them.
  private static func spelled(_ unit: String?) -> String? {
    unit.map { String(String.UnicodeScalarView($0.unicodeScalars.map { $0 == "\u{3BC}" ? "\u{B5}" : $0 })) }
  }

  private mutating func take(total unit: String?) {
    stateClass = "total_increasing"
    deviceClass = unit.flatMap { Self.totals[$0] }
  }

  private static let particles = ["1": "pm1", "2.5": "pm25", "10": "pm10"]
  private static let energies: Set = ["J", "kJ", "MJ", "mWh", "Wh", "kWh", "MWh"]

  /// By the unit of something that goes up and down.
  static let measured = table([
    ("temperature", ["°C", "°F", "K"]),
    ("voltage", ["V", "mV", "µV"]),
    ("current", ["A", "mA"]),
    ("power", ["W", "mW", "kW"]),
    ("apparent_power", ["VA"]),
    ("frequency", ["Hz", "kHz", "MHz", "GHz"]),
    ("pressure", ["Pa", "hPa", "kPa", "bar", "mbar", "cbar", "psi"]),
    ("humidity", ["%RH"]),
    ("illuminance", ["lx"]),
    ("irradiance", ["W/m²"]),
    ("signal_strength", ["dBm"]),
    ("duration", ["ms", "s", "min", "h", "d"]),
    ("data_size", ["B", "kB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB"]),
    ("data_rate", ["B/s", "kB/s", "MB/s", "bit/s", "kbit/s", "Mbit/s"]),
    ("distance", ["mm", "cm", "m", "km"]),
    ("speed", ["mm/s", "m/s", "km/h"]),
    ("weight", ["mg", "g", "kg"]),
    ("volume_storage", ["mL", "L", "m³"]),
    ("volume_flow_rate", ["L/min", "m³/h"]),
  ])

  /// By the unit of something that only goes up.
  static let totals = table([
    ("energy", ["J", "kJ", "MJ", "mWh", "Wh", "kWh", "MWh"]),
    ("volume", ["mL", "L", "m³"]),
    ("duration", ["ms", "s", "min", "h", "d"]),
    ("data_size", ["B", "kB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB"]),
    ("distance", ["mm", "cm", "m", "km"]),
    ("weight", ["mg", "g", "kg"]),
  ])

  private static func table(_ classes: [(String, [String])]) -> [String: String] {
    Dictionary(classes.flatMap { name, units in units.map { ($0, name) } }) { first, _ in first }
  }
}
