import LimpetInstants
import Readings
import Testing

@testable import Outbox
@testable import Records

@Suite("Outbox: its bound")
struct OutboxBoundTests {
  @Test("in memory the oldest go, one at a time, and are counted by stream")
  func memory() {
    var bench = OutboxBench(.never, limit: 1, isOpen: false)
    let cost = bench.cost
    bench = OutboxBench(.never, limit: 3 * cost, isOpen: false)
    for stream in [0, 1, 0, 1, 0] { bench.append(stream) }
    #expect(bench.outbox.count == 3 && bench.outbox.bytes == 3 * cost)
    #expect(bench.outbox.dropped == 2)
    #expect([0, 1, 2].map { bench.outbox.dropped(of: $0) } == [1, 1, 0])
    bench.outbox.connected(at: bench.now)
    let drained = bench.drain()
    #expect(drained.filter { $0.stream == 0 }.map(\.sequence) == [2, 3])
    #expect(drained.filter { $0.stream == 1 }.map(\.sequence) == [2])
  }

  @Test("while the disk hangs with the oldest in its hands, what waits keeps to its bound")
  func memoryWhileHanging() {
    let cost = OutboxBench(.never, isOpen: false).cost
    var bench = OutboxBench(limit: 20 * cost)
    for stream in 0..<3 { bench.append(stream) }
    bench.pass(.seconds(1))
    let batch = bench.outbox.takeBatch({ "name\($0.index)" }, bench.clock, at: bench.now)
    for round in 0..<100 {
      bench.append(round % 3)
      #expect(bench.outbox.bytes <= 21 * cost)
    }
    if let batch { bench.write(batch) }
    bench.outbox.wrote()
    bench.outbox.connected(at: bench.now)
    let drained = bench.drain().filter { $0.stream == 0 }.map(\.sequence)
    #expect(drained.first == 1 && drained.last == 35 && drained == drained.sorted())
    #expect(bench.outbox.isEmpty && bench.outbox.bytes == 0)
  }

  @Test("while the disk fails, what is in memory only keeps to its bound: the oldest of it go, and are counted")
  func memoryWhileFailing() {
    let cost = OutboxBench(.never, isOpen: false).cost
    var bench = OutboxBench(memory: 10 * cost)
    for _ in 1...100 { bench.append() }
    #expect(bench.outbox.dropped == 0, "a disk that works takes them")
    bench.work(all: true)
    #expect(bench.outbox.count == 100 && bench.outbox.disk.unwrittenBytes == 0)
    for round in 1...50 {
      bench.append(round % 2)
      bench.pass(.seconds(2))
      bench.work(succeeds: false)
      #expect(bench.outbox.disk.unwrittenBytes <= 10 * cost || !bench.outbox.disk.isFailing)
    }
    #expect(bench.outbox.disk.unwritten == 10 && bench.outbox.disk.unwrittenBytes == 10 * cost)
    #expect(bench.outbox.dropped == 40 && bench.outbox.count == 110)
    bench.pass(.seconds(100))
    bench.work(all: true)
    #expect(bench.outbox.disk.unwrittenBytes == 0 && bench.rows.count == 110)
    bench.outbox.connected(at: bench.now)
    let drained = bench.drain()
    #expect(drained.filter { $0.stream == 0 }.map(\.sequence) == Array(1...100) + Array(121...125))
    #expect(drained.filter { $0.stream == 1 }.map(\.sequence) == Array(21...25))
  }

  @Test("where there is no disk the memory's bound holds too, and a file that is lost brings no more than that back")
  func memoryWithoutDisk() {
    let cost = OutboxBench(.never, isOpen: false).cost
    var bench = OutboxBench(.never, isOpen: false, memory: 10 * cost)
    for _ in 1...25 { bench.append() }
    #expect(bench.outbox.count == 10 && bench.outbox.dropped == 15 && bench.outbox.isMemoryBound)
    bench = OutboxBench(streams: 1, memory: 10 * cost)
    for _ in 1...60 { bench.append() }
    bench.work(all: true)
    bench.outbox.lostDisk(at: bench.now)
    #expect(bench.outbox.count == 10 && bench.outbox.dropped == 50)
  }

  @Test("a disk that is opened late brings back no more than the bound beside what came meanwhile")
  func openedLate() {
    var bench = OutboxBench(streams: 1, limit: 20_000)
    while bench.outbox.bytes < 15_000 { bench.append() }
    bench.pass(.seconds(1))
    bench.work()
    bench.outbox = Outbox(bench.outbox.rules, at: bench.now)
    while bench.outbox.bytes < 15_000 { bench.append() }
    bench.pass(.seconds(60))
    bench.open()
    #expect(bench.outbox.bytes <= 20_000 && bench.outbox.dropped > 0)
  }

  @Test("a reading larger than the bound is kept while it is alone")
  func large() {
    var bench = OutboxBench(.never, limit: 10, isOpen: false)
    bench.append(0, .good(.text(String(repeating: "x", count: 100))))
    #expect(bench.outbox.count == 1)
    bench.append()
    #expect(bench.outbox.count == 1 && bench.outbox.dropped == 1)
  }

  @Test("on the disk the oldest rows go, what is left has no hole, and no byte is counted twice", arguments: [1, 3])
  func disk(streams: Int) {
    var bench = OutboxBench(streams: streams, limit: 100_000)
    for round in 0..<10_000 {
      bench.append(round % streams)
      bench.pass(.milliseconds(20))
      bench.work()
    }
    bench.work(all: true)
    #expect(bench.outbox.bytes <= 100_000)
    #expect(bench.outbox.bytes == bench.rows.values.reduce(0) { $0 + StoredReading.size(ofData: $1.data.count) })
    #expect(bench.outbox.count == bench.rows.count)
    #expect(bench.outbox.count + Int(bench.outbox.dropped) == 10_000)
    bench.outbox.connected(at: bench.now)
    let drained = bench.drain()
    for stream in 0..<streams {
      let sequences = drained.filter { $0.stream.index == stream }.map(\.sequence)
      let last = UInt64((10_000 - stream + streams - 1) / streams)
      #expect(sequences == Array((sequences.first ?? 0)...last))
      #expect(bench.outbox.dropped(of: StreamID(stream)) + UInt64(sequences.count) == last)
    }
    #expect(bench.outbox.bytes == 0 && bench.outbox.isEmpty)
  }

  @Test("what is under way is never given up: its row stays until it is settled")
  func underWay() {
    var bench = OutboxBench(streams: 1, limit: 40_000)
    for _ in 0..<300 { bench.append() }
    bench.work(all: true)
    bench.outbox.connected(at: bench.now)
    let taken = (0..<5).compactMap { _ in bench.take()?.token }
    bench.outbox.disconnected(at: bench.now)
    for _ in 0..<2000 {
      bench.append()
      bench.work(all: true)
    }
    #expect(bench.outbox.dropped > 1000)
    #expect(taken.allSatisfy { bench.rows[$0] != nil })
    for token in taken { bench.settle(token) }
    bench.work(all: true)
    #expect(taken.allSatisfy { bench.rows[$0] == nil })
    #expect(bench.rows.count == bench.outbox.count)
  }

  @Test("keep: latest holds one reading of a stream, wherever the one before it is", arguments: [0, 1, 2])
  func latest(written: Int) {
    var bench = OutboxBench(latest: [0])
    bench.append(1)
    for round in 0..<20 {
      bench.append(0)
      if written == 1 || written == 2 && round % 2 == 0 { bench.work(all: true) }
    }
    #expect(bench.outbox.count == 2 && bench.outbox.superseded == 19 && bench.outbox.dropped == 0)
    bench.work(all: true)
    #expect(bench.rows.count == 2)
    bench.crash()
    bench.append(0)
    bench.work()
    #expect(bench.outbox.count == 2)
    bench.outbox.connected(at: bench.now)
    #expect(bench.drain().filter { $0.stream == 0 }.map(\.sequence) == [21])
    bench.work(all: true)
    #expect(bench.rows.isEmpty && bench.outbox.bytes == 0)
  }
}

extension OutboxBench {
  /// What one reading takes in memory.
  var cost: Int {
    var copy = self
    copy.append()
    return copy.outbox.bytes
  }

  /// In memory a reading takes more than its row.
  @Test("what a disk gives back, with its batch or all of it, keeps the limit", arguments: [false, true])
  func boundsWhatComesBack(isLost: Bool) {
    var bench = OutboxBench(limit: 10_000)
    while bench.outbox.bytes < 9_800 {
      bench.append()
      bench.now = bench.now + .milliseconds(1)
    }
    let count = bench.outbox.count
    guard bench.outbox.takeBatch(all: true, { "name\($0.index)" }, bench.clock, at: bench.now) != nil else {
      Issue.record("nothing is written")
      return
    }
    let room = bench.outbox.bytes
    while bench.outbox.bytes < 9_800 { bench.append() }
    #expect(room < 9_000 && bench.outbox.dropped == 0)
    if isLost { bench.outbox.lostDisk(at: bench.now) } else { bench.outbox.writingFailed(at: bench.now) }
    #expect(bench.outbox.bytes <= 10_000 && bench.outbox.dropped > 0)
    #expect(bench.outbox.count >= count - 1)
  }
}
