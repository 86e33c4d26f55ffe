import Synchronization
import Testing

@testable import LimpetInstants
@testable import LimpetPlatform
@testable import Measuring
@testable import Sensing

@Suite(.timeLimit(.minutes(1))) struct BlockingReaderTests {
  /// Blocks like a driver until it is opened.
  final class Gate: SensorSource {
    let bus: Bus
    private let lock = ConditionLock(false)

    init(_ bus: String = "gate", isSerial: Bool = false) {
      self.bus = Bus(bus, isSerial: isSerial)
    }

    func read() throws(SensorError) -> Measurement {
      lock.wait { $0 ? .ready(()) : .wait }
      return Measurement(value: .flag(true), time: .now)
    }

    func open() {
      lock.withLock { $0 = true }
      lock.broadcast()
    }
  }

  struct Instant: SensorSource {
    var bus: Bus { Bus("instant") }
    func read() throws(SensorError) -> Measurement { Measurement(value: .integer(1), time: .now) }
  }

  /// What a reader reports, as streams to await.
  struct Reports {
    let reader: BlockingReader
    var batches: AsyncStream<[ReadResult]>.Iterator
    var changes: AsyncStream<BusChange>.Iterator

    init() {
      let (batches, deliver) = AsyncStream.makeStream(of: [ReadResult].self)
      let (changes, change) = AsyncStream.makeStream(of: BusChange.self)
      reader = BlockingReader(busChanged: { change.yield($0) }, deliver: { deliver.yield($0) })
      self.batches = batches.makeAsyncIterator()
      self.changes = changes.makeAsyncIterator()
    }
  }

  func jobs(_ ids: some Sequence<String>) -> [ReadJob] { ids.map { ReadJob(id: $0, source: Instant()) } }

  @Test("a submission of fast sensors comes back as one batch, from one thread")
  func batch() async {
    var reports = Reports()
    #expect(reports.reader.status.threads == 0)
    let ids = (0..<20).map { "s\($0)" }
    #expect(reports.reader.submit(jobs(ids)).isEmpty)
    // On a machine that is busy, 10 ms can pass within a read: then it comes in parts, and none is lost.
    var results: [String] = []
    while results.count < ids.count { results += await reports.batches.next()?.map(\.id) ?? [] }
    #expect(Set(results) == Set(ids))
  }

  @Test("a sensor that blocks does not delay the others of its submission")
  func slow() async {
    var reports = Reports()
    let gate = Gate()
    let first = ReadJob(id: "first", source: Instant())
    let slow = ReadJob(id: "slow", source: gate)
    #expect(reports.reader.submit([first, slow] + jobs(["b", "c"])).isEmpty)
    var others: Set<String> = []
    while others.count < 3 { others.formUnion(await reports.batches.next()?.map(\.id) ?? []) }
    #expect(others == ["first", "b", "c"])
    #expect(reports.reader.submit([slow]).map(\.id) == ["slow"])
    gate.open()
    #expect(await reports.batches.next()?.map(\.id) == ["slow"])
  }

  @Test("a read that hangs is reported, then gives its value")
  func timeout() async throws {
    var reports = Reports()
    let gate = Gate()
    _ = reports.reader.submit([ReadJob(id: "a", source: gate, timeout: .milliseconds(20))])
    #expect(await reports.batches.next()?.map(\.outcome) == [.failure(.timedOut(after: .milliseconds(20)))])
    let hang = try #require(reports.reader.status.hanging.first)
    #expect(hang.id == "a" && hang.duration >= .milliseconds(20))
    gate.open()
    #expect(try await reports.batches.next()?.first?.outcome.get().value == .flag(true))
    #expect(reports.reader.status.hanging.isEmpty)
    #expect(reports.reader.status.timeouts == 1)
  }

  @Test("four hanging reads suspend the bus; when they return, it is read again")
  func suspension() async {
    var reports = Reports()
    let gate = Gate("1-Wire")
    _ = reports.reader.submit((0..<5).map { ReadJob(id: "w\($0)", source: gate, timeout: .milliseconds(20)) })
    #expect(await reports.changes.next() == .suspended(Bus("1-Wire")))
    var failed: [ReadResult] = []
    while failed.count < 5 { failed += await reports.batches.next() ?? [] }
    #expect(failed.last?.outcome == .failure(.busSuspended(Bus("1-Wire"))))
    #expect(reports.reader.submit(jobs(["other"])).first?.outcome == .failure(.noThreadLeft(hanging: [Bus("1-Wire")])))
    #expect(reports.reader.status.threads == 4)

    gate.open()
    #expect(await reports.changes.next() == .resumed(Bus("1-Wire")))
    #expect(reports.reader.submit(jobs(["other"])).isEmpty)
    var ids: Set<String> = []
    while ids.count < 5 { ids.formUnion(await reports.batches.next()?.map(\.id) ?? []) }
    #expect(ids == ["w0", "w1", "w2", "w3", "other"])
  }

  @Test("ten sensors of a slow serial bus take one thread, delay no other sensor, and all come in the end")
  func serialBus() async {
    var reports = Reports()
    let gate = Gate("w1", isSerial: true)
    // Not to be taken for hung where a busy machine makes the rounds take long.
    let slow = (0..<10).map { ReadJob(id: "w\($0)", source: gate, timeout: .seconds(600)) }
    #expect(reports.reader.submit(slow + jobs(["a", "b"])).isEmpty)
    var ids: Set<String> = []
    while ids.count < 2 { ids.formUnion(await reports.batches.next()?.map(\.id) ?? []) }
    #expect(ids == ["a", "b"])
    for round in 0..<20 {
      #expect(reports.reader.submit(jobs(["r\(round)"])).isEmpty)
      #expect(await reports.batches.next()?.map(\.id) == ["r\(round)"])
    }
    #expect(reports.reader.status.threads <= 2)
    #expect(reports.reader.status.waiting == 9)
    gate.open()
    ids = []
    while ids.count < 10, let batch = await reports.batches.next() { ids.formUnion(batch.map(\.id)) }
    #expect(ids == Set(slow.map(\.id)))
  }

  @Test("many submissions from many tasks lose nothing")
  func load() async {
    var reports = Reports()
    let reader = reports.reader
    await withTaskGroup(of: Void.self) { group in
      for task in 0..<8 {
        group.addTask {
          for number in 0..<200 { _ = reader.submit([ReadJob(id: "\(task).\(number)", source: Instant())]) }
        }
      }
    }
    var ids: Set<String> = []
    while ids.count < 1600 { ids.formUnion(await reports.batches.next()?.map(\.id) ?? []) }
    #expect(ids.count == 1600)
    #expect(reader.status.waiting == 0)
  }

  @Test("a callback may submit")
  func submitInCallback() async {
    let (ids, continuation) = AsyncStream.makeStream(of: String.self)
    let reader = Mutex<BlockingReader?>(nil)
    let made = BlockingReader { results in
      for result in results {
        continuation.yield(result.id)
        guard let number = Int(result.id), number < 100 else { continue }
        let next = ReadJob(id: "\(number + 1)", source: Instant())
        _ = reader.withLock { $0 }?.submit([next])
      }
    }
    reader.withLock { $0 = made }
    _ = made.submit(jobs(["0"]))
    var iterator = ids.makeAsyncIterator()
    while let id = await iterator.next(), id != "100" {}
    reader.withLock { $0 = nil }
  }

  /// Says when nothing holds it any more.
  final class Token: Sendable {
    let gone: @Sendable () -> Void
    init(_ gone: @escaping @Sendable () -> Void) { self.gone = gone }
    deinit { gone() }
  }

  @Test("threads end at shutdown, one that hangs when the kernel returns", arguments: [false, true])
  func shutdown(withHang: Bool) async {
    let (ends, continuation) = AsyncStream.makeStream(of: Void.self)
    let (results, deliver) = AsyncStream.makeStream(of: [ReadResult].self)
    let gate = Gate()
    do {
      // The threads hold the callback as long as they live.
      let token = Token { continuation.finish() }
      let reader = BlockingReader { [token] in
        withExtendedLifetime(token) {}
        deliver.yield($0)
      }
      _ = reader.submit(jobs(["a"]))
      _ = await results.first { _ in true }
      if withHang {
        _ = reader.submit([ReadJob(id: "hang", source: gate, timeout: .milliseconds(1))])
        _ = await results.first { _ in true }
      }
      reader.shutdown()
      #expect(reader.submit(jobs(["b"])).first?.outcome == .failure(.stopped))
    }
    gate.open()
    for await _ in ends {}
  }
}
