import NIOCore
import Testing

@testable import MQTTCore

/// What each packet looks like on the wire, written out by hand from the specification's sections 3.1 to 3.15.
@Suite struct PacketEncodingTests {
  struct Example: Sendable, CustomTestStringConvertible {
    let what: String
    let version: ProtocolVersion
    let packet: Packet
    let bytes: String

    init(_ what: String, _ version: ProtocolVersion, _ packet: Packet, _ bytes: String) {
      self.what = what
      self.version = version
      self.packet = packet
      self.bytes = bytes
    }

    var testDescription: String { "\(what), \(version)" }
  }

  static let will = Message(topic: "w", payload: ByteBuffer("off"), qos: .atLeastOnce, retain: true)
  static let connect = Connect(
    clientIdentifier: "dev", cleanStart: false, keepAlive: 30, username: "u", password: ByteBuffer("p"), will: will)
  static let message = Message(topic: "a/b", payload: ByteBuffer("hi"), qos: .atLeastOnce)

  static func with(_ message: Message, qos: QoS, retain: Bool = false) -> Message {
    var message = message
    message.qos = qos
    message.retain = retain
    return message
  }

  static let connections = [
    Example(
      "CONNECT, as little as there can be", .v311,
      .connect(Connect(clientIdentifier: "", cleanStart: true, keepAlive: 0)),
      "10 0C 00 04 4D 51 54 54 04 02 00 00 00 00"),
    Example(
      "CONNECT, as little as there can be", .v5,
      .connect(Connect(clientIdentifier: "", cleanStart: true, keepAlive: 0)),
      "10 0D 00 04 4D 51 54 54 05 02 00 00 00 00 00"),
    Example(
      "CONNECT with a will, a name and a password", .v311, .connect(connect),
      "10 1D 00 04 4D 51 54 54 04 EC 00 1E 00 03 64 65 76 00 01 77 00 03 6F 66 66 00 01 75 00 01 70"),
    Example(
      "CONNECT with a will, a name and a password", .v5, .connect(connect),
      "10 1F 00 04 4D 51 54 54 05 EC 00 1E 00 00 03 64 65 76 00 00 01 77 00 03 6F 66 66 00 01 75 00 01 70"),
    Example(
      "CONNECT with a password alone", .v5,
      .connect(Connect(clientIdentifier: "", cleanStart: true, keepAlive: 10, password: ByteBuffer("p"))),
      "10 10 00 04 4D 51 54 54 05 42 00 0A 00 00 00 00 01 70"),
    Example(
      "CONNECT with a session expiry (figure 3-6)", .v5,
      .connect(
        Connect(
          clientIdentifier: "", cleanStart: true, keepAlive: 10,
          properties: Properties { $0.sessionExpiryInterval = 10 })),
      "10 12 00 04 4D 51 54 54 05 02 00 0A 05 11 00 00 00 0A 00 00"),
    Example(
      "CONNACK", .v311, .connack(ConnAck(sessionPresent: true, reasonCode: .success)), "20 02 01 00"),
    Example("CONNACK", .v5, .connack(ConnAck(sessionPresent: true, reasonCode: .success)), "20 03 01 00 00"),
    Example(
      "CONNACK, not authorized", .v311, .connack(ConnAck(sessionPresent: false, reasonCode: .notAuthorized)),
      "20 02 00 05"),
    Example(
      "CONNACK, not authorized", .v5, .connack(ConnAck(sessionPresent: false, reasonCode: .notAuthorized)),
      "20 03 00 87 00"),
    Example(
      "CONNACK with a receive maximum", .v5,
      .connack(
        ConnAck(sessionPresent: false, reasonCode: .success, properties: Properties { $0.receiveMaximum = 20 })),
      "20 06 00 00 03 21 00 14"),
    Example("PINGREQ", .v5, .pingreq, "C0 00"),
    Example("PINGRESP", .v5, .pingresp, "D0 00"),
    Example("DISCONNECT", .v311, .disconnect(Disconnect()), "E0 00"),
    Example("DISCONNECT, its code left out", .v5, .disconnect(Disconnect()), "E0 00"),
    Example("DISCONNECT with will", .v311, .disconnect(Disconnect(reasonCode: .disconnectWithWill)), "E0 00"),
    Example(
      "DISCONNECT with will", .v5, .disconnect(Disconnect(reasonCode: .disconnectWithWill)), "E0 01 04"),
    Example(
      "DISCONNECT, success with a property", .v5,
      .disconnect(Disconnect(properties: Properties { $0.sessionExpiryInterval = 0 })),
      "E0 07 00 05 11 00 00 00 00"),
    Example(
      "AUTH", .v5,
      .auth(Auth(reasonCode: .continueAuthentication, properties: Properties { $0.authenticationMethod = "m" })),
      "F0 06 18 04 15 00 01 6D"),
  ]

  static let messages = [
    Example(
      "PUBLISH (figure 3-11)", .v311, .publish(Publish(message, packetIdentifier: 10)),
      "32 09 00 03 61 2F 62 00 0A 68 69"),
    Example(
      "PUBLISH (figure 3-11)", .v5, .publish(Publish(message, packetIdentifier: 10)),
      "32 0A 00 03 61 2F 62 00 0A 00 68 69"),
    Example(
      "PUBLISH of QoS 0, retained", .v5, .publish(Publish(with(message, qos: .atMostOnce, retain: true))),
      "31 08 00 03 61 2F 62 00 68 69"),
    Example(
      "PUBLISH of QoS 2, retained, again", .v311,
      .publish(Publish(with(message, qos: .exactlyOnce, retain: true), packetIdentifier: 258, duplicate: true)),
      "3D 09 00 03 61 2F 62 01 02 68 69"),
    Example(
      "PUBLISH with an alias and no topic", .v5,
      .publish(
        Publish(
          Message(
            topic: .aliased, payload: ByteBuffer("x"), qos: .atMostOnce, properties: Properties { $0.topicAlias = 1 }))),
      "30 07 00 00 03 23 00 01 78"),
    Example("PUBACK", .v311, .puback(Acknowledgement(10)), "40 02 00 0A"),
    Example("PUBACK, its code left out", .v5, .puback(Acknowledgement(10)), "40 02 00 0A"),
    Example(
      "PUBACK with a code", .v5, .puback(Acknowledgement(10, reasonCode: .noMatchingSubscribers)), "40 03 00 0A 10"),
    Example(
      "PUBACK, success with a reason", .v5,
      .puback(Acknowledgement(10, properties: Properties { $0.reasonString = "k" })),
      "40 08 00 0A 00 04 1F 00 01 6B"),
    Example("PUBREC", .v5, .pubrec(Acknowledgement(1)), "50 02 00 01"),
    Example("PUBREL has flags 0010 [MQTT-3.6.1-1]", .v311, .pubrel(Acknowledgement(1)), "62 02 00 01"),
    Example(
      "PUBREL for nothing", .v5, .pubrel(Acknowledgement(1, reasonCode: .packetIdentifierNotFound)), "62 03 00 01 92"),
    Example(
      "PUBCOMP has no code", .v311, .pubcomp(Acknowledgement(1, reasonCode: .packetIdentifierNotFound)),
      "70 02 00 01"),
    Example("PUBCOMP", .v5, .pubcomp(Acknowledgement(65_535)), "70 02 FF FF"),
  ]

  @Test("a packet has the bytes of the specification, and they read as that packet", arguments: connections + messages)
  func bytes(example: Example) throws {
    #expect(encode(example.packet, example.version) == hex(example.bytes))
    // What 3.1.1 has no room for is not there when it is read again.
    if case .disconnect = example.packet, example.version == .v311 { return }
    if case .pubcomp = example.packet, example.version == .v311 { return }
    #expect(try decode(hex(example.bytes), example.version) == example.packet)
  }

  @Test("SUBSCRIBE and UNSUBSCRIBE have the bytes of the specification (figures 3-21, 3-29)")
  func subscriptions() throws {
    let (a, c): (TopicFilter, TopicFilter) = ("a/b", "c/d")
    let plain = Packet.subscribe(
      Subscribe(10, subscriptions: [Subscription(a, qos: .atLeastOnce), Subscription(c, qos: .exactlyOnce)]))
    #expect(encode(plain, .v311) == hex("82 0E 00 0A 00 03 61 2F 62 01 00 03 63 2F 64 02"))
    #expect(encode(plain, .v5) == hex("82 0F 00 0A 00 00 03 61 2F 62 01 00 03 63 2F 64 02"))
    let options = Subscription(
      a, qos: .exactlyOnce, noLocal: true, retainAsPublished: true, retainHandling: .doNotSend)
    let full = Packet.subscribe(
      Subscribe(1, subscriptions: [options], properties: Properties { $0.subscriptionIdentifier = 200 }))
    #expect(encode(full, .v5) == hex("82 0C 00 01 03 0B C8 01 00 03 61 2F 62 2E"))
    #expect(encode(full, .v311) == hex("82 08 00 01 00 03 61 2F 62 02"), "3.1.1 knows the QoS alone")
    let unsubscribe = Packet.unsubscribe(Unsubscribe(10, filters: [a, c]))
    #expect(encode(unsubscribe, .v311) == hex("A2 0C 00 0A 00 03 61 2F 62 00 03 63 2F 64"))
    #expect(encode(unsubscribe, .v5) == hex("A2 0D 00 0A 00 00 03 61 2F 62 00 03 63 2F 64"))
  }

  @Test("SUBACK and UNSUBACK have the bytes of the specification")
  func subscriptionAcknowledgements() throws {
    let suback = Packet.suback(SubscriptionAcknowledgement(10, reasonCodes: [.success, .grantedQoS2, .notAuthorized]))
    #expect(encode(suback, .v5) == hex("90 06 00 0A 00 00 02 87"))
    #expect(encode(suback, .v311) == hex("90 05 00 0A 00 02 80"))
    let unsuback = Packet.unsuback(SubscriptionAcknowledgement(10, reasonCodes: [.success, .noSubscriptionExisted]))
    #expect(encode(unsuback, .v5) == hex("B0 05 00 0A 00 00 11"))
    #expect(encode(unsuback, .v311) == hex("B0 02 00 0A"))
  }

  @Test("a password without a name brings an empty name on 3.1.1 [MQTT-3.1.2-22 v3.1.1]")
  func passwordAlone() throws {
    let connect = Connect(clientIdentifier: "", cleanStart: true, keepAlive: 10, password: ByteBuffer("p"))
    #expect(encode(.connect(connect), .v311) == hex("10 11 00 04 4D 51 54 54 04 C2 00 0A 00 00 00 00 00 01 70"))
  }

  @Test("what is encoded reads as the same packet, with all its properties", arguments: ProtocolVersion.allCases)
  func roundTrip(version: ProtocolVersion) throws {
    for packet in PacketSamples.all(version) {
      #expect(try decode(encode(packet, version), version) == packet)
    }
  }

  @Test("the size that is counted for a PUBLISH is the size that it has", arguments: ProtocolVersion.allCases)
  func publishSize(version: ProtocolVersion) throws {
    for case .publish(let publish) in PacketSamples.all(version) {
      #expect(publish.size(version) == encode(.publish(publish), version).count)
    }
    for payload in [0, 117, 118, 119, 120, 121, 122, 123, 16_372, 16_375, 16_376, 16_377, 16_378, 16_380] {
      let publish = Publish(
        Message(topic: "topic", payload: ByteBuffer(repeating: 1, count: payload), qos: .atMostOnce))
      #expect(publish.size(version) == encode(.publish(publish), version).count)
    }
  }

  @Test(
    "the remaining length is right on both sides of each of its sizes", arguments: [126, 127, 128, 129, 16_383, 16_384])
  func remainingLength(length: Int) throws {
    let message = Message(topic: "t", payload: ByteBuffer(repeating: 7, count: length - 3), qos: .atMostOnce)
    let packet = Packet.publish(Publish(message))
    #expect(
      encode(packet, .v311) == [0x30] + variableByteInteger(length) + text("t") + Array(buffer: message.payload))
    let properties = Properties { $0.contentType = String(repeating: "c", count: length) }
    let large = Packet.publish(
      Publish(Message(topic: "t", payload: ByteBuffer("p"), qos: .atMostOnce, properties: properties)))
    #expect(try decode(encode(large)) == large)
  }

  @Test("encoding appends to what is in the buffer already")
  func appends() {
    var buffer = ByteBuffer("x")
    buffer.moveReaderIndex(forwardBy: 1)
    for (packet, version) in [(Packet.pingreq, ProtocolVersion.v5), (.puback(Acknowledgement(1)), .v311)] {
      packet.encode(into: &buffer, version)
    }
    #expect(Array(buffer: buffer) == hex("C0 00 40 02 00 01"))
  }

  @Test(
    """
    the low four bits of a packet's first byte are those of its type [MQTT-2.1.3-1] [MQTT-2.2.2-1 v3.1.1] \
    [MQTT-3.6.1-1] [MQTT-3.8.1-1] [MQTT-3.10.1-1]
    """, arguments: ProtocolVersion.allCases)
  func fixedFlags(version: ProtocolVersion) {
    for packet in PacketSamples.all(version) where packet.type != .publish {
      let isMarked = [.pubrel, .subscribe, .unsubscribe].contains(packet.type)
      #expect(encode(packet, version)[0] == packet.type.rawValue << 4 | (isMarked ? 0b0010 : 0), "\(packet.type)")
    }
  }

  @Test(
    "a PUBLISH of QoS 0 has neither DUP nor an identifier, whatever is set [MQTT-3.3.1-2] [MQTT-2.2.1-2]",
    arguments: ProtocolVersion.allCases)
  func atMostOnce(version: ProtocolVersion) {
    let plain = Publish(Self.with(Self.message, qos: .atMostOnce))
    let set = Publish(Self.with(Self.message, qos: .atMostOnce), packetIdentifier: 7, duplicate: true)
    #expect(encode(.publish(set), version) == encode(.publish(plain), version))
    #expect(set.size(version) == encode(.publish(set), version).count)
  }

  @Test("no properties are a length of 0 on 5, and nothing on 3.1.1 [MQTT-2.2.2-1]")
  func noProperties() {
    let will = Message(topic: "w", payload: ByteBuffer())
    let packets: [(Packet, String, String)] = [
      (
        .connect(Connect(clientIdentifier: "c", cleanStart: true, keepAlive: 0, will: will)),
        "10 14 00 04 4D 51 54 54 05 0E 00 00 00 00 01 63 00 00 01 77 00 00",
        "10 12 00 04 4D 51 54 54 04 0E 00 00 00 01 63 00 01 77 00 00"
      ),
      (
        .publish(Publish(Message(topic: "t", payload: ByteBuffer(), qos: .atMostOnce))), "30 04 00 01 74 00",
        "30 03 00 01 74"
      ),
      (
        .subscribe(Subscribe(1, subscriptions: [Subscription("t")])), "82 07 00 01 00 00 01 74 01",
        "82 06 00 01 00 01 74 01"
      ),
      (.unsubscribe(Unsubscribe(1, filters: ["t"])), "A2 06 00 01 00 00 01 74", "A2 05 00 01 00 01 74"),
    ]
    for (packet, v5, v311) in packets {
      #expect(encode(packet, .v5) == hex(v5), "\(packet.type)")
      #expect(encode(packet, .v311) == hex(v311), "\(packet.type)")
    }
    for type in PropertyTests.Place.allCases where type != .will { #expect(refusal(type.packet([])) == nil, "\(type)") }
  }
}
