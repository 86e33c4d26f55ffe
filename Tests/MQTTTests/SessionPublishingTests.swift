import NIOCore
import Testing

@testable import MQTTCore

/// Messages to the server on one connection: the sender's half of MQTT 5.0 §4.3, and flow control, §4.9.
@Suite struct SessionPublishingTests {
  static func puback(_ identifier: PacketIdentifier, _ code: ReasonCode = .success) -> Packet {
    .puback(Acknowledgement(identifier, reasonCode: code))
  }

  static func pubrec(_ identifier: PacketIdentifier, _ code: ReasonCode = .success) -> Packet {
    .pubrec(Acknowledgement(identifier, reasonCode: code))
  }

  static func pubrel(_ identifier: PacketIdentifier, _ code: ReasonCode = .success) -> Packet {
    .pubrel(Acknowledgement(identifier, reasonCode: code))
  }

  static func pubcomp(_ identifier: PacketIdentifier, _ code: ReasonCode = .success) -> Packet {
    .pubcomp(Acknowledgement(identifier, reasonCode: code))
  }

  // MARK: The courses

  @Test(
    """
    QoS 0 has no DUP and no identifier, and is settled when it is sent [MQTT-4.3.1-1] [MQTT-2.2.1-2] \
    [MQTT-2.3.1-5 v3.1.1] [MQTT-3.3.1-2] [behaviour 50]
    """, arguments: ProtocolVersion.allCases)
  func qos0(version: ProtocolVersion) throws {
    var harness = SessionHarness.connected(version)
    #expect(try harness.publish(1, .atMostOnce) == [.send(.numbered(1, .atMostOnce, nil)), .settled(1, .delivered)])
    #expect(harness.session.room == 99)
  }

  @Test(
    """
    QoS 1 has an identifier and DUP 0, and ends with PUBACK [MQTT-4.3.2-1] [MQTT-4.3.2-2] [MQTT-4.3.2-3] \
    [MQTT-4.3.2-1 v3.1.1] [behaviour 50]
    """, arguments: ProtocolVersion.allCases)
  func qos1(version: ProtocolVersion) throws {
    var harness = SessionHarness.connected(version)
    #expect(try harness.publish(1, .atLeastOnce) == [.send(.numbered(1, .atLeastOnce, 1))])
    #expect(harness.session.room == 98)
    #expect(harness.receive(Self.puback(1)) == [.settled(1, .delivered)])
    #expect(harness.session.room == 99)
  }

  @Test(
    """
    QoS 2: PUBREC, PUBREL, PUBCOMP, under one identifier [MQTT-4.3.3-1] [MQTT-4.3.3-2] [MQTT-4.3.3-3] \
    [MQTT-4.3.3-4] [MQTT-4.3.3-5] [MQTT-4.3.3-1 v3.1.1] [MQTT-2.2.1-5] [MQTT-2.3.1-6 v3.1.1] [behaviour 50]
    """, arguments: ProtocolVersion.allCases)
  func qos2(version: ProtocolVersion) throws {
    var harness = SessionHarness.connected(version)
    #expect(try harness.publish(1, .exactlyOnce) == [.send(.numbered(1, .exactlyOnce, 1))])
    #expect(harness.receive(Self.pubrec(1)) == [.send(Self.pubrel(1))])
    #expect(harness.session.room == 98, "the identifier is in use until PUBCOMP")
    #expect(harness.receive(Self.pubrec(1)) == [.send(Self.pubrel(1))], "a PUBREC again is answered again")
    #expect(harness.receive(Self.pubcomp(1)) == [.settled(1, .delivered)])
    #expect(harness.session.room == 99)
  }

  @Test("PUBACK and PUBREC of 0x10 are successes (§3.4.2.1)")
  func noSubscribers() throws {
    var harness = SessionHarness.connected()
    _ = try harness.publish(1, .atLeastOnce)
    _ = try harness.publish(2, .exactlyOnce)
    #expect(harness.receive(Self.puback(1, .noMatchingSubscribers)).settled == [1: .delivered])
    #expect(harness.receive(Self.pubrec(2, .noMatchingSubscribers)).sent == [Self.pubrel(2)])
  }

  @Test(
    "PUBACK with a refusal that lasts ends the message with that code [MQTT-4.4.0-2] [behaviour 64]",
    arguments: [.notAuthorized, .topicNameInvalid, .packetTooLarge, .payloadFormatInvalid] as [ReasonCode])
  func refusedQoS1(code: ReasonCode) throws {
    var harness = SessionHarness.connected()
    _ = try harness.publish(1, .atLeastOnce)
    #expect(harness.receive(Self.puback(1, code)) == [.settled(1, .refused(code))])
    #expect(harness.reconnect(sessionPresent: true).sent == [], "it is not sent again")
  }

  @Test(
    """
    PUBREC of 0x80 or above ends the message, frees its identifier, and gets no PUBREL [MQTT-4.3.3-4] \
    [MQTT-4.4.0-2] [behaviour 59]
    """)
  func refusedQoS2() throws {
    var harness = SessionHarness.connected(granted: Properties { $0.receiveMaximum = 2 })
    _ = try harness.publish(1, .exactlyOnce)
    #expect(harness.session.room == 0)
    #expect(harness.receive(Self.pubrec(1, .notAuthorized)) == [.settled(1, .refused(.notAuthorized))])
    #expect(harness.session.room == 1)
    harness.session.nextIdentifier = 1
    #expect(try harness.publish(2, .exactlyOnce).sent == [.numbered(2, .exactlyOnce, 1)])
  }

  @Test("PUBACK for a message of QoS 2 completes it: some servers grant no more", arguments: ProtocolVersion.allCases)
  func pubackForQoS2(version: ProtocolVersion) throws {
    var harness = SessionHarness.connected(version)
    _ = try harness.publish(1, .exactlyOnce)
    #expect(harness.receive(Self.puback(1)) == [.settled(1, .delivered)])
    #expect(harness.reconnect(sessionPresent: true).sent == [])
  }

  @Test("PUBCOMP of 0x92 is a success: the server had done with it (§3.7.2.1)")
  func pubcompNotFound() throws {
    var harness = SessionHarness.connected()
    _ = try harness.publish(1, .exactlyOnce)
    _ = harness.receive(Self.pubrec(1))
    #expect(harness.receive(Self.pubcomp(1, .packetIdentifierNotFound)) == [.settled(1, .delivered)])
  }

  @Test(
    "PUBACK and PUBCOMP that nobody waits for are ignored, and the connection stays [behaviour 57]",
    arguments: ProtocolVersion.allCases)
  func unknownAnswers(version: ProtocolVersion) throws {
    var harness = SessionHarness.connected(version)
    _ = try harness.publish(1, .atLeastOnce)
    #expect(harness.receive(Self.puback(2)) == [])
    #expect(harness.receive(Self.pubcomp(2)) == [])
    #expect(harness.receive(Self.puback(1)).settled == [1: .delivered])
    #expect(harness.receive(Self.puback(1)) == [], "the second one of two")
  }

  @Test(
    "PUBREC that nobody waits for is answered with PUBREL 0x92, so that the server frees it (§4.3.3)",
    arguments: ProtocolVersion.allCases)
  func unknownPubrec(version: ProtocolVersion) {
    var harness = SessionHarness.connected(version)
    let actions = harness.receive(Self.pubrec(5))
    #expect(actions == [.send(Self.pubrel(5, .packetIdentifierNotFound))])
    #expect(encode(actions.sent[0], version) == hex(version == .v5 ? "62 03 00 05 92" : "62 02 00 05"))
    #expect(harness.receive(Self.pubcomp(5)) == [])
  }

  @Test(
    "PUBREC or PUBCOMP for QoS 1, or PUBCOMP before PUBREC, is a protocol error", arguments: ProtocolVersion.allCases)
  func wrongType(version: ProtocolVersion) throws {
    for (qos, packet) in [
      (.atLeastOnce, Self.pubrec(1)), (.atLeastOnce, Self.pubcomp(1)), (.exactlyOnce, Self.pubcomp(1)),
    ] as [(QoS, Packet)] {
      var harness = SessionHarness.connected(version)
      _ = try harness.publish(1, qos)
      let actions = harness.receive(packet)
      #expect(actions.violation == .protocolError)
      #expect(actions.sent == (version == .v5 ? [.disconnect(Disconnect(reasonCode: .protocolError))] : []))
      let again = harness.reconnect(sessionPresent: true).sent
      #expect(again == [.numbered(1, qos, 1, duplicate: true)], "the message is not lost")
    }
  }

  // MARK: Packet identifiers

  @Test(
    """
    identifiers rise by one, wrap from 65,535 to 1, and pass those in use [MQTT-2.2.1-3] [MQTT-2.3.1-1 v3.1.1] \
    [MQTT-2.3.1-2 v3.1.1] [MQTT-4.3.2-1] [MQTT-4.3.3-1] [behaviour 54]
    """,
    arguments: ProtocolVersion.allCases)
  func identifiers(version: ProtocolVersion) throws {
    var harness = SessionHarness.connected(version)
    _ = try harness.publish(1, .atLeastOnce)
    _ = try harness.publish(2, .exactlyOnce)
    _ = try harness.subscribe([Subscription("a")])
    _ = harness.receive(Self.pubrec(2))
    harness.session.nextIdentifier = 65_534
    var taken: [Packet] = []
    for number in 10...13 as ClosedRange<UInt64> { taken += try harness.publish(number, .atLeastOnce).sent }
    #expect(
      taken == [
        .numbered(10, .atLeastOnce, 65_534), .numbered(11, .atLeastOnce, 65_535), .numbered(12, .atLeastOnce, 4),
        .numbered(13, .atLeastOnce, 5),
      ])
  }

  @Test("an identifier is not used again at once when it is free")
  func identifierNotReused() throws {
    var harness = SessionHarness.connected()
    _ = try harness.publish(1, .atLeastOnce)
    _ = harness.receive(Self.puback(1))
    #expect(try harness.publish(2, .atLeastOnce).sent == [.numbered(2, .atLeastOnce, 2)])
  }

  // MARK: How many

  @Test(
    """
    no more messages than the server's Receive Maximum are under way [MQTT-3.3.4-7] [MQTT-4.9.0-1] [MQTT-4.9.0-2] \
    [behaviour 59]
    """,
    arguments: [2, 5, 50] as [UInt16])
  func receiveMaximum(maximum: UInt16) throws {
    var harness = SessionHarness.connected(granted: Properties { $0.receiveMaximum = maximum })
    var number: UInt64 = 0
    while harness.session.room > 0 {
      number += 1
      _ = try harness.publish(number, .exactlyOnce)
    }
    #expect(number == UInt64(maximum) - 1, "one place is kept")
    #expect(throws: Session.Rejection.noRoom) { try harness.publish(90, .atLeastOnce) }
    #expect(try harness.publish(91, .atLeastOnce, transient: true).sent.count == 1)
    #expect(throws: Session.Rejection.noRoom) { try harness.publish(92, .atLeastOnce, transient: true) }
    #expect(try harness.publish(93, .atMostOnce).sent.count == 1, "QoS 0 does not count (§4.9)")
    _ = harness.receive(Self.pubrec(1))
    #expect(throws: Session.Rejection.noRoom) { try harness.publish(94, .atLeastOnce, transient: true) }
    _ = harness.receive(Self.pubcomp(1))
    #expect(harness.session.room == 0, "the transient one has the place that is kept")
    #expect(try harness.publish(95, .atLeastOnce, transient: true).sent.count == 1)
  }

  @Test("where the server takes one message at a time no place is kept")
  func receiveMaximum1() throws {
    var harness = SessionHarness.connected(granted: Properties { $0.receiveMaximum = 1 })
    #expect(harness.session.room == 1)
    _ = try harness.publish(1, .atLeastOnce)
    #expect(throws: Session.Rejection.noRoom) { try harness.publish(2, .atLeastOnce, transient: true) }
    _ = harness.receive(Self.puback(1))
    _ = try harness.publish(2, .atLeastOnce, transient: true)
    #expect(harness.session.room == 0)
  }

  @Test("the session's own limit holds where the server's is larger, and on 3.1.1", arguments: ProtocolVersion.allCases)
  func inFlightLimit(version: ProtocolVersion) throws {
    var harness = SessionHarness.connected(version, inFlightLimit: 3)
    #expect(harness.session.room == 2)
    for number in 1...2 as ClosedRange<UInt64> { _ = try harness.publish(number, .atLeastOnce) }
    #expect(throws: Session.Rejection.noRoom) { try harness.publish(3, .atLeastOnce) }
  }

  @Test(
    "what may not wait goes beyond the session's own limit, and not beyond twice that or the server's",
    arguments: [(nil, 6), (5, 5)] as [(UInt16?, UInt64)])
  func beyondTheOwnLimit(granted: UInt16?, all: UInt64) throws {
    var harness = SessionHarness.connected(inFlightLimit: 3, granted: Properties { $0.receiveMaximum = granted })
    for number in 1...2 as ClosedRange<UInt64> { _ = try harness.publish(number, .atLeastOnce) }
    for number in 3...all { #expect(try harness.publish(number, .atLeastOnce, transient: true).sent.count == 1) }
    #expect(throws: Session.Rejection.noRoom) { try harness.publish(90, .atLeastOnce, transient: true) }
    #expect(harness.session.room == 0)
  }

  @Test("the session's limit stays within what identifiers allow", arguments: [(-1, 1), (0, 1), (70_000, 65_535)])
  func limitBounds(asked: Int, limit: Int) {
    #expect(Session(inFlightLimit: asked).inFlightLimit == limit)
  }

  // MARK: What the server rules out

  @Test("a QoS above the server's maximum is rejected, and nothing is sent [MQTT-3.2.2-11] [behaviour 59]")
  func maximumQoS() throws {
    var harness = SessionHarness.connected(granted: Properties { $0.maximumQoS = .atLeastOnce })
    #expect(throws: Session.Rejection.qosNotSupported(maximum: .atLeastOnce)) { try harness.publish(1, .exactlyOnce) }
    #expect(try harness.publish(2, .atLeastOnce).sent == [.numbered(2, .atLeastOnce, 1)])
    harness = .connected(granted: Properties { $0.maximumQoS = .atMostOnce })
    #expect(throws: Session.Rejection.qosNotSupported(maximum: .atMostOnce)) { try harness.publish(1, .atLeastOnce) }
  }

  @Test("a retained message is rejected where the server keeps none [MQTT-3.2.2-14]", arguments: QoS.allCases)
  func retain(qos: QoS) throws {
    var harness = SessionHarness.connected(granted: Properties { $0.retainAvailable = false })
    var message = Message.numbered(1, qos)
    message.retain = true
    #expect(throws: Session.Rejection.retainNotSupported) { try harness.publish(message) }
    message.retain = false
    #expect(try harness.publish(message).sent.count == 1)
  }

  @Test(
    "a packet larger than the server takes is rejected, one of that size is sent [MQTT-3.2.2-15] [behaviour 59]",
    arguments: QoS.allCases)
  func maximumPacketSize(qos: QoS) throws {
    var harness = SessionHarness.connected(granted: Properties { $0.maximumPacketSize = 30 })
    let head = 2 + 3 + 1 + (qos == .atMostOnce ? 0 : 2)
    var message = Message(topic: "t", payload: ByteBuffer(repeating: 1, count: 30 - head), qos: qos)
    #expect(encode(try harness.publish(message).sent[0]).count == 30)
    message.payload.writeInteger(UInt8(1))
    #expect(throws: Session.Rejection.tooLarge(bytes: 31, maximum: 30)) { try harness.publish(message) }
  }

  @Test("a server may take packets of more bytes than a signed number of 32 bits counts")
  func largestMaximumPacketSize() throws {
    var harness = SessionHarness.connected(granted: Properties { $0.maximumPacketSize = .max })
    #expect(try harness.publish(1, .atLeastOnce).sent.count == 1)
  }

  @Test("a message whose properties do not fit the wire is rejected")
  func notEncodable() {
    var harness = SessionHarness.connected()
    var message = Message.numbered(1, .atLeastOnce)
    message.properties.contentType = String(repeating: "x", count: 65_536)
    #expect(throws: Session.Rejection.notEncodable) { try harness.publish(message) }
  }

  @Test("on 3.1.1 no more than 20 messages of QoS 2 are under way, new or again: mosquitto drops what is beyond")
  func exactlyOnceLimit() throws {
    var harness = SessionHarness.connected(.v311)
    for number in 1...19 as ClosedRange<UInt64> { _ = try harness.publish(number, .exactlyOnce) }
    #expect(harness.session.room(for: .exactlyOnce) == 0, "one place is kept")
    #expect(harness.session.room(for: .atLeastOnce) == 80)
    #expect(throws: Session.Rejection.noRoom) { try harness.publish(20, .exactlyOnce) }
    _ = try harness.publish(20, .exactlyOnce, transient: true)
    #expect(throws: Session.Rejection.noRoom) { try harness.publish(21, .exactlyOnce, transient: true) }
    _ = harness.receive(Self.pubrec(1))
    _ = harness.receive(Self.pubcomp(1))
    #expect(try harness.publish(21, .exactlyOnce, transient: true).sent.count == 1)
    #expect(SessionHarness.connected(.v5).session.room(for: .exactlyOnce) == 99, "5 has Receive Maximum")
  }

  @Test(
    """
    a topic alias of 0 or above the server's maximum is rejected [MQTT-3.3.2-8] [MQTT-3.3.2-9] [MQTT-3.2.2-17] \
    [behaviour 61]
    """)
  func topicAlias() throws {
    var harness = SessionHarness.connected(granted: Properties { $0.topicAliasMaximum = 2 })
    for (alias, fits) in [(0, false), (1, true), (2, true), (3, false)] as [(UInt16, Bool)] {
      var message = Message.numbered(1, .atMostOnce)
      message.properties.topicAlias = alias
      if fits {
        #expect(try harness.publish(message).sent == [.numbered(1, .atMostOnce, nil)])
      } else {
        #expect(throws: Session.Rejection.featureNotSupported(.topicAliasInvalid)) { try harness.publish(message) }
      }
    }
  }

  @Test("without a Topic Alias Maximum no alias is sent [MQTT-3.2.2-18]", arguments: [nil, 0] as [UInt16?])
  func noTopicAlias(maximum: UInt16?) throws {
    var harness = SessionHarness.connected(granted: Properties { $0.topicAliasMaximum = maximum })
    var message = Message(topic: "a/long/topic", payload: ByteBuffer(), qos: .atMostOnce)
    for _ in 1...3 { #expect(try harness.publish(message).sent == [.publish(Publish(message))]) }
    message.properties.topicAlias = 1
    #expect(throws: Session.Rejection.featureNotSupported(.topicAliasInvalid)) { try harness.publish(message) }
  }

  @Test("a PUBLISH with properties of other packets, or a subscription identifier, is rejected [MQTT-3.3.4-6]")
  func foreignProperties() throws {
    for fill in [{ $0.subscriptionIdentifier = 1 }, { $0.willDelayInterval = 1 }] as [(inout Properties) -> Void] {
      var harness = SessionHarness.connected()
      var message = Message.numbered(1, .atMostOnce)
      message.properties = Properties(fill)
      #expect(throws: Session.Rejection.notEncodable) { try harness.publish(message) }
    }
  }

  @Test("a wildcard in a response topic is rejected [MQTT-3.3.2-14]")
  func responseTopic() throws {
    var harness = SessionHarness.connected()
    var message = Message.numbered(1, .atMostOnce)
    message.properties.responseTopic = "answers/+"
    #expect(throws: Session.Rejection.notEncodable) { try harness.publish(message) }
    message.properties.responseTopic = "answers/me"
    #expect(try harness.publish(message).sent.count == 1)
  }
}
