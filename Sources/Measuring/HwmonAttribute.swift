/// What an attribute of a hwmon chip means, by its name (Documentation/hwmon/sysfs-interface.rst): `temp1_max` is a
/// temperature as `temp1_input` is, `fan1_alarm` says whether something is wrong.
package struct HwmonAttribute: Sendable, Hashable {
  package enum Meaning: Sendable, Hashable {
    case quantity(divisor: Int64, unit: String)
    /// 1: something is wrong.
    case alarm
    /// A number or a text of the driver's own.
    case other
  }

  package let meaning: Meaning

  package init(_ name: String) {
    let stem = name.prefix { $0 != "_" }
    let suffix = name.dropFirst(stem.count + 1)
    if suffix == "fault" || suffix == "alarm" || suffix.hasSuffix("_alarm") {
      meaning = .alarm
    } else if let kind = HwmonChannel(stem)?.kind, let unit = kind.unit, Self.isValue(suffix) {
      meaning = .quantity(divisor: kind.divisor, unit: unit)
    } else {
      meaning = .other
    }
  }

  private static let values: Set<Substring> = [
    "input", "min", "max", "lcrit", "crit", "emergency", "target", "average", "average_min", "average_max", "lowest",
    "highest", "input_lowest", "input_highest", "average_lowest", "average_highest", "cap", "cap_min", "cap_max",
    "rated_min", "rated_max", "offset",
  ]

  private static func isValue(_ suffix: Substring) -> Bool {
    values.contains(suffix) || (suffix.hasSuffix("_hyst") && values.contains(suffix.dropLast("_hyst".count)))
  }

  package var unit: String? { if case .quantity(_, let unit) = meaning { unit } else { nil } }
}
