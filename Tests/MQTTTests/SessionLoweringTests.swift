import NIOCore
import Testing

@testable import MQTTCore

/// Messages under way when the next server, or the same one by other settings, grants less than the one before: they
/// become what it takes, and none is lost.
@Suite struct SessionLoweringTests {
  private func granted(_ maximumQoS: QoS = .exactlyOnce, retain: Bool = true, receiveMaximum: UInt16? = nil)
    -> Properties
  {
    var properties = Properties()
    if maximumQoS != .exactlyOnce { properties.maximumQoS = maximumQoS }
    if !retain { properties.retainAvailable = false }
    properties.receiveMaximum = receiveMaximum
    return properties
  }

  private func retained(_ number: UInt64, _ qos: QoS) -> Message {
    var message = Message.numbered(number, qos)
    message.retain = true
    return message
  }

  @Test("QoS 2 on a server of QoS 1 that has no session: a new message of QoS 1")
  func toNewSession() throws {
    var harness = SessionHarness.connected()
    _ = try harness.publish(1, .exactlyOnce)
    let actions = harness.reconnect(sessionPresent: false, granted: granted(.atLeastOnce))
    #expect(actions.sent == [.numbered(1, .atLeastOnce, 2)])
    #expect(actions.settled.isEmpty)
    #expect(harness.receive(.puback(Acknowledgement(2))).settled == [1: .delivered])
    #expect(harness.session.outgoing.count == 0)
  }

  @Test("on one that has the session: its identifier is freed by PUBREL, and a new one carries the message on")
  func toSameSession() throws {
    var harness = SessionHarness.connected()
    _ = try harness.publish(1, .exactlyOnce)
    let actions = harness.reconnect(sessionPresent: true, granted: granted(.atLeastOnce))
    #expect(actions.sent == [.pubrel(Acknowledgement(1)), .numbered(1, .atLeastOnce, 2)])
    #expect(actions.settled.isEmpty)
    #expect(harness.receive(.pubcomp(Acknowledgement(1))).settled.isEmpty)
    #expect(harness.receive(.puback(Acknowledgement(2))).settled == [1: .delivered])
    #expect(harness.session.outgoing.count == 0)
  }

  @Test("what the server has taken with PUBREC is not published again")
  func released() throws {
    var harness = SessionHarness.connected()
    _ = try harness.publish(1, .exactlyOnce)
    _ = harness.receive(.pubrec(Acknowledgement(1)))
    let actions = harness.reconnect(sessionPresent: true, granted: granted(.atLeastOnce))
    #expect(actions.sent == [.pubrel(Acknowledgement(1))])
    #expect(harness.receive(.pubcomp(Acknowledgement(1))).settled == [1: .delivered])
  }

  @Test("on a server of QoS 0 it is handed to the transport, and that is its end", arguments: [true, false])
  func toQoS0(sessionPresent: Bool) throws {
    var harness = SessionHarness.connected()
    _ = try harness.publish(1, .exactlyOnce)
    _ = try harness.publish(2, .atLeastOnce)
    let actions = harness.reconnect(sessionPresent: sessionPresent, granted: granted(.atMostOnce))
    let published = actions.sent.filter { $0.type == .publish }
    #expect(published == [.numbered(1, .atMostOnce, nil), .numbered(2, .atMostOnce, nil)])
    #expect(actions.settled == [1: .delivered, 2: .delivered])
    if sessionPresent { _ = harness.receive(.pubcomp(Acknowledgement(1))) }
    #expect(harness.session.outgoing.count == 0)
  }

  @Test("without retained messages the flag is left out, and the course goes on: exactly once stays that")
  func withoutRetain() throws {
    var harness = SessionHarness.connected()
    _ = try harness.publish(retained(1, .exactlyOnce), token: 1)
    _ = try harness.publish(retained(2, .atLeastOnce), token: 2)
    let actions = harness.reconnect(sessionPresent: true, granted: granted(retain: false))
    #expect(
      actions.sent == [
        .numbered(1, .exactlyOnce, 1, duplicate: true), .numbered(2, .atLeastOnce, 2, duplicate: true),
      ])
    #expect(actions.settled.isEmpty)
  }

  @Test("the order stays, also on the connection after that")
  func order() throws {
    var harness = SessionHarness.connected()
    for number in 1...3 as ClosedRange<UInt64> {
      _ = try harness.publish(number, number == 2 ? .atLeastOnce : .exactlyOnce)
    }
    func numbers(_ actions: [Session.Action]) -> [UInt64?] {
      actions.sent.compactMap { if case .publish(let publish) = $0 { publish.message.number } else { nil } }
    }
    #expect(numbers(harness.reconnect(sessionPresent: true, granted: granted(.atLeastOnce))) == [1, 2, 3])
    let again = harness.reconnect(sessionPresent: true, granted: granted(.atLeastOnce))
    #expect(numbers(again) == [1, 2, 3])
    #expect(again.sent.filter { $0.type == .pubrel }.count == 2)
  }

  @Test("a window of one is kept to, and everything comes through it")
  func window() throws {
    var harness = SessionHarness.connected()
    for number in 1...3 as ClosedRange<UInt64> { _ = try harness.publish(number, .exactlyOnce) }
    var actions = harness.reconnect(sessionPresent: true, granted: granted(.atLeastOnce, receiveMaximum: 1))
    var settled: [Session.Token: Session.Outcome] = [:]
    for _ in 0..<20 where settled.count < 3 {
      #expect(actions.sent.count == 1)
      switch actions.sent.first {
      case .pubrel(let release): actions = harness.receive(.pubcomp(Acknowledgement(release.packetIdentifier)))
      case .publish(let publish):
        actions = harness.receive(.puback(Acknowledgement(try #require(publish.packetIdentifier))))
      default: break
      }
      settled.merge(actions.settled) { $1 }
    }
    #expect(settled == [1: .delivered, 2: .delivered, 3: .delivered])
    #expect(harness.session.outgoing.count == 0)
  }

  @Test("the store has the message under its token until it is acknowledged, and the old identifier until it is free")
  func isStored() throws {
    var harness = SessionHarness(restoring: SessionState())
    _ = harness.connect()
    let first = try harness.publish(1, .exactlyOnce).stored
    _ = harness.stored(through: try #require(first.last?.ticket))
    var state = SessionState()
    func keep(_ actions: [Session.Action]) { for change in actions.stored { state.apply(change.change) } }
    for change in first { state.apply(change.change) }
    keep(harness.reconnect(sessionPresent: true, granted: granted(.atLeastOnce)))
    #expect(state.messages.map(\.token) == [1] && state.held == [1])
    #expect(state.messages.first?.state == .published(2) && state.messages.first?.message.qos == .atLeastOnce)
    keep(harness.receive(.puback(Acknowledgement(2))))
    keep(harness.receive(.pubcomp(Acknowledgement(1))))
    #expect(state.messages.isEmpty && state.held.isEmpty)
  }

  @Test("what no server setting can make smaller is rejected, as before")
  func tooLarge() throws {
    var harness = SessionHarness.connected()
    _ = try harness.publish(
      Message(topic: "t", payload: ByteBuffer(repeating: 0, count: 100), qos: .atLeastOnce), token: 1)
    var limits = Properties()
    limits.maximumPacketSize = 50
    let actions = harness.reconnect(sessionPresent: false, granted: limits)
    guard case .rejected(.tooLarge)? = actions.settled[1] else {
      Issue.record("\(actions.settled)")
      return
    }
  }
}
