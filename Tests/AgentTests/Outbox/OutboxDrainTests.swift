import LimpetInstants
import Testing

@testable import Outbox
@testable import Readings

@Suite("Outbox: draining")
struct OutboxDrainTests {
  /// Takes and settles what may go in a time, in steps of a millisecond.
  private func drain(
    _ bench: inout OutboxBench, for time: Duration, _ body: (inout OutboxBench, Int) -> Void = { _, _ in }
  ) -> [Reading] {
    var readings: [Reading] = []
    for step in 0..<Int(time / .milliseconds(1)) {
      body(&bench, step)
      bench.work()
      while let taken = bench.take() {
        readings.append(taken.reading)
        bench.settle(taken.token)
      }
      bench.pass(.milliseconds(1))
    }
    return readings
  }

  @Test("a backlog goes at the drain rate", arguments: [1, 10, 500])
  func rate(perSecond: Int) {
    var bench = OutboxBench(drainRate: perSecond)
    for round in 0..<3000 { bench.append(round % 3) }
    bench.outbox.connected(at: bench.now)
    let count = drain(&bench, for: .seconds(4)).count
    #expect((perSecond * 4 - 1...perSecond * 4 + 2 + perSecond / 10).contains(count))
  }

  @Test("what is measured meanwhile goes beside it: a topic as fast as the drain rate gets through")
  func beside() {
    var bench = OutboxBench(streams: 1, drainRate: 100)
    for _ in 0..<500 { bench.append() }
    bench.outbox.connected(at: bench.now)
    let readings = drain(&bench, for: .seconds(6)) { bench, step in if step % 10 == 0 { bench.append() } }
    #expect(readings.map(\.sequence) == Array(1...1100))
    #expect(bench.outbox.isEmpty)
  }

  @Test("topics take turns, and each keeps its order")
  func turns() {
    var bench = OutboxBench()
    for _ in 0..<1000 { bench.append(0) }
    for _ in 0..<10 { bench.append(1) }
    bench.work(all: true)
    for _ in 0..<10 { bench.append(2) }
    bench.outbox.connected(at: bench.now)
    let first = bench.drain(limit: 30)
    for stream in 0..<3 {
      #expect(first.filter { $0.stream.index == stream }.map(\.sequence) == Array(1...10), "stream \(stream)")
    }
    #expect(bench.drain().map(\.sequence) == Array(11...1000))
  }

  @Test("a rare topic behind a long backlog of another on the disk is found in its turn")
  func rare() {
    var bench = OutboxBench(streams: 2)
    for round in 0..<20_000 {
      bench.append(0)
      if round % 4000 == 3999 { bench.append(1) }
    }
    bench.work(all: true)
    bench.crash()
    bench.outbox.connected(at: bench.now)
    let first = bench.drain(limit: 12)
    #expect(first.filter { $0.stream == 1 }.map(\.sequence) == Array(1...5))
  }

  @Test("live readings of a topic without backlog do not wait for a backlog")
  func live() {
    var bench = OutboxBench(drainRate: 10)
    for _ in 0..<1000 { bench.append(0) }
    bench.outbox.connected(at: bench.now)
    var latest = 0
    _ = drain(&bench, for: .seconds(1)) { bench, step in
      guard step % 100 == 50 else { return }
      let token = bench.append(1)
      var copy = bench
      #expect(copy.take()?.token == token)
      latest += 1
    }
    #expect(latest == 10)
  }

  @Test("a drain that waits for its rate says when it goes on")
  func deadline() {
    var bench = OutboxBench(drainRate: 100)
    for _ in 0..<1000 { bench.append() }
    bench.outbox.connected(at: bench.now)
    _ = bench.drain()
    let deadline = bench.outbox.drainDeadline(at: bench.now)
    #expect(deadline.map { bench.now.duration(to: $0) <= .milliseconds(20) } == true)
    bench.now = deadline ?? bench.now
    #expect(bench.take() != nil)
  }
}
