import LimpetInstants
import Testing

@testable import Outbox
@testable import Records

/// What the simulator found of readings that are given up, come back, or are sent past a disk that fails.
@Suite("Outbox: nothing is lost twice, and what is lost is said")
struct OutboxLossTests {
  private static let cost = OutboxBench(.never, isOpen: false).cost

  @Test("the mark of numbers that were skipped outlives the reading that had it: in memory")
  func restartedInMemory() {
    var bench = OutboxBench(.never, limit: 3 * Self.cost, isOpen: false)
    bench.append(restarted: true)
    for _ in 0..<5 { bench.append() }
    bench.append(1)
    bench.outbox.connected(at: bench.now)
    let drained = bench.drain()
    #expect(drained.filter { $0.stream == 0 }.map(\.restarted) == [true, false])
  }

  @Test("... and the only one of its stream: the next that comes has it")
  func restartedAlone() {
    var bench = OutboxBench(.never, limit: 2 * Self.cost, isOpen: false)
    bench.append(0, restarted: true)
    for _ in 0..<3 { bench.append(1) }
    bench.append(0)
    bench.outbox.connected(at: bench.now)
    #expect(bench.drain().filter { $0.stream == 0 }.map(\.restarted) == [true])
  }

  @Test("... and one that has expired")
  func restartedExpired() {
    var bench = OutboxBench(expiry: .seconds(60))
    bench.append(restarted: true)
    bench.pass(.seconds(59))
    bench.append()
    bench.pass(.seconds(2))
    bench.outbox.connected(at: bench.now)
    #expect(bench.drain().map(\.restarted) == [true])
  }

  @Test("... and a row on the disk that goes with its section")
  func restartedOnDisk() {
    var bench = OutboxBench(streams: 1)
    for number in 1...600 {
      bench.append(restarted: number == 200)
      bench.pass(.milliseconds(100))
      bench.work(all: true)
    }
    #expect(bench.outbox.queues[0].unread > 0)
    bench.outbox.adopt(
      Outbox.Rules(
        limit: bench.outbox.bytes / 2, memoryLimit: nil, writing: .after(.seconds(1), outage: .seconds(30)),
        drainRate: 1_000_000, keepsLatest: [false], expiry: nil))
    bench.append()
    bench.outbox.connected(at: bench.now)
    // The first look finds nothing in memory, and has it read.
    let drained = bench.drain() + bench.drain()
    #expect((drained.first?.sequence ?? 0) > 200 && drained.first?.restarted == true)
    #expect(drained.filter(\.restarted).count == 1)
  }

  @Test("a number that was sent past a disk that fails is stored when it works again, though its reading is not")
  func unstoredNumber() {
    var bench = OutboxBench(.always, streams: 1)
    bench.outbox.connected(at: bench.now)
    bench.append()
    bench.work(succeeds: false)
    let taken = bench.take()
    if let taken { bench.settle(taken.token) }
    bench.pass(.milliseconds(500))
    bench.append()
    let second = bench.take()
    if let second { bench.settle(second.token) }
    #expect(taken != nil && second != nil && bench.outbox.isEmpty)
    bench.pass(.seconds(1))
    bench.work(succeeds: false)
    bench.pass(.seconds(2))
    bench.work()
    #expect(bench.numbers == ["name0": 3])
  }

  @Test("one that comes back is not deleted with the section that was given up around it")
  func putBackIntoDropped() {
    var bench = OutboxBench(streams: 2)
    bench.outbox.connected(at: bench.now)
    bench.append(0)
    let token = bench.append(1)
    let first = bench.take()
    let taken = bench.take()
    if let first { bench.outbox.giveBack(first) }
    #expect(taken?.token == token)
    for _ in 0..<400 { bench.append(0) }
    bench.pass(.seconds(2))
    bench.work()
    bench.outbox.adopt(
      Outbox.Rules(
        limit: bench.outbox.bytes / 2, memoryLimit: nil, writing: .after(.seconds(1), outage: .seconds(30)),
        drainRate: 1_000_000, keepsLatest: [false, false], expiry: nil))
    bench.append(0)
    #expect(bench.outbox.disk.dropped.contains { $0.contains(token) })
    let isBack = bench.outbox.putBack(token, bench.clock, at: bench.now)
    bench.work()
    #expect(isBack && bench.rows[token] != nil)
  }

  @Test("rows that were spared when their section was given up are no part of the section that is there then")
  func sparedRows() {
    var bench = OutboxBench(streams: 1)
    for _ in 0..<400 { bench.append(0) }
    bench.pass(.seconds(2))
    bench.work()
    bench.outbox.connected(at: bench.now)
    let taken = (0..<4).compactMap { _ in bench.take()?.token }
    bench.outbox.adopt(
      Outbox.Rules(
        limit: bench.outbox.bytes / 2, memoryLimit: nil, writing: .after(.seconds(1), outage: .seconds(30)),
        drainRate: 1_000_000, keepsLatest: [false], expiry: nil))
    bench.append(0)
    let isBack = bench.outbox.putBack(taken[0], bench.clock, at: bench.now)
    for token in taken.dropFirst() { bench.settle(token) }
    bench.pass(.seconds(2))
    bench.work()
    let size = bench.rows.values.reduce(0) { $0 + StoredReading.size(ofData: $1.data.count) }
    #expect(isBack && bench.outbox.disk.index.bytes == size && bench.outbox.bytes == size)
    #expect(bench.outbox.count == bench.rows.count && bench.drain().count == 146)
  }

  @Test("one that comes back while rows in front of it are not read yet is sent once, in its place")
  func putBackBeforeUnread() {
    var bench = OutboxBench(streams: 1)
    for _ in 0..<10 { bench.append() }
    bench.pass(.seconds(1))
    bench.work()
    bench.outbox = Outbox(bench.outbox.rules, at: bench.now)
    bench.outbox.connected(at: bench.now)
    let token = bench.append()
    let taken = bench.take()
    #expect(taken?.token == token)
    bench.append()
    bench.open()
    let isBack = bench.outbox.putBack(token, bench.clock, at: bench.now)
    if let batch = bench.outbox.takeBatch(all: true, { "name\($0.index)" }, bench.clock, at: bench.now) {
      bench.write(batch)
      bench.outbox.wrote()
    }
    #expect(isBack && bench.drain().map(\.sequence) == Array(1...12))
    bench.pass(.seconds(1))
    bench.work()
    #expect(bench.rows.isEmpty && bench.outbox.isEmpty && bench.outbox.bytes == 0)
  }
}
