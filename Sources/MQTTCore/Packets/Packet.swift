import NIOCore

/// A control packet of either version (MQTT 5.0 §3, MQTT 3.1.1 §3).
public enum Packet: Sendable, Hashable {
  indirect case connect(Connect)
  indirect case connack(ConnAck)
  case publish(Publish)
  case puback(Acknowledgement)
  case pubrec(Acknowledgement)
  case pubrel(Acknowledgement)
  case pubcomp(Acknowledgement)
  case subscribe(Subscribe)
  case suback(SubscriptionAcknowledgement)
  case unsubscribe(Unsubscribe)
  case unsuback(SubscriptionAcknowledgement)
  case pingreq
  case pingresp
  case disconnect(Disconnect)
  case auth(Auth)

  /// Which of the fifteen packets it is (§2.1.2).
  public var type: PacketType {
    switch self {
    case .connect: .connect
    case .connack: .connack
    case .publish: .publish
    case .puback: .puback
    case .pubrec: .pubrec
    case .pubrel: .pubrel
    case .pubcomp: .pubcomp
    case .subscribe: .subscribe
    case .suback: .suback
    case .unsubscribe: .unsubscribe
    case .unsuback: .unsuback
    case .pingreq: .pingreq
    case .pingresp: .pingresp
    case .disconnect: .disconnect
    case .auth: .auth
    }
  }

  /// Appends the packet's bytes. Its texts were checked when they were set.
  public func encode(into buffer: inout ByteBuffer, _ version: ProtocolVersion) {
    switch self {
    case .connect(let packet): packet.encode(into: &buffer, version)
    case .connack(let packet): packet.encode(into: &buffer, version)
    case .publish(let packet): packet.encode(into: &buffer, version)
    case .puback(let packet), .pubrec(let packet), .pubrel(let packet), .pubcomp(let packet):
      packet.encode(type, into: &buffer, version)
    case .subscribe(let packet): packet.encode(into: &buffer, version)
    case .suback(let packet), .unsuback(let packet): packet.encode(type, into: &buffer, version)
    case .unsubscribe(let packet): packet.encode(into: &buffer, version)
    case .pingreq, .pingresp: buffer.writeFrame(type) { _ in }
    case .disconnect(let packet): packet.encode(into: &buffer, version)
    case .auth(let packet): packet.encode(into: &buffer, version)
    }
  }
}

extension ByteBuffer {
  /// A fixed header (§2.1.1), and the variable header and payload that `body` writes.
  mutating func writeFrame(_ type: PacketType, _ body: (inout ByteBuffer) -> Void) {
    writeInteger(type.rawValue << 4 | type.flags)
    writeLengthPrefixed(body)
  }
}
