/// A channel of a hwmon chip by the name the kernel gives it: `temp1`, `in0`, `fan2`.
public struct HwmonChannel: Sendable, Hashable, CustomStringConvertible {
  /// What a channel measures, by the prefix of its attributes (Documentation/hwmon/sysfs-interface.rst).
  public enum Kind: String, Sendable, Hashable, CaseIterable {
    case temp, `in`, curr, power, energy, humidity, fan, pwm, freq

    /// The kernel's values are divided by this to be in ``unit``.
    package var divisor: Int64 {
      switch self {
      case .temp, .in, .curr, .humidity: 1000
      case .power, .energy: 1_000_000
      case .fan, .pwm, .freq: 1
      }
    }

    /// The unit of a reading; nil for pwm, whose duty goes from 0 to 255.
    public var unit: String? {
      switch self {
      case .temp: "°C"
      case .in: "V"
      case .curr: "A"
      case .power: "W"
      case .energy: "J"
      case .humidity: "%RH"
      case .fan: "rpm"
      case .freq: "Hz"
      case .pwm: nil
      }
    }

    /// What follows the channel's name in the attribute that holds its value, the preferred one first: some power meters
    /// have an average only.
    var suffixes: [String] {
      switch self {
      case .pwm: [""]
      case .power: ["_input", "_average"]
      default: ["_input"]
      }
    }
  }

  public let kind: Kind
  public let number: Int

  /// Reads a channel's name; nil when the kernel has none like it.
  public init?(_ name: some StringProtocol) {
    let letters = name.prefix { $0.isASCII && $0.isLetter }
    let digits = name[letters.endIndex...]
    guard let kind = Kind(rawValue: String(letters)),
      !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
      digits == "0" || !digits.hasPrefix("0"), let number = Int(digits)
    else { return nil }
    self.kind = kind
    self.number = number
  }

  public var description: String { "\(kind.rawValue)\(number)" }

  /// The names of the attributes that may hold this channel's value, the preferred one first.
  package var attributes: [String] { kind.suffixes.map { description + $0 } }
}
