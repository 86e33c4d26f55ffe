/// What the ABI's unit of a channel is turned into: value × factor ÷ divisor, in `unit`.
package struct IIOQuantity: Sendable, Hashable {
  package var factor = 1.0
  package var divisor = 1.0
  package var unit: String?
  package var meaning = ValueMeaning.level

  package static let none = IIOQuantity()

  private init() {}

  private init(
    _ unit: String, times factor: Double = 1, dividedBy divisor: Double = 1, meaning: ValueMeaning = .level
  ) {
    self.factor = factor
    self.divisor = divisor
    self.unit = unit
    self.meaning = meaning
  }

  /// By the type of a channel: `in_voltage0-voltage1` is a voltage. Types without a unit are counts and indexes.
  package init(channel: String) {
    let words = channel.split(separator: "_")
    let type = (words.count > 1 ? words[1] : "").prefix { $0.isASCII && $0.isLetter }
    let modifier = words.count > 2 ? words[2] : ""
    self =
      switch type {
      case "voltage", "altvoltage": IIOQuantity("V", dividedBy: 1000)
      case "current": IIOQuantity("A", dividedBy: 1000)
      case "power": IIOQuantity("W", dividedBy: 1000)
      case "energy": IIOQuantity("J", meaning: .total)
      case "resistance": IIOQuantity("Ω")
      case "capacitance": IIOQuantity("nF")
      case "electricalconductivity": IIOQuantity("S/m")
      case "temp": IIOQuantity("°C", dividedBy: 1000)
      case "humidityrelative": IIOQuantity("%RH", dividedBy: 1000)
      case "pressure": IIOQuantity("hPa", times: 10)
      case "concentration": IIOQuantity("ppm", times: 10_000, meaning: Self.gases[modifier] ?? .level)
      case "massconcentration": IIOQuantity("µg/m³", meaning: Self.particles[modifier] ?? .level)
      case "illuminance": IIOQuantity("lx")
      case "colortemp": IIOQuantity("K", meaning: .colour)
      case "magn": IIOQuantity("µT", times: 100)
      case "accel", "gravity": IIOQuantity("m/s²")
      case "anglvel": IIOQuantity("rad/s")
      case "velocity": IIOQuantity("m/s")
      case "distance", "proximity": IIOQuantity("m")
      case "angl", "phase": IIOQuantity("rad")
      case "incli": IIOQuantity("°")
      case "rot" where modifier != "quaternion": IIOQuantity("°")
      case "positionrelative": IIOQuantity("%", dividedBy: 1000)
      case "activity", "attention": IIOQuantity("%")
      default: .none
      }
  }

  private static let gases: [Substring: ValueMeaning] = ["co2": .carbonDioxide, "voc": .volatileOrganicCompounds]
  private static let particles: [Substring: ValueMeaning] = [
    "pm1": .particles(upTo: "1"), "pm2p5": .particles(upTo: "2.5"), "pm10": .particles(upTo: "10"),
  ]
}
