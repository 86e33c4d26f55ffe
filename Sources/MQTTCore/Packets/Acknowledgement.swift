import NIOCore

/// PUBACK, PUBREC, PUBREL and PUBCOMP: the answers in the course of a message (MQTT 5.0 §3.4 to §3.7). They differ in
/// their type only.
public struct Acknowledgement: Sendable, Hashable {
  /// That of the PUBLISH ([MQTT-2.2.1-5]).
  public var packetIdentifier: PacketIdentifier
  /// Always success on 3.1.1, which cannot refuse a message.
  public var reasonCode: ReasonCode
  /// A reason, user properties (§3.4.2.2, §3.5.2.2, §3.6.2.2, §3.7.2.2); not sent on 3.1.1.
  public var properties: Properties

  /// By default: success.
  public init(
    _ packetIdentifier: PacketIdentifier, reasonCode: ReasonCode = .success, properties: Properties = Properties()
  ) {
    self.packetIdentifier = packetIdentifier
    self.reasonCode = reasonCode
    self.properties = properties
  }

  func encode(_ type: PacketType, into buffer: inout ByteBuffer, _ version: ProtocolVersion) {
    buffer.writeFrame(type) { body in
      body.writeInteger(packetIdentifier.rawValue)
      // The reason code may be left out when it is success and no properties follow (§3.4.2.1).
      guard version == .v5, reasonCode != .success || !properties.isEmpty else { return }
      body.writeInteger(reasonCode.rawValue)
      if !properties.isEmpty { properties.write(to: &body) }
    }
  }

  init(decoding buffer: inout ByteBuffer, _ type: PacketType, _ version: ProtocolVersion) throws(PacketError) {
    packetIdentifier = try buffer.readPacketIdentifier()
    reasonCode = .success
    properties = Properties()
    guard version == .v5, buffer.readableBytes > 0 else { return }
    reasonCode = try buffer.readReasonCode(type)
    if buffer.readableBytes > 0 { properties = try Properties(reading: &buffer, in: .packet(type)) }
  }
}

extension ByteBuffer {
  mutating func readReasonCode(_ type: PacketType) throws(PacketError) -> ReasonCode {
    let code = ReasonCode(rawValue: try readByte("reason code"))
    guard code.isAllowed(in: type) else { throw .protocolError("\(type) with reason code \(code)") }
    return code
  }
}
