import NIOCore

/// SUBACK and UNSUBACK: one reason code for each filter, in the order of the request (MQTT 5.0 §3.9, §3.11).
public struct SubscriptionAcknowledgement: Sendable, Hashable {
  /// That of the SUBSCRIBE or UNSUBSCRIBE ([MQTT-2.2.1-6]).
  public var packetIdentifier: PacketIdentifier
  /// Empty for an UNSUBACK of 3.1.1, which always agrees.
  public var reasonCodes: [ReasonCode]
  /// A reason, user properties (§3.9.2.1, §3.11.2.1); empty on 3.1.1.
  public var properties: Properties

  /// For a server's side; a client gets its packets from `PacketDecoder`.
  public init(_ packetIdentifier: PacketIdentifier, reasonCodes: [ReasonCode], properties: Properties = Properties()) {
    self.packetIdentifier = packetIdentifier
    self.reasonCodes = reasonCodes
    self.properties = properties
  }

  func encode(_ type: PacketType, into buffer: inout ByteBuffer, _ version: ProtocolVersion) {
    buffer.writeFrame(type) { body in
      body.writeInteger(packetIdentifier.rawValue)
      if version == .v5 { properties.write(to: &body) }
      if version == .v311 && type == .unsuback { return }
      for code in reasonCodes { body.writeInteger(version == .v311 && code.isError ? 0x80 : code.rawValue) }
    }
  }

  init(decoding buffer: inout ByteBuffer, _ type: PacketType, _ version: ProtocolVersion) throws(PacketError) {
    packetIdentifier = try buffer.readPacketIdentifier()
    properties = version == .v5 ? try Properties(reading: &buffer, in: .packet(type)) : Properties()
    reasonCodes = []
    if version == .v311 && type == .unsuback { return }
    while buffer.readableBytes > 0 {
      let code = try buffer.readReasonCode(type)
      // [MQTT-3.9.3-2] of 3.1.1: 0, 1, 2 and 0x80 are all there is.
      guard version == .v5 || code.rawValue <= 2 || code == .unspecifiedError else {
        throw .protocolError("SUBACK with return code \(code.rawValue)")
      }
      reasonCodes.append(code)
    }
    guard !reasonCodes.isEmpty else { throw .protocolError("\(type) without a reason code") }
  }
}
