import NIOCore
import Testing

@testable import MQTTCore

/// What is sent again after a reconnect, MQTT 5.0 §4.4; behaviours 47 to 52.
@Suite struct SessionResumingTests {
  typealias Answers = SessionPublishingTests

  /// A connection that ended with these messages under way, numbered from 1, and 2 of them released where it is QoS 2.
  func interrupted(_ version: ProtocolVersion, _ qualities: [QoS], released: Set<UInt64> = []) throws -> SessionHarness
  {
    var harness = SessionHarness.connected(version)
    for (qos, number) in zip(qualities, UInt64(1)...) {
      _ = try harness.publish(number, qos)
      if let identifier = PacketIdentifier(rawValue: UInt16(number)), released.contains(number) {
        _ = harness.receive(Answers.pubrec(identifier))
      }
    }
    #expect(harness.drop() == [], "nothing is settled by the end of a connection")
    return harness
  }

  @Test(
    """
    messages are sent again with DUP, their identifiers and their order after a reconnect [MQTT-3.1.2-23] \
    [MQTT-3.1.2-4 v3.1.1] [MQTT-2.3.1-3 v3.1.1] [MQTT-3.3.1-1] [MQTT-4.3.2-3] [MQTT-4.3.3-3] [MQTT-4.3.3-5] \
    [MQTT-4.3.3-6] [MQTT-4.4.0-1] [MQTT-4.6.0-1] [behaviour 47] [behaviour 52]
    """,
    arguments: ProtocolVersion.allCases)
  func again(version: ProtocolVersion) throws {
    var harness = try interrupted(version, [.atLeastOnce, .exactlyOnce, .exactlyOnce, .atLeastOnce], released: [2])
    let actions = harness.connect(sessionPresent: true)
    #expect(actions.limits != nil)
    #expect(
      actions.dropFirst() == [
        .send(.numbered(1, .atLeastOnce, 1, duplicate: true)), .send(Answers.pubrel(2)),
        .send(.numbered(3, .exactlyOnce, 3, duplicate: true)), .send(.numbered(4, .atLeastOnce, 4, duplicate: true)),
      ])
    #expect(
      harness.receive(Answers.pubcomp(2, version == .v5 ? .packetIdentifierNotFound : .success)).settled == [
        2: .delivered
      ])
    #expect(harness.receive(Answers.puback(4)).settled == [4: .delivered])
    #expect(harness.receive(Answers.pubrec(3)).sent == [Answers.pubrel(3)])
    #expect(
      harness.reconnect(sessionPresent: true).sent == [
        .numbered(1, .atLeastOnce, 1, duplicate: true), Answers.pubrel(3),
      ],
      "and again, what is left")
  }

  @Test(
    """
    without a session messages are sent as new ones: DUP 0, new identifiers, the same order [MQTT-3.3.1-3] \
    [MQTT-3.2.2-5]
    """,
    arguments: ProtocolVersion.allCases)
  func asNew(version: ProtocolVersion) throws {
    var harness = try interrupted(version, [.atLeastOnce, .exactlyOnce, .exactlyOnce], released: [2])
    let sent: [Packet] = [
      .numbered(1, .atLeastOnce, 4), .numbered(2, .exactlyOnce, 5), .numbered(3, .exactlyOnce, 6),
    ]
    #expect(harness.connect(sessionPresent: false).sent == sent, "the one that was released too")
    #expect(harness.receive(Answers.puback(1)) == [], "the old identifiers are gone")
    #expect(harness.receive(Answers.pubrec(5)).sent == [Answers.pubrel(5)])
    #expect(harness.receive(Answers.pubcomp(5)).settled == [2: .delivered])
    #expect(harness.reconnect(sessionPresent: true).sent.count == 2)
  }

  @Test(
    "a message that had to wait for room after a lost session still goes out with DUP 0 [MQTT-3.3.1-3]",
    arguments: [false, true])
  func waitingAsNew(dropped: Bool) throws {
    var harness = try interrupted(.v5, [.atLeastOnce, .atLeastOnce, .exactlyOnce])
    let narrow = Properties { $0.receiveMaximum = 1 }
    #expect(harness.connect(sessionPresent: false, granted: narrow).sent == [.numbered(1, .atLeastOnce, 4)])
    if dropped {
      #expect(
        harness.reconnect(sessionPresent: true, granted: narrow).sent == [
          .numbered(1, .atLeastOnce, 4, duplicate: true)
        ],
        "this one has been sent in the new session")
    }
    #expect(harness.receive(Answers.puback(4)).sent == [.numbered(2, .atLeastOnce, 5)])
    #expect(harness.receive(Answers.puback(5)).sent == [.numbered(3, .exactlyOnce, 6)])
    #expect(
      harness.reconnect(sessionPresent: true).sent == [.numbered(3, .exactlyOnce, 6, duplicate: true)])
  }

  @Test("an answer to a message that this session of the server has not seen answers nothing")
  func answerToWaiting() throws {
    var harness = try interrupted(.v5, [.atLeastOnce, .exactlyOnce, .atLeastOnce])
    _ = harness.connect(sessionPresent: false, granted: Properties { $0.receiveMaximum = 1 })
    #expect(harness.receive(Answers.puback(6)) == [])
    #expect(harness.receive(Answers.pubcomp(5)) == [])
    #expect(harness.receive(Answers.pubrec(5)).sent == [Answers.pubrel(5, .packetIdentifierNotFound)])
    #expect(harness.receive(Answers.puback(4)).sent == [.numbered(2, .exactlyOnce, 5)])
  }

  @Test(
    """
    the new connection's Receive Maximum holds while messages are sent again, nothing new overtakes them \
    [MQTT-3.3.4-7] [MQTT-4.9.0-2] [behaviour 48]
    """,
    arguments: [1, 2, 4] as [UInt16])
  func narrowerWindow(maximum: UInt16) throws {
    var harness = try interrupted(.v5, Array(repeating: .atLeastOnce, count: 8))
    let places = max(1, Int(maximum) - 1)
    var waiting = harness.connect(sessionPresent: true, granted: Properties { $0.receiveMaximum = maximum }).sent
    var again = waiting
    while !waiting.isEmpty {
      #expect(waiting.count <= places)
      #expect(again.count == 8 || harness.session.room == 0, "nothing new overtakes what is old [behaviour 48]")
      guard case .publish(let publish) = waiting.removeFirst(), let identifier = publish.packetIdentifier else {
        continue
      }
      let actions = harness.receive(Answers.puback(identifier))
      #expect(actions.settled.count == 1)
      waiting += actions.sent
      again += actions.sent
    }
    #expect(
      again
        == (1...8).map { .numbered(UInt64($0), .atLeastOnce, PacketIdentifier(integerLiteral: $0), duplicate: true) })
    #expect(harness.session.room == places)
  }

  @Test("a message that may not wait goes out while many old ones still wait for room")
  func transientAmongResends() throws {
    var harness = try interrupted(.v5, Array(repeating: .atLeastOnce, count: 8))
    let actions = harness.connect(sessionPresent: true, granted: Properties { $0.receiveMaximum = 3 })
    #expect(actions.sent.count == 2, "one of three places is kept")
    #expect(throws: Session.Rejection.noRoom) { try harness.publish(20, .atLeastOnce) }
    #expect(try harness.publish(21, .atLeastOnce, transient: true).sent == [.numbered(21, .atLeastOnce, 9)])
    #expect(throws: Session.Rejection.noRoom) { try harness.publish(22, .atLeastOnce, transient: true) }
    #expect(harness.receive(Answers.puback(1)).sent == [], "its place is the one that is kept")
    #expect(harness.receive(Answers.puback(9)).sent == [.numbered(3, .atLeastOnce, 3, duplicate: true)])
  }

  @Test("an answer that comes before a message's turn to be sent again takes it out of the row")
  func answeredEarly() throws {
    var harness = try interrupted(.v5, [.atLeastOnce, .atLeastOnce, .exactlyOnce, .atLeastOnce])
    _ = harness.connect(sessionPresent: true, granted: Properties { $0.receiveMaximum = 1 })
    #expect(harness.receive(Answers.puback(2)) == [.settled(2, .delivered)])
    #expect(harness.receive(Answers.pubrec(3)) == [.send(Answers.pubrel(3))])
    #expect(harness.receive(Answers.puback(1)).sent == [], "3 is under way")
    #expect(harness.receive(Answers.pubcomp(3)).sent == [.numbered(4, .atLeastOnce, 4, duplicate: true)])
  }

  @Test("what the new connection rules out is settled as rejected, and the rest is sent, as far as it can be")
  func noLongerFits() throws {
    var harness = SessionHarness.connected()
    var large = Message.numbered(1, .atLeastOnce)
    large.payload = ByteBuffer(repeating: 1, count: 100)
    var retained = Message.numbered(3, .atLeastOnce)
    retained.retain = true
    _ = try harness.publish(large, token: 1)
    _ = try harness.publish(2, .atLeastOnce)
    _ = try harness.publish(retained, token: 3)
    _ = try harness.publish(4, .atLeastOnce)
    let granted = Properties {
      $0.maximumPacketSize = 50
      $0.retainAvailable = false
      $0.receiveMaximum = 1
    }
    let actions = harness.reconnect(sessionPresent: true, granted: granted)
    #expect(actions.settled == [1: .rejected(.tooLarge(bytes: 108, maximum: 50))])
    #expect(actions.sent == [.numbered(2, .atLeastOnce, 2, duplicate: true)])
    let next = harness.receive(Answers.puback(2))
    #expect(next.settled == [2: .delivered])
    #expect(next.sent == [.numbered(3, .atLeastOnce, 3, duplicate: true)], "not retained any more")
    #expect(harness.receive(Answers.puback(3)).sent == [.numbered(4, .atLeastOnce, 4, duplicate: true)])
    #expect(harness.receive(Answers.puback(4)).settled == [4: .delivered])
    #expect(harness.session.room == 1)
  }

  @Test(
    "a message of QoS 2 that no longer fits has its identifier freed at the server (§4.3.3)",
    arguments: [true, false])
  func rejectedQoS2(sessionPresent: Bool) throws {
    var harness = try interrupted(.v5, [.exactlyOnce, .exactlyOnce])
    let actions = harness.connect(
      sessionPresent: sessionPresent, granted: Properties { $0.maximumPacketSize = 6 })
    let size = Publish.size(of: .numbered(1, .exactlyOnce), .v5)
    let rejected = Session.Outcome.rejected(.tooLarge(bytes: size, maximum: 6))
    #expect(actions.settled == [1: rejected, 2: rejected])
    #expect(actions.sent == (sessionPresent ? [Answers.pubrel(1), Answers.pubrel(2)] : []))
    #expect(harness.receive(Answers.pubcomp(1)) == [], "settled before")
    #expect(harness.session.room == (sessionPresent ? 98 : 99))
  }

  @Test("PUBREL is sent again whatever its message's size")
  func releasedTooLarge() throws {
    var harness = try interrupted(.v5, [.exactlyOnce], released: [1])
    let granted = Properties { $0.maximumPacketSize = 5 }
    #expect(harness.connect(sessionPresent: true, granted: granted).sent == [Answers.pubrel(1)])
  }

  @Test("a topic alias is not used on another connection (§3.3.2.3.4) [behaviour 61]", arguments: [true, false])
  func aliasDropped(sessionPresent: Bool) throws {
    var harness = SessionHarness.connected(granted: Properties { $0.topicAliasMaximum = 5 })
    var message = Message.numbered(1, .atLeastOnce)
    message.topic = "topic"
    var aliased = Publish(message, packetIdentifier: 1)
    aliased.message.properties.topicAlias = 1
    #expect(try harness.publish(message).sent == [.publish(aliased)])
    let again = harness.reconnect(sessionPresent: sessionPresent).sent
    let identifier: PacketIdentifier = sessionPresent ? 1 : 2
    #expect(again == [.publish(Publish(message, packetIdentifier: identifier, duplicate: sessionPresent))])
  }

  // MARK: Messages for one connection

  @Test(
    "a transient message is abandoned when its connection ends, and never sent again [behaviour 49]",
    arguments: ProtocolVersion.allCases)
  func transient(version: ProtocolVersion) throws {
    var harness = SessionHarness.connected(version)
    _ = try harness.publish(1, .atLeastOnce, transient: true)
    _ = try harness.publish(2, .atLeastOnce)
    _ = try harness.publish(3, .atLeastOnce, transient: true)
    #expect(harness.drop() == [.settled(1, .abandoned), .settled(3, .abandoned)])
    #expect(harness.connect(sessionPresent: true).sent == [.numbered(2, .atLeastOnce, 2, duplicate: true)])
    #expect(harness.receive(Answers.puback(3)) == [])
    #expect(harness.reconnect(sessionPresent: false).sent.count == 1)
  }

  @Test("a transient message that was answered is not abandoned")
  func transientAnswered() throws {
    var harness = SessionHarness.connected()
    _ = try harness.publish(1, .atLeastOnce, transient: true)
    #expect(harness.receive(Answers.puback(1)).settled == [1: .delivered])
    #expect(harness.drop() == [])
  }

  @Test(
    "the identifier of an abandoned QoS 2 message is freed with PUBREL before another message has it (§4.3.3)",
    arguments: ProtocolVersion.allCases)
  func transientQoS2(version: ProtocolVersion) throws {
    var harness = SessionHarness.connected(version)
    _ = try harness.publish(1, .exactlyOnce, transient: true)
    #expect(harness.drop() == [.settled(1, .abandoned)])
    #expect(harness.connect(sessionPresent: true).sent == [Answers.pubrel(1)])
    harness.session.nextIdentifier = 1
    #expect(try harness.publish(2, .exactlyOnce).sent == [.numbered(2, .exactlyOnce, 2)])
    #expect(harness.drop() == [], "abandoned once")
    #expect(
      harness.connect(sessionPresent: true).sent == [Answers.pubrel(1), .numbered(2, .exactlyOnce, 2, duplicate: true)])
    #expect(harness.receive(Answers.pubcomp(1)) == [], "settled before")
    harness.session.nextIdentifier = 1
    #expect(try harness.publish(3, .exactlyOnce).sent == [.numbered(3, .exactlyOnce, 1)])
  }

  @Test("an abandoned QoS 2 message is forgotten with its session")
  func transientQoS2WithoutSession() throws {
    var harness = SessionHarness.connected()
    _ = try harness.publish(1, .exactlyOnce, transient: true)
    #expect(harness.reconnect(sessionPresent: false).sent == [])
    #expect(harness.session.room == 99)
  }

  @Test("a message whose expiry passes after it was sent is sent again, and released, all the same [MQTT-4.3.3-7]")
  func expired() throws {
    var harness = SessionHarness.connected()
    var message = Message.numbered(1, .exactlyOnce)
    message.properties.messageExpiryInterval = 1
    _ = try harness.publish(message, token: 1)
    _ = harness.tick(after: .seconds(60))
    #expect(
      harness.reconnect(sessionPresent: true).sent == [
        .publish(Publish(message, packetIdentifier: 1, duplicate: true))
      ])
    #expect(harness.receive(Answers.pubrec(1)).sent == [Answers.pubrel(1)])
    _ = harness.tick(after: .seconds(60))
    #expect(harness.reconnect(sessionPresent: true).sent == [Answers.pubrel(1)])
    #expect(harness.receive(Answers.pubcomp(1)).settled == [1: .delivered])
  }
}
