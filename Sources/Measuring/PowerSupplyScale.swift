/// The unit of a property, by its name: the class has micro-units, and tenths of a degree.
package struct PowerSupplyScale: Equatable {
  package let divisor: Int64
  package let unit: String

  /// nil: a text, or a number without a unit.
  package init?(property: String) {
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
