import Testing

@testable import Core
@testable import LimpetInstants
@testable import Measuring
@testable import Outbox
@testable import Plan
@testable import Readings
@testable import Records

private func at(_ seconds: Int) -> BootClock.Instant { BootClock.Instant(nanoseconds: Int64(seconds) * 1_000_000_000) }

private func gpio(_ line: String, bias: GPIOInput.Bias = .asIs, mode: GPIOInput.Mode = .state) -> GPIOInput {
  GPIOInput(
    chip: nil, line: .name(line), bias: bias, isActiveLow: false, debounce: .zero, mode: mode, isForced: false,
    maxRate: 1000)
}

private func plan(_ name: String, _ line: String, stream: StreamID = 0, bias: GPIOInput.Bias = .asIs) -> LinePlan {
  LinePlan(name: name, stream: stream, request: gpio(line, bias: bias))
}

private func counter(_ name: String, _ line: String, stream: StreamID = 0, scale: Double = 1) -> LinePlan {
  LinePlan(
    name: name, stream: stream, request: gpio(line, mode: .counter),
    measure: LinePlan.Measure(.total, interval: .seconds(10), scale: scale, unit: "L"))
}

/// Lines, and all that they gave.
private struct Bench {
  var lines: Lines
  var notes: [ReadingNote] = []
  var generator = SplitMix64(seed: 3)

  init(_ plans: [LinePlan], stored: [String: StoredCount] = [:]) {
    lines = Lines(plans, stored: stored, using: &generator)
  }

  mutating func adopt(_ plans: [LinePlan], isWatched: Bool = true) -> Lines.Change {
    lines.adopt(plans, isWatched: isWatched, using: &generator)
  }

  @discardableResult
  mutating func report(_ place: Int, _ content: LineReport.Content, _ seconds: Int = 1) -> UnnumberedReading? {
    lines.take(LineReport(line: LineID(place: place), content: content, time: at(seconds)), into: &notes)
  }

  mutating func total(_ place: Int, _ pulses: UInt64, _ seconds: Int = 1) -> Reading.Content? {
    lines.measured(of: LineID(place: place), pulses: PulseCount(pulses: pulses), at: at(seconds))?.content
  }

  /// The counts that are to be stored, which there must be.
  mutating func moved() throws -> [String: StoredCount] {
    let moved = lines.takeMovedCounts()
    return try #require(moved)
  }

  mutating func value(_ place: Int, _ pulses: UInt64, _ seconds: Int = 1) -> Double? {
    if case .total(let total)? = total(place, pulses, seconds) { total.value } else { nil }
  }
}

private func change(released: [Int] = [], added: [Int] = []) -> Lines.Change {
  Lines.Change(released: released.map { LineID(place: $0) }, added: added.map { LineID(place: $0) })
}

struct LinesTests {
  @Test("levels, edges and gaps are readings of their line's name, with the time of the report")
  func readings() {
    var bench = Bench([plan("x", "A", stream: 5), plan("y", "B", stream: 2)])
    #expect(
      bench.report(0, .level(true), 3)
        == UnnumberedReading(stream: 5, content: .good(.flag(true)), unit: nil, time: at(3)))
    #expect(
      bench.report(1, .edge(isRising: true, isSuspect: true))
        == UnnumberedReading(
          stream: 2, content: .edge(Reading.Edge(isRising: true, isSuspect: true)), unit: nil, time: at(1)))
    #expect(bench.report(1, .gap(lost: 3))?.content == .gap(lost: 3))
    #expect(bench.report(7, .level(true)) == nil, "a place that there is not")
    #expect(bench.notes.isEmpty)
  }

  @Test("a line that cannot be read is a bad reading and is counted until it is found")
  func failures() {
    var bench = Bench([plan("x", "A"), plan("y", "B")])
    #expect(!bench.lines.haveAnswered)
    #expect(bench.report(0, .failed("busy"))?.content == .bad("busy"))
    #expect(bench.lines.failing == 1 && !bench.lines.haveAnswered)
    #expect(bench.report(1, .found("B of chip", pulses: 0)) == nil)
    #expect(bench.lines.haveAnswered)
    bench.report(0, .found("A of chip", pulses: 0))
    #expect(bench.lines.failing == 0)
    #expect(
      bench.notes == [
        .fails(name: "x", reason: "busy"), .reads(name: "y", line: "B of chip"), .reads(name: "x", line: "A of chip"),
      ])
  }

  @Test("without lines all have answered")
  func none() { #expect(Bench([]).lines.haveAnswered) }

  // MARK: Counters

  @Test("a counter's total comes when its line is found and each time it is asked for; a failure takes its place")
  func totals() {
    var bench = Bench([counter("w", "A", scale: 0.5)], stored: ["w": StoredCount(pulses: 10, generation: 7)])
    #expect(bench.total(0, 0) == nil, "it was not looked for yet")
    let found = bench.report(0, .found("A", pulses: 2))
    #expect(found?.content == .total(Reading.Total(value: 6, rate: 0, generation: 7)))
    #expect(found?.unit == "L")
    #expect(bench.total(0, 12, 11) == .total(Reading.Total(value: 11, rate: 0.5, generation: 7)))
    bench.report(0, .failed("gone"))
    #expect(bench.total(0, 12, 21) == .bad("gone"))
    #expect(Bench([plan("x", "A")]).lines.measured.isEmpty)
    #expect(bench.lines.measured.map(\.line) == [LineID(place: 0)])
  }

  @Test("counts that moved are stored, one write at a time; what it missed or could not do comes the next time")
  func storing() throws {
    var bench = Bench([counter("w", "A"), plan("x", "B")])
    let first = try bench.moved()
    #expect(first.mapValues(\.pulses) == ["w": 0], "a new one is known from now on")
    bench.lines.counted(4, of: LineID(place: 0))
    #expect(bench.lines.takeMovedCounts() == nil, "a write is under way")
    bench.lines.storedCounts(first)
    let second = try bench.moved()
    #expect(second.mapValues(\.pulses) == ["w": 4])
    bench.lines.storingFailed()
    #expect(bench.lines.takeMovedCounts() == second)
    bench.lines.storedCounts(second)
    #expect(bench.lines.takeMovedCounts() == nil)
    bench.lines.storeBeginsAnew()
    #expect(bench.lines.takeMovedCounts() == second, "another store has nothing of it")
  }

  @Test("a total goes on by name: on another line, in another unit, and when the name comes back")
  func totalsGoOn() {
    var bench = Bench([counter("w", "A")])
    bench.report(0, .found("A", pulses: 0))
    #expect(bench.value(0, 5) == 5)
    #expect(bench.adopt([counter("w", "A", scale: 2)]) == change())
    #expect(bench.value(0, 6) == 12, "the line was not let go of")
    #expect(bench.adopt([counter("w", "B", scale: 2)]) == change(released: [0], added: [1]))
    bench.report(1, .found("B", pulses: 0))
    #expect(bench.value(1, 1) == 14)
    #expect(bench.adopt([]) == change(released: [1]))
    bench.report(0, .released)
    bench.report(1, .released)
    #expect(bench.adopt([counter("w", "A")]) == change(added: [1]))
    bench.report(1, .found("A", pulses: 0))
    #expect(bench.value(1, 0) == 7)
  }

  @Test("a counter that leaves while its count is being written is stored the next time, be the write done or not")
  func leavesWhileStoring() throws {
    for isDone in [true, false] {
      var bench = Bench([counter("w", "A")])
      let first = try bench.moved()
      bench.lines.counted(9, of: LineID(place: 0))
      _ = bench.adopt([])
      #expect(bench.lines.takeMovedCounts() == nil)
      if isDone { bench.lines.storedCounts(first) } else { bench.lines.storingFailed() }
      let last = try bench.moved()
      #expect(last.mapValues(\.pulses) == ["w": 9])
      bench.lines.storedCounts(last)
      #expect(bench.lines.movedCounts == [:])
    }
  }

  @Test("what counters stood at that left is not lost with the store")
  func leftAndStoreLost() throws {
    var bench = Bench([counter("w", "A")])
    bench.lines.counted(9, of: LineID(place: 0))
    _ = bench.adopt([plan("w", "A")])
    let moved = try bench.moved()
    bench.lines.storedCounts(moved)
    #expect(bench.lines.takeMovedCounts() == nil)
    bench.lines.storeBeginsAnew()
    #expect(bench.lines.takeMovedCounts()?.mapValues(\.pulses) == ["w": 9])
  }

  // MARK: Places

  @Test("what stays keeps its place and what is known of it, wherever it stands in the file")
  func kept() {
    var bench = Bench([plan("x", "A"), plan("y", "B")])
    bench.report(0, .failed("busy"))
    #expect(bench.adopt([plan("y", "B", stream: 8), plan("x", "A", stream: 9)]) == change())
    #expect(bench.lines.failing == 1)
    #expect(bench.report(1, .level(true))?.stream == 8)
    #expect(bench.report(0, .level(true))?.stream == 9)
    #expect(bench.lines.requests.map(\.line) == [.name("A"), .name("B")])
  }

  @Test("a line whose request is another one gets a place of its own; one that was let go of is free when it says so")
  func places() {
    var bench = Bench([plan("x", "A"), plan("y", "B")])
    #expect(bench.adopt([plan("x", "A", bias: .up), plan("y", "B")]) == change(released: [0], added: [2]))
    #expect(bench.report(0, .level(true)) == nil, "it comes too late")
    #expect(bench.lines.request(of: LineID(place: 2))?.bias == .up)
    // Place 0 has not been let go of yet.
    #expect(bench.adopt([plan("x", "A", bias: .down), plan("y", "B")]) == change(released: [2], added: [3]))
    bench.report(0, .released)
    bench.report(2, .released)
    #expect(bench.adopt([plan("x", "A"), plan("y", "B")]) == change(released: [3], added: [2]))
    #expect(bench.report(2, .level(true)) != nil)
  }

  @Test("without a monitor places begin at 0, and counters go on all the same")
  func noMonitor() {
    var bench = Bench([plan("x", "A"), counter("w", "B")])
    bench.report(1, .found("B", pulses: 3))
    #expect(bench.adopt([counter("w", "B"), plan("x", "A")], isWatched: false) == change(added: [0, 1]))
    #expect(bench.value(0, 0) == nil)
    bench.report(0, .found("B", pulses: 0))
    #expect(bench.value(0, 1) == 4)
  }

  @Test("1,000 random changes: no two lines share a place, none takes one that is not free, places do not grow")
  func random() {
    var generator = SplitMix64(seed: 8)
    var bench = Bench([])
    var held: [Int: String] = [:]
    var leaving: Set<Int> = []
    for _ in 0..<1000 {
      let plans = (0..<6).filter { _ in Bool.random(using: &generator) }.shuffled(using: &generator).map {
        plan("i\($0)", "L\($0)", stream: StreamID($0), bias: Bool.random(using: &generator) ? .up : .down)
      }
      let change = bench.adopt(plans)
      for line in change.released {
        #expect(held.removeValue(forKey: line.place) != nil)
        leaving.insert(line.place)
      }
      for line in change.added {
        #expect(held[line.place] == nil && !leaving.contains(line.place))
        #expect(line.place < 18)
        held[line.place] = "\(bench.lines.request(of: line).map { "\($0.line)" } ?? "")"
      }
      #expect(held.count == plans.count)
      for (place, line) in held {
        #expect("\(bench.lines.request(of: LineID(place: place)).map { "\($0.line)" } ?? "")" == line)
      }
      for place in leaving where Bool.random(using: &generator) {
        bench.report(place, .released)
        leaving.remove(place)
      }
    }
  }

  // MARK: Meters

  private func meter(_ quantity: LinePlan.Measure.Quantity, scale: Double = 1) -> LinePlan {
    LinePlan(
      name: "fan", stream: 0, request: gpio("A", mode: .frequency),
      measure: LinePlan.Measure(quantity, interval: .seconds(10), scale: scale, unit: "rpm"))
  }

  @Test("what pulses measure is told at each interval after the line was found; a failure takes its place")
  func measures() {
    var bench = Bench([meter(.frequency, scale: 60)])
    #expect(bench.total(0, 0) == nil, "it was not looked for yet")
    #expect(bench.report(0, .found("A", pulses: 4)) == nil, "what is measured takes its time")
    #expect(bench.total(0, 24, 11) == .good(.number(120)))
    #expect(bench.lines.measured.map(\.line) == [LineID(place: 0)])
    #expect(bench.lines.takeMovedCounts() == nil && !bench.lines.areStored, "nothing of it goes on over a restart")
    bench.report(0, .failed("gone"), 12)
    #expect(bench.total(0, 24, 21) == .bad("gone"))
    #expect(bench.report(0, .found("A", pulses: 24), 25) == nil)
    #expect(bench.total(0, 29, 30) == .good(.number(60)))
  }

  @Test("another unit takes hold without another request")
  func otherUnit() {
    var bench = Bench([meter(.frequency)])
    bench.report(0, .found("A", pulses: 0))
    #expect(bench.adopt([meter(.frequency, scale: 60)]) == change())
    #expect(bench.total(0, 10, 11) == .good(.number(60)))
  }

  @Test("a gesture is a reading with its word")
  func gestures() {
    var bench = Bench([plan("bell", "A")])
    #expect(bench.report(0, .gesture(.double))?.content == .good(.text("double")))
  }

  @Test("an encoder is told where it has moved, goes on over restarts, and says what it has missed")
  func encoders() throws {
    let plan = LinePlan(
      name: "knob", stream: 0, request: gpio("A", mode: .encoder),
      measure: LinePlan.Measure(.position(stepsPerPeriod: 4), interval: .seconds(1), scale: 1, unit: nil))
    var bench = Bench([plan])
    func total(_ position: Int64, missed: UInt64 = 0, _ seconds: Int) -> Double? {
      var count = PulseCount()
      (count.position, count.missed) = (position, missed)
      guard
        case .total(let total)? = bench.lines.measured(of: LineID(place: 0), pulses: count, at: at(seconds))?.content
      else { return nil }
      return total.value
    }
    guard case .total(let first)? = bench.report(0, .found("A", pulses: 0))?.content else {
      Issue.record("no total")
      return
    }
    #expect(first.value == 0)
    #expect(total(0, 2) == nil, "it has not moved")
    #expect(total(-3, 3) == -3 && total(-3, 4) == nil)
    bench.report(0, .failed("gone"))
    _ = total(-3, 5)
    bench.report(0, .found("A", pulses: 0), 6)
    let stored = try bench.moved()
    #expect(stored.keys.sorted() == ["knob/steps"])
    var count = PulseCount()
    count.missed = 2
    #expect(bench.lines.missed(of: LineID(place: 0), pulses: count, at: at(7))?.content == .gap(lost: 2))
    #expect(bench.lines.missed(of: LineID(place: 0), pulses: count, at: at(8)) == nil)
    var next = Bench([plan], stored: ["knob/steps": StoredCount(pulses: 5, generation: 9)])
    guard case .total(let later)? = next.report(0, .found("A", pulses: 0))?.content else {
      Issue.record("no total")
      return
    }
    #expect(later.value == -3 && later.generation == 9)
  }
}
