/// Reads one property of a power supply (Documentation/ABI/testing/sysfs-class-power), by the supply's name, which its
/// driver gives and no number changes.
struct PowerSupplySource: SensorSource {
  static let classFolder = "/sys/class/power_supply"

  let supply: String
  let property: String
  let root: FileRoot

  var bus: Bus { Bus("power supply \(supply)") }

  func read() throws(SensorError) -> Measurement {
    do {
      return try measure()
    } catch {
      throw error.meansGone ? explained(error) : error
    }
  }

  private func measure() throws(SensorError) -> Measurement {
    let path = "\(Self.classFolder)/\(supply)/\(property)"
    if let scale = PowerSupplyScale(property: property) {
      return try Measurement(value: .divided(root.integer(of: path), by: scale.divisor), unit: scale.unit)
    }
    // Status, health, counts: a number where it is one, else the driver's own word.
    let text = try reading { () throws(ReadError) in try root.text(of: path) }
    guard text.utf8.count <= FileSource.textLimit else { throw .textTooLong(path: path, bytes: text.utf8.count) }
    return Measurement(value: (try? number(in: text)) ?? .text(text))
  }

  /// Which of the two names is wrong.
  private func explained(_ error: SensorError) -> SensorError {
    let supplies = (try? root.entries(of: Self.classFolder)) ?? []
    guard supplies.contains(supply) else {
      return .noSuchName(supply, what: "power supply", place: Self.classFolder, existing: supplies)
    }
    let folder = "\(Self.classFolder)/\(supply)"
    let properties = Self.properties(in: folder, root: root)
    guard !properties.contains(property) else { return error }
    return .noSuchName(property, what: "property of power supply \(supply)", place: folder, existing: properties)
  }

  /// The attributes of a supply that are properties of its own.
  static func properties(in folder: String, root: FileRoot) -> [String] {
    let others = ["device", "hwmon", "power", "subsystem", "uevent", "extensions"]
    return ((try? root.entries(of: folder)) ?? []).filter {
      !others.contains($0) && !$0.hasPrefix("wakeup") && !$0.hasPrefix("hwmon")
    }
  }
}

extension PowerSupplySource {
  /// A property that says what the supply is, not how it is.
  static func isIdentity(_ property: String) -> Bool {
    let names = ["type", "manufacturer", "model_name", "serial_number", "technology", "scope", "usb_type"]
    return names.contains(property) || property.hasPrefix("manufacture_")
  }
}

/// What a property is measured in, by its name: the class has micro-units, and tenths of a degree.
struct PowerSupplyScale: Equatable {
  let divisor: Int64
  let unit: String

  /// nil: a text, or a number without a unit.
  init?(property: String) {
    let (divisor, unit): (Int64, String)
    switch property {
    case "capacity", "capacity_alert_min", "capacity_alert_max", "capacity_error_margin",
      "charge_control_start_threshold", "charge_control_end_threshold":
      (divisor, unit) = (1, "%")
    case "internal_resistance": (divisor, unit) = (1_000_000, "Ω")
    case _ where property.hasPrefix("charge_term_current"): (divisor, unit) = (1_000_000, "A")
    case _ where Self.charges.contains(property): (divisor, unit) = (1_000_000, "Ah")
    case _ where property == "temp" || property.hasPrefix("temp_"): (divisor, unit) = (10, "°C")
    case _ where property.hasPrefix("time_to_"): (divisor, unit) = (1, "s")
    case _ where property.contains("voltage"): (divisor, unit) = (1_000_000, "V")
    case _ where property.contains("current"): (divisor, unit) = (1_000_000, "A")
    case _ where property.hasPrefix("energy_"): (divisor, unit) = (1_000_000, "Wh")
    case _ where property.hasPrefix("power_") || property.hasSuffix("_power_limit"):
      (divisor, unit) = (1_000_000, "W")
    default: return nil
    }
    self.divisor = divisor
    self.unit = unit
  }

  /// Others that begin with `charge_` are texts, counts or percentages.
  private static let charges: Set = [
    "charge_avg", "charge_counter", "charge_empty", "charge_empty_design", "charge_full", "charge_full_design",
    "charge_now",
  ]
}
