import NIOCore
import Testing

@testable import MQTT

/// CONNECT and CONNACK as they are read, MQTT 5.0 §3.1 and §3.2.
@Suite struct ConnectTests {
  /// A CONNECT with these flags and nothing that they ask for.
  func connect(_ flags: UInt8, _ version: ProtocolVersion, payload: [UInt8] = text("c")) -> [UInt8] {
    frame(0x10, text("MQTT") + [version.rawValue, flags, 0, 0] + (version == .v5 ? [0] : []) + payload)
  }

  @Test("a protocol name or version that is not known is answered with 0x84 [MQTT-3.1.2-1] [MQTT-3.1.2-2]")
  func protocolName() {
    #expect(refusal(frame(0x10, text("MQIsdp") + hex("03 02 00 00") + text("c"))) == .unsupportedProtocolVersion)
    #expect(refusal(frame(0x10, text("mqtt") + hex("05 02 00 00 00") + text("c"))) == .unsupportedProtocolVersion)
    for level in [0, 3, 6, 0x84, 255] as [UInt8] {
      #expect(refusal(frame(0x10, text("MQTT") + [level, 2, 0, 0, 0])) == .unsupportedProtocolVersion)
    }
  }

  @Test("connect flags that contradict each other are malformed", arguments: ProtocolVersion.allCases)
  func flags(version: ProtocolVersion) {
    #expect(refusal(connect(0x03, version), version) == .malformedPacket, "reserved [MQTT-3.1.2-3]")
    #expect(refusal(connect(0x0A, version), version) == .malformedPacket, "QoS without a will [MQTT-3.1.2-11]")
    #expect(refusal(connect(0x22, version), version) == .malformedPacket, "retain without a will [MQTT-3.1.2-13]")
    #expect(refusal(connect(0x1E, version), version) == .malformedPacket, "a will of QoS 3 [MQTT-3.1.2-12]")
    #expect(refusal(connect(0x86, version), version) == .malformedPacket, "what the flags say is not there")
  }

  @Test("a password without a user name is malformed on 3.1.1 [MQTT-3.1.2-22], and allowed on 5")
  func passwordAlone() throws {
    #expect(refusal(connect(0x42, .v311, payload: text("c") + text("p")), .v311) == .malformedPacket)
    guard case .connect(let decoded)? = try decode(connect(0x42, .v5, payload: text("c") + text("p"))) else {
      Issue.record("no CONNECT")
      return
    }
    #expect(decoded.username == nil)
    #expect(decoded.password == ByteBuffer("p"))
  }

  @Test("a will without a topic is malformed")
  func willWithoutTopic() {
    #expect(refusal(connect(0x06, .v5, payload: text("c") + [0] + text("") + text("x"))) == .malformedPacket)
  }

  @Test("the acknowledge flags of CONNACK but the first are reserved [MQTT-3.2.2-1]", arguments: UInt8(2)...255)
  func acknowledgeFlags(flags: UInt8) {
    #expect(refusal([0x20, 3, flags, 0, 0]) == .malformedPacket)
    #expect(refusal([0x20, 2, flags, 0], .v311) == .malformedPacket)
  }

  @Test("a CONNACK that refuses and says session present is a protocol error [MQTT-3.2.2-6]")
  func refusalWithSession() {
    #expect(refusal(hex("20 03 01 87 00")) == .protocolError)
    #expect(refusal(hex("20 02 01 05"), .v311) == .protocolError)
  }

  @Test("a 3.1.1 CONNACK that answers a CONNECT of 5 is read as what it means")
  func connackOfOlderServer() throws {
    #expect(
      try decode(hex("20 02 00 01"))
        == .connack(ConnAck(sessionPresent: false, reasonCode: .unsupportedProtocolVersion)))
    #expect(try decode(hex("20 02 00 05")) == .connack(ConnAck(sessionPresent: false, reasonCode: .notAuthorized)))
    #expect(refusal(hex("20 02 00 00")) == .malformedPacket, "an agreement without properties is none")
  }

  @Test(
    "the return codes of 3.1.1 are the reason codes of 5 that mean the same",
    arguments: [
      (0, .success), (1, .unsupportedProtocolVersion), (2, .clientIdentifierNotValid), (3, .serverUnavailable),
      (4, .badUserNameOrPassword), (5, .notAuthorized),
    ] as [(UInt8, ReasonCode)])
  func returnCodes(code: UInt8, reason: ReasonCode) throws {
    let packet = Packet.connack(ConnAck(sessionPresent: false, reasonCode: reason))
    #expect(try decode([0x20, 2, 0, code], .v311) == packet)
    #expect(encode(packet, .v311) == [0x20, 2, 0, code])
  }

  @Test("return codes above 5 are reserved on 3.1.1", arguments: [6, 7, 0x80, 0x84, 255] as [UInt8])
  func reservedReturnCodes(code: UInt8) {
    #expect(refusal([0x20, 2, 0, code], .v311) == .protocolError)
  }
}
