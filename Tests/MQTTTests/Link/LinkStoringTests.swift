import LimpetInstants
import Testing

@testable import MQTTCore

/// When a link writes to its session's store, and what it does while the store fails or does not answer.
@Suite struct LinkStoringTests {
  typealias Harness = LinkHarness

  /// Connected, with its owner written.
  private func connected(_ version: ProtocolVersion? = nil) throws -> Harness {
    var harness = Harness(Harness.settings(version: version) { $0.isStored = true })
    harness.handle(.start)
    let writes = harness.agree().writes
    try #require(writes.map(\.changes).map(\.count) == [1])
    guard case .owner? = writes.first?.changes.first else { throw Unexpected() }
    #expect(harness.handle(.stored(writes[0].number, isDone: true)).isEmpty)
    return harness
  }

  private struct Unexpected: Error {}

  @Test("QoS 2 waits for its write, QoS 1 does not and is written only if it is under way for longer than the delay")
  func writes() throws {
    var harness = try connected()
    #expect(try harness.publish(1, .atLeastOnce).sent.count == 1)
    #expect(harness.link.deadline == harness.now + .seconds(1))
    #expect(harness.receive(.puback(Acknowledgement(1))).settled == [1: .delivered])
    #expect(harness.link.deadline == nil)

    let effects = try harness.publish(2, .exactlyOnce)
    #expect(effects.sent.isEmpty && effects.writes.count == 1)
    let stored = harness.handle(.stored(effects.writes[0].number, isDone: true))
    #expect(stored.sent == [.numbered(2, .exactlyOnce, 2)] && stored.stored == [[2]])
  }

  @Test("one write at a time: what comes up meanwhile goes into the next; a wrong number answers nothing")
  func oneAtATime() throws {
    var harness = try connected()
    let first = try harness.publish(1, .exactlyOnce).writes
    #expect(try harness.publish(2, .exactlyOnce).writes.isEmpty)
    #expect(try harness.publish(3, .exactlyOnce).writes.isEmpty)
    #expect(harness.handle(.stored(first[0].number + 1, isDone: true)).isEmpty)
    let effects = harness.handle(.stored(first[0].number, isDone: true))
    #expect(effects.sent.count == 1 && effects.writes.map(\.changes.count) == [2])
    #expect(harness.handle(.stored(first[0].number, isDone: true)).isEmpty)
    #expect(harness.handle(.stored(effects.writes[0].number, isDone: true)).sent.count == 2)
  }

  @Test("a store that fails holds nothing up: it is told each time, and tried again after ten seconds")
  func fails() throws {
    var harness = try connected()
    let write = try harness.publish(1, .exactlyOnce).writes[0]
    let failed = harness.handle(.stored(write.number, isDone: false))
    #expect(failed.storing == [.fails] && failed.sent == [.numbered(1, .exactlyOnce, 1)])
    #expect(try harness.publish(2, .exactlyOnce).sent == [.numbered(2, .exactlyOnce, 2)])
    #expect(harness.pass(.seconds(9)).writes.isEmpty)
    let again = harness.pass(.seconds(1)).writes
    #expect(again.map(\.changes.count) == [2])
    let works = harness.handle(.stored(again[0].number, isDone: true))
    #expect(works.storing == [.works] && works.stored == [[1, 2]] && works.sent.isEmpty)
  }

  @Test(
    "a write that is not answered for two seconds is late: QoS 2 goes on, and no other write follows",
    arguments: [true, false])
  func isLate(isDone: Bool) throws {
    var harness = try connected()
    let write = try harness.publish(1, .exactlyOnce).writes[0]
    #expect(harness.link.deadline == harness.now + .seconds(2))
    #expect(harness.pass(.milliseconds(1_999)).isEmpty)
    let late = harness.pass(.milliseconds(1))
    #expect(late.storing == [.late] && late.sent == [.numbered(1, .exactlyOnce, 1)])
    #expect(try harness.publish(2, .exactlyOnce).sent == [.numbered(2, .exactlyOnce, 2)])
    let quiet = harness.pass(.seconds(3_600))
    #expect(quiet.writes.isEmpty && quiet.storing.isEmpty, "told once")

    let answered = harness.handle(.stored(write.number, isDone: isDone))
    #expect(answered.storing == [isDone ? .works : .fails])
    #expect(answered.sent.isEmpty, "nothing is sent twice")
    if isDone {
      #expect(answered.stored == [[1]])
      #expect(answered.writes.map(\.changes.count) == [1], "the other one")
    } else {
      #expect(answered.writes.isEmpty)
      #expect(
        harness.pass(.seconds(10)).writes.map(\.changes.count) == [2], "it has not happened: again, with the other")
    }
  }

  @Test("a message that ended while its write was late is deleted once the write has happened")
  func endsWhileLate() throws {
    var harness = try connected()
    let write = try harness.publish(1, .exactlyOnce).writes[0]
    harness.pass(.seconds(2))
    harness.receive(.pubrec(Acknowledgement(1)))
    #expect(harness.receive(.pubcomp(Acknowledgement(1))).settled == [1: .delivered])
    let answered = harness.handle(.stored(write.number, isDone: true))
    #expect(answered.writes.map(\.changes) == [[.ended(1)]])
  }

  @Test("a connection is made while the store does not answer, and one that is lost is made again")
  func connectsWhileLate() throws {
    var harness = Harness(Harness.settings { $0.isStored = true })
    harness.handle(.start)
    #expect(harness.agree().writes.count == 1)
    #expect(harness.pass(.seconds(2)).storing == [.late])
    harness.lose()
    #expect(harness.agree(sessionPresent: true).isConnected)
    #expect(try harness.publish(1, .exactlyOnce).sent.count == 1)
    #expect(harness.receive(.numbered(9, .exactlyOnce, 9)).sent == [.pubrec(Acknowledgement(9))])
  }

  @Test("everything is written before the end, due or not, and a failure is told")
  func flushes() throws {
    var harness = try connected()
    #expect(harness.handle(.flushStore).flushes == [true], "nothing to write")
    _ = try harness.publish(1, .atLeastOnce)
    let first = harness.handle(.flushStore)
    #expect(first.writes.count == 1 && first.flushes.isEmpty)
    _ = try harness.publish(2, .atLeastOnce)
    let second = harness.handle(.stored(first.writes[0].number, isDone: true))
    #expect(second.writes.count == 1 && second.flushes.isEmpty, "what came up meanwhile, too")
    #expect(harness.handle(.stored(second.writes[0].number, isDone: true)).flushes == [true])
    _ = try harness.publish(3, .atLeastOnce)
    let third = harness.handle(.flushStore)
    #expect(harness.handle(.stored(third.writes[0].number, isDone: false)).flushes == [false])
  }

  @Test("a stopped link still writes what it has to")
  func writesAfterTheEnd() throws {
    var harness = try connected()
    _ = try harness.publish(1, .atLeastOnce)
    harness.handle(.abort)
    #expect(harness.closed().losses.count == 1)
    #expect(harness.pass(.seconds(1)).writes.count == 1)
  }

  @Test("a store that begins anew is told all of the session")
  func beginsAnew() throws {
    var harness = try connected()
    _ = try harness.publish(1, .atLeastOnce)
    let changes = harness.handle(.storeBeginsAnew).writes.flatMap(\.changes)
    guard changes.count == 3, case .owner = changes[0], case .begunAnew = changes[1], case .message = changes[2] else {
      Issue.record("\(changes)")
      return
    }
  }

  @Test("without a store nothing is written, and nothing waits")
  func noStore() throws {
    var harness = Harness.connected()
    let effects = try harness.publish(1, .exactlyOnce)
    #expect(effects.writes.isEmpty && effects.sent.count == 1 && harness.link.deadline == nil)
  }
}
