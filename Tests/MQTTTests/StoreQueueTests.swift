import Testing

@testable import LimpetInstants
@testable import LimpetPlatform
@testable import MQTT
@testable import MQTTCore

@Suite struct StoreQueueTests {
  private let start = BootClock.now
  private var queue = StoreQueue(delay: .seconds(1), state: SessionState())

  private static func message(_ number: UInt64, _ identifier: PacketIdentifier = 1) -> SessionChange {
    .message(
      StoredMessage(token: number, state: .published(identifier), message: .numbered(number, .atLeastOnce)), next: 2)
  }

  private func at(_ milliseconds: Int) -> BootClock.Instant { start + .milliseconds(milliseconds) }

  @Test("while the server acknowledges quicker than the delay nothing is ever written")
  mutating func nothing() {
    for index in 0..<200 as Range<Int> {
      queue.add(Self.message(UInt64(index)), ticket: nil, at: at(index * 20))
      if index > 0 { queue.add(.ended(UInt64(index - 1)), ticket: nil, at: at(index * 20)) }
      #expect(queue.take(at: at(index * 20)) == nil)
    }
    queue.add(.ended(199), ticket: nil, at: at(4_000))
    #expect(queue.isIdle)
    #expect(queue.deadline == nil, "nothing to wake up for")
    #expect(queue.take(at: at(60_000)) == nil)
  }

  @Test("a message that waits longer than the delay is written, and its end too")
  mutating func slow() throws {
    queue.add(Self.message(1), ticket: nil, at: at(0))
    #expect(queue.take(at: at(999)) == nil)
    #expect(queue.deadline == at(1_000))
    #expect(queue.take(at: at(1_000)) == [Self.message(1)])
    #expect(queue.deadline == nil, "one write at a time")
    #expect(queue.finished(true, at: at(1_005)) == 0)
    queue.add(.ended(1), ticket: nil, at: at(1_100))
    #expect(queue.take(at: at(2_100)) == [.ended(1)])
  }

  @Test("an end that comes while the message is being written is written after it")
  mutating func endWhileWriting() {
    queue.add(Self.message(1), ticket: nil, at: at(0))
    #expect(queue.take(at: at(1_000)) != nil)
    queue.add(.ended(1), ticket: nil, at: at(1_001))
    _ = queue.finished(true, at: at(1_010))
    #expect(queue.take(at: at(2_001)) == [.ended(1)])
  }

  @Test("what something waits for is written at once, with everything else, and the ticket is that of the write")
  mutating func urgent() {
    queue.add(Self.message(1), ticket: nil, at: at(0))
    queue.add(.received(5, true), ticket: 1, at: at(1))
    #expect(queue.take(at: at(1)) == [Self.message(1), .received(5, true)])
    queue.add(.received(6, true), ticket: 2, at: at(2))
    #expect(queue.take(at: at(2)) == nil)
    #expect(queue.finished(true, at: at(3)) == 1)
    #expect(queue.take(at: at(3)) == [.received(6, true)])
    #expect(queue.finished(true, at: at(4)) == 2)
  }

  @Test("a ticket for what came to nothing is honoured all the same")
  mutating func emptyTicket() {
    queue.add(.received(5, true), ticket: 1, at: at(0))
    queue.add(.received(5, false), ticket: 2, at: at(0))
    #expect(queue.take(at: at(0)) == [])
    #expect(queue.finished(true, at: at(0)) == 2)
  }

  @Test("a write that fails is tried again with what has changed since; nobody waits for it meanwhile")
  mutating func failing() {
    queue.add(Self.message(1), ticket: nil, at: at(0))
    queue.add(Self.message(2), ticket: 1, at: at(0))
    #expect(queue.take(at: at(0)) != nil)
    queue.add(.ended(1), ticket: nil, at: at(1))
    #expect(queue.finished(false, at: at(2)) == 1)
    queue.add(Self.message(3, 2), ticket: 2, at: at(3))
    #expect(queue.skippedTicket == 2)
    #expect(queue.take(at: at(9_000)) == nil)
    #expect(queue.take(at: at(10_002)) == [.ended(1), Self.message(2), Self.message(3, 2)])
    #expect(queue.finished(true, at: at(10_003)) == 2)
    #expect(queue.skippedTicket == nil)
    #expect(queue.isIdle)
  }

  @Test("a write that fails and then comes to nothing is not due for ever")
  mutating func failingForNothing() {
    queue.add(Self.message(1), ticket: nil, at: at(0))
    #expect(queue.take(at: at(1_000)) == [Self.message(1)])
    #expect(queue.finished(false, at: at(1_000)) == 0)
    queue.add(.ended(1), ticket: nil, at: at(1_001))
    #expect(queue.take(at: at(11_001)) == nil)
    #expect(queue.deadline == nil)
  }

  @Test("what the store has of an earlier process is deleted there")
  func restored() {
    var state = SessionState()
    state.received = [5]
    state.held = [6]
    state.subscriptions = [1: []]
    state.messages = [
      StoredMessage(token: 9, state: .published(1), message: .numbered(9, .atLeastOnce))
    ]
    var queue = StoreQueue(delay: .seconds(1), state: state)
    let changes: [SessionChange] = [.ended(9), .held(6, false), .received(5, false), .unsubscribed(1)]
    for change in changes + [.ended(8), .held(7, false), .received(7, false), .unsubscribed(2)] {
      queue.add(change, ticket: nil, at: at(0))
    }
    #expect(queue.take(at: at(1_000)) == changes)
  }

  @Test("when the server's session is new, what belonged to the old one is taken out first")
  mutating func begunAnew() {
    queue.add(.received(5, true), ticket: 1, at: at(0))
    queue.add(.begunAnew, ticket: 2, at: at(0))
    queue.add(.received(6, true), ticket: 3, at: at(0))
    #expect(queue.take(at: at(0)) == [.begunAnew, .received(6, true)])
  }

  @Test("everything is written at the end, due or not")
  mutating func flush() {
    queue.add(.owner(SessionOwner(server: "mqtt://a", clientIdentifier: "c")), ticket: nil, at: at(0))
    #expect(queue.takeAll(at: at(0)) == [.owner(SessionOwner(server: "mqtt://a", clientIdentifier: "c"))])
    #expect(queue.takeAll(at: at(0)) == nil)
  }

  @Test("a store that begins anew is told all of it again; what was on its way to the old one counts for nothing")
  mutating func anew() {
    queue.add(Self.message(1), ticket: nil, at: at(0))
    queue.add(.received(5, true), ticket: 1, at: at(0))
    #expect(queue.take(at: at(0))?.count == 2)
    queue.add(.ended(1), ticket: nil, at: at(1))
    queue.storeHasNothing(at: at(2))
    queue.add(.begunAnew, ticket: nil, at: at(2))
    queue.add(.received(5, true), ticket: nil, at: at(2))
    #expect(queue.take(at: at(2)) == nil, "one write at a time")
    #expect(queue.finished(false, at: at(3)) == 1, "what waited for it goes on")
    #expect(queue.take(at: at(3)) == [.begunAnew, .received(5, true)])
    _ = queue.finished(true, at: at(4))
    #expect(queue.isIdle)
  }
}
