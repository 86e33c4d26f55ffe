import LimpetInstants
import NIOCore
import Testing

@testable import LimpetPlatform
@testable import MQTTCore

/// Messages from the server: the receiver's half of MQTT 5.0 §4.3, topic aliases (§3.3.2.3.4) and flow control (§4.9).
@Suite struct SessionReceivingTests {
  typealias Answers = SessionPublishingTests

  /// Lets a PUBLISH come and accepts what it delivers; the number that was delivered and what was sent.
  func exchange(_ harness: inout SessionHarness, _ packet: Packet) -> (number: UInt64?, sent: [Packet]) {
    let actions = harness.receive(packet)
    guard let delivery = actions.delivered.first else { return (nil, actions.sent) }
    return (delivery.message.number, actions.sent + harness.accept(delivery).sent)
  }

  // MARK: The courses

  @Test("QoS 0 is delivered and not answered [MQTT-3.3.4-1]", arguments: ProtocolVersion.allCases)
  func qos0(version: ProtocolVersion) {
    var harness = SessionHarness.connected(version)
    #expect(exchange(&harness, .numbered(1, .atMostOnce, nil)) == (1, []))
  }

  @Test(
    """
    QoS 1 is answered with PUBACK once it is accepted, not before [MQTT-3.3.4-1] [MQTT-4.3.2-4] [MQTT-2.2.1-5] \
    [MQTT-4.3.2-2 v3.1.1]
    """,
    arguments: ProtocolVersion.allCases)
  func qos1(version: ProtocolVersion) throws {
    var harness = SessionHarness.connected(version)
    let actions = harness.receive(.numbered(1, .atLeastOnce, 10))
    #expect(actions.count == 1)
    let delivery = try #require(actions.delivered.first)
    #expect(delivery.message.number == 1)
    #expect(!delivery.duplicate)
    #expect(harness.accept(delivery) == [.send(Answers.puback(10))])
    #expect(harness.accept(delivery) == [], "one answer")
  }

  @Test("QoS 1 that comes again is a new message, marked as a duplicate [MQTT-4.3.2-5] [MQTT-4.3.2-2 v3.1.1]")
  func qos1Again() {
    var harness = SessionHarness.connected()
    #expect(exchange(&harness, .numbered(1, .atLeastOnce, 10)) == (1, [Answers.puback(10)]))
    let actions = harness.receive(.numbered(1, .atLeastOnce, 10, duplicate: true))
    #expect(actions.delivered.map(\.duplicate) == [true])
  }

  @Test(
    """
    QoS 2: PUBREC once it is accepted, PUBCOMP for PUBREL, and the identifier is free [MQTT-3.3.4-1] \
    [MQTT-4.3.3-8] [MQTT-4.3.3-11] [MQTT-4.3.3-12] [MQTT-4.3.3-2 v3.1.1]
    """,
    arguments: ProtocolVersion.allCases)
  func qos2(version: ProtocolVersion) throws {
    var harness = SessionHarness.connected(version)
    let actions = harness.receive(.numbered(1, .exactlyOnce, 10))
    #expect(actions.sent == [])
    let delivery = try #require(actions.delivered.first)
    #expect(harness.accept(delivery) == [.send(Answers.pubrec(10))])
    #expect(harness.receive(Answers.pubrel(10)) == [.send(Answers.pubcomp(10))])
    #expect(exchange(&harness, .numbered(2, .exactlyOnce, 10)) == (2, [Answers.pubrec(10)]), "the identifier is free")
  }

  @Test(
    """
    a QoS 2 message is delivered once, however often PUBLISH and PUBREL come [MQTT-4.3.3-10] [MQTT-4.3.3-2 v3.1.1] \
    [behaviour 55]
    """,
    arguments: ProtocolVersion.allCases)
  func exactlyOnce(version: ProtocolVersion) {
    var harness = SessionHarness.connected(version)
    #expect(exchange(&harness, .numbered(1, .exactlyOnce, 10)) == (1, [Answers.pubrec(10)]))
    #expect(exchange(&harness, .numbered(1, .exactlyOnce, 10, duplicate: true)) == (nil, [Answers.pubrec(10)]))
    #expect(exchange(&harness, .numbered(1, .exactlyOnce, 10)) == (nil, [Answers.pubrec(10)]), "DUP does not matter")
    #expect(harness.receive(Answers.pubrel(10)).sent == [Answers.pubcomp(10)])
    #expect(harness.receive(Answers.pubrel(10)).sent == [Answers.pubcomp(10, .packetIdentifierNotFound)])
  }

  @Test(
    "a QoS 2 message is not delivered again on the next connection of its session (§4.4)",
    arguments: ProtocolVersion.allCases)
  func afterReconnect(version: ProtocolVersion) {
    var harness = SessionHarness.connected(version)
    _ = exchange(&harness, .numbered(1, .exactlyOnce, 10))
    _ = exchange(&harness, .numbered(2, .exactlyOnce, 11))
    _ = harness.reconnect(sessionPresent: true)
    #expect(exchange(&harness, .numbered(1, .exactlyOnce, 10, duplicate: true)) == (nil, [Answers.pubrec(10)]))
    #expect(harness.receive(Answers.pubrel(11)).sent == [Answers.pubcomp(11)])
    #expect(harness.receive(Answers.pubrel(10)).sent == [Answers.pubcomp(10)])
  }

  @Test(
    "after the session was lost an identifier means another message, DUP or not [MQTT-3.2.2-5] [behaviour 46]",
    arguments: ProtocolVersion.allCases)
  func afterLostSession(version: ProtocolVersion) {
    var harness = SessionHarness.connected(version)
    _ = exchange(&harness, .numbered(1, .exactlyOnce, 10))
    _ = exchange(&harness, .numbered(1, .exactlyOnce, 11))
    _ = harness.reconnect(sessionPresent: false)
    #expect(exchange(&harness, .numbered(2, .exactlyOnce, 10)) == (2, [Answers.pubrec(10)]))
    #expect(exchange(&harness, .numbered(3, .exactlyOnce, 11, duplicate: true)) == (3, [Answers.pubrec(11)]))
  }

  @Test(
    "PUBREL that nobody waits for is answered with PUBCOMP 0x92 (§3.7.2.1) [behaviour 57]",
    arguments: ProtocolVersion.allCases)
  func unknownPubrel(version: ProtocolVersion) {
    var harness = SessionHarness.connected(version)
    let actions = harness.receive(Answers.pubrel(5))
    #expect(actions == [.send(Answers.pubcomp(5, .packetIdentifierNotFound))])
    #expect(encode(actions.sent[0], version) == hex(version == .v5 ? "70 03 00 05 92" : "70 02 00 05"))
  }

  @Test("a message that was not accepted comes again on the next connection and is delivered again [behaviour 56]")
  func notAccepted() throws {
    var harness = SessionHarness.connected()
    let delivery = try #require(harness.receive(.numbered(1, .exactlyOnce, 10)).delivered.first)
    _ = harness.reconnect(sessionPresent: true)
    #expect(harness.accept(delivery) == [], "this connection has not brought it")
    #expect(exchange(&harness, .numbered(1, .exactlyOnce, 10, duplicate: true)) == (1, [Answers.pubrec(10)]))
  }

  @Test(
    "an acceptance that comes after its connection answers nothing on the next one [behaviour 42]",
    arguments: [true, false])
  func lateAcceptance(sessionPresent: Bool) throws {
    var harness = SessionHarness.connected()
    let delivery = try #require(harness.receive(.numbered(1, .atLeastOnce, 10)).delivered.first)
    _ = harness.reconnect(sessionPresent: sessionPresent)
    #expect(harness.accept(delivery) == [])
  }

  @Test(
    "messages are answered in the order they came, whatever the order they are accepted in [MQTT-4.6.0-2] [MQTT-4.6.0-3]"
  )
  func answersInOrder() {
    var harness = SessionHarness.connected()
    var deliveries: [Session.Delivery] = []
    for (number, qos) in [(1, .atLeastOnce), (2, .exactlyOnce), (3, .atLeastOnce), (4, .exactlyOnce)] as [(UInt16, QoS)]
    {
      deliveries += harness.receive(.numbered(UInt64(number), qos, PacketIdentifier(rawValue: number))).delivered
    }
    #expect(harness.accept(deliveries[3]).sent == [])
    #expect(harness.accept(deliveries[1]).sent == [])
    #expect(harness.accept(deliveries[0]).sent == [Answers.puback(1), Answers.pubrec(2)])
    #expect(harness.accept(deliveries[2]).sent == [Answers.puback(3), Answers.pubrec(4)])
  }

  @Test("a message that could not be taken is not answered, and those behind it are [behaviour 56]")
  func left() {
    var harness = SessionHarness.connected()
    let deliveries =
      harness.receive(.numbered(1, .atLeastOnce, 1)).delivered
      + harness.receive(.numbered(2, .atLeastOnce, 2)).delivered
    #expect(harness.accept(deliveries[1]).sent == [])
    #expect(harness.perform { $0.leave(deliveries[0], at: .now, into: &$1) }.sent == [Answers.puback(2)])
    #expect(harness.accept(deliveries[0]).sent == [])
    _ = harness.drop()
    _ = harness.connect(sessionPresent: true)
    #expect(harness.receive(.numbered(1, .atLeastOnce, 1, duplicate: true)).delivered.count == 1)
  }

  @Test(
    "a message that comes again before it is accepted is delivered once [MQTT-4.3.3-10]",
    arguments: [QoS.atLeastOnce, .exactlyOnce])
  func undecided(qos: QoS) {
    var harness = SessionHarness.connected()
    #expect(harness.receive(.numbered(1, qos, 1)).delivered.count == 1)
    #expect(harness.receive(.numbered(1, qos, 1, duplicate: true)).delivered.count == 0)
  }

  @Test("a message released before it was accepted leaves nothing behind that would hide the next one")
  func releasedEarly() throws {
    var harness = SessionHarness.connected()
    let delivery = try #require(harness.receive(.numbered(1, .exactlyOnce, 10)).delivered.first)
    _ = harness.receive(Answers.pubrel(10))
    #expect(harness.accept(delivery) == [])
    #expect(exchange(&harness, .numbered(2, .exactlyOnce, 10)).number == 2)
  }

  @Test("topic, payload, retain and properties reach the application unaltered [MQTT-3.3.2-4] [MQTT-3.3.2-17]")
  func unaltered() throws {
    var harness = SessionHarness.connected()
    for case .publish(let publish) in PacketSamples.all(.v5) where !publish.message.topic.isEmpty {
      var message = publish.message
      message.properties.topicAlias = nil
      var harness = SessionHarness.connected(asking: Properties { $0.topicAliasMaximum = 10 })
      #expect(harness.receive(.publish(publish)).delivered.map(\.message) == [message])
    }
    #expect(harness.receive(.numbered(1, .atMostOnce, nil)).delivered.count == 1)
  }

  // MARK: How many

  @Test("more messages at once than this side's Receive Maximum are answered with 0x93 [MQTT-3.3.4-9]")
  func receiveMaximum() {
    var harness = SessionHarness.connected(asking: Properties { $0.receiveMaximum = 2 })
    let first = harness.receive(.numbered(1, .atLeastOnce, 1)).delivered[0]
    _ = exchange(&harness, .numbered(2, .exactlyOnce, 2))
    #expect(harness.receive(.numbered(3, .atMostOnce, nil)).delivered.count == 1, "QoS 0 does not count")
    _ = harness.accept(first)
    #expect(harness.receive(.numbered(4, .atLeastOnce, 3)).delivered.count == 1, "PUBACK made room")
    let actions = harness.receive(.numbered(5, .exactlyOnce, 4))
    #expect(actions.violation == .receiveMaximumExceeded)
    #expect(actions.sent == [.disconnect(Disconnect(reasonCode: .receiveMaximumExceeded))])
    #expect(actions.delivered.isEmpty)
  }

  @Test("PUBCOMP makes room for the next message, PUBREC does not (§4.9)")
  func receiveMaximumQoS2() {
    var harness = SessionHarness.connected(asking: Properties { $0.receiveMaximum = 1 })
    for number in 1...3 as ClosedRange<UInt64> {
      #expect(exchange(&harness, .numbered(number, .exactlyOnce, 1)).number == number)
      #expect(harness.receive(Answers.pubrel(1)).ending == nil)
    }
    _ = exchange(&harness, .numbered(4, .exactlyOnce, 1))
    #expect(harness.receive(.numbered(5, .atLeastOnce, 2)).violation == .receiveMaximumExceeded)
  }

  @Test("messages that come again count for the connection they come on [MQTT-3.3.4-9]")
  func receiveMaximumAgain() {
    var harness = SessionHarness.connected()
    for identifier in [1, 2, 3] as [PacketIdentifier] { _ = exchange(&harness, .numbered(1, .exactlyOnce, identifier)) }
    _ = harness.drop()
    _ = harness.connect(sessionPresent: true, asking: Properties { $0.receiveMaximum = 2 })
    for identifier in [1, 2] as [PacketIdentifier] {
      #expect(
        exchange(&harness, .numbered(1, .exactlyOnce, identifier, duplicate: true)).sent == [Answers.pubrec(identifier)]
      )
    }
    #expect(harness.receive(.numbered(1, .exactlyOnce, 3, duplicate: true)).violation == .receiveMaximumExceeded)
  }

  @Test("3.1.1 has no Receive Maximum: the server was never told of one")
  func receiveMaximumOn311() {
    var harness = SessionHarness.connected(.v311, asking: Properties { $0.receiveMaximum = 1 })
    for identifier in [1, 2, 3] as [PacketIdentifier] {
      #expect(harness.receive(.numbered(1, .atLeastOnce, identifier)).ending == nil)
    }
  }

  // MARK: Topic aliases

  static func aliased(_ topic: TopicName, _ alias: UInt16) -> Packet {
    let properties = Properties { $0.topicAlias = alias }
    return .publish(Publish(Message(topic: topic, payload: ByteBuffer(), qos: .atMostOnce, properties: properties)))
  }

  @Test("an alias stands for the topic it came with, until it comes with another [MQTT-3.3.2-10] [behaviour 60]")
  func alias() throws {
    var harness = SessionHarness.connected(asking: Properties { $0.topicAliasMaximum = 2 })
    for (topic, alias, expected) in [
      ("a", 1, "a"), (.aliased, 1, "a"), ("b", 2, "b"), (.aliased, 1, "a"), ("c", 1, "c"), (.aliased, 1, "c"),
      (.aliased, 2, "b"),
    ] as [(TopicName, UInt16, TopicName)] {
      let message = try #require(harness.receive(Self.aliased(topic, alias)).delivered.first?.message)
      #expect(message.topic == expected)
      #expect(message.properties.topicAlias == nil)
    }
  }

  @Test(
    """
    an alias above the maximum, or any where none was announced, is answered with 0x94 [MQTT-3.1.2-26] \
    [MQTT-3.1.2-27] [MQTT-3.3.2-11] [behaviour 60]
    """,
    arguments: [(2, 3), (0, 1)] as [(UInt16, UInt16)])
  func aliasTooLarge(maximum: UInt16, alias: UInt16) {
    var harness = SessionHarness.connected(asking: Properties { $0.topicAliasMaximum = maximum })
    let actions = harness.receive(Self.aliased("a", alias))
    #expect(actions.violation == .topicAliasInvalid)
    #expect(actions.sent == [.disconnect(Disconnect(reasonCode: .topicAliasInvalid))])
  }

  @Test("an alias that no topic came with is a protocol error (§3.3.4) [behaviour 60]")
  func aliasUnknown() {
    var harness = SessionHarness.connected(asking: Properties { $0.topicAliasMaximum = 2 })
    _ = harness.receive(Self.aliased("a", 1))
    #expect(harness.receive(Self.aliased(.aliased, 2)).violation == .protocolError)
  }

  @Test("aliases end with their connection [MQTT-3.3.2-7]")
  func aliasOfOldConnection() {
    let asking = Properties { $0.topicAliasMaximum = 2 }
    var harness = SessionHarness.connected(asking: asking)
    _ = harness.receive(Self.aliased("a", 1))
    _ = harness.drop()
    _ = harness.connect(sessionPresent: true, asking: asking)
    #expect(harness.receive(Self.aliased(.aliased, 1)).violation == .protocolError)
  }

  @Test("each alias up to the maximum is taken [MQTT-3.3.2-10]")
  func everyAlias() {
    var harness = SessionHarness.connected(asking: Properties { $0.topicAliasMaximum = 100 })
    for alias in 1...100 as ClosedRange<UInt16> {
      let topic = TopicName(stringLiteral: "t/\(alias)")
      #expect(harness.receive(Self.aliased(topic, alias)).delivered.map(\.message.topic) == [topic])
      #expect(harness.receive(Self.aliased(.aliased, alias)).delivered.map(\.message.topic) == [topic])
    }
  }

  // MARK: The answers

  @Test(
    "PUBACK and PUBREC go out in the order in which the messages came [MQTT-4.6.0-2] [MQTT-4.6.0-3]",
    arguments: [QoS.atLeastOnce, .exactlyOnce])
  func answerOrder(qos: QoS) {
    var harness = SessionHarness.connected()
    let order: [PacketIdentifier] = [7, 2, 9, 1]
    let deliveries = order.flatMap { harness.receive(.numbered(0, qos, $0)).delivered }
    let answers = deliveries.flatMap { harness.accept($0).sent }
    #expect(answers == order.map { qos == .atLeastOnce ? Answers.puback($0) : Answers.pubrec($0) })
  }

  @Test(
    """
    this side's answers are a success or 0x92, without properties, so they fit any server [MQTT-3.4.2-1] \
    [MQTT-3.4.2-2] [MQTT-3.4.2-3] [MQTT-3.5.2-1] [MQTT-3.5.2-2] [MQTT-3.5.2-3] [MQTT-3.6.2-1] [MQTT-3.6.2-2] \
    [MQTT-3.6.2-3] [MQTT-3.7.2-1] [MQTT-3.7.2-2] [MQTT-3.7.2-3] [MQTT-4.3.3-9]
    """)
  func plainAnswers() throws {
    var harness = SessionHarness.connected(granted: Properties { $0.maximumPacketSize = 10 })
    var answers = exchange(&harness, .numbered(1, .atLeastOnce, 1)).sent
    answers += exchange(&harness, .numbered(1, .exactlyOnce, 2)).sent
    answers += harness.receive(Answers.pubrel(2)).sent + harness.receive(Answers.pubrel(3)).sent
    _ = try harness.publish(1, .exactlyOnce)
    answers += harness.receive(Answers.pubrec(1)).sent + harness.receive(Answers.pubrec(5)).sent
    #expect(
      answers == [
        Answers.puback(1), Answers.pubrec(2), Answers.pubcomp(2), Answers.pubcomp(3, .packetIdentifierNotFound),
        Answers.pubrel(1), Answers.pubrel(5, .packetIdentifierNotFound),
      ])
    for answer in answers {
      #expect(encode(answer).count <= 5)
      #expect(try decode(encode(answer)) == answer)
    }
  }

  @Test("a QoS 2 message that expires meanwhile is answered to its end all the same [MQTT-4.3.3-13]")
  func expiredMeanwhile() throws {
    var harness = SessionHarness.connected()
    var message = Message.numbered(1, .exactlyOnce)
    message.properties.messageExpiryInterval = 1
    let delivery = try #require(
      harness.receive(.publish(Publish(message, packetIdentifier: 3))).delivered.first)
    _ = harness.tick(after: .seconds(60))
    #expect(harness.accept(delivery).sent == [Answers.pubrec(3)])
    _ = harness.tick(after: .seconds(60))
    #expect(harness.receive(Answers.pubrel(3)).sent == [Answers.pubcomp(3)])
  }
}
