import Discovery
import LimpetText

/// Units that Home Assistant did not know from the first version on that takes descriptions of whole devices (2024.11): it
/// leaves out an entity whose unit it does not know for its class.
package enum HomeAssistantUnits {
  private struct Unit {
    let deviceClass: String
    let unit: String
    /// The first version that takes it (`DEVICE_CLASS_UNITS` of its sensor/const.py).
    let version: String
    /// What every version takes.
    let older: String
  }

  private static let late = [
    Unit(deviceClass: "voltage", unit: "\u{B5}V", version: "2024.12", older: "mV"),
    Unit(deviceClass: "power", unit: "mW", version: "2025.3", older: "W"),
    Unit(deviceClass: "energy", unit: "mWh", version: "2025.1", older: "Wh"),
    Unit(deviceClass: "energy_storage", unit: "mWh", version: "2025.1", older: "Wh"),
  ]

  /// A sentence for each such unit, with the entities that have it.
  package static func needs(of entities: [HomeAssistantComponent]) -> [String] {
    late.compactMap { late in
      let names = entities.filter { entity in
        entity.content["dev_cla"]?.text == late.deviceClass && entity.content["unit_of_meas"]?.text == late.unit
      }.map(\.id)
      guard !names.isEmpty else { return nil }
      let shown = names.prefix(3).joined(separator: ", ") + (names.count > 3 ? " and \(names.count - 3) more" : "")
      return "Home Assistant takes \(late.unit) of \(shown) from \(late.version) on; for an older one write unit: "
        + "\(late.older)"
    }
  }
}
