import LimpetInstants
import Testing

@testable import MQTTCore

@Suite("A server that has no place for a message now")
struct SessionRefusalTests {
  static let passing: [ReasonCode] = [.unspecifiedError, .implementationSpecificError, .quotaExceeded]

  private func puback(_ identifier: PacketIdentifier, _ code: ReasonCode = .success) -> Packet {
    .puback(Acknowledgement(identifier, reasonCode: code))
  }

  @Test("0x80, 0x83 and 0x97 keep the message; it is sent again as a new one after a second", arguments: passing)
  func sentAgain(_ code: ReasonCode) throws {
    var harness = SessionHarness.connected()
    _ = try harness.publish(1, .atLeastOnce)
    #expect(harness.receive(puback(1, code)) == [])
    #expect(harness.session.deadline == harness.now + .seconds(1))
    #expect(harness.tick(after: .milliseconds(999)) == [])
    #expect(harness.tick(after: .milliseconds(1)).sent == [.numbered(1, .atLeastOnce, 1)])
    #expect(harness.receive(puback(1)) == [.settled(1, .delivered)])
    #expect(harness.session.deadline == nil)
  }

  @Test("PUBREC with such a code does the same for QoS 2", arguments: passing)
  func exactlyOnce(_ code: ReasonCode) throws {
    var harness = SessionHarness.connected()
    _ = try harness.publish(1, .exactlyOnce)
    #expect(harness.receive(.pubrec(Acknowledgement(1, reasonCode: code))) == [])
    #expect(harness.tick(after: .seconds(1)).sent == [.numbered(1, .exactlyOnce, 1)])
    #expect(harness.receive(.pubrec(Acknowledgement(1))).sent == [.pubrel(Acknowledgement(1))])
    #expect(harness.receive(.pubcomp(Acknowledgement(1))) == [.settled(1, .delivered)])
  }

  @Test(
    "what the server has taken it cannot refuse any more: nothing is published again",
    arguments: passing + [.notAuthorized])
  func refusedAfterReceived(_ code: ReasonCode) throws {
    var harness = SessionHarness.connected()
    _ = try harness.publish(1, .exactlyOnce)
    _ = harness.receive(.pubrec(Acknowledgement(1)))
    #expect(harness.receive(.pubrec(Acknowledgement(1, reasonCode: code))) == [])
    #expect(harness.tick(after: .seconds(120)).sent == [])
    #expect(harness.receive(.pubcomp(Acknowledgement(1))) == [.settled(1, .delivered)])
  }

  @Test("a PUBACK that says so after PUBREC ends the message", arguments: passing)
  func refusedByAnotherAnswer(_ code: ReasonCode) throws {
    var harness = SessionHarness.connected()
    _ = try harness.publish(1, .exactlyOnce)
    _ = harness.receive(.pubrec(Acknowledgement(1)))
    #expect(harness.receive(.puback(Acknowledgement(1, reasonCode: code))) == [.settled(1, .refused(code))])
    #expect(harness.tick(after: .seconds(120)).sent == [])
  }

  @Test("it waits alone: others pass, and those refused together go again together, in their order")
  func order() throws {
    var harness = SessionHarness.connected()
    for number in 1...3 as ClosedRange<UInt64> { _ = try harness.publish(number, .atLeastOnce) }
    let room = harness.session.room
    _ = harness.receive(puback(2, .quotaExceeded))
    #expect(harness.session.room == room + 1, "the server is done with it")
    _ = harness.receive(puback(1, .quotaExceeded))
    #expect(harness.receive(puback(3)) == [.settled(3, .delivered)])
    let fourth = try harness.publish(4, .atLeastOnce)
    #expect(fourth.sent == [.numbered(4, .atLeastOnce, 4)])
    #expect(harness.session.heldCount == 2)
    #expect(
      harness.tick(after: .seconds(1)).sent == [.numbered(1, .atLeastOnce, 1), .numbered(2, .atLeastOnce, 2)])
    #expect(harness.session.room == room && harness.session.heldCount == 0)
  }

  @Test("the wait doubles with each refusal; the fifth is the end, and is told")
  func backOff() throws {
    var harness = SessionHarness.connected()
    _ = try harness.publish(1, .atLeastOnce)
    for seconds in [1, 2, 4, 8] {
      #expect(harness.receive(puback(1, .quotaExceeded)) == [])
      #expect(harness.session.deadline == harness.now + .seconds(seconds))
      #expect(harness.tick(after: .seconds(seconds)).sent.count == 1)
    }
    #expect(harness.receive(puback(1, .quotaExceeded)) == [.settled(1, .refused(.quotaExceeded))])
    #expect(harness.session.deadline == nil && harness.session.retries == 4)
  }

  @Test("no more than eight wait like that: the refusal of another one is its end")
  func bounded() throws {
    var harness = SessionHarness.connected()
    for number in 1...9 as ClosedRange<UInt64> { _ = try harness.publish(number, .atLeastOnce) }
    for number in 1...8 as ClosedRange<UInt16> {
      let identifier = try #require(PacketIdentifier(rawValue: number))
      #expect(harness.receive(puback(identifier, .quotaExceeded)) == [])
    }
    #expect(harness.receive(puback(9, .quotaExceeded)) == [.settled(9, .refused(.quotaExceeded))])
  }

  @Test("messages to a topic that the server refuses are withdrawn between two connections, and no others")
  func withdrawn() throws {
    var harness = SessionHarness.connected()
    for number in 1...3 as ClosedRange<UInt64> { _ = try harness.publish(number, .atLeastOnce) }
    _ = harness.drop()
    let topic = Message.numbered(1, .atLeastOnce).topic
    let actions = harness.perform { session, actions in
      session.withdraw(topic, where: { $0 != 2 }, into: &actions)
    }
    #expect(actions == [.settled(1, .abandoned), .settled(3, .abandoned)])
    #expect(harness.reconnect(sessionPresent: true).sent.count == 1)
  }

  @Test("a message that is good for this connection only does not wait: who sent it is told")
  func transient() throws {
    var harness = SessionHarness.connected()
    _ = try harness.publish(1, .atLeastOnce, transient: true)
    #expect(harness.receive(puback(1, .quotaExceeded)) == [.settled(1, .refused(.quotaExceeded))])
  }

  @Test("a reconnect ends the wait: it is sent as new, whether or not the session is there", arguments: [true, false])
  func reconnect(_ sessionPresent: Bool) throws {
    var harness = SessionHarness.connected()
    _ = try harness.publish(1, .atLeastOnce)
    _ = harness.receive(puback(1, .quotaExceeded))
    let sent = harness.reconnect(sessionPresent: sessionPresent).sent
    guard case .publish(let publish)? = sent.first, sent.count == 1 else {
      Issue.record("\(sent)")
      return
    }
    #expect(publish.message == .numbered(1, .atLeastOnce) && !publish.duplicate)
  }

  @Test("a PUBREC that refuses a message nobody knows is not answered: only below 0x80 is PUBREL due [MQTT-4.3.3-4]")
  func refusalOfNothing() {
    var harness = SessionHarness.connected()
    #expect(harness.receive(.pubrec(Acknowledgement(77, reasonCode: .quotaExceeded))) == [])
    #expect(
      harness.receive(.pubrec(Acknowledgement(77))).sent
        == [.pubrel(Acknowledgement(77, reasonCode: .packetIdentifierNotFound))])
  }

  @Test("with Receive Maximum 1 a refused message blocks nothing else, and is sent again [MQTT-4.4.0-2]")
  func passesAtReceiveMaximumOne() throws {
    var harness = SessionHarness.connected(granted: Properties { $0.receiveMaximum = 1 })
    _ = try harness.publish(1, .atLeastOnce)
    #expect(harness.session.room == 0)
    _ = harness.receive(puback(1, .quotaExceeded))
    #expect(harness.session.room == 1 && harness.session.heldCount == 1)
    let second = try harness.publish(2, .atLeastOnce)
    #expect(second.sent == [.numbered(2, .atLeastOnce, 2)])
    #expect(harness.tick(after: .seconds(1)).sent == [], "there is no place for it")
    #expect(harness.receive(puback(2)).sent == [.numbered(1, .atLeastOnce, 1)], "now there is")
  }

  @Test(
    "one message among many that is refused each time holds up no other, at any Receive Maximum",
    arguments: [1, 2, 3, 5, 20, 65_535] as [UInt16], [QoS.atLeastOnce, .exactlyOnce])
  func oneAmongMany(receiveMaximum: UInt16, qos: QoS) throws {
    var harness = SessionHarness.connected(granted: Properties { $0.receiveMaximum = receiveMaximum })
    harness.session.keepsPlace = false
    var (outcomes, underWay) = ([Session.Token: Session.Outcome](), [PacketIdentifier: Session.Token]())
    var (next, tries) = (1 as Session.Token, 0)
    var toServer: [Packet] = []
    func take(_ actions: [Session.Action]) {
      outcomes.merge(actions.settled) { _, _ in .abandoned }
      toServer += actions.sent
    }
    while outcomes.count < 200 {
      while next <= 200, harness.session.room(for: qos) > 0 {
        take(try harness.publish(next, qos))
        next += 1
      }
      if toServer.isEmpty { take(harness.tick(after: .seconds(1))) }
      let packets = toServer
      toServer = []
      for case .publish(let publish) in packets {
        guard let identifier = publish.packetIdentifier, let number = publish.message.number else { continue }
        underWay[identifier] = number
        let isRefused = number == 7
        if isRefused { tries += 1 }
        let answer = Acknowledgement(identifier, reasonCode: isRefused ? .quotaExceeded : .success)
        #expect(underWay.count <= receiveMaximum)
        if isRefused || qos == .atLeastOnce { underWay[identifier] = nil }
        take(harness.receive(qos == .atLeastOnce ? .puback(answer) : .pubrec(answer)))
      }
      for case .pubrel(let release) in packets {
        underWay[release.packetIdentifier] = nil
        take(harness.receive(.pubcomp(Acknowledgement(release.packetIdentifier))))
      }
      if next > 200, outcomes.count == 199 { #expect(outcomes[7] == nil, "it is the last to end") }
    }
    #expect(outcomes.filter { $0.value != .delivered } == [7: .refused(.quotaExceeded)])
    #expect(tries == 5)
  }

  @Test("what was tried before the server lost its session counts: five tries in all")
  func triesOutliveTheSession() throws {
    var harness = SessionHarness.connected()
    _ = try harness.publish(1, .atLeastOnce)
    for _ in 1...4 {
      let actions = harness.receive(puback(harness.session.oldestIdentifier ?? 1, .quotaExceeded))
      #expect(actions.settled.isEmpty)
      #expect(harness.reconnect(sessionPresent: false).sent.count == 1)
    }
    let end = harness.receive(puback(harness.session.oldestIdentifier ?? 1, .quotaExceeded))
    #expect(end.settled == [1: .refused(.quotaExceeded)])
  }

  @Test("requests without an answer are given back when the connection ends [behaviour 13] [behaviour 14]")
  func unanswered() throws {
    var harness = SessionHarness.connected()
    _ = try harness.subscribe([Subscription(TopicFilter("a"))], token: 7)
    _ = try harness.unsubscribe([TopicFilter("b")], token: 8)
    #expect(harness.drop() == [.settled(7, .abandoned), .settled(8, .abandoned)])
    #expect(harness.drop() == [])
  }

  @Test(
    """
    an empty SUBSCRIBE and No Local on a shared subscription are refused here [MQTT-3.8.3-2] \
    [MQTT-3.8.3-3 v3.1.1] [MQTT-3.8.3-4]
    """)
  func wrongSubscriptions() throws {
    var harness = SessionHarness.connected()
    #expect(throws: Session.Rejection.self) { _ = try harness.subscribe([]) }
    let shared = Subscription(TopicFilter("$share/g/a"), noLocal: true)
    #expect(throws: Session.Rejection.self) { _ = try harness.subscribe([shared]) }
  }

  @Test("a DISCONNECT from the server must not set a session expiry [MQTT-3.14.2-2]")
  func sessionExpiryFromServer() {
    var harness = SessionHarness.connected()
    let properties = Properties { $0.sessionExpiryInterval = 1 }
    #expect(harness.receive(.disconnect(Disconnect(properties: properties))).violation == .protocolError)
  }
}

@Suite("What a server must never send")
struct SessionForeignPacketTests {
  @Test("the DISCONNECT about a CONNECT of another version carries a code that a DISCONNECT may carry (§3.14.2.1)")
  func codeOfConnack() {
    var harness = SessionHarness.connected()
    let error = PacketError(.unsupportedProtocolVersion, "a CONNECT from a server")
    let actions = harness.perform { $0.received(error, into: &$1) }
    #expect(actions.sent == [.disconnect(Disconnect(reasonCode: .protocolError))])
  }
}

extension Session {
  fileprivate var oldestIdentifier: PacketIdentifier? { outgoing.oldest?.identifier }
}
