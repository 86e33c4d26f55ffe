import NIOCore
import Testing

@testable import MQTTCore

/// Cutting packets out of bytes, and refusing what is none: MQTT 5.0 §2.1, §3, §4.13.
@Suite struct PacketDecoderTests {
  // MARK: Delivery

  @Test("packets that come byte by byte are read as they are whole", arguments: ProtocolVersion.allCases)
  func byteByByte(version: ProtocolVersion) throws {
    for packet in PacketSamples.all(version) {
      let bytes = encode(packet, version)
      var decoder = PacketDecoder(version: version, maximumPacketSize: 1 << 20)
      var buffer = ByteBuffer()
      for byte in bytes.dropLast() {
        buffer.writeInteger(byte)
        try #require(try decoder.next(from: &buffer) == nil, "\(packet)")
      }
      #expect(buffer.readableBytes == bytes.count - 1, "nothing is taken before it is whole")
      buffer.writeBytes(bytes.suffix(1))
      #expect(try decoder.next(from: &buffer) == packet)
      #expect(buffer.readableBytes == 0)
    }
  }

  @Test("many packets in one buffer come out in their order", arguments: ProtocolVersion.allCases)
  func manyInOne(version: ProtocolVersion) throws {
    let packets = PacketSamples.all(version)
    var buffer = ByteBuffer(bytes: packets.flatMap { encode($0, version) } + hex("C0"))
    var decoder = PacketDecoder(version: version, maximumPacketSize: 1 << 20)
    for packet in packets { #expect(try decoder.next(from: &buffer) == packet) }
    #expect(try decoder.next(from: &buffer) == nil)
    #expect(buffer.readableBytes == 1)
  }

  @Test(
    "a packet cut at any byte, its length made to fit, is refused or is another valid one, and nothing crashes",
    arguments: ProtocolVersion.allCases)
  func truncated(version: ProtocolVersion) throws {
    for packet in PacketSamples.all(version) {
      let bytes = encode(packet, version)
      let header = 1 + variableByteInteger(bytes.count).count
      for count in header..<min(bytes.count, 400) {
        try checkStable(frame(bytes[0], Array(bytes[header..<count])), version)
      }
    }
  }

  @Test("bytes changed at random are refused or read as what they then say", arguments: 0..<20)
  func changed(seed: Int) throws {
    var generator = SeededGenerator(seed: UInt64(seed))
    for version in ProtocolVersion.allCases {
      for packet in PacketSamples.all(version) {
        var bytes = encode(packet, version)
        for _ in 0..<Int.random(in: 1...3, using: &generator) {
          bytes[Int.random(in: 0..<bytes.count, using: &generator)] = .random(in: .min ... .max, using: &generator)
        }
        try checkStable(bytes, version)
      }
    }
  }

  /// What is accepted is understood: encoded and read again it is the same.
  private func checkStable(_ bytes: [UInt8], _ version: ProtocolVersion) throws {
    var decoder = PacketDecoder(version: version, maximumPacketSize: 1 << 20)
    var buffer = ByteBuffer(bytes: bytes)
    guard let packet = try? decoder.next(from: &buffer) else { return }
    #expect(try decode(encode(packet, decoder.version), decoder.version) == packet)
  }

  @Test("CONNECT sets the version of what follows")
  func versionFromConnect() throws {
    let connect = Packet.connect(Connect(clientIdentifier: "c", cleanStart: true, keepAlive: 0))
    let publish = Packet.publish(Publish(Message(topic: "t", payload: ByteBuffer("p"), qos: .atMostOnce)))
    for version in ProtocolVersion.allCases {
      var decoder = PacketDecoder(version: .v5, maximumPacketSize: 100)
      var buffer = ByteBuffer(bytes: encode(connect, version) + encode(publish, version))
      #expect(try decoder.next(from: &buffer) == connect)
      #expect(decoder.version == version)
      #expect(try decoder.next(from: &buffer) == publish)
    }
  }

  // MARK: The fixed header

  @Test("packet type 0 is malformed from its first byte", arguments: UInt8(0)...15)
  func typeZero(flags: UInt8) {
    #expect(refusal([flags]) == .malformedPacket)
  }

  @Test(
    """
    reserved flags that differ are malformed, from the first byte [MQTT-2.1.3-1] [MQTT-2.2.2-2 v3.1.1] \
    [MQTT-3.14.1-1] [MQTT-3.15.1-1]
    """, arguments: PacketType.allCases)
  func reservedFlags(type: PacketType) {
    guard type != .publish else { return }
    let expected: UInt8 = [.pubrel, .subscribe, .unsubscribe].contains(type) ? 2 : 0
    for flags in UInt8(0)...15 {
      for version in ProtocolVersion.allCases {
        let first = type.rawValue << 4 | flags
        #expect(refusal([first], version) == (flags == expected ? nil : .malformedPacket), "\(flags)")
      }
    }
  }

  @Test("a packet that is too large is refused from its header, without its body [MQTT-3.1.2-24] [behaviour 62]")
  func tooLarge() {
    #expect(refusal(hex("30 63"), maximumPacketSize: 101) == nil, "101 bytes")
    #expect(refusal(hex("30 64"), maximumPacketSize: 101) == .packetTooLarge, "102 bytes")
    #expect(refusal(hex("30 FF FF FF 7F")) == .packetTooLarge)
    #expect(refusal(hex("30 80 80 C0"), maximumPacketSize: 100) == nil, "the length is not whole")
  }

  @Test("bytes after a packet's end are malformed", arguments: ProtocolVersion.allCases)
  func trailing(version: ProtocolVersion) throws {
    for packet in PacketSamples.all(version) {
      let bytes = encode(packet, version)
      let body = Array(bytes.dropFirst(1 + variableByteInteger(bytes.count).count))
      switch packet {
      case .publish: continue  // The payload ends with the packet.
      case .subscribe, .suback, .unsubscribe, .unsuback, .puback, .pubrec, .pubrel, .pubcomp, .disconnect, .auth,
        .connack:
        #expect(refusal(frame(bytes[0], body + hex("7F 7F")), version) != nil, "\(packet)")
      case .connect, .pingreq, .pingresp:
        #expect(refusal(frame(bytes[0], body + [0]), version) == .malformedPacket, "\(packet)")
      }
    }
    #expect(refusal(hex("40 05 00 01 00 00 00")) == .malformedPacket)
    #expect(refusal(hex("40 03 00 01 00"), .v311) == .malformedPacket)
    #expect(refusal(hex("B0 03 00 01 00"), .v311) == .malformedPacket)
    #expect(refusal(hex("20 03 00 00 00"), .v311) == .malformedPacket)
    #expect(refusal(hex("E0 01 00"), .v311) == .malformedPacket)
  }

  // MARK: PUBLISH and its answers

  @Test("QoS 3 is malformed [MQTT-3.3.1-4]", arguments: [0x36, 0x37, 0x3E, 0x3F] as [UInt8])
  func qos3(first: UInt8) {
    #expect(refusal(frame(first, text("t") + hex("00 01 00"))) == .malformedPacket)
    #expect(refusal(frame(first, text("t") + hex("00 01")), .v311) == .malformedPacket)
  }

  @Test("DUP with QoS 0 is malformed [MQTT-3.3.1-2]")
  func duplicateQoS0() {
    #expect(refusal(frame(0x38, text("t") + hex("00"))) == .malformedPacket)
    #expect(refusal(frame(0x39, text("t")), .v311) == .malformedPacket)
  }

  @Test(
    "a wildcard in a topic name is a protocol error [MQTT-3.3.2-2]", arguments: ["+", "#", "a/+/b", "a#", "+\u{301}"])
  func wildcardTopic(topic: String) {
    #expect(refusal(frame(0x30, text(topic) + hex("00"))) == .protocolError)
    #expect(refusal(frame(0x30, text(topic)), .v311) == .protocolError)
    let will = text("MQTT") + hex("05 06 00 00 00") + text("c") + hex("00") + text(topic) + text("")
    #expect(refusal(frame(0x10, will)) == .protocolError)
  }

  @Test(
    "a wildcard in a response topic is a protocol error, of PUBLISH and of a will [MQTT-3.3.2-14]",
    arguments: ["+", "a/#", "a/+\u{301}"])
  func wildcardResponseTopic(topic: String) {
    for place in [PropertyTests.Place.publish, .will] {
      #expect(refusal(place.packet([0x08] + text(topic))) == .protocolError)
      #expect(refusal(place.packet([0x08] + text("a/b"))) == nil)
    }
    #expect(!Properties { $0.responseTopic = topic }.isEncodable, "nor is it sent")
  }

  @Test("a decoded PUBLISH keeps its topic and payload in the bytes it came in", arguments: ProtocolVersion.allCases)
  func sharesItsBytes(version: ProtocolVersion) throws {
    let message = Message(topic: "a/topic", payload: ByteBuffer(repeating: 7, count: 5_000))
    var buffer = ByteBuffer()
    Packet.publish(Publish(message, packetIdentifier: 1)).encode(into: &buffer, version)
    let whole = addresses(of: buffer)
    var decoder = PacketDecoder(version: version, maximumPacketSize: 1 << 20)
    guard case .publish(let publish)? = try decoder.next(from: &buffer) else {
      Issue.record("no PUBLISH")
      return
    }
    for part in [publish.message.topic.bytes, publish.message.payload] {
      let part = addresses(of: part)
      #expect(part.lowerBound >= whole.lowerBound && part.upperBound <= whole.upperBound)
    }
    #expect(publish.message == message)
  }

  @Test("a PUBLISH is encoded into the room that the buffer has", arguments: ProtocolVersion.allCases)
  func encodesInPlace(version: ProtocolVersion) {
    let message = Message(topic: "a/topic", payload: ByteBuffer(repeating: 7, count: 5_000))
    var buffer = ByteBufferAllocator().buffer(capacity: 8_192)
    let start = buffer.withVeryUnsafeBytes { UInt(bitPattern: $0.baseAddress) }
    Packet.publish(Publish(message, packetIdentifier: 1)).encode(into: &buffer, version)
    #expect(buffer.withVeryUnsafeBytes { UInt(bitPattern: $0.baseAddress) } == start)
  }

  private func addresses(of buffer: ByteBuffer) -> Range<UInt> {
    buffer.withUnsafeReadableBytes { bytes in
      let start = UInt(bitPattern: bytes.baseAddress)
      return start..<start + UInt(bytes.count)
    }
  }

  @Test("ten thousand packets in one buffer are read and answered in a row [behaviour 58]")
  func manyPublishes() throws {
    let count = 10_000
    var buffer = ByteBuffer()
    for number in 0..<count { Packet.numbered(UInt64(number), .atLeastOnce, 1).encode(into: &buffer, .v5) }
    var decoder = PacketDecoder(version: .v5, maximumPacketSize: 100)
    var harness = SessionHarness.connected()
    var numbers: [UInt64?] = []
    while let packet = try decoder.next(from: &buffer) {
      for delivery in harness.receive(packet).delivered {
        numbers.append(delivery.message.number)
        #expect(harness.accept(delivery).sent == [.puback(Acknowledgement(1))])
      }
    }
    #expect(numbers == (0..<count).map { UInt64($0) })
  }

  @Test("an empty topic name needs an alias [MQTT-3.3.2-1]")
  func emptyTopic() {
    #expect(refusal(hex("30 03 00 00 00")) == .protocolError)
    #expect(refusal(hex("30 02 00 00"), .v311) == .protocolError)
    #expect(refusal(hex("30 06 00 00 03 23 00 01")) == nil)
  }

  @Test(
    "packet identifier 0 is a protocol error [MQTT-2.2.1-3]",
    arguments: [
      "32 06 00 01 74 00 00 00", "34 06 00 01 74 00 00 00", "40 02 00 00", "50 02 00 00", "62 02 00 00", "70 02 00 00",
      "82 07 00 00 00 00 01 74 00", "90 04 00 00 00 00", "A2 06 00 00 00 00 01 74", "B0 04 00 00 00 00",
    ])
  func identifierZero(bytes: String) {
    #expect(refusal(hex(bytes)) == .protocolError)
  }

  @Test(
    "an answer may leave out its code, then its properties (§3.4.2.1)", arguments: [0x40, 0x50, 0x62, 0x70] as [UInt8])
  func shortAcknowledgements(first: UInt8) throws {
    let short = try decode(frame(first, hex("00 07")))
    #expect(short != nil)
    #expect(try decode(frame(first, hex("00 07 00"))) == short)
    #expect(try decode(frame(first, hex("00 07 00 00"))) == short)
    #expect(try decode(frame(first, hex("00 07")), .v311) == short)
  }

  @Test("DISCONNECT and AUTH of length 0 mean success (§3.14.2.1, §3.15.2.1)")
  func shortDisconnect() throws {
    #expect(try decode(hex("E0 00")) == .disconnect(Disconnect()))
    #expect(try decode(hex("E0 01 8E")) == .disconnect(Disconnect(reasonCode: .sessionTakenOver)))
    #expect(try decode(hex("F0 00")) == .auth(Auth(reasonCode: .success)))
  }

  @Test("AUTH does not exist on 3.1.1")
  func authOn311() { #expect(refusal(hex("F0 00"), .v311) == .protocolError) }

  // MARK: SUBSCRIBE, UNSUBSCRIBE and their answers

  @Test(
    "subscription options with reserved bits, QoS 3 or retain handling 3 are malformed [MQTT-3.8.3-5]",
    arguments: [0x03, 0x07, 0x30, 0x40, 0x80, 0xC0, 0xFF] as [UInt8])
  func badOptions(options: UInt8) {
    #expect(refusal(frame(0x82, hex("00 01 00") + text("t") + [options])) == .malformedPacket)
    #expect(refusal(frame(0x82, hex("00 01") + text("t") + [options]), .v311) == .malformedPacket)
  }

  @Test("3.1.1 has no options but the QoS [MQTT-3.8.3-4 v3.1.1]", arguments: [0x04, 0x08, 0x10, 0x20] as [UInt8])
  func optionsOn311(options: UInt8) {
    #expect(refusal(frame(0x82, hex("00 01") + text("t") + [options]), .v311) == .malformedPacket)
    #expect(refusal(frame(0x82, hex("00 01 00") + text("t") + [options])) == nil)
  }

  @Test("No Local on a shared subscription is a protocol error [MQTT-3.8.3-4]")
  func sharedNoLocal() {
    #expect(refusal(frame(0x82, hex("00 01 00") + text("$share/g/t") + hex("04"))) == .protocolError)
  }

  @Test(
    """
    a request or an answer without a filter or code is a protocol error [MQTT-3.8.3-2] [MQTT-3.8.3-3 v3.1.1] \
    [MQTT-3.10.3-2]
    """)
  func empty() {
    for first in [0x82, 0xA2, 0x90, 0xB0] as [UInt8] {
      #expect(refusal(frame(first, hex("00 01 00"))) == .protocolError)
    }
    for first in [0x82, 0xA2, 0x90] as [UInt8] {
      #expect(refusal(frame(first, hex("00 01")), .v311) == .protocolError)
    }
    #expect(refusal(hex("B0 02 00 01"), .v311) == nil)
  }

  @Test("a filter that is none is refused as such", arguments: ["", "a#", "a/#/b", "+a", "$share/g"])
  func badFilter(filter: String) {
    #expect(refusal(frame(0x82, hex("00 01 00") + text(filter) + [0])) == .topicFilterInvalid)
    #expect(refusal(frame(0xA2, hex("00 01 00") + text(filter))) == .topicFilterInvalid)
  }

  @Test("SUBACK of 3.1.1 knows 0, 1, 2 and 0x80 [MQTT-3.9.3-2]")
  func subackOn311() {
    for code in UInt8.min...UInt8.max {
      let expected: ReasonCode? = [0, 1, 2, 0x80].contains(code) ? nil : .protocolError
      #expect(refusal(frame(0x90, [0, 1, code]), .v311) == expected, "\(code)")
    }
  }
}
