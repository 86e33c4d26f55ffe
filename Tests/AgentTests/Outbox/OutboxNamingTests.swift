import Testing

@testable import Agent
@testable import Outbox

@Suite("Outbox, streams that a reload brings")
struct OutboxNamingTests {
  /// A bench whose last stream has come with a reload.
  private func bench(_ writing: Outbox.Writing = .after(.seconds(1), outage: .seconds(30))) -> OutboxBench {
    var bench = OutboxBench(writing)
    bench.reload(adding: 1)
    return bench
  }

  @Test("they are numbered at once, and written under their number")
  func numbered() {
    var bench = bench()
    #expect(bench.outbox.storeDeadline(at: bench.now) != nil)
    let token = bench.append(3)
    bench.pass(.seconds(1))
    #expect(bench.outbox.writeDeadline(at: bench.now) == nil, "a row without a stream would be nobody's")
    bench.work(all: true)
    #expect(bench.batches.isEmpty)
    #expect(bench.outbox.nextNaming(at: bench.now) == [3])
    #expect(bench.outbox.nextNaming(at: bench.now) == nil, "one at a time")
    bench.outbox.named([3: 9])
    bench.work()
    #expect(bench.rows[token]?.stream == 9)
    #expect(bench.outbox.storeDeadline(at: bench.now) == nil)
    #expect(bench.drain().map(\.stream) == [3])
  }

  @Test("a store that fails is asked again after a second, then later and later, and sync: always holds nothing back")
  func fails() {
    var bench = bench(.always)
    bench.outbox.connected(at: bench.now)
    let token = bench.append(3)
    #expect(bench.take() == nil)
    var delays: [Duration] = []
    for _ in 0..<8 {
      #expect(bench.outbox.nextNaming(at: bench.now) == [3])
      bench.outbox.namingFailed(at: bench.now)
      #expect(bench.outbox.nextNaming(at: bench.now) == nil)
      guard let deadline = bench.outbox.namingDeadline(at: bench.now) else { break }
      delays.append(bench.now.duration(to: deadline))
      bench.now = deadline
    }
    #expect(delays == [1, 2, 4, 8, 16, 32, 60, 60].map { .seconds($0) })
    #expect(bench.take() == nil, "the disk may be tried again, and goes first")
    #expect(bench.outbox.nextNaming(at: bench.now) == [3])
    bench.outbox.namingFailed(at: bench.now)
    #expect(bench.take()?.token == token)
    bench.settle(token)
    bench.pass(.seconds(60))
    let next = bench.append(3)
    #expect(bench.outbox.nextNaming(at: bench.now) == [3])
    bench.outbox.named([3: 9])
    bench.work()
    #expect(bench.rows[next]?.stream == 9)
    #expect(bench.rows[token] == nil)
  }

  @Test("another file numbers all of them; an answer of the old one says nothing about it")
  func anotherFile() {
    var bench = bench()
    #expect(bench.outbox.nextNaming(at: bench.now) == [3])
    bench.outbox.lostDisk(at: bench.now)
    #expect(bench.outbox.namingDeadline(at: bench.now) == nil)
    bench.open()
    bench.outbox.named([3: 77])
    let token = bench.append(3)
    bench.work(all: true)
    #expect(bench.rows[token]?.stream == 4)
  }

  @Test("at the end it is tried at once")
  func last() {
    var bench = bench()
    _ = bench.outbox.nextNaming(at: bench.now)
    bench.outbox.namingFailed(at: bench.now)
    #expect(bench.outbox.nextNaming(isLast: true, at: bench.now) == [3])
  }
}
