/// Quality of service of a message (MQTT 5.0 §4.3).
public enum QoS: UInt8, Sendable, Hashable, Comparable, CaseIterable {
  /// Sent once and never acknowledged: it may be lost (§4.3.1).
  case atMostOnce = 0
  /// Sent until it is acknowledged: it may arrive more than once (§4.3.2).
  case atLeastOnce = 1
  /// Neither lost nor duplicated, at the price of twice the packets (§4.3.3).
  case exactlyOnce = 2

  /// By their numbers: at most once is the lowest.
  public static func < (left: QoS, right: QoS) -> Bool { left.rawValue < right.rawValue }
}
