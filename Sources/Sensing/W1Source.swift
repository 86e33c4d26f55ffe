import LimpetInstants
import LimpetPlatform
import LimpetText
import Measuring

/// Reads a 1-Wire thermometer by its id (Documentation/w1/slaves/w1_therm.rst and ABI/testing/sysfs-driver-w1_therm).
///
/// A read takes as long as the sensor converts, 750 ms at 12 bits, and keeps its whole bus busy: so ``Bus/isSerial``.
struct W1Source: SensorSource {
  static let devicesFolder = "/sys/bus/w1/devices"
  /// The value in a DS18B20's register after power-up, before it has converted.
  static let powerUpMillidegrees: Int64 = 85_000

  let id: String
  /// nil: the temperature.
  let attribute: String?
  let root: FileRoot
  let conversions: W1Conversions

  init(id: String, attribute: String? = nil, root: FileRoot, conversions: W1Conversions) {
    self.id = id
    self.attribute = attribute
    self.root = root
    self.conversions = conversions
    conversions.expect(id)
  }

  /// Its driver is w1_therm.
  private var isThermometer: Bool {
    attribute == nil && W1Quantity.thermometers.contains(W1Quantity.family(of: id))
  }

  /// Its master's: sensors of different masters do not wait for each other.
  var bus: Bus { Bus(conversions.master(of: id).map { "w1 \($0)" } ?? "w1", isSerial: true) }

  var hasEvents: Bool { true }

  /// The kernel sends an event when a sensor comes, but none when it goes, since `w1_uevent` (drivers/w1/w1.c) refuses
  /// a device that its driver has left already. The event of the hwmon device that w1_therm made below it stands in for
  /// that.
  func isConcerned(by event: DeviceEvent) -> Bool {
    guard event.isComingOrGoing, let path = event["DEVPATH"] else { return false }
    return event.subsystem == "w1" ? path.isPath(endingIn: id) : event.subsystem == "hwmon" && path.contains("/\(id)/")
  }

  func locate() { conversions.locate(in: root) }

  private var folder: String { "\(Self.devicesFolder)/\(id)" }

  func read() throws(SensorError) -> Measurement {
    do {
      guard isThermometer else {
        conversions.find(id, in: root)
        return try attributeValue()
      }
      conversions.prepare(id, in: root)
      let (millidegrees, doubt) = try Self.believed { () throws(SensorError) in try registerValue() }
      return Measurement(value: .divided(millidegrees, by: 1000), unit: "°C", doubt: doubt, time: .now)
    } catch {
      guard error.meansGone, !root.exists(folder) else { throw error }
      throw .noSuchName(id, what: "1-Wire sensor", place: Self.devicesFolder, existing: Self.ids(in: root))
    }
  }

  private func attributeValue() throws(SensorError) -> Measurement {
    let attribute = attribute ?? W1Quantity.temperature
    let path = "\(folder)/\(attribute)"
    guard let quantity = W1Quantity(id: id, attribute: attribute) else {
      let value = try root.numberOrText(of: path)
      let time = BootClock.now
      if value.number == 0 { try demandSupply(path) }
      return Measurement(value: value, time: time)
    }
    let raw = try root.integer(of: path)
    let time = BootClock.now
    if raw == 0 { try demandSupply(path) }
    return Measurement(value: .divided(raw, by: quantity.divisor), unit: quantity.unit, time: time)
  }

  /// Zeros have the checksum of zeros; but a DS2438 that is there has a supply of 2.4 V at least.
  private func demandSupply(_ path: String) throws(SensorError) {
    guard W1Quantity.family(of: id) == W1Quantity.batteryMonitor, try root.integer(of: folder + "/vdd") == 0 else {
      return
    }
    throw .noValue("the sensor's answer is all zeros; check the bus for a short circuit", path: path)
  }

  /// The value after power-up is read again, and doubtful if it stays.
  static func believed(_ read: () throws(SensorError) -> Int64) throws(SensorError) -> (Int64, Doubt?) {
    let first = try read()
    let millidegrees = first == powerUpMillidegrees ? try read() : first
    guard millidegrees == powerUpMillidegrees else { return (millidegrees, nil) }
    return (
      millidegrees, Doubt(.uncertain, "85 °C twice: also what the sensor says after power-up, without a conversion")
    )
  }

  private func registerValue() throws(SensorError) -> Int64 {
    let path = folder + "/temperature"
    let text: String
    do {
      text = try root.text(of: path)
    } catch {
      // Kernels before 5.9 have the older attribute only.
      guard error.isAbsence else { throw .unreadable(error) }
      return try W1Slave(of: folder + "/w1_slave", in: root).millidegrees
    }
    // How the driver says that the sensor did not answer, or that the checksum was wrong.
    guard !text.isEmpty else {
      throw .noValue("the sensor gave no valid answer; check its wiring and power", path: path)
    }
    let millidegrees = try integer(in: text, of: path)
    // A bus that is shorted to ground reads zeros, whose checksum is right: only the memory's content can show that.
    return millidegrees == 0 ? try W1Slave(of: folder + "/w1_slave", in: root).millidegrees : millidegrees
  }

  /// The ids of all sensors of families that are known.
  static func ids(in root: FileRoot) -> [String] {
    ((try? root.entries(of: devicesFolder)) ?? []).filter { W1Quantity.families.contains(W1Quantity.family(of: $0)) }
  }
}

/// What `w1_slave` holds: the nine bytes of the sensor's memory, twice, a verdict on their checksum, and a temperature.
///
///     72 01 4b 46 7f ff 0e 10 57 : crc=57 YES
///     72 01 4b 46 7f ff 0e 10 57 t=23125
struct W1Slave {
  let millidegrees: Int64

  init(of path: String, in root: FileRoot) throws(SensorError) {
    let text = try reading { () throws(ReadError) in try root.text(of: path) }
    let lines = text.split(separator: "\n")
    guard lines.count == 2, let temperature = lines[1].split(separator: " ").last, temperature.hasPrefix("t=") else {
      throw .noValue("not the two lines of a 1-Wire thermometer", path: path)
    }
    let bytes = lines[0].split(separator: " ").prefix(9).compactMap { UInt8($0, radix: 16) }
    guard lines[0].hasSuffix("YES"), bytes.count == 9, Self.checksum(of: bytes.prefix(8)) == bytes[8] else {
      throw .noValue("the checksum of the sensor's answer is wrong; check its wiring and power", path: path)
    }
    // A bus that is shorted to ground reads zeros, whose checksum is zero.
    guard bytes.contains(where: { $0 != 0 }) else {
      throw .noValue("the sensor's answer is all zeros; check the bus for a short circuit", path: path)
    }
    guard let millidegrees = Int64(temperature.dropFirst(2)) else {
      throw .notOneNumber(path: path, content: String(temperature), flaw: .notAnInteger)
    }
    self.millidegrees = millidegrees
  }

  /// The CRC of 1-Wire: x⁸ + x⁵ + x⁴ + 1, the lowest bit first.
  static func checksum(of bytes: some Sequence<UInt8>) -> UInt8 {
    bytes.reduce(0) { sum, byte in
      (0..<8).reduce(sum ^ byte) { sum, _ in sum & 1 == 0 ? sum >> 1 : (sum >> 1) ^ 0x8C }
    }
  }
}

extension SensorDriver {
  static let w1 = SensorDriver(
    source: { settings, root, conversions in
      W1Source(
        id: settings.text("id"), attribute: settings["attribute"], root: root, conversions: conversions)
    },
    sensors: { root in
      W1Source.ids(in: root).flatMap { id in
        let voltages = W1Quantity.family(of: id) == W1Quantity.batteryMonitor ? ["vad", "vdd"] : []
        return [FoundSensor(.w1(id: id), named: [["w1", id]])]
          + voltages.map { FoundSensor(.w1(id: id, attribute: $0), named: [["w1", id, $0]]) }
      }
    })
}

extension SensorKind {
  /// The id of a 1-Wire sensor, whose master ``W1Conversions`` knows; nil of all others.
  package var thermometer: String? {
    guard case .one(.w1, let settings) = self else { return nil }
    return settings.text("id")
  }
}
