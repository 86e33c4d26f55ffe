/// Quality of service of a message (MQTT 5.0 §4.3).
public enum QoS: UInt8, Sendable, Hashable, Comparable, CaseIterable {
  case atMostOnce = 0
  case atLeastOnce = 1
  case exactlyOnce = 2

  public static func < (left: QoS, right: QoS) -> Bool { left.rawValue < right.rawValue }
}
