import LimpetInstants
import LimpetPlatform
import LimpetText
import Measuring

/// Reads a thermal zone by its type (Documentation/ABI/testing/sysfs-class-thermal): `temp`, millidegrees Celsius.
final class ThermalSource: SensorSource {
  private let zone: String
  /// nil: `temp`.
  private let attribute: String?
  private let root: FileRoot
  private let found = StableName<ThermalZone>()

  init(zone: String, attribute: String? = nil, root: FileRoot) {
    self.zone = zone
    self.attribute = attribute
    self.root = root
  }

  var bus: Bus { Bus("thermal \(zone)") }

  func read() throws(SensorError) -> Measurement {
    try found.read { () throws(SensorError) in
      try search()
    } at: { place throws(SensorError) in
      let type = try reading { () throws(ReadError) in try root.text(of: place.typePath) }
      guard type == zone else { throw .moved(zone, path: place.folder) }
      let path = attribute.map { "\(place.folder)/\($0)" } ?? place.temperaturePath
      guard ThermalAttribute.isTemperature(attribute) else {
        return Measurement(value: try root.numberOrText(of: path), time: .now)
      }
      let millidegrees = try root.integer(of: path)
      return Measurement(value: .divided(millidegrees, by: 1000), unit: "°C", time: .now)
    }
  }

  private func search() throws(SensorError) -> ThermalZone {
    let zones = try reading { () throws(ReadError) in try ThermalZone.all(in: root) }
    let matches = zones.filter { $0.type == zone }
    guard let match = matches.first else {
      throw .noSuchName(zone, what: "thermal zone", place: ThermalZone.classFolder, existing: zones.map(\.type))
    }
    guard matches.count == 1 else {
      throw .ambiguous(
        zone, what: "thermal zone", candidates: matches.map(\.temperaturePath),
        instead: "name one attribute by its path, with type: file")
    }
    return match
  }
}

/// A thermal zone as the kernel lists it.
public struct ThermalZone: Sendable, Hashable {
  static let classFolder = "/sys/class/thermal"

  /// The content of `type`: the stable name, for example `cpu-thermal`. Not always unique.
  public let type: String
  /// For example `/sys/class/thermal/thermal_zone0`; the number may differ after the next boot.
  public let folder: String

  var typePath: String { folder + "/type" }
  var temperaturePath: String { folder + "/temp" }

  /// A temperature at which the kernel does something.
  public struct TripPoint: Sendable, Hashable {
    /// `active`, `passive`, `hot` or `critical`.
    public let type: String
    /// °C
    public let temperature: Double
  }

  /// The trip points of the zone, in their order.
  public func tripPoints(in root: FileRoot) -> [TripPoint] {
    let names = (try? root.entries(of: folder)) ?? []
    return names.filter { $0.hasPrefix("trip_point_") && $0.hasSuffix("_type") }.compactMap { name in
      guard let type = try? root.text(of: "\(folder)/\(name)"),
        let millidegrees = try? root.integer(of: "\(folder)/\(name.dropLast("_type".count))_temp")
      else { return nil }
      return TripPoint(type: type, temperature: Double(millidegrees) / 1000)
    }
  }

  /// All zones, in the order of their numbers; none where the kernel has no such class.
  public static func all(in root: FileRoot) throws(ReadError) -> [ThermalZone] {
    try root.devices(ofClass: classFolder, prefix: "thermal_zone").compactMap { folder in
      (try? root.text(of: folder + "/type")).map { ThermalZone(type: $0, folder: folder) }
    }
  }
}

extension FileRoot {
  /// The folders of a class under /sys/class whose names are `prefix` and a number.
  package func devices(ofClass folder: String, prefix: String) throws(ReadError) -> [String] {
    do {
      return try entries(of: folder).filter { name in
        name.hasPrefix(prefix) && !name.dropFirst(prefix.count).isEmpty
          && name.utf8.dropFirst(prefix.utf8.count).allSatisfy { (0x30...0x39).contains($0) }
      }.map { "\(folder)/\($0)" }
    } catch {
      guard error.isAbsence else { throw error }
      return []
    }
  }
}

extension SensorDriver {
  static let thermal = SensorDriver(
    source: { settings, root, _ in
      ThermalSource(zone: settings.text("zone"), attribute: settings["attribute"], root: root)
    },
    sensors: { zones($0) },
    details: { tripPoints(of: $0.text("zone"), $1) })

  private static func zones(_ root: FileRoot) -> [FoundSensor] {
    let zones = (try? ThermalZone.all(in: root)) ?? []
    return zones.map { zone in
      guard zones.count(where: { $0.type == zone.type }) > 1 else {
        return FoundSensor(.thermal(zone: zone.type), named: [[zone.type], [zone.type, "zone"]])
      }
      // Only their numbers distinguish them.
      let number = String(zone.folder.drop { !$0.isNumber })
      return FoundSensor(
        .file(path: zone.temperaturePath), named: [[zone.type, number]], scale: 0.001, unit: "°C")
    }
  }

  /// What the kernel does at which temperature.
  private static func tripPoints(of zone: String, _ root: FileRoot) -> [String] {
    guard let zone = try? ThermalZone.all(in: root).first(where: { $0.type == zone }) else { return [] }
    return zone.tripPoints(in: root).map { "\($0.type) \($0.temperature.shortestDecimal) °C" }
  }
}
