import Instants
import Measuring
import Outbox
import Plan
import Readings
import Records

/// The GPIO lines that are watched: what their reports are worth, what their counters stand at, and which place of the
/// monitor is whose.
///
/// Totals go on by name: over restarts, and over a counter that moves to another line or comes back later.
package struct Lines: Sendable {
  fileprivate enum Finding {
    /// It has not been looked for yet.
    case pending
    case found
    case failed(String)
  }

  /// Where readings go: what an edge needs to know, and no more is copied for it.
  fileprivate struct Outlet {
    let stream: Int
    /// Of totals.
    let unit: String?
  }

  /// All that belongs to one line.
  fileprivate struct Line {
    var plan: LinePlan { didSet { outlet = Outlet(stream: plan.stream, unit: plan.counter?.unit) } }
    private(set) var outlet: Outlet
    var finding = Finding.pending
    var counter: PulseCounter?
    /// Of the counter, since its line was requested.
    var pulses = PulseCount()

    init(_ plan: LinePlan, counter: PulseCounter?) {
      self.plan = plan
      outlet = Outlet(stream: plan.stream, unit: plan.counter?.unit)
      self.counter = counter
    }

    var count: StoredCount? { counter?.stored(pulses.pulses) }
  }

  /// By place; nil: no line has it.
  private var lines: [Line?] = []
  /// Places that a line may take; one that was let go of may not be taken before it has said so.
  private var free: Set<Int> = []
  /// What the disk has of the counters, by name.
  private var stored: [String: StoredCount]
  /// What counters stood at whose names have no line now, as long as the disk has it otherwise.
  private var left: [String: StoredCount] = [:]
  private var isStoring = false

  /// - Parameter stored: what the disk has of the counters, by name.
  package init(
    _ plans: [LinePlan], stored: [String: StoredCount], using generator: inout some RandomNumberGenerator
  ) {
    self.stored = stored
    _ = adopt(plans, isWatched: false, using: &generator)
  }

  // MARK: Which lines there are

  /// What the monitor is to do, in this order.
  package struct Change: Sendable, Equatable {
    package var released: [LineID] = []
    package var added: [LineID] = []
  }

  /// Takes other lines: one whose name and request stay the same goes on as it is, and its counter in the new unit.
  ///
  /// - Parameter isWatched: the monitor runs; else the next one has these lines alone, at places that begin at 0.
  package mutating func adopt(
    _ plans: [LinePlan], isWatched: Bool, using generator: inout some RandomNumberGenerator
  ) -> Change {
    let before = lines
    var known: [String: Int] = [:]
    for (place, line) in before.enumerated() {
      guard let line else { continue }
      if isWatched { known[line.plan.name] = place }
      if let count = line.count { left[line.plan.name] = count }
    }
    lines = isWatched ? Array(repeating: nil, count: before.count) : []
    if !isWatched { free = [] }
    var change = Change()
    var unused = free.sorted()
    for plan in plans {
      if let place = known[plan.name], let line = before[place], line.plan.request == plan.request {
        lines[place] = line.continued(plan)
        if line.counter != nil { left[plan.name] = nil }
      } else {
        let counter = plan.counter.map { counter in
          PulseCounter(
            stored: left.removeValue(forKey: plan.name) ?? stored[plan.name], scale: counter.scale, using: &generator)
        }
        let line = Line(plan, counter: counter)
        let place = unused.popLast() ?? lines.count
        if place < lines.count { lines[place] = line } else { lines.append(line) }
        free.remove(place)
        change.added.append(LineID(place: place))
      }
    }
    for (place, line) in before.enumerated() where isWatched && line != nil {
      let isKept = lines[place] != nil
      if !isKept { change.released.append(LineID(place: place)) }
    }
    return change
  }

  /// What is asked of a line, for the monitor.
  package func request(of line: LineID) -> GPIOInput? { self[line]?.plan.request }

  /// Of all lines, by place: those of a monitor that begins.
  package var requests: [GPIOInput] { lines.compactMap { $0?.plan.request } }

  private subscript(line: LineID) -> Line? { lines.indices.contains(line.place) ? lines[line.place] : nil }

  // MARK: Reports

  /// - Returns: the reading that the report is worth, if it is worth one.
  package mutating func take(_ report: LineReport, into notes: inout [ReadingNote]) -> UnnumberedReading? {
    let place = report.line.place
    guard lines.indices.contains(place) else { return nil }
    if case .released = report.content {
      free.insert(place)
      return nil
    }
    // What a line had to tell before it was let go of comes too late.
    guard let outlet = lines[place]?.outlet else { return nil }
    let content: Reading.Content
    switch report.content {
    case .level(let level): content = .good(.flag(level))
    case .edge(let isRising, let isSuspect):
      content = .edge(Reading.Edge(isRising: isRising, isSuspect: isSuspect))
    case .gap(let lost): content = .gap(lost: lost)
    case .found(let line, let pulses):
      notes.append(.reads(name: name(place), line: line))
      lines[place]?.finding = .found
      return total(of: report.line, pulses: pulses, at: report.time)
    case .failed(let reason):
      notes.append(.fails(name: name(place), reason: reason))
      lines[place]?.finding = .failed(reason)
      content = .bad(reason)
    case .released: return nil
    }
    return UnnumberedReading(stream: outlet.stream, content: content, unit: outlet.unit, time: report.time)
  }

  private func name(_ place: Int) -> String { lines[place]?.plan.name ?? "" }

  // MARK: Counters

  /// Lines in mode `counter`, and how often their totals are published.
  package var counters: [(line: LineID, interval: Duration)] {
    lines.enumerated().compactMap { place, line in
      line?.plan.counter.map { (LineID(place: place), $0.interval) }
    }
  }

  /// What a counter has seen since its line was requested.
  package mutating func counted(_ pulses: PulseCount, of line: LineID) {
    guard lines.indices.contains(line.place) else { return }
    lines[line.place]?.pulses = pulses
  }

  /// A counter's total, or why there is none; nothing before its line was looked for.
  ///
  /// - Parameter pulses: those since its line was requested.
  package mutating func total(
    of line: LineID, pulses: PulseCount, at now: BootClock.Instant
  ) -> UnnumberedReading? {
    guard var counted = self[line], counted.counter != nil else { return nil }
    counted.pulses = pulses
    defer { lines[line.place] = counted }
    let content: Reading.Content
    switch counted.finding {
    case .pending: return nil
    case .failed(let reason): content = .bad(reason)
    case .found:
      guard let total = counted.counter?.total(pulses, at: now) else { return nil }
      content = .total(total)
    }
    return UnnumberedReading(stream: counted.outlet.stream, content: content, unit: counted.outlet.unit, time: now)
  }

  /// What the counters stand at, of those that the disk has otherwise, by name.
  package var movedCounts: [String: StoredCount] {
    var counts = left
    for case let line? in lines { if let count = line.count { counts[line.plan.name] = count } }
    return counts.filter { stored[$0.key] != $0.value }
  }

  /// The counts to store now. One write is under way at a time: a disk that hangs collects no others behind it, and what it
  /// misses, or could not do, is done the next time.
  ///
  /// - Returns: nil: a write is under way, or none is needed; else `storedCounts` or `storingFailed` follows.
  package mutating func takeMovedCounts() -> [String: StoredCount]? {
    guard !isStoring else { return nil }
    let moved = movedCounts
    isStoring = !moved.isEmpty
    return moved.isEmpty ? nil : moved
  }

  /// The disk has these.
  package mutating func storedCounts(_ counts: [String: StoredCount]) {
    isStoring = false
    stored.merge(counts) { $1 }
    left = left.filter { stored[$0.key] != $0.value }
  }

  package mutating func storingFailed() { isStoring = false }

  /// Another store was opened, and has nothing of this.
  package mutating func storeBeginsAnew() {
    left.merge(stored) { left, _ in left }
    for case let line? in lines where line.counter != nil { left[line.plan.name] = nil }
    stored = [:]
  }

  // MARK: How they stand

  /// Every line was found, or cannot be read.
  package var haveAnswered: Bool {
    lines.allSatisfy { line in if case .pending? = line?.finding { false } else { true } }
  }

  /// Lines that cannot be read now.
  package var failing: Int { lines.count { line in if case .failed? = line?.finding { true } else { false } } }
}

extension Lines.Line {
  fileprivate func continued(_ plan: LinePlan) -> Self {
    var line = self
    if let scale = plan.counter?.scale, scale != self.plan.counter?.scale { line.counter?.rescale(scale) }
    line.plan = plan
    return line
  }
}
