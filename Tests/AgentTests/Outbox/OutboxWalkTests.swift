import LimpetInstants
import Testing

@testable import Outbox

/// An outbox through whatever can happen to it, at random, beside a list of what should come out.
@Suite("Outbox: random walks")
struct OutboxWalkTests {
  private struct Walk {
    var bench: OutboxBench
    var random: SplitMix64
    /// Tokens that are in the outbox, by stream.
    var waiting: [[UInt64]]
    var underWay: [UInt64: Int] = [:]
    var sequences: [UInt64: UInt64] = [:]
    var last: [UInt64]
    var isConnected = false

    init(seed: UInt64, _ writing: Outbox.Writing, streams: Int) {
      random = SplitMix64(seed: seed)
      bench = OutboxBench(writing, streams: streams)
      waiting = Array(repeating: [], count: streams)
      last = Array(repeating: 0, count: streams)
    }

    mutating func step() {
      switch Int.random(in: 0..<100, using: &random) {
      case 0..<45:
        for _ in 0..<Int.random(in: 1...20, using: &random) {
          let stream = Int.random(in: 0..<waiting.count, using: &random)
          waiting[stream].append(bench.append(stream))
        }
      case 45..<60: bench.pass(.milliseconds(Int.random(in: 0...2000, using: &random)))
      case 60..<75: bench.work(succeeds: Int.random(in: 0..<4, using: &random) > 0)
      case 75..<80: setConnected(!isConnected)
      case 80..<90: if isConnected { send(Int.random(in: 1...60, using: &random)) }
      case 90..<97: for token in underWay.keys where Bool.random(using: &random) { settle(token) }
      case 97: crash()
      default: bench.work()
      }
      let count = waiting.reduce(0) { $0 + $1.count }
      #expect(bench.outbox.count == count)
    }

    mutating func setConnected(_ value: Bool) {
      isConnected = value
      if value { bench.outbox.connected(at: bench.now) } else { bench.outbox.disconnected(at: bench.now) }
    }

    mutating func send(_ limit: Int) {
      for _ in 0..<limit {
        guard let taken = bench.take() else { return }
        let stream = taken.reading.stream.index
        #expect(waiting[stream].first == taken.token)
        waiting[stream].removeFirst()
        #expect(taken.isNewest == waiting[stream].isEmpty)
        underWay[taken.token] = stream
      }
    }

    mutating func settle(_ token: UInt64) {
      bench.settle(token)
      underWay[token] = nil
    }

    /// What was on the disk is there again: also what was sent, and not settled or not deleted yet.
    mutating func crash() {
      isConnected = false
      bench.crash()
      underWay = [:]
      for stream in waiting.indices {
        waiting[stream] = bench.rows.values.filter { $0.stream == stream + 1 }.map(\.token).sorted()
      }
    }

    mutating func finish() {
      if !isConnected { setConnected(true) }
      for token in underWay.keys { settle(token) }
      var idle = 0
      while !bench.outbox.isEmpty, idle < 200 {
        bench.work()
        let before = bench.outbox.count
        send(.max)
        for token in underWay.keys { settle(token) }
        idle = bench.outbox.count == before ? idle + 1 : 0
        bench.pass(.seconds(1))
      }
      bench.pass(.seconds(100))
      bench.work()
      #expect(bench.outbox.isEmpty && bench.rows.isEmpty && bench.outbox.bytes == 0)
      let left = waiting.reduce(0) { $0 + $1.count }
      #expect(left == 0)
    }
  }

  @Test("everything comes out once, in order, and is deleted", arguments: 0..<40 as Range<UInt64>)
  func walk(seed: UInt64) {
    let rules: [Outbox.Writing] = [.always, .after(.seconds(1), outage: .seconds(30)), .after(.zero, outage: .zero)]
    var walk = Walk(seed: seed, rules[Int(seed % 3)], streams: Int(seed % 5) + 1)
    for _ in 0..<300 { walk.step() }
    walk.finish()
  }
}
