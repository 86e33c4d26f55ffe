/// A version of the MQTT protocol, as CONNECT announces it.
public enum ProtocolVersion: UInt8, Sendable, Hashable, CaseIterable, CustomStringConvertible {
  /// MQTT 3.1.1 (protocol level 4, [MQTT-3.1.2-2]).
  case v311 = 4
  /// MQTT 5.0 (protocol version 5, MQTT 5.0 §3.1.2.2).
  case v5 = 5

  /// `3.1.1` or `5`.
  public var description: String {
    switch self {
    case .v311: "3.1.1"
    case .v5: "5"
    }
  }
}
