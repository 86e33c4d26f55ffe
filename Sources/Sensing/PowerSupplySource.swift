import LimpetPlatform
import LimpetText
import Measuring

/// Reads one property of a power supply (Documentation/ABI/testing/sysfs-class-power), by the supply's name, which its
/// driver gives and no number changes.
struct PowerSupplySource: SensorSource {
  static let classFolder = "/sys/class/power_supply"

  let supply: String
  let property: String
  let root: FileRoot

  var bus: Bus { Bus("power supply \(supply)") }

  var hasEvents: Bool { true }

  func isConcerned(by event: DeviceEvent) -> Bool {
    event.subsystem == "power_supply" && event["POWER_SUPPLY_NAME"] ?? supply == supply
  }

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
      return try Measurement(value: .divided(root.integer(of: path), by: scale.divisor), unit: scale.unit, time: .now)
    }
    // Status, health, counts: a number where it is one, else the driver's own word.
    let text = try reading { () throws(ReadError) in try root.text(of: path) }
    guard text.utf8.count <= FileSource.textLimit else { throw .textTooLong(path: path, bytes: text.utf8.count) }
    return Measurement(value: (try? number(in: text)) ?? .text(text), time: .now)
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

extension SensorDriver {
  static let powerSupply = SensorDriver(
    source: { settings, root, _ in
      PowerSupplySource(supply: settings.text("supply"), property: settings.text("property"), root: root)
    },
    sensors: { properties($0) })

  private static func properties(_ root: FileRoot) -> [FoundSensor] {
    let folder = PowerSupplySource.classFolder
    return ((try? root.entries(of: folder)) ?? []).flatMap { supply in
      PowerSupplySource.properties(in: "\(folder)/\(supply)", root: root)
        .filter { !PowerSupplySource.isIdentity($0) }
        .map {
          FoundSensor(.powerSupply(supply: supply, property: $0), named: [[supply, $0], [supply, "supply", $0]])
        }
    }
  }
}
