import Testing

@testable import MQTTCore

/// Table 2-6, MQTT 5.0 §2.4, written anew: for each packet the codes that it may carry.
@Suite struct ReasonCodeTests {
  static let allowed: [(PacketType, Set<UInt8>)] = [
    (
      .connack,
      [
        0, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95, 0x97, 0x99, 0x9A, 0x9B,
        0x9C, 0x9D, 0x9F,
      ]
    ),
    (.puback, [0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]),
    (.pubrec, [0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]),
    (.pubrel, [0, 0x92]),
    (.pubcomp, [0, 0x92]),
    (.suback, [0, 1, 2, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2]),
    (.unsuback, [0, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91]),
    (
      .disconnect,
      [
        0, 4, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8C, 0x8D, 0x8E, 0x8F, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97,
        0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2,
      ]
    ),
    (.auth, [0, 0x18, 0x19]),
  ]

  @Test(
    """
    a packet with a code that is not its own is a protocol error [MQTT-3.2.2-8] [MQTT-3.4.2-1] [MQTT-3.5.2-1] \
    [MQTT-3.6.2-1] [MQTT-3.7.2-1] [MQTT-3.8.4-7] [MQTT-3.9.3-2] [MQTT-3.11.3-2] [MQTT-3.15.2-1]
    """, arguments: allowed)
  func codes(type: PacketType, allowed: Set<UInt8>) {
    for code in UInt8.min...UInt8.max {
      let body: [UInt8] =
        switch type {
        case .connack: [0, code, 0]
        case .suback, .unsuback: [0, 1, 0, code]
        case .disconnect, .auth: [code]
        default: [0, 1, code]
        }
      let first = type.rawValue << 4 | (type == .pubrel ? 2 : 0)
      #expect(refusal(frame(first, body)) == (allowed.contains(code) ? nil : .protocolError), "\(code)")
    }
  }

  @Test("a code is written as its number and the specification's words")
  func descriptions() {
    #expect(ReasonCode.success.description == "0x00 success")
    #expect(ReasonCode.sessionTakenOver.description == "0x8E session taken over")
    #expect(ReasonCode(rawValue: 0x7F).description == "0x7F")
    for (_, codes) in Self.allowed {
      for code in codes { #expect(ReasonCode(rawValue: code).description.contains(" "), "\(code) has a text") }
    }
  }

  @Test("codes of 0x80 and above are errors (§2.4)")
  func errors() {
    #expect(!ReasonCode.reauthenticate.isError)
    #expect(!ReasonCode(rawValue: 0x7F).isError)
    #expect(ReasonCode.unspecifiedError.isError)
  }
}
