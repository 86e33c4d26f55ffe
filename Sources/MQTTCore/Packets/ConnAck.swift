import NIOCore

/// CONNACK: the server's answer to CONNECT (MQTT 5.0 §3.2).
public struct ConnAck: Sendable, Hashable {
  public var sessionPresent: Bool
  public var reasonCode: ReasonCode
  public var properties: Properties

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
