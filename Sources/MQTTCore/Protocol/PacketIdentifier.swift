/// The identifier of a packet that waits for an answer: 1 to 65,535, never 0 ([MQTT-2.2.1-3]).
public struct PacketIdentifier: Sendable, Hashable, Comparable, RawRepresentable, CustomStringConvertible {
  /// As it stands on the wire (§2.2.1); never 0.
  public let rawValue: UInt16

  /// nil for 0, which is no identifier ([MQTT-2.2.1-3]).
  public init?(rawValue: UInt16) {
    guard rawValue != 0 else { return nil }
    self.rawValue = rawValue
  }

  private init(unchecked rawValue: UInt16) { self.rawValue = rawValue }

  /// 1, which a new session begins with.
  public static let first = PacketIdentifier(unchecked: 1)

  /// The one after this: 65,535 is followed by 1.
  public var next: PacketIdentifier {
    PacketIdentifier(unchecked: rawValue == .max ? 1 : rawValue + 1)
  }

  /// By their numbers, which says nothing about the order of packets: 65,535 is followed by 1.
  public static func < (left: PacketIdentifier, right: PacketIdentifier) -> Bool { left.rawValue < right.rawValue }

  /// The number.
  public var description: String { "\(rawValue)" }
}
