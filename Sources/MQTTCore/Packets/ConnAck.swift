import NIOCore

/// CONNACK: the server's answer to CONNECT (MQTT 5.0 §3.2).
public struct ConnAck: Sendable, Hashable {
  /// The server goes on with a session that it has (§3.2.2.1.1); never with a refusal ([MQTT-3.2.2-6]).
  public var sessionPresent: Bool
  /// 0x00 agrees, all else refuses (§3.2.2.2). A return code of 3.1.1 becomes the code of 5.0 that means the same.
  public var reasonCode: ReasonCode
  /// What the server allows and grants (§3.2.2.3); empty on 3.1.1.
  public var properties: Properties

  /// For a server's side; a client gets its CONNACK from `PacketDecoder`.
  public init(sessionPresent: Bool, reasonCode: ReasonCode, properties: Properties = Properties()) {
    self.sessionPresent = sessionPresent
    self.reasonCode = reasonCode
    self.properties = properties
  }

  func encode(into buffer: inout ByteBuffer, _ version: ProtocolVersion) {
    buffer.writeFrame(.connack) { body in
      body.writeInteger(UInt8(sessionPresent ? 1 : 0))
      switch version {
      case .v5:
        body.writeInteger(reasonCode.rawValue)
        properties.write(to: &body)
      case .v311: body.writeInteger(ConnectReturnCode.returnCode(reasonCode))
      }
    }
  }

  init(decoding buffer: inout ByteBuffer, _ version: ProtocolVersion) throws(PacketError) {
    let flags = try buffer.readByte("acknowledge flags")
    guard flags & 0xFE == 0 else { throw .malformed("CONNACK with reserved flags set") }
    sessionPresent = flags == 1
    let code = try buffer.readByte("reason code")
    // A server that speaks 3.1.1 only answers a CONNECT of 5.0 with a CONNACK of its own, which is two bytes long.
    if buffer.readableBytes == 0 && ReasonCode(rawValue: code).isError && version == .v5 {
      // Short of its properties, but a refusal is a refusal.
      reasonCode = ReasonCode(rawValue: code)
      guard reasonCode.isAllowed(in: .connack) else { throw .protocolError("CONNACK with reason code \(reasonCode)") }
      properties = Properties()
    } else if version == .v311 || (buffer.readableBytes == 0 && (1...5).contains(code)) {
      guard let reason = ConnectReturnCode.reasonCode(code) else { throw .protocolError("CONNACK return code \(code)") }
      reasonCode = reason
      properties = Properties()
    } else {
      reasonCode = ReasonCode(rawValue: code)
      guard reasonCode.isAllowed(in: .connack) else { throw .protocolError("CONNACK with reason code \(reasonCode)") }
      properties = try Properties(reading: &buffer, in: .packet(.connack))
    }
    guard !sessionPresent || reasonCode == .success else {
      throw .protocolError("CONNACK that refuses and says session present")  // [MQTT-3.2.2-6]
    }
  }
}
