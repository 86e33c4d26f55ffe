import Sensing
import Storage
import Testing

@testable import Agent
@testable import Outbox

@Suite("Outbox: streams that rest")
struct OutboxRestTests {
  private func bench(latest: Set<Int> = []) -> OutboxBench {
    var bench = OutboxBench(latest: latest)
    bench.outbox.connected(at: bench.now)
    return bench
  }

  @Test("a stream that rests is passed over, others are not; when it wakes all of it goes, in order")
  func passedOver() {
    var bench = bench()
    bench.outbox.rest(0)
    for _ in 0..<3 {
      bench.append(0)
      bench.append(1)
    }
    #expect(bench.drain().map(\.stream) == [1, 1, 1])
    #expect(bench.outbox.restingCount == 3 && bench.outbox.count == 3)
    bench.outbox.wake(0)
    #expect(bench.drain().map(\.sequence) == [1, 2, 3])
    #expect(bench.outbox.isEmpty && bench.outbox.restingCount == 0)
  }

  @Test("what is refused comes back to its place before the others of its stream")
  func comesBack() {
    var bench = bench()
    for _ in 0..<5 { bench.append(0) }
    let taken = (0..<3).compactMap { _ in bench.take() }
    bench.outbox.rest(0)
    for one in [taken[1], taken[0], taken[2]] {
      let isBack = bench.outbox.putBack(one.token, bench.clock, at: bench.now)
      #expect(isBack)
    }
    #expect(bench.outbox.count == 5)
    bench.work()
    #expect(bench.rows.count >= 3, "on the disk at once: the session may have had their rows")
    bench.outbox.wake(0)
    #expect(bench.drain().map(\.sequence) == [1, 2, 3, 4, 5])
    bench.pass(.seconds(5))
    bench.work()
    #expect(bench.rows.isEmpty && bench.outbox.bytes == 0 && bench.outbox.isEmpty)
  }

  @Test("one whose row the session has taken over is written again, and a crash loses nothing")
  func rowIsGone() {
    var bench = bench()
    for _ in 0..<4 { bench.append(0) }
    bench.pass(.seconds(2))
    bench.work()
    #expect(bench.rows.count == 4)
    guard let first = bench.take(), let second = bench.take() else { return #expect(Bool(false)) }
    // The session's transaction.
    bench.rows[first.token] = nil
    bench.outbox.rest(0)
    _ = bench.outbox.putBack(first.token, bench.clock, at: bench.now)
    _ = bench.outbox.putBack(second.token, bench.clock, at: bench.now)
    bench.work()
    #expect(bench.rows.count == 4)
    bench.crash()
    bench.outbox.connected(at: bench.now)
    #expect(bench.drain().map(\.sequence) == [1, 2, 3, 4])
  }

  @Test("a write that fails leaves what came back to the next one")
  func writeFails() {
    var bench = bench()
    bench.append(0)
    guard let taken = bench.take() else { return #expect(Bool(false)) }
    bench.outbox.rest(0)
    _ = bench.outbox.putBack(taken.token, bench.clock, at: bench.now)
    bench.work(succeeds: false)
    #expect(bench.rows.isEmpty)
    bench.pass(.seconds(2))
    bench.work()
    #expect(bench.rows.count == 1)
    bench.outbox.wake(0)
    #expect(bench.drain().map(\.sequence) == [1])
    bench.pass(.seconds(5))
    bench.work()
    #expect(bench.rows.isEmpty && bench.outbox.bytes == 0)
  }

  @Test("keep: latest: a refused reading gives way to a newer one")
  func latest() {
    var bench = bench(latest: [0])
    bench.append(0)
    guard let taken = bench.take() else { return #expect(Bool(false)) }
    bench.append(0)
    bench.outbox.rest(0)
    let isBack = bench.outbox.putBack(taken.token, bench.clock, at: bench.now)
    #expect(isBack && bench.outbox.count == 1 && bench.outbox.superseded == 1)
    bench.append(0)
    bench.outbox.wake(0)
    #expect(bench.drain().map(\.sequence) == [3])
  }

  @Test("on trial one reading goes; the others follow when it was taken")
  func trial() {
    var bench = bench()
    for _ in 0..<3 { bench.append(0) }
    bench.outbox.rest(0)
    bench.outbox.tryOut(0)
    guard let taken = bench.take() else { return #expect(Bool(false)) }
    #expect(bench.take() == nil)
    bench.settle(taken.token)
    bench.outbox.wake(0)
    #expect(bench.drain().map(\.sequence) == [2, 3])
  }

  @Test("without a disk what comes back waits in memory")
  func noDisk() {
    var bench = OutboxBench(isOpen: false)
    bench.outbox.connected(at: bench.now)
    for _ in 0..<2 { bench.append(0) }
    guard let taken = bench.take() else { return #expect(Bool(false)) }
    bench.outbox.rest(0)
    _ = bench.outbox.putBack(taken.token, bench.clock, at: bench.now)
    bench.outbox.wake(0)
    #expect(bench.drain().map(\.sequence) == [1, 2])
    #expect(bench.outbox.isEmpty && bench.outbox.bytes == 0)
  }
}
