import LimpetInstants
import NIOCore
import Testing

@testable import MQTTCore

/// What a session keeps beyond its process, and what waits for it.
@Suite struct SessionStoringTests {
  typealias Answers = SessionPublishingTests

  private static func stored(
    _ version: ProtocolVersion = .v5, restoring state: SessionState = SessionState(), sessionPresent: Bool = false
  ) -> SessionHarness {
    var harness = SessionHarness(version, restoring: state)
    _ = harness.connect(sessionPresent: sessionPresent)
    return harness
  }

  private static func message(
    _ number: UInt64, _ qos: QoS, _ state: StoredMessage.State
  ) -> StoredMessage {
    StoredMessage(token: number, state: state, message: .numbered(number, qos))
  }

  private static func state(_ messages: StoredMessage...) -> SessionState {
    var state = SessionState()
    state.owner = SessionOwner(server: "mqtt://a", clientIdentifier: "c")
    state.messages = messages
    state.nextIdentifier = 7
    return state
  }

  // MARK: What waits

  @Test("QoS 1: PUBLISH does not wait for the store", arguments: ProtocolVersion.allCases)
  func atLeastOnce(version: ProtocolVersion) throws {
    var harness = Self.stored(version)
    let actions = try harness.publish(1, .atLeastOnce)
    #expect(actions.sent == [.numbered(1, .atLeastOnce, 1)])
    #expect(actions.stored.map(\.change) == [.message(Self.message(1, .atLeastOnce, .published(1)), next: 2)])
    #expect(actions.stored.map(\.ticket) == [nil])
    let end = harness.receive(Answers.puback(1))
    #expect(end.stored.map(\.change) == [.ended(1)])
    #expect(end.settled == [1: .delivered])
  }

  @Test("QoS 2: the identifier is stored before PUBLISH and PUBREC before PUBREL")
  func exactlyOnce() throws {
    var harness = Self.stored()
    let asked = try harness.publish(1, .exactlyOnce)
    #expect(asked.sent == [])
    #expect(asked.stored.map(\.change) == [.message(Self.message(1, .exactlyOnce, .published(1)), next: 2)])
    let first = try #require(asked.stored[0].ticket)
    #expect(harness.stored(through: first).sent == [.numbered(1, .exactlyOnce, 1)])
    let received = harness.receive(Answers.pubrec(1))
    #expect(received.sent == [])
    #expect(received.stored.map(\.change) == [.message(Self.message(1, .exactlyOnce, .released(1)), next: 2)])
    let second = try #require(received.stored[0].ticket)
    #expect(second > first)
    #expect(harness.receive(Answers.pubrec(1)).sent == [], "PUBREL is on its way")
    #expect(harness.stored(through: second).sent == [Answers.pubrel(1)])
    #expect(harness.receive(Answers.pubcomp(1)).stored.map(\.change) == [.ended(1)])
  }

  @Test("what is received at QoS 2 is stored before PUBREC, and its release before PUBCOMP")
  func receiving() throws {
    var harness = Self.stored()
    let publish = Packet.numbered(1, .exactlyOnce, 9)
    let delivery = try #require(harness.receive(publish).delivered.first)
    let accepted = harness.accept(delivery)
    #expect(accepted.sent == [])
    #expect(accepted.stored.map(\.change) == [.received(9, true)])
    #expect(harness.receive(.numbered(1, .exactlyOnce, 9, duplicate: true)).sent == [], "PUBREC is on its way")
    #expect(harness.stored(through: try #require(accepted.stored[0].ticket)).sent == [Answers.pubrec(9)])
    let released = harness.receive(Answers.pubrel(9))
    #expect(released.sent == [])
    #expect(released.stored.map(\.change) == [.received(9, false)])
    #expect(harness.stored(through: try #require(released.stored[0].ticket)).sent == [Answers.pubcomp(9)])
  }

  @Test("where the owner recognizes what comes again, PUBREC and PUBCOMP wait for no store, and nothing is stored")
  func passing() throws {
    var harness = Self.stored()
    harness.session.received.isKept = false
    let accepted = harness.accept(try #require(harness.receive(.numbered(1, .exactlyOnce, 9)).delivered.first))
    #expect(accepted.sent == [Answers.pubrec(9)])
    #expect(accepted.stored.isEmpty)
    let again = harness.receive(.numbered(1, .exactlyOnce, 9, duplicate: true))
    #expect(again.delivered == [] && again.sent == [Answers.pubrec(9)])
    var actions: [Session.Action] = []
    harness.session.storeAll(at: harness.now, into: &actions)
    #expect(actions.stored.map(\.change) == [.begunAnew])
    let released = harness.receive(Answers.pubrel(9))
    #expect(released.sent == [Answers.pubcomp(9)] && released.stored.isEmpty)
  }

  @Test("what an earlier process stored of QoS 2 is forgotten before PUBCOMP, though this one stores nothing")
  func passingAfterKept() throws {
    var state = Self.state()
    state.received = [9]
    var harness = Self.stored(restoring: state, sessionPresent: true)
    harness.session.received.isKept = false
    let released = harness.receive(Answers.pubrel(9))
    #expect(released.sent == [] && released.stored.map(\.change) == [.received(9, false)])
    #expect(harness.stored(through: try #require(released.stored[0].ticket)).sent == [Answers.pubcomp(9)])
  }

  @Test("on a new session PUBREC waits for no write that only messages under way asked for")
  func passingOnNewSession() throws {
    var harness = Self.stored()
    harness.session.received.isKept = false
    _ = try harness.publish(1, .atLeastOnce)
    #expect(harness.reconnect(sessionPresent: false).stored.map(\.change).contains(.begunAnew))
    let accepted = harness.accept(try #require(harness.receive(.numbered(1, .exactlyOnce, 9)).delivered.first))
    #expect(accepted.sent == [Answers.pubrec(9)])
  }

  @Test("a message of QoS 1 does not overtake one of QoS 2 that waits for the store")
  func order() throws {
    var harness = Self.stored()
    let first = try harness.publish(1, .exactlyOnce)
    #expect(try harness.publish(2, .atLeastOnce).sent == [])
    let ticket = try #require(first.stored[0].ticket)
    #expect(
      harness.stored(through: ticket).sent == [.numbered(1, .exactlyOnce, 1), .numbered(2, .atLeastOnce, 2)])
  }

  @Test("PINGREQ, presence and QoS 0 do not wait for the store")
  func bypassing() throws {
    var harness = SessionHarness(restoring: SessionState())
    _ = harness.connect(keepAlive: 10)
    #expect(try harness.publish(1, .exactlyOnce).sent == [])
    #expect(try harness.publish(2, .atLeastOnce, transient: true).sent == [.numbered(2, .atLeastOnce, 2)])
    #expect(try harness.publish(3, .atMostOnce).sent == [.numbered(3, .atMostOnce, nil)])
    #expect(harness.tick(after: .seconds(10)).sent == [.pingreq])
  }

  @Test("what waits for the store when the connection ends is sent on the next one, as new, and only when it is stored")
  func lostWhileWaiting() throws {
    var harness = Self.stored()
    let ticket = try #require(try harness.publish(1, .exactlyOnce).stored[0].ticket)
    #expect(harness.reconnect(sessionPresent: true).sent == [])
    #expect(harness.stored(through: ticket).sent == [.numbered(1, .exactlyOnce, 1)])
    #expect(harness.stored(through: ticket).sent == [])
  }

  @Test("of a message for one connection the store keeps the identifier alone, and only at QoS 2")
  func transient() throws {
    var harness = Self.stored()
    #expect(try harness.publish(1, .atLeastOnce, transient: true).stored.isEmpty)
    let second = try harness.publish(2, .exactlyOnce, transient: true)
    #expect(second.stored.map(\.change) == [.held(2, true)])
    _ = harness.stored(through: try #require(second.stored[0].ticket))
    #expect(harness.reconnect(sessionPresent: true).sent == [Answers.pubrel(2)])
    #expect(harness.receive(Answers.pubcomp(2)).stored.map(\.change) == [.held(2, false)])
  }

  @Test("a message for one connection that waited for the store leaves nothing behind")
  func transientNeverSent() throws {
    var harness = Self.stored()
    _ = try harness.publish(1, .exactlyOnce, transient: true)
    let end = harness.drop()
    #expect(end.settled == [1: .abandoned])
    #expect(end.stored.map(\.change) == [.held(1, false)])
    #expect(harness.connect(sessionPresent: true).sent == [])
  }

  // MARK: Another process

  @Test("a session goes on in another process: PUBLISH with DUP, PUBREL, in their order [MQTT-4.4.0-1] [behaviour 47]")
  func resumes() throws {
    var harness = SessionHarness(
      restoring: Self.state(
        Self.message(3, .exactlyOnce, .released(4)), Self.message(5, .atLeastOnce, .published(2)),
        Self.message(6, .exactlyOnce, .published(5))))
    let packets = harness.connect(sessionPresent: true).sent
    #expect(
      packets == [
        Answers.pubrel(4), .numbered(5, .atLeastOnce, 2, duplicate: true),
        .numbered(6, .exactlyOnce, 5, duplicate: true),
      ])
    #expect(harness.receive(Answers.puback(2)).settled == [5: .delivered])
    #expect(try harness.publish(9, .atLeastOnce).sent == [.numbered(9, .atLeastOnce, 7)], "the next identifier goes on")
  }

  @Test("PUBCOMP 0x92 for what another process had released is success")
  func notFound() throws {
    var harness = SessionHarness(restoring: Self.state(Self.message(3, .exactlyOnce, .released(4))))
    _ = harness.connect(sessionPresent: true)
    let answer = Packet.pubcomp(Acknowledgement(4, reasonCode: .packetIdentifierNotFound))
    #expect(harness.receive(answer).settled == [3: .delivered])
  }

  @Test("on a server without the session the messages of another process are new, and what was received is forgotten")
  func begunAnew() throws {
    var state = Self.state(Self.message(3, .exactlyOnce, .released(4)), Self.message(5, .atLeastOnce, .published(2)))
    state.received = [8]
    state.held = [9]
    var harness = SessionHarness(restoring: state)
    let actions = harness.connect(sessionPresent: false)
    let changes = actions.stored.map(\.change)
    #expect(changes.first == .begunAnew)
    #expect(changes.contains(.message(Self.message(3, .exactlyOnce, .queued), next: 8)))
    let ticket = try #require(actions.stored.compactMap(\.ticket).max())
    let packets = actions.sent + harness.stored(through: ticket).sent
    #expect(packets == [.numbered(3, .exactlyOnce, 7), .numbered(5, .atLeastOnce, 8)])
    #expect(harness.receive(.numbered(1, .exactlyOnce, 8)).delivered.count == 1, "8 means another message now")
  }

  @Test("a connection that is only made to clear the server's session carries nothing of this one")
  func visit() {
    var harness = SessionHarness(.v311, restoring: Self.state(Self.message(3, .exactlyOnce, .published(4))))
    let connect = Connect(clientIdentifier: "c", cleanStart: true, keepAlive: 0)
    _ = harness.perform { $0.connect(connect, version: .v311, isVisit: true, into: &$1) }
    let visit = harness.receive(.connack(ConnAck(sessionPresent: false, reasonCode: .success)))
    #expect(visit.limits != nil && visit.sent == [] && visit.stored.isEmpty)
    _ = harness.perform { $0.disconnect(into: &$1) }
    let use = harness.reconnect(sessionPresent: false)
    let ticket = use.stored.compactMap(\.ticket).max() ?? 0
    #expect((use.sent + harness.stored(through: ticket).sent) == [.numbered(3, .exactlyOnce, 7)])
  }

  @Test("identifiers that only the server may hold are freed with PUBREL")
  func held() {
    var state = Self.state()
    state.held = [9, 4]
    var harness = SessionHarness(restoring: state)
    #expect(harness.connect(sessionPresent: true).sent == [Answers.pubrel(4), Answers.pubrel(9)])
    #expect(harness.receive(Answers.pubcomp(9)).stored.map(\.change) == [.held(9, false)])
  }

  @Test("what another process had received at QoS 2 is answered and not delivered again [behaviour 55]")
  func received() {
    var state = Self.state()
    state.received = [9]
    var harness = Self.stored(restoring: state, sessionPresent: true)
    let again = harness.receive(.numbered(1, .exactlyOnce, 9, duplicate: true))
    #expect(again.delivered == [])
    #expect(again.sent == [Answers.pubrec(9)])
  }

  @Test("messages that no server has seen are left to the caller, but for those that a later one has overtaken")
  func waiting() {
    let state = Self.state(
      Self.message(3, .atLeastOnce, .queued), Self.message(5, .atLeastOnce, .published(7)),
      Self.message(6, .atLeastOnce, .queued))
    #expect(Array(state.waiting) == [Self.message(6, .atLeastOnce, .queued)])
    #expect(Array(state.underWay) == Array(state.messages.prefix(2)))
    var harness = SessionHarness(restoring: state)
    #expect(
      harness.connect(sessionPresent: true).sent == [
        .numbered(3, .atLeastOnce, 8), .numbered(5, .atLeastOnce, 7, duplicate: true),
      ])
  }

  @Test("a message that the server has no place for now is one that it has not seen")
  func refusedForNow() throws {
    var harness = Self.stored()
    _ = try harness.publish(1, .atLeastOnce)
    let refused = harness.receive(.puback(Acknowledgement(1, reasonCode: .quotaExceeded)))
    #expect(refused.stored.map(\.change) == [.message(Self.message(1, .atLeastOnce, .queued), next: 2)])
  }

  @Test("all of it can be said again, to a store that knows nothing: what a session restored from that has is the same")
  func everything() throws {
    var harness = Self.stored()
    _ = try harness.publish(1, .atLeastOnce)
    let second = try harness.publish(2, .exactlyOnce)
    _ = harness.stored(through: try #require(second.stored[0].ticket))
    _ = harness.receive(Answers.pubrec(2))
    harness.session.received.identifiers = [9]
    var actions: [Session.Action] = []
    harness.session.storeAll(at: harness.now, into: &actions)
    var state = Self.state()
    for (change, _) in actions.stored { state.apply(change) }
    #expect(
      state.messages == [
        Self.message(1, .atLeastOnce, .published(1)), Self.message(2, .exactlyOnce, .released(2)),
      ])
    #expect(state.received == [9])
    #expect(state.nextIdentifier == 3)
  }
}
