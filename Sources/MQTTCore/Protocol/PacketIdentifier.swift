/// The identifier of a packet that waits for an answer: 1 to 65,535, never 0 ([MQTT-2.2.1-3]).
public struct PacketIdentifier: Sendable, Hashable, Comparable, RawRepresentable, CustomStringConvertible {
  public let rawValue: UInt16

  public init?(rawValue: UInt16) {
    guard rawValue != 0 else { return nil }
    self.rawValue = rawValue
  }

  private init(unchecked rawValue: UInt16) { self.rawValue = rawValue }

  public static let first = PacketIdentifier(unchecked: 1)

  /// The one after this: 65,535 is followed by 1.
  public var next: PacketIdentifier {
    PacketIdentifier(unchecked: rawValue == .max ? 1 : rawValue + 1)
  }

  public static func < (left: PacketIdentifier, right: PacketIdentifier) -> Bool { left.rawValue < right.rawValue }

  public var description: String { "\(rawValue)" }
}
