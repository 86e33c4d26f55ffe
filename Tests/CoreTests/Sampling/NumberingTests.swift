import MQTTCore
import Testing

@testable import Core
@testable import LimpetInstants
@testable import Outbox
@testable import Readings
@testable import Records

private func at(_ seconds: Int) -> BootClock.Instant { BootClock.Instant(nanoseconds: Int64(seconds) * 1_000_000_000) }

/// A numbering in front of an outbox.
private struct Bench {
  var numbering: Numbering
  var outbox: Outbox
  let clock = WallClock(instant: at(0), sinceEpoch: .seconds(1_000_000), isSynchronized: true)
  var limit = 1_000_000
  var notes: [ReadingNote] = []

  init(
    _ names: [String], stored: [String: StoredSequence] = [:], blockSize: UInt64 = 10, firstToken: Session.Token = 16
  )
    throws
  {
    outbox = Outbox(Self.rules(names.count), at: at(0))
    var numbers = SequenceAllocator(stored: stored, blockSize: blockSize)
    numbers.register(names)
    numbering = Numbering(try names.map { try stream($0) }, numbers, firstToken: firstToken)
  }

  mutating func add(_ value: Int64, of stream: StreamID = 0, at seconds: Int = 1) {
    numbering.add(UnnumberedReading(stream: stream, content: .good(.integer(value)), unit: nil, time: at(seconds)))
  }

  mutating func number(at seconds: Int = 1) {
    numbering.number(into: &outbox, clock, limit: limit, at: at(seconds), notes: &notes)
  }

  mutating func adopt(_ streams: [Stream]) {
    outbox.adopt(Self.rules(streams.count))
    numbering.adopt(streams)
  }

  private static func rules(_ streams: Int) -> Outbox.Rules {
    Outbox.Rules(limit: 1_000_000, drainRate: 500, keepsLatest: Array(repeating: false, count: streams))
  }

  /// What the outbox has from now on, as `stream:number:token`, in the order of tokens.
  mutating func taken() -> [String] {
    var all: [Outbox.Taken] = []
    while let taken = outbox.take(at: at(1000)) { all.append(taken) }
    return all.sorted { $0.token < $1.token }.map { "\($0.reading.stream.index):\($0.reading.sequence):\($0.token)" }
  }

  mutating func reserve() { numbering.reserved(numbering.request(at: at(1000))) }
}

private func stream(_ name: String, isRemoved: Bool = false) throws -> Stream {
  Stream(
    name: name, topic: try TopicName("t/\(name)"), qos: .atLeastOnce, isRetained: false, format: .json,
    isRemoved: isRemoved)
}

struct NumberingTests {
  @Test("readings get the numbers of their names, and tokens in their order")
  func order() throws {
    var bench = try Bench(["a", "b"], firstToken: 100)
    bench.reserve()
    for (index, stream) in ([0, 1, 0, 0, 1] as [StreamID]).enumerated() { bench.add(Int64(index), of: stream) }
    #expect(bench.numbering.waitingCount == 5)
    bench.number()
    #expect(!bench.numbering.hasWaiting)
    #expect(bench.taken() == ["0:1:100", "1:1:101", "0:2:102", "0:3:103", "1:2:104"])
    #expect(bench.numbering.exact == ["a": 4, "b": 3])
    #expect(bench.numbering.counts.readings == 5)
    #expect(bench.numbering.last(of: 1)?.content == .good(.integer(4)))
  }

  @Test("they wait until the disk has reserved their numbers, one request at a time")
  func reservation() throws {
    var bench = try Bench(["a"])
    bench.add(1)
    bench.number()
    #expect(bench.taken() == [])
    let ends = bench.numbering.request(at: at(1))
    #expect(ends == ["a": 11])
    #expect(bench.numbering.request(at: at(1)) == [:], "one is under way")
    bench.numbering.reserved(ends)
    bench.number()
    #expect(bench.taken() == ["0:1:16"])
    #expect(bench.numbering.deadline == nil)
  }

  @Test("a disk that fails is asked again at the deadline; numbers go on meanwhile")
  func failure() throws {
    var bench = try Bench(["a"])
    #expect(bench.numbering.request(at: at(1)) == ["a": 11])
    bench.numbering.reservationFailed(at: at(1))
    #expect(bench.numbering.deadline == at(2))
    #expect(bench.numbering.request(at: at(1)) == [:])
    bench.add(1)
    bench.number()
    #expect(bench.taken() == ["0:1:16"])
    #expect(bench.numbering.request(at: at(2)) == ["a": 12])
  }

  @Test("a disk that does not answer fills no memory: the oldest are given up, counted, and told of by a gap")
  func bound() throws {
    var bench = try Bench(["a"])
    bench.limit = UnnumberedReading(stream: 0, content: .good(.integer(1)), unit: nil, time: at(1)).cost * 3
    for value in 0..<10 {
      bench.add(Int64(value))
      bench.number()
    }
    #expect(bench.numbering.waitingCount == 3)
    #expect(bench.outbox.dropped == 7)
    #expect(
      bench.notes == [1, 2, 4].map { .bufferIsFull(dropped: $0, isMemoryBound: false) },
      "at the first and each doubling")
    bench.reserve()
    bench.number()
    #expect(bench.taken().count == 4)
    #expect(bench.numbering.counts == Numbering.Counts(readings: 4), "the gap is of readings, not of edges")
  }

  @Test("edges that a line lost are counted once, also where their gap itself is given up")
  func lostEdges() throws {
    var bench = try Bench(["a"])
    bench.limit = 0
    bench.numbering.add(UnnumberedReading(stream: 0, content: .gap(lost: 5), unit: nil, time: at(1)))
    bench.number()
    #expect(bench.numbering.counts.lostEdges == 5)
    bench.limit = 1_000_000
    bench.reserve()
    bench.add(1)
    bench.number()
    #expect(bench.taken().count == 2)
    #expect(bench.numbering.counts.lostEdges == 5)
  }

  @Test("the value from before a gap is the last there is")
  func gap() throws {
    var bench = try Bench(["a"])
    bench.reserve()
    bench.add(7)
    bench.numbering.add(UnnumberedReading(stream: 0, content: .gap(lost: 2), unit: nil, time: at(1)))
    bench.number()
    #expect(bench.numbering.last(of: 0)?.content == .good(.integer(7)))
    bench.add(8)
    #expect(bench.numbering.contents.map(\.content) == [.good(.integer(7)), .good(.integer(8))])
  }

  @Test("over a change a name keeps its number and its last reading; one that was gone begins with none")
  func adopt() throws {
    var bench = try Bench(["a", "b"])
    bench.reserve()
    bench.add(1, of: 0)
    bench.add(2, of: 1)
    bench.number()
    bench.adopt([try stream("a"), try stream("b", isRemoved: true), try stream("c")])
    #expect(bench.numbering.last(of: 0) != nil && bench.numbering.last(of: 1) == nil)
    #expect(bench.numbering.last(of: 2) == nil)
    bench.add(3, of: 2)
    bench.number()
    #expect(bench.numbering.hasWaiting, "of a new name no number is reserved yet")
    bench.reserve()
    bench.number()
    bench.adopt([try stream("a"), try stream("b"), try stream("c")])
    #expect(bench.numbering.last(of: 1) == nil)
    bench.add(4, of: 1)
    bench.number()
    #expect(bench.taken() == ["0:1:16", "1:1:17", "2:1:18", "1:2:19"])
  }

  @Test("behind another store, numbers and tokens go on past what it has")
  func otherStore() throws {
    var bench = try Bench(["a"])
    bench.reserve()
    bench.add(1)
    bench.number()
    bench.numbering.adopt(["a": StoredSequence(next: 50, exact: true)], lastToken: 200)
    #expect(bench.numbering.request(at: at(2)) == ["a": 60])
    bench.add(2)
    bench.number()
    #expect(bench.taken() == ["0:1:16", "0:50:201"])
  }
}
