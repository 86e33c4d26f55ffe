/// Units as they are written and meant.
enum Units {
  /// Other spellings of units, and the usual ones, which are the only ones that Home Assistant knows.
  static func usual(for unit: String) -> String? {
    // Some differ by case only: mW and MW.
    if let exact = spellings[unit] { return exact }
    let lowered = unit.lowercased()
    return words[lowered]
  }

  private static let spellings = [
    "C": "°C", "c": "°C", "°c": "°C", "ºC": "°C", "℃": "°C", "degC": "°C", "deg C": "°C", "F": "°F", "°f": "°F",
    "ºF": "°F", "degF": "°F", "Lux": "lx", "LUX": "lx", "Lx": "lx", "kwh": "kWh", "KWh": "kWh", "KWH": "kWh",
    "kWH": "kWh", "wh": "Wh", "WH": "Wh", "v": "V", "a": "A", "w": "W", "kw": "kW", "KW": "kW", "hz": "Hz", "HZ": "Hz",
    "RPM": "rpm", "l": "L", "m3": "m³", "M3": "m³", "hpa": "hPa", "HPA": "hPa", "Hpa": "hPa", "pa": "Pa", "PPM": "ppm",
    "ug/m3": "µg/m³", "µg/m3": "µg/m³", "db": "dB", "DB": "dB", "dbm": "dBm", "DBM": "dBm", "ah": "Ah", "m/s2": "m/s²",
    "% RH": "%RH", "%rh": "%RH", "RH": "%RH", "mb": "MB", "gb": "GB", "kb": "kB", "Mb": "MB", "Gb": "GB",
    "L/m": "L/min", "l/min": "L/min", "m3/h": "m³/h",
  ]

  private static let words = [
    "celsius": "°C", "degrees celsius": "°C", "fahrenheit": "°F", "kelvin": "K", "lux": "lx", "volt": "V", "volts": "V",
    "ampere": "A", "amps": "A", "amp": "A", "watt": "W", "watts": "W", "kilowatt": "kW", "percent": "%", "pct": "%",
    "liter": "L", "litre": "L", "liters": "L", "litres": "L", "cubic meters": "m³", "hertz": "Hz", "seconds": "s",
    "sec": "s", "secs": "s", "second": "s", "minutes": "min", "hours": "h", "bytes": "B", "byte": "B",
    "pascal": "Pa", "millibar": "mbar",
  ]

  /// value in `unit` = value in `source` × scale + offset.
  struct Conversion: Equatable {
    var scale: Double
    var offset: Double
  }

  /// nil: unknown.
  static func conversion(from source: String, to unit: String) -> Conversion? {
    if source == unit || equal.contains([source, unit]) { return Conversion(scale: 1, offset: 0) }
    if let affine = temperatures["\(source) \(unit)"] { return affine }
    for scale in scales {
      guard let from = scale[source], let to = scale[unit] else { continue }
      return Conversion(scale: from / to, offset: 0)
    }
    return nil
  }

  private static let equal: [Set<String>] = [
    ["%", "%RH"], ["rpm", "RPM"], ["hPa", "mbar"], ["l", "L"], ["lx", "lux"],
  ]

  private static let temperatures = [
    "°C °F": Conversion(scale: 1.8, offset: 32), "°C K": Conversion(scale: 1, offset: 273.15),
  ]

  /// Units of one quantity each, by their size in a base unit.
  private static let scales: [[String: Double]] = [
    ["µV": 0.000001, "mV": 0.001, "V": 1, "kV": 1000], ["µA": 0.000001, "mA": 0.001, "A": 1],
    ["µW": 0.000001, "mW": 0.001, "W": 1, "kW": 1000, "MW": 1_000_000],
    ["J": 1, "kJ": 1000, "MJ": 1_000_000, "mWh": 3.6, "Wh": 3600, "kWh": 3_600_000, "MWh": 3_600_000_000],
    ["µAh": 0.000001, "mAh": 0.001, "Ah": 1],
    ["Pa": 1, "hPa": 100, "mbar": 100, "kPa": 1000, "bar": 100_000],
    ["B": 1, "kB": 1000, "MB": 1_000_000, "GB": 1e9, "TB": 1e12, "KiB": 1024, "MiB": 1_048_576, "GiB": 1_073_741_824],
    ["ms": 0.001, "s": 1, "min": 60, "h": 3600, "d": 86_400], ["Hz": 1, "kHz": 1000, "MHz": 1_000_000, "GHz": 1e9],
    ["mm": 0.001, "cm": 0.01, "m": 1, "km": 1000], ["m/s": 1, "km/h": 1 / 3.6],
  ]
}
