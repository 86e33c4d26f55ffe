/// What one attribute of a 1-Wire sensor means, by the sensor's family and the attribute's name.
package struct W1Quantity: Sendable, Hashable {
  package let divisor: Int64
  package let unit: String

  /// The families that are thermometers: DS18S20, DS1822, DS18B20, DS1825 and MAX31850, DS28EA00.
  package static let thermometers = ["10", "22", "28", "3b", "42"]
  /// DS2438, a battery monitor that measures its temperature and two voltages.
  package static let batteryMonitor = "26"

  package static var families: [String] { (thermometers + [batteryMonitor]).sorted() }

  /// The attribute that is read by default.
  package static let temperature = "temperature"

  package static func family(of id: String) -> String { String(id.prefix { $0 != "-" }) }

  /// nil: the driver's own number or text, without a unit that is known.
  package init?(id: String, attribute: String) {
    switch (Self.family(of: id), attribute) {
    // w1_ds2438.c gives the register, whose lowest bit is 1/256 °C, and hundredths of a volt.
    case (Self.batteryMonitor, Self.temperature): (divisor, unit) = (256, "°C")
    case (Self.batteryMonitor, "vad"), (Self.batteryMonitor, "vdd"): (divisor, unit) = (100, "V")
    case (let family, Self.temperature) where Self.thermometers.contains(family): (divisor, unit) = (1000, "°C")
    default: return nil
    }
  }
}
