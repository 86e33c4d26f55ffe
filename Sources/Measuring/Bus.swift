/// What several sources share, named for people: `hwmon pwmfan`, `file /sys/class/leds/led0`.
public struct Bus: Sendable, Hashable, CustomStringConvertible {
  public let name: String
  /// Only one read at a time proceeds, as on a 1-Wire bus: further ones would only take threads.
  public let isSerial: Bool

  public init(_ name: String, isSerial: Bool = false) {
    self.name = name
    self.isSerial = isSerial
  }

  public var description: String { name }
}
