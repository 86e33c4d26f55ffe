import LimpetInstants
import Measuring
import Outbox
import Plan
import Readings
import Records

/// The GPIO lines that are watched: what their reports are worth, what their pulses come to, and which place of the
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
    let stream: StreamID
    /// Of what is measured.
    let unit: String?

    init(_ plan: LinePlan) {
      stream = plan.stream
      unit = plan.measure?.unit
    }
  }

  /// All that belongs to one line.
  fileprivate struct Line {
    var plan: LinePlan { didSet { outlet = Outlet(plan) } }
    private(set) var outlet: Outlet
    var finding = Finding.pending
    var counter: PulseCounter?
    var steps: StepCounter?
    var meter: PulseMeter?
    /// Of an encoder: the total that was published last, while it can be read.
    var publishedTotal: Double?
    /// Since its line was requested.
    var pulses = PulseCount()

    init(_ plan: LinePlan, counter: PulseCounter? = nil, steps: StepCounter? = nil) {
      self.plan = plan
      outlet = Outlet(plan)
      self.counter = counter
      self.steps = steps
      meter = plan.measure.flatMap { PulseMeter($0) }
    }

    var count: StoredCount? { counter?.stored(pulses.pulses) ?? steps?.stored(pulses) }
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
      if let count = line.count { left[line.plan.countName] = count }
    }
    lines = isWatched ? Array(repeating: nil, count: before.count) : []
    if !isWatched { free = [] }
    var change = Change()
    var unused = free.sorted()
    for plan in plans {
      if let place = known[plan.name], let line = before[place], line.plan.request == plan.request {
        lines[place] = line.continued(plan)
        if line.count != nil { left[plan.countName] = nil }
      } else {
        let line = line(plan, using: &generator)
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

  /// One that begins, where its count stands.
  private mutating func line(_ plan: LinePlan, using generator: inout some RandomNumberGenerator) -> Line {
    guard let measure = plan.measure else { return Line(plan) }
    switch measure.quantity {
    case .total:
      let stored = left.removeValue(forKey: plan.countName) ?? stored[plan.countName]
      return Line(plan, counter: PulseCounter(stored: stored, scale: measure.scale, using: &generator))
    case .position(let stepsPerPeriod):
      let stored = left.removeValue(forKey: plan.countName) ?? stored[plan.countName]
      let steps = StepCounter(
        stored: stored, stepsPerPeriod: stepsPerPeriod, scale: measure.scale, using: &generator)
      return Line(plan, steps: steps)
    case .frequency, .duty, .width: return Line(plan)
    }
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
    // A report from before a line was released comes too late.
    guard let outlet = lines[place]?.outlet else { return nil }
    let content: Reading.Content
    switch report.content {
    case .level(let level): content = .good(.flag(level))
    case .edge(let isRising, let isSuspect):
      content = .edge(Reading.Edge(isRising: isRising, isSuspect: isSuspect))
    case .gesture(let gesture): content = .good(.text(gesture.rawValue))
    case .gap(let lost): content = .gap(lost: lost)
    case .found(let line, let pulses):
      notes.append(.reads(name: name(place), line: line))
      lines[place]?.finding = .found
      lines[place]?.meter?.begin(pulses, at: report.time)
      // What is measured takes its time.
      return lines[place]?.meter != nil ? nil : measured(of: report.line, pulses: pulses, at: report.time)
    case .failed(let reason):
      notes.append(.fails(name: name(place), reason: reason))
      lines[place]?.finding = .failed(reason)
      content = .bad(reason)
    case .released: return nil
    }
    return UnnumberedReading(stream: outlet.stream, content: content, unit: outlet.unit, time: report.time)
  }

  private func name(_ place: Int) -> String { lines[place]?.plan.name ?? "" }

  // MARK: Pulses

  /// Lines whose pulses are added up, and how often that is published.
  package var measured: [(line: LineID, interval: Duration)] {
    lines.enumerated().compactMap { place, line in
      line?.plan.measure.map { (LineID(place: place), $0.interval) }
    }
  }

  /// Some of them go on over restarts.
  package var areStored: Bool { lines.contains { $0?.count != nil } }

  /// What a line has seen since it was requested.
  package mutating func counted(_ pulses: PulseCount, of line: LineID) {
    guard lines.indices.contains(line.place) else { return }
    lines[line.place]?.pulses = pulses
    lines[line.place]?.counter?.see(pulses)
    lines[line.place]?.meter?.see(pulses)
  }

  /// What a line's pulses come to, or why nobody knows; nothing before it was looked for.
  ///
  /// - Parameter pulses: those since its line was requested.
  package mutating func measured(
    of line: LineID, pulses: PulseCount, at now: BootClock.Instant
  ) -> UnnumberedReading? {
    guard var counted = self[line], counted.plan.measure != nil else { return nil }
    counted.pulses = pulses
    defer { lines[line.place] = counted }
    let content: Reading.Content
    switch counted.finding {
    case .pending: return nil
    case .failed(let reason):
      counted.publishedTotal = nil
      content = .bad(reason)
    case .found:
      if let total = counted.counter?.total(pulses, at: now) {
        content = .total(total)
      } else if let total = counted.steps?.total(pulses, at: now) {
        // A knob rests most of the time.
        guard total.value != counted.publishedTotal else { return nil }
        counted.publishedTotal = total.value
        content = .total(total)
      } else if let value = counted.meter?.measure(pulses, at: now) {
        content = .good(.number(value))
      } else {
        return nil
      }
    }
    return UnnumberedReading(stream: counted.outlet.stream, content: content, unit: counted.outlet.unit, time: now)
  }

  /// What an encoder has missed since this was asked, as a reading of its own.
  package mutating func missed(of line: LineID, pulses: PulseCount, at now: BootClock.Instant) -> UnnumberedReading? {
    guard let outlet = self[line]?.outlet, let missed = lines[line.place]?.steps?.takeMissed(pulses), missed > 0 else {
      return nil
    }
    return UnnumberedReading(stream: outlet.stream, content: .gap(lost: missed), unit: nil, time: now)
  }

  /// What the counters stand at, of those that the disk has otherwise, by name.
  package var movedCounts: [String: StoredCount] {
    var counts = left
    for case let line? in lines { if let count = line.count { counts[line.plan.countName] = count } }
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
    for case let line? in lines where line.count != nil { left[line.plan.countName] = nil }
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

/// The way of an edge, without an event around it: what is worth a reading gets a number and goes into the outbox.
extension Core {
  /// Takes what the lines report.
  ///
  /// - Parameter isFinished: they were released, and nothing follows.
  package mutating func take(_ reports: [LineReport], isFinished: Bool) {
    if !conversation.leaving.departure.hasSaidFarewell {
      var notes: [ReadingNote] = []
      for report in reports { if let reading = lines.take(report, into: &notes) { accept(reading) } }
      if !notes.isEmpty {
        for note in notes { effects.notes.append(.reading(note)) }
        becomeReadyIfSensing()
      }
    }
    if isFinished {
      isWatching = false
      keeping.countsAreDue = true
    }
  }
}

extension Lines.Line {
  fileprivate func continued(_ plan: LinePlan) -> Self {
    var line = self
    if let scale = plan.measure?.scale, scale != self.plan.measure?.scale {
      line.counter?.rescale(scale)
      line.steps?.rescale(scale)
      line.meter?.rescale(scale)
    }
    line.plan = plan
    return line
  }
}

extension PulseMeter {
  fileprivate init?(_ measure: LinePlan.Measure) {
    switch measure.quantity {
    case .total, .position: return nil
    case .frequency: self.init(.frequency, scale: measure.scale)
    case .duty: self.init(.duty, scale: measure.scale)
    case .width: self.init(.width, scale: measure.scale)
    }
  }
}
