import LimpetInstants
import NIOCore
import Testing

@testable import MQTTCore

/// The Message Expiry Interval of messages that the session has (MQTT 5.0 §3.3.2.3.3): it goes on counting.
@Suite struct SessionExpiryTests {
  private func message(_ qos: QoS = .atLeastOnce, expiry: UInt32 = 10) -> Message {
    var message = Message.numbered(1, qos)
    message.properties.messageExpiryInterval = expiry
    return message
  }

  private func expiry(_ packets: [Packet]) -> UInt32? {
    guard case .publish(let publish)? = packets.last else { return nil }
    return publish.message.properties.messageExpiryInterval
  }

  @Test(
    "what is sent again carries what is left of its time, and at least a second: the server may have it",
    arguments: [(0, 10), (999, 10), (2_500, 8), (3_600_000, 1)])
  func sentAgain(milliseconds: Int, left: UInt32) throws {
    var harness = SessionHarness.connected()
    _ = try harness.publish(message(), token: 1)
    _ = harness.drop()
    harness.now += .milliseconds(milliseconds)
    let sent = harness.connect(sessionPresent: true).sent
    #expect(expiry(sent) == left)
  }

  @Test(
    "a session that the server has lost brings no message that is too old", arguments: [QoS.atLeastOnce, .exactlyOnce])
  func begunAnew(qos: QoS) throws {
    var harness = SessionHarness.connected()
    _ = try harness.publish(message(qos), token: 1)
    _ = harness.drop()
    harness.now += .seconds(10)
    let actions = harness.connect(sessionPresent: false)
    #expect(actions.sent == [])
    guard case .rejected? = actions.settled[1] else {
      Issue.record("\(actions)")
      return
    }
    #expect(harness.session.outgoing.count == 0)
  }

  @Test("one that is refused for now and too old by then is not sent again")
  func held() throws {
    var harness = SessionHarness.connected()
    _ = try harness.publish(message(expiry: 1), token: 1)
    _ = harness.receive(.puback(Acknowledgement(1, reasonCode: .quotaExceeded)))
    let actions = harness.tick(after: .seconds(1))
    #expect(actions.sent == [] && actions.settled.count == 1)
  }

  @Test("what an earlier process left counts from the start of this one, connected or not")
  func restored() throws {
    var state = SessionState()
    state.owner = SessionOwner(server: LinkHarness.servers[0].description, clientIdentifier: "c")
    state.messages = [StoredMessage(token: 1, state: .published(3), message: message())]
    var harness = LinkHarness(state: state)
    harness.handle(.start)
    harness.now += .seconds(4)
    let sent = harness.agree(sessionPresent: true).sent
    #expect(expiry(sent) == 6)
  }

  @Test("a store that begins anew is told what is left")
  func storedAgain() throws {
    var harness = LinkHarness(LinkHarness.settings { $0.isStored = true })
    harness.handle(.start)
    for write in harness.agree().writes { harness.handle(.stored(write.number, isDone: true)) }
    let (now, message) = (harness.now, message())
    var effects = try harness.turn { try $0.publish(message, token: 1, at: now, into: &$1) }
    effects.append(harness.pass(.seconds(4)))
    for write in effects.writes { harness.handle(.stored(write.number, isDone: true)) }
    let changes = harness.handle(.storeBeginsAnew).writes.flatMap(\.changes)
    let stored = changes.compactMap { if case .message(let stored, _) = $0 { stored } else { nil } }
    #expect(stored.first?.message.properties.messageExpiryInterval == 6)
  }
}
