/// The control packet types (MQTT 5.0 §2.1.2), with the flags that their first byte must carry (§2.1.3).
public enum PacketType: UInt8, Sendable, Hashable, CaseIterable, CustomStringConvertible {
  case connect = 1
  case connack, publish, puback, pubrec, pubrel, pubcomp, subscribe, suback, unsubscribe, unsuback, pingreq, pingresp,
    disconnect, auth

  /// The low four bits of the first byte ([MQTT-2.1.3-1]); those of PUBLISH carry DUP, QoS and RETAIN.
  var flags: UInt8 {
    switch self {
    case .pubrel, .subscribe, .unsubscribe: 0b0010
    default: 0
    }
  }

  /// The specification's word for it, in capitals.
  public var description: String {
    switch self {
    case .connect: "CONNECT"
    case .connack: "CONNACK"
    case .publish: "PUBLISH"
    case .puback: "PUBACK"
    case .pubrec: "PUBREC"
    case .pubrel: "PUBREL"
    case .pubcomp: "PUBCOMP"
    case .subscribe: "SUBSCRIBE"
    case .suback: "SUBACK"
    case .unsubscribe: "UNSUBSCRIBE"
    case .unsuback: "UNSUBACK"
    case .pingreq: "PINGREQ"
    case .pingresp: "PINGRESP"
    case .disconnect: "DISCONNECT"
    case .auth: "AUTH"
    }
  }
}
