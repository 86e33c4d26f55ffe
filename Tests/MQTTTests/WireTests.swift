import NIOCore
import Testing

@testable import MQTTCore

/// The data representations, MQTT 5.0 §1.5.
@Suite struct WireTests {
  static let limits: [(UInt32, String)] = [
    (0, "00"), (127, "7F"), (128, "80 01"), (16_383, "FF 7F"), (16_384, "80 80 01"), (2_097_151, "FF FF 7F"),
    (2_097_152, "80 80 80 01"), (268_435_455, "FF FF FF 7F"),
  ]

  @Test(
    "a variable byte integer at each limit of table 1-1 has as few bytes as it says [MQTT-1.5.5-1]", arguments: limits)
  func limit(value: UInt32, bytes: String) throws {
    var buffer = ByteBuffer()
    buffer.writeVariableByteInteger(value)
    #expect(Array(buffer: buffer) == hex(bytes))
    #expect(value.variableByteCount == hex(bytes).count)
    for version in ProtocolVersion.allCases {
      var copy = buffer
      #expect(try copy.readVariableByteInteger(version) == value)
      #expect(copy.readableBytes == 0)
    }
  }

  @Test("a variable byte integer that is not whole reads as nil and takes no byte", arguments: limits)
  func incomplete(value: UInt32, bytes: String) throws {
    for count in 0..<hex(bytes).count {
      var buffer = ByteBuffer(bytes: hex(bytes).prefix(count))
      #expect(try buffer.readVariableByteInteger(.v5) == nil)
      #expect(buffer.readableBytes == count)
    }
  }

  @Test(
    "more bytes than the value needs are malformed on 5 [MQTT-1.5.5-1], and taken on 3.1.1",
    arguments: [("80 00", 0), ("FF 00", 127), ("81 80 00", 1), ("80 80 80 00", 0)] as [(String, UInt32)])
  func notMinimal(bytes: String, value: UInt32) throws {
    var buffer = ByteBuffer(bytes: hex(bytes))
    #expect(throws: PacketError.self) { try buffer.readVariableByteInteger(.v5) }
    #expect(try buffer.readVariableByteInteger(.v311) == value)
  }

  @Test("a variable byte integer of more than four bytes is malformed as soon as the fourth is there")
  func fiveBytes() {
    for version in ProtocolVersion.allCases {
      #expect(refusal(hex("30 80 80 80 80"), version) == .malformedPacket)
      #expect(refusal(hex("30 FF FF FF FF 7F"), version) == .malformedPacket)
    }
  }

  static let badText: [(String, String)] = [
    ("a byte that never occurs", "FF"), ("a lone continuation", "80"), ("an overlong slash", "C0 AF"),
    ("a cut sequence", "E2 82"), ("the surrogate U+D800 [MQTT-1.5.4-1]", "ED A0 80"),
    ("the surrogate U+DFFF [MQTT-1.5.4-1]", "ED BF BF"), ("above U+10FFFF", "F4 90 80 80"),
    ("U+0000 [MQTT-1.5.4-2]", "61 00 62"), ("overlong U+0000", "C0 80"),
  ]

  @Test(
    """
    a text that is not well-formed UTF-8, or has U+0000, is malformed wherever it stands \
    [MQTT-1.5.4-1] [MQTT-1.5.4-2] [MQTT-1.5.7-1] [MQTT-1.5.3-1 v3.1.1] [MQTT-1.5.3-2 v3.1.1] [MQTT-3.1.3-4] \
    [MQTT-3.1.3-11] [MQTT-3.1.3-12] [MQTT-3.1.3-10 v3.1.1] [MQTT-3.1.3-11 v3.1.1] [MQTT-3.3.2-1] [MQTT-3.3.2-13] \
    [MQTT-3.3.2-19] [MQTT-3.8.3-1] [MQTT-3.10.3-1]
    """, arguments: badText)
  func malformedText(what: String, bytes: String) {
    let bad = [0, UInt8(hex(bytes).count)] + hex(bytes)
    for version in ProtocolVersion.allCases {
      let properties = version == .v5 ? hex("00") : []
      #expect(refusal(frame(0x30, bad + properties), version) == .malformedPacket, "topic name")
      #expect(refusal(frame(0x82, hex("00 01") + properties + bad + hex("00")), version) == .malformedPacket, "filter")
      #expect(refusal(frame(0xA2, hex("00 01") + properties + bad), version) == .malformedPacket, "filter")
      let connect = text("MQTT") + [version.rawValue]
      #expect(
        refusal(frame(0x10, connect + hex("02 00 00") + properties + bad), version) == .malformedPacket, "client id")
      #expect(
        refusal(frame(0x10, connect + hex("82 00 00") + properties + text("c") + bad), version) == .malformedPacket,
        "user name")
      let will = hex("06 00 00") + properties + text("c") + properties
      #expect(refusal(frame(0x10, connect + will + bad + hex("00 00")), version) == .malformedPacket, "will topic")
    }
    for identifier in [0x03, 0x08] as [UInt8] {
      let property = [identifier] + bad
      #expect(
        refusal(frame(0x30, text("t") + variableByteInteger(property.count) + property)) == .malformedPacket,
        "content type, response topic")
    }
    let name = [0x26] + bad + text("v")
    #expect(refusal(frame(0x30, text("t") + variableByteInteger(name.count) + name)) == .malformedPacket, "property")
    let pair = [0x26] + text("n") + bad
    #expect(refusal(frame(0x30, text("t") + variableByteInteger(pair.count) + pair)) == .malformedPacket, "property")
    #expect(refusal(frame(0xE0, [0, UInt8(1 + bad.count), 0x1F] + bad)) == .malformedPacket, "reason string")
  }

  @Test(
    "U+FEFF is a character and is not stripped [MQTT-1.5.4-3] [MQTT-1.5.3-3 v3.1.1]",
    arguments: ProtocolVersion.allCases)
  func byteOrderMark(version: ProtocolVersion) throws {
    let properties = version == .v5 ? hex("00") : []
    guard case .publish(let publish) = try decode(frame(0x30, hex("00 04 EF BB BF 61") + properties), version) else {
      Issue.record("no PUBLISH")
      return
    }
    #expect(Array(publish.message.topic.description.utf8) == hex("EF BB BF 61"))
    #expect(encode(.publish(publish), version) == frame(0x30, hex("00 04 EF BB BF 61") + properties))
  }

  @Test("a text of 65,535 bytes goes over the wire and back", arguments: ProtocolVersion.allCases)
  func longText(version: ProtocolVersion) throws {
    let long = String(repeating: "x", count: 65_535)
    let packet = Packet.publish(Publish(Message(topic: try TopicName(long), payload: ByteBuffer(), qos: .atMostOnce)))
    #expect(try decode(encode(packet, version), version) == packet)
  }

  @Test("an empty text is one, where the specification lets it be empty")
  func emptyText() throws {
    let connect = Packet.connect(Connect(clientIdentifier: "", cleanStart: true, keepAlive: 0, username: ""))
    for version in ProtocolVersion.allCases { #expect(try decode(encode(connect, version), version) == connect) }
  }

  @Test(
    "a length that leads past the end of its packet is malformed, though the next packet's bytes are there",
    arguments: [
      "30 03 00 05 61", "32 04 00 02 61 62", "30 05 00 01 61 02 01", "40 01 00", "90 01 00", "82 06 00 01 00 00 05 61",
      "30 08 00 01 61 05 09 00 09 61", "30 04 00 01 61 80", "20 01 00", "20 03 00 00 01", "E0 02 00 05",
    ])
  func pastTheEnd(bytes: String) {
    #expect(refusal(hex(bytes) + Array(repeating: 0x61, count: 32)) == .malformedPacket)
  }

  @Test("65,535 is followed by 1, and 0 is no packet identifier [MQTT-2.2.1-3] [MQTT-2.3.1-1 v3.1.1]")
  func packetIdentifiers() {
    #expect(PacketIdentifier(rawValue: 0) == nil)
    #expect((65_535 as PacketIdentifier).next == 1)
    #expect((65_534 as PacketIdentifier).next == 65_535)
    #expect(PacketIdentifier.first == 1)
  }
}
