import Synchronization
import Testing

@testable import LimpetInstants
@testable import LimpetPlatform
@testable import Measuring
@testable import Sensing

@Suite struct ReadQueueTests {
  /// Never read here: the queue only passes it on.
  struct Stub: SensorSource {
    let bus: Bus
    func read() throws(SensorError) -> Measurement { throw .stopped }
  }

  static let start = SuspendingClock.now
  let value = Result<Measurement, SensorError>.success(Measurement(value: .integer(1), time: .now))
  var queue = ReadQueue()

  func job(_ id: String, bus: String = "bus", timeout: Duration = .seconds(1)) -> ReadJob {
    ReadJob(id: id, source: Stub(bus: Bus(bus)), timeout: timeout)
  }

  func at(_ milliseconds: Int) -> ReadQueue.Instant { Self.start + .milliseconds(milliseconds) }

  func ids(_ results: [ReadResult]) -> [String] { results.map(\.id) }

  func id(_ step: ReadQueue.Step) -> String? {
    if case .read(let job) = step { job.id } else { nil }
  }

  /// Lets one read hang on each worker, the n-th on the n-th bus, until all have timed out at 1 s.
  mutating func hangAll(_ buses: [String] = ["x", "x", "y", "z"]) -> ReadQueue.Advance {
    for (index, bus) in buses.enumerated() {
      #expect(queue.submit([job("hang\(index)", bus: bus)], at: at(index * 20)).help == .start(index))
      #expect(id(queue.next(for: index, at: at(index * 20))) == "hang\(index)")
      _ = queue.advance(to: at(index * 20 + 15))
    }
    return queue.advance(to: at(1_100))
  }

  @Test("fast jobs of one submission run on one worker and are delivered together")
  mutating func batch() {
    #expect(queue.submit([job("a"), job("b"), job("c")], at: at(0)).help == .start(0))
    #expect(id(queue.next(for: 0, at: at(0))) == "a")
    #expect(id(queue.finish(0, outcome: value, at: at(0)).step) == "b")
    #expect(id(queue.finish(0, outcome: .failure(.fault(path: "/x")), at: at(0)).step) == "c")
    guard case .deliver(let results) = queue.finish(0, outcome: value, at: at(1)).step else {
      Issue.record("not delivered")
      return
    }
    #expect(ids(results) == ["a", "b", "c"])
    #expect(results[1].outcome == .failure(.fault(path: "/x")))
    guard case .wait = queue.next(for: 0, at: at(1)) else {
      Issue.record("does not wait")
      return
    }
  }

  @Test("a worker that was called and does not run yet is called again after 10 ms, not at once")
  mutating func calledOnce() {
    #expect(queue.submit([job("a"), job("b")], at: at(0)).help == .start(0))
    #expect(id(queue.next(for: 0, at: at(0))) == "a")
    #expect(queue.advance(to: at(11)).help == .start(1))
    #expect(queue.advance(to: at(11)).isEmpty)
    #expect(queue.nextDeadline == at(21))
    #expect(queue.advance(to: at(21)).help == .wake)
    #expect(id(queue.next(for: 1, at: at(23))) == "b")
    #expect(queue.nextDeadline == at(1_000))
  }

  /// Its adapter is known once it was looked for.
  private final class Located: SensorSource {
    private let isFound = Mutex(false)
    var bus: Bus { isFound.withLock { $0 } ? Bus("i2c-1", isSerial: true) : Bus("chip") }
    func locate() { isFound.withLock { $0 = true } }
    func read() throws(SensorError) -> Measurement { throw .stopped }
  }

  @Test("chips of one adapter that was found are read one at a time, and one that hangs takes one thread")
  mutating func adapter() {
    let jobs = ["a", "b", "c", "d"].map { ReadJob(id: $0, source: Located(), timeout: .seconds(1)) }
    for job in jobs { job.source.locate() }
    #expect(queue.submit(jobs, at: at(0)).help == .start(0))
    #expect(id(queue.next(for: 0, at: at(0))) == "a")
    #expect(queue.advance(to: at(100)).help == .none)
    let advance = queue.advance(to: at(1_100))
    #expect(advance.suspended == [Bus("i2c-1", isSerial: true)])
    #expect(Set(ids(advance.results)) == ["a", "b", "c", "d"])
    #expect(queue.submit([job("other", bus: "x")], at: at(1_200)).refused.isEmpty)
  }

  @Test("an idle queue has no deadline, so nobody wakes up")
  mutating func idle() {
    #expect(queue.nextDeadline == nil)
    _ = queue.submit([job("a")], at: at(0))
    #expect(queue.nextDeadline == nil)
    _ = queue.next(for: 0, at: at(0))
    _ = queue.finish(0, outcome: value, at: at(0))
    #expect(queue.nextDeadline == nil)
    #expect(queue.submit([], at: at(0)).help == .none)
    #expect(queue.submit([job("a")], at: at(0)).help == .wake)
  }

  @Test("a single read is watched for its timeout only, one that others wait for after 10 ms")
  mutating func deadlines() {
    _ = queue.submit([job("a")], at: at(0))
    _ = queue.next(for: 0, at: at(0))
    #expect(queue.nextDeadline == at(1_000))
    #expect(queue.submit([job("b")], at: at(5)).help == .none)
    #expect(queue.nextDeadline == at(10))
    #expect(queue.advance(to: at(9)).isEmpty)
    #expect(queue.advance(to: at(10)).help == .start(1))
    #expect(id(queue.next(for: 1, at: at(10))) == "b")
    #expect(queue.nextDeadline == at(1_000))
  }

  @Test("after 10 ms in one read, what is finished is delivered and what is not begun goes to another worker")
  mutating func slow() {
    _ = queue.submit([job("a"), job("slow"), job("c"), job("d")], at: at(0))
    _ = queue.next(for: 0, at: at(0))
    #expect(id(queue.finish(0, outcome: value, at: at(1)).step) == "slow")
    let advance = queue.advance(to: at(11))
    #expect(ids(advance.results) == ["a"])
    #expect(advance.help == .start(1))
    #expect(id(queue.next(for: 1, at: at(11))) == "c")
    #expect(id(queue.finish(1, outcome: value, at: at(11)).step) == "d")
    guard case .deliver(let results) = queue.finish(0, outcome: value, at: at(700)).step else {
      Issue.record("not delivered")
      return
    }
    #expect(ids(results) == ["slow"])
  }

  @Test("what is handed over goes before what was submitted later")
  mutating func order() {
    _ = queue.submit([job("slow"), job("b")], at: at(0))
    _ = queue.next(for: 0, at: at(0))
    _ = queue.submit([job("later")], at: at(1))
    _ = queue.advance(to: at(10))
    #expect(id(queue.next(for: 1, at: at(10))) == "b")
  }

  @Test("with four slow reads the rest waits for the first to return, and nobody spins")
  mutating func fourSlow() {
    _ = queue.submit((0..<6).map { job("\($0)") }, at: at(0))
    for index in 0..<4 {
      #expect(id(queue.next(for: index, at: at(index * 10))) == "\(index)")
      #expect(queue.advance(to: at(index * 10 + 10)).help == (index < 3 ? .start(index + 1) : .none))
    }
    #expect(queue.nextDeadline == at(1_000))
    _ = queue.finish(2, outcome: value, at: at(50))
    #expect(id(queue.next(for: 2, at: at(50))) == "4")
  }

  @Test("a sensor is not started again while its read waits or runs")
  mutating func stillRunning() {
    _ = queue.submit([job("a"), job("b")], at: at(0))
    _ = queue.next(for: 0, at: at(0))
    let refused = queue.submit([job("a"), job("b"), job("c"), job("c")], at: at(300)).refused
    #expect(
      refused.map(\.outcome) == [
        .failure(.stillRunning(for: .milliseconds(300))), .failure(.stillRunning(for: .milliseconds(300))),
        .failure(.stillRunning(for: .zero)),
      ])
    _ = queue.finish(0, outcome: value, at: at(301))
    #expect(queue.submit([job("a")], at: at(302)).refused.isEmpty)
  }

  @Test("a read past its timeout is reported once; its value comes when the kernel returns")
  mutating func timeout() {
    _ = queue.submit([job("a", timeout: .milliseconds(500))], at: at(0))
    _ = queue.next(for: 0, at: at(0))
    let results = queue.advance(to: at(500)).results
    #expect(results == [ReadResult(id: "a", outcome: .failure(.timedOut(after: .milliseconds(500))))])
    #expect(queue.advance(to: at(900)).isEmpty)
    #expect(queue.nextDeadline == nil)
    #expect(queue.timeouts == 1)
    guard case .deliver(let late) = queue.finish(0, outcome: value, at: at(5_000)).step else {
      Issue.record("not delivered")
      return
    }
    #expect(late == [ReadResult(id: "a", outcome: value)])
  }

  @Test("a timeout below 10 ms holds")
  mutating func shortTimeout() {
    _ = queue.submit([job("a", timeout: .milliseconds(2)), job("b")], at: at(0))
    _ = queue.next(for: 0, at: at(0))
    #expect(queue.nextDeadline == at(2))
    let advance = queue.advance(to: at(2))
    #expect(ids(advance.results) == ["a"])
    #expect(advance.help == .start(1))
  }

  @Test("one hung read suspends nothing")
  mutating func oneHung() {
    _ = queue.submit([job("a", bus: "x")], at: at(0))
    _ = queue.next(for: 0, at: at(0))
    #expect(queue.advance(to: at(1_000)).suspended.isEmpty)
    #expect(queue.submit([job("b", bus: "x")], at: at(1_001)).help == .start(1))
  }

  @Test("four hung reads suspend their buses; their jobs and all others fail at once, each with its reason")
  mutating func suspension() {
    #expect(hangAll().suspended == [Bus("x"), Bus("y"), Bus("z")])
    let refused = queue.submit([job("b", bus: "x"), job("c", bus: "other")], at: at(1_200)).refused
    #expect(
      refused.map(\.outcome) == [
        .failure(.busSuspended(Bus("x"))), .failure(.noThreadLeft(hanging: [Bus("x"), Bus("y"), Bus("z")])),
      ])
    #expect(queue.waiting.isEmpty)
    #expect(queue.refusals == 2)
  }

  @Test("what waits when the last worker hangs fails and may be submitted again")
  mutating func waitingFails() {
    for index in 0..<4 {
      _ = queue.submit([job("hang\(index)", bus: "x")], at: at(0))
      _ = queue.next(for: index, at: at(0))
      _ = queue.advance(to: at(10 * (index + 1)))
    }
    #expect(queue.submit([job("b", bus: "x"), job("c", bus: "other")], at: at(100)).refused.isEmpty)
    let results = queue.advance(to: at(1_100)).results
    #expect(ids(results) == ["hang0", "hang1", "hang2", "hang3", "b", "c"])
    #expect(results.last?.outcome == .failure(.noThreadLeft(hanging: [Bus("x")])))
    #expect(
      queue.submit([job("b", bus: "x")], at: at(1_200)).refused.first?.outcome == .failure(.busSuspended(Bus("x"))))
  }

  @Test("a worker that comes back serves other buses; a bus is resumed when none of its reads hangs")
  mutating func resumption() {
    _ = hangAll()
    let first = queue.finish(0, outcome: value, at: at(2_000))
    #expect(first.resumed == nil)
    _ = queue.next(for: 0, at: at(2_000))
    let submission = queue.submit([job("b", bus: "x"), job("c", bus: "other")], at: at(2_001))
    #expect(ids(submission.refused) == ["b"])
    #expect(submission.help == .wake)
    #expect(id(queue.next(for: 0, at: at(2_001))) == "c")
    #expect(queue.finish(1, outcome: value, at: at(3_000)).resumed == Bus("x"))
    #expect(queue.submit([job("b", bus: "x")], at: at(3_001)).refused.isEmpty)
    #expect(queue.suspended == [Bus("y"), Bus("z")])
  }

  @Test("a bus suspended already is not reported again")
  mutating func suspendedOnce() {
    _ = hangAll()
    _ = queue.finish(0, outcome: value, at: at(2_000))
    _ = queue.submit([job("c", bus: "other")], at: at(2_000))
    _ = queue.next(for: 0, at: at(2_000))
    #expect(queue.advance(to: at(3_000)).suspended == [Bus("other")])
  }

  @Test("without a thread the jobs fail, and the next submission tries again")
  mutating func noThread() {
    #expect(queue.submit([job("a"), job("b")], at: at(0)).help == .start(0))
    let results = queue.couldNotStart(0, errno: 11)
    #expect(results.map(\.outcome) == [.failure(.noThread(errno: 11)), .failure(.noThread(errno: 11))])
    #expect(queue.submit([job("a")], at: at(1)).help == .start(0))
  }

  @Test("where a second thread cannot be started, its jobs wait for the first")
  mutating func noSecondThread() {
    _ = queue.submit([job("slow"), job("b")], at: at(0))
    _ = queue.next(for: 0, at: at(0))
    #expect(queue.advance(to: at(10)).help == .start(1))
    #expect(queue.couldNotStart(1, errno: 11).isEmpty)
    _ = queue.finish(0, outcome: value, at: at(100))
    #expect(id(queue.next(for: 0, at: at(100))) == "b")
  }

  func serialJob(_ id: String, bus: String = "w1", timeout: Duration = .seconds(1)) -> ReadJob {
    ReadJob(id: id, source: Stub(bus: Bus(bus, isSerial: true)), timeout: timeout)
  }

  @Test("jobs of a serial bus are read by one worker, and the others go on beside it")
  mutating func serial() {
    _ = queue.submit([serialJob("w1"), job("a"), serialJob("w2"), serialJob("w3")], at: at(0))
    #expect(id(queue.next(for: 0, at: at(0))) == "a")
    #expect(queue.finish(0, outcome: value, at: at(1)).resumed == nil)
    #expect(id(queue.next(for: 0, at: at(1))) == "w1")
    // 10 ms on, nothing is handed over: another worker would wait for the same bus.
    #expect(queue.advance(to: at(11)).help == .none)
    #expect(queue.submit([job("b")], at: at(20)).help == .start(1))
    #expect(id(queue.next(for: 1, at: at(20))) == "b")
    guard case .deliver = queue.finish(1, outcome: value, at: at(21)).step, case .wait = queue.next(for: 1, at: at(21))
    else {
      Issue.record("a second worker takes part of the bus")
      return
    }
    #expect(id(queue.finish(0, outcome: value, at: at(751)).step) == "w2")
    #expect(ids(queue.advance(to: at(761)).results) == ["w1"], "told while the next is read")
    #expect(id(queue.finish(0, outcome: value, at: at(1_500)).step) == "w3")
  }

  @Test("what is submitted while a serial bus is read waits for it, and begins when it is done")
  mutating func serialLater() {
    _ = queue.submit([serialJob("w1")], at: at(0))
    #expect(id(queue.next(for: 0, at: at(0))) == "w1")
    #expect(queue.submit([serialJob("w2")], at: at(100)).help == .none)
    #expect(queue.submit([serialJob("x1", bus: "other")], at: at(100)).help == .start(1))
    #expect(id(queue.next(for: 1, at: at(100))) == "x1")
    guard case .deliver = queue.finish(0, outcome: value, at: at(750)).step else {
      Issue.record("not delivered")
      return
    }
    #expect(id(queue.next(for: 0, at: at(750))) == "w2")
  }

  @Test("a read that hangs suspends its serial bus at once, with all that waits for it, and nothing else")
  mutating func serialHang() {
    _ = queue.submit([serialJob("w1"), serialJob("w2")], at: at(0))
    _ = queue.next(for: 0, at: at(0))
    _ = queue.submit([serialJob("w3")], at: at(10))
    let advance = queue.advance(to: at(1_000))
    #expect(advance.suspended == [Bus("w1", isSerial: true)])
    #expect(ids(advance.results) == ["w1", "w2", "w3"])
    #expect(advance.results.last?.outcome == .failure(.busSuspended(Bus("w1", isSerial: true))))
    #expect(queue.submit([serialJob("w2")], at: at(1_100)).refused.count == 1)
    #expect(queue.submit([job("a")], at: at(1_100)).help == .start(1))
    #expect(queue.finish(0, outcome: value, at: at(5_000)).resumed == Bus("w1", isSerial: true))
    #expect(queue.submit([serialJob("w2"), serialJob("w3")], at: at(5_001)).refused.isEmpty)
    #expect(queue.queued.isEmpty && queue.suspended.isEmpty)
  }

  @Test("however many serial buses there are, one worker is left for all else, and who has waited longest goes first")
  mutating func manySerialBuses() {
    _ = queue.submit((1...3).map { serialJob("a\($0)", bus: "bus\($0)") }, at: at(0))
    for index in 0..<3 { #expect(id(queue.next(for: index, at: at(0))) == "a\(index + 1)") }
    _ = queue.submit([serialJob("z", bus: "bus9")], at: at(10))
    _ = queue.submit([serialJob("b", bus: "bus1"), job("fast")], at: at(20))
    #expect(id(queue.next(for: 3, at: at(20))) == "fast")
    guard case .deliver = queue.finish(3, outcome: value, at: at(21)).step, case .wait = queue.next(for: 3, at: at(21))
    else {
      Issue.record("the last worker takes a serial bus")
      return
    }
    _ = queue.finish(0, outcome: value, at: at(750))
    #expect(id(queue.next(for: 0, at: at(750))) == "z")
    _ = queue.finish(1, outcome: value, at: at(751))
    #expect(id(queue.next(for: 1, at: at(751))) == "b")
  }

  @Test("serial buses that hang hold up no other: as long as a worker is left, it reads the rest")
  mutating func hungSerialBuses() {
    _ = queue.submit((1...4).map { serialJob("a\($0)", bus: "bus\($0)") }, at: at(0))
    for index in 0..<3 { _ = queue.next(for: index, at: at(0)) }
    #expect(queue.waiting.isEmpty && queue.queued.count == 1)
    let advance = queue.advance(to: at(1_000))
    #expect(ids(advance.results) == ["a1", "a2", "a3"] && advance.help == .start(3))
    #expect(id(queue.next(for: 3, at: at(1_000))) == "a4")
  }

  @Test("a job keeps the bus on which it was submitted, and the next submission asks the source again")
  mutating func movingBus() {
    final class Moving: SensorSource {
      let place = Mutex("one")
      var bus: Bus { Bus(place.withLock { $0 }, isSerial: true) }
      func read() throws(SensorError) -> Measurement { throw .stopped }
    }
    let source = Moving()
    let job = ReadJob(id: "a", source: source)
    _ = queue.submit([job], at: at(0))
    _ = queue.next(for: 0, at: at(0))
    _ = queue.submit([ReadJob(id: "b", source: source)], at: at(1))
    source.place.withLock { $0 = "two" }
    _ = queue.finish(0, outcome: value, at: at(750))
    #expect(queue.waiting.map { $0.map(\.bus.name) } == [["one"]])
    _ = queue.submit([job], at: at(751))
    #expect(queue.waiting.map { $0.map(\.bus.name) } == [["one"], ["two"]])
  }

  @Test("when every worker hangs, what waits for a serial bus fails too")
  mutating func serialStranded() {
    _ = queue.submit([serialJob("w1", timeout: .seconds(100))], at: at(0))
    _ = queue.next(for: 0, at: at(0))
    _ = queue.submit([serialJob("w2")], at: at(1))
    for index in 1..<4 {
      _ = queue.submit([job("h\(index)")], at: at(20))
      _ = queue.next(for: index, at: at(20))
      _ = queue.advance(to: at(20 + index * 20))
    }
    let results = queue.advance(to: at(200_000)).results
    #expect(Set(ids(results)) == ["w1", "w2", "h1", "h2", "h3"])
    #expect(queue.queued.isEmpty && queue.waiting.isEmpty)
  }

  @Test("after a stop workers end, late reads are not reported, and jobs are refused")
  mutating func stop() {
    _ = queue.submit([job("a"), job("b")], at: at(0))
    _ = queue.next(for: 0, at: at(0))
    queue.stop()
    guard case .end = queue.finish(0, outcome: value, at: at(1)).step, case .end = queue.next(for: 1, at: at(1)) else {
      Issue.record("does not end")
      return
    }
    #expect(queue.submit([job("c")], at: at(2)).refused.first?.outcome == .failure(.stopped))
  }
}
