import LimpetInstants
import Testing

@testable import Outbox

@Suite("Outbox")
struct OutboxTests {
  @Test("a new outbox is empty, and has nothing to do")
  func empty() {
    var bench = OutboxBench()
    #expect(bench.outbox.isEmpty && bench.outbox.bytes == 0 && bench.outbox.storeDeadline(at: bench.now) == nil)
    #expect(bench.take() == nil)
    #expect(bench.outbox.writeDeadline(at: bench.now) == nil)
  }

  @Test("readings leave in the order in which they came, and nothing of them is written where they leave at once")
  func live() {
    var bench = OutboxBench()
    bench.outbox.connected(at: bench.now)
    for sequence in 1...100 as ClosedRange<UInt64> {
      let token = bench.append()
      let taken = bench.take()
      #expect(taken?.token == token && taken?.reading.sequence == sequence && taken?.isNewest == true)
      bench.pass(.milliseconds(500))
      bench.work()
      bench.settle(token)
    }
    #expect(bench.batches.isEmpty && bench.outbox.storeDeadline(at: bench.now) == nil)
  }

  @Test("a reading that waits longer than sync is written, and no earlier")
  func sync() {
    var bench = OutboxBench()
    bench.append()
    bench.pass(.milliseconds(999))
    bench.work()
    #expect(bench.batches.isEmpty)
    #expect(bench.outbox.writeDeadline(at: bench.now) == OutboxBench.base + .seconds(1))
    bench.pass(.milliseconds(1))
    bench.append()
    bench.work()
    #expect(bench.batches.map(\.readings.count) == [2], "with the one that came since")
    #expect(bench.batches.first?.numbers.isEmpty == true)
  }

  @Test("after an outage of a minute a batch is what comes in in sync_outage")
  func outageBatches() {
    var bench = OutboxBench()
    for _ in 0..<300 {
      bench.append()
      bench.work()
      bench.pass(.seconds(1))
    }
    let usual = bench.batches.prefix { $0.readings.count <= 2 }.count
    #expect((29...61).contains(usual))
    #expect(bench.batches.dropFirst(usual).allSatisfy { $0.readings.count >= 29 })
    bench.outbox.connected(at: bench.now)
    bench.append()
    bench.pass(.seconds(1))
    let before = bench.batches.count
    bench.work()
    #expect(bench.batches.count == before + 1, "as usual again")
  }

  @Test("sync: always sends nothing that is not on the disk, and stores its number with it")
  func always() {
    var bench = OutboxBench(.always)
    bench.outbox.connected(at: bench.now)
    let token = bench.append()
    #expect(bench.take() == nil)
    let batch = bench.outbox.takeBatch({ "name\($0.index)" }, bench.clock, at: bench.now)
    #expect(batch?.readings.map(\.token) == [token])
    #expect(batch?.numbers == ["name0": 2])
    #expect(bench.take() == nil, "it is being written")
    bench.append()
    #expect(bench.outbox.takeBatch({ "name\($0.index)" }, bench.clock, at: bench.now) == nil, "one at a time")
    bench.outbox.wrote()
    #expect(bench.take()?.token == token)
    #expect(bench.take() == nil)
  }

  @Test("sync: always with a disk that fails sends what it has in memory, and writes it when the disk is back")
  func alwaysFails() {
    var bench = OutboxBench(.always)
    bench.outbox.connected(at: bench.now)
    bench.append()
    bench.work(succeeds: false)
    #expect(bench.take() != nil)
    bench.append()
    bench.outbox.disconnected(at: bench.now)
    bench.work()
    #expect(bench.rows.isEmpty, "tried again after a while")
    bench.pass(.seconds(1))
    bench.work()
    #expect(bench.rows.count == 1)
  }

  @Test("a disk that fails is tried less and less often")
  func backOff() {
    var bench = OutboxBench()
    bench.append()
    bench.pass(.seconds(1))
    var waits: [Duration] = []
    for _ in 0..<9 {
      bench.work(succeeds: false)
      guard let deadline = bench.outbox.writeDeadline(at: bench.now) else { break }
      waits.append(bench.now.duration(to: deadline))
      bench.now = deadline
    }
    #expect(waits == [1, 2, 4, 8, 16, 32, 60, 60, 60].map { .seconds($0) })
    #expect(bench.outbox.count == 1 && bench.outbox.disk.unwritten == 1)
  }

  @Test("what was settled is deleted with the next batch, at the latest after a second")
  func deletes() {
    var bench = OutboxBench()
    for _ in 0..<5 { bench.append() }
    bench.pass(.seconds(1))
    bench.work()
    #expect(bench.rows.count == 5)
    bench.outbox.connected(at: bench.now)
    let tokens = (0..<5).compactMap { _ in bench.take()?.token }
    #expect(tokens.count == 5 && bench.outbox.isEmpty)
    for token in tokens.dropLast() { bench.settle(token) }
    bench.work()
    #expect(bench.rows.count == 5)
    bench.pass(.seconds(1))
    bench.work()
    #expect(Array(bench.rows.keys) == [tokens[4]], "one is still under way")
  }

  @Test("after a crash everything that was written is there again, in its order, and nothing that was deleted")
  func crash() {
    var bench = OutboxBench()
    for round in 0..<1000 { bench.append(round % 3) }
    bench.pass(.seconds(1))
    bench.work()
    bench.outbox.connected(at: bench.now)
    #expect(bench.drain(limit: 300).count == 300)
    bench.pass(.seconds(1))
    bench.work()
    bench.crash()
    #expect(bench.outbox.count == 700)
    bench.outbox.connected(at: bench.now)
    let rest = bench.drain()
    for stream in 0..<3 {
      let sequences = rest.filter { $0.stream.index == stream }.map(\.sequence)
      #expect(sequences == Array((sequences.first ?? 0)...(stream == 0 ? 334 : 333)))
    }
    bench.pass(.seconds(1))
    bench.work()
    #expect(bench.rows.isEmpty && bench.outbox.isEmpty && bench.outbox.bytes == 0)
  }

  @Test("a disk that is opened late has what it had before, and all that came meanwhile")
  func openedLate() {
    var bench = OutboxBench(streams: 1)
    for _ in 0..<10 { bench.append() }
    bench.pass(.seconds(1))
    bench.work()
    bench.outbox = Outbox(bench.outbox.rules, at: bench.now)
    for _ in 0..<300 { bench.append() }
    bench.pass(.seconds(60))
    bench.open()
    bench.work()
    #expect(bench.outbox.count == 310 && bench.outbox.dropped == 0)
    bench.outbox.connected(at: bench.now)
    #expect(bench.drain().map(\.sequence) == Array(1...310))
    bench.pass(.seconds(1))
    bench.work()
    #expect(bench.rows.isEmpty && bench.outbox.isEmpty && bench.outbox.bytes == 0)
  }

  @Test("where only the newest is kept, it says in place of those before it that the process began anew")
  func restartedIsKept() throws {
    var bench = OutboxBench(streams: 1, latest: [0])
    bench.append()
    bench.pass(.seconds(1))
    bench.work()
    bench.outbox = Outbox(bench.outbox.rules, at: bench.now)
    bench.append(restarted: true)
    bench.open()
    bench.append()
    bench.work()
    bench.outbox.connected(at: bench.now)
    let first = bench.take()
    let taken = try #require(first)
    #expect(taken.reading.restarted && taken.reading.sequence == 3)
    bench.append()
    let isBack = bench.outbox.putBack(taken.token, bench.clock, at: bench.now)
    #expect(isBack)
    #expect(bench.drain().map(\.restarted) == [true])
  }

  @Test("memory holds a window of a backlog, whatever its length")
  func window() {
    var bench = OutboxBench(streams: 1)
    for _ in 0..<10_000 {
      bench.append()
      bench.pass(.milliseconds(10))
      bench.work()
    }
    #expect(bench.outbox.queues[0].held < 3200, "what is not written yet, and a window")
    bench.outbox.connected(at: bench.now)
    #expect(bench.drain(limit: 5000).map(\.sequence) == Array(1...5000))
    #expect(bench.outbox.queues[0].held < 3200, "what is not written yet, and a window")
    #expect(bench.drain().map(\.sequence) == Array(5001...10_000))
  }

  @Test("only the newest that waits of a stream says so")
  func newest() {
    var bench = OutboxBench()
    for stream in [0, 0, 0, 1] { bench.append(stream) }
    bench.outbox.connected(at: bench.now)
    var newest: [Int: [Bool]] = [:]
    while let taken = bench.take() { newest[taken.reading.stream.index, default: []].append(taken.isNewest) }
    #expect(newest == [0: [false, false, true], 1: [true]])
  }

  @Test("a reading that the session had no room for is the next one again")
  func givenBack() {
    var bench = OutboxBench()
    let tokens = [bench.append(), bench.append()]
    bench.outbox.connected(at: bench.now)
    let taken = bench.take()
    if let taken { bench.outbox.giveBack(taken) }
    #expect(bench.outbox.count == 2)
    #expect([bench.take()?.token, bench.take()?.token] == tokens)
  }

  @Test("what is older than its expiry is dropped and counted")
  func expiry() {
    var bench = OutboxBench(expiry: .seconds(60))
    bench.append()
    bench.pass(.seconds(59))
    bench.append()
    bench.work(all: true)
    bench.pass(.seconds(1))
    bench.outbox.connected(at: bench.now)
    #expect(bench.drain().map(\.sequence) == [2])
    #expect(bench.outbox.expired == 1 && bench.outbox.dropped == 0)
    bench.pass(.seconds(1))
    bench.work()
    #expect(bench.rows.isEmpty)
  }
}
