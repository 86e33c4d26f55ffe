import Measuring

/// Turns the events of one line, in the order of time, into levels, edges, gestures or pulses, and gaps.
///
/// It does no I/O: events and the time come in, findings go out.
struct LineTrack {
  /// Who debounces; nanoseconds.
  enum Debounce: Equatable {
    case nobody
    case kernel(Int64)
    case agent(Int64)
  }

  struct Finding: Equatable {
    var content: GPIOReport.Content
    /// When it was, CLOCK_MONOTONIC, in nanoseconds; never before the finding before it.
    var time: Int64
  }

  private let mode: GPIOInput.Mode
  /// When the level was read: what the state was before is of no interest.
  private let start: Int64
  /// The kernel reports a level when it has settled, so this much after its edge.
  private let kernelDebounce: Int64
  private var debouncer: Debouncer?
  private var sequence = EventSequence()
  private var level: Bool
  /// The next level is reported even if it is the same as the last one.
  private var isUnreported = true
  private var latest: Int64
  /// Where the kernel debounces: when the first level, which is debounced too, will have settled; nil: it was reported,
  /// or an edge came before.
  private var firstDeadline: Int64?
  /// Since the line was requested, in modes that add up.
  private(set) var sums: PulseSums
  /// In mode `gesture`.
  private var gestures: GestureTrack
  /// In mode `encoder`.
  private(set) var quadrature: QuadratureTrack

  /// - Parameters:
  ///   - level: read at `start`, after the line was requested.
  ///   - start: CLOCK_MONOTONIC, in nanoseconds.
  init(
    mode: GPIOInput.Mode, debounce: Debounce, gesture: GPIOInput.GestureTimes = GPIOInput.GestureTimes(), level: Bool,
    second: Bool = false, at start: Int64
  ) {
    self.mode = mode
    sums = PulseSums(isHigh: level, at: start)
    gestures = GestureTrack(gesture, isPressed: level)
    quadrature = QuadratureTrack(first: level, second: second)
    self.level = level
    self.start = start
    latest = start
    switch debounce {
    case .nobody: kernelDebounce = 0
    case .kernel(let period):
      kernelDebounce = period
      firstDeadline = mode == .state ? start + period : nil
    case .agent(let period):
      kernelDebounce = 0
      debouncer = Debouncer(period: period, level: level, since: mode == .state ? start : nil)
    }
  }

  /// The finding before any event: the level, in mode `state`, if nothing debounces it.
  mutating func begin() -> Finding? {
    guard mode == .state, firstDeadline == nil, debouncer == nil else { return nil }
    isUnreported = false
    return Finding(content: .level(level), time: start)
  }

  /// Reports the first level when it has settled: no edge came within the debounce time.
  private mutating func first(at time: Int64, into findings: inout [Finding]) {
    guard let deadline = firstDeadline, time >= deadline else { return }
    firstDeadline = nil
    isUnreported = false
    add(.level(level), at: start, into: &findings)
  }

  /// Whether the level of the line agrees with its events, as far as that is settled.
  func agrees(with level: Bool) -> Bool {
    firstDeadline != nil || deadline != nil || (level == self.level && !isUnreported)
  }

  func count(_ bootTime: BootTime) -> PulseCount {
    var count = sums.count(bootTime)
    (count.position, count.missed) = (quadrature.position, quadrature.missed)
    return count
  }

  /// The sums were read.
  mutating func mark() { sums.mark() }

  /// Forgets the last report: the next level is reported, whatever it is.
  mutating func forget() { isUnreported = true }

  /// The level was read, and every event before was taken: an event that a controller has lost shows here.
  mutating func look(level: Bool, at time: Int64, into findings: inout [Finding]) {
    guard mode == .state, firstDeadline == nil, deadline == nil, level != self.level || isUnreported else { return }
    if debouncer != nil, !isUnreported {
      if let change = debouncer?.take(level: level, at: time) { settle(change, into: &findings) }
    } else {
      self.level = level
      isUnreported = false
      add(.level(level), at: max(latest, time), into: &findings)
    }
  }

  /// Here, not by the kernel.
  var isDebounced: Bool { debouncer != nil }

  /// When `elapsed` has something to do; nil: not without another event.
  var deadline: Int64? {
    guard let last = debouncer?.deadline else { return firstDeadline ?? gestures.deadline.map { $0 + kernelDebounce } }
    // Before that the gesture is undecided.
    return min(last, firstDeadline ?? last)
  }

  mutating func take(_ event: LineEvent, into findings: inout [Finding]) {
    // The levels include events from before they were read.
    if mode == .encoder, event.time < start { return sequence.skip(event) }
    let finding = sequence.take(event)
    let time = max(latest, event.time - kernelDebounce)
    first(at: time, into: &findings)
    firstDeadline = nil
    if finding.lost > 0 { lose(finding.lost, before: time, into: &findings) }
    if debouncer != nil {
      if let change = debouncer?.take(level: event.isRising, at: event.time) { settle(change, into: &findings) }
    } else {
      report(event, isSuspect: finding.isSuspect, at: time, into: &findings)
    }
  }

  /// Every event before `time` was taken.
  mutating func elapsed(at time: Int64, into findings: inout [Finding]) {
    first(at: time, into: &findings)
    if let change = debouncer?.elapsed(at: time) { settle(change, into: &findings) }
    guard debouncer?.deadline == nil, let change = gestures.elapsed(at: time - kernelDebounce) else { return }
    report(change, into: &findings)
  }

  /// No pulse is lost if the kernel counts for us; debouncing here has to see every edge, and so has a mode that needs
  /// their ends.
  private mutating func lose(_ lost: UInt32, before time: Int64, into findings: inout [Finding]) {
    let areCounted = mode.isSummed && !mode.needsBothEdges && debouncer == nil
    sums.lose(UInt64(lost), arePulses: areCounted, before: time)
    // An encoder reports what it has missed with its position.
    if mode == .encoder { return quadrature.lose(UInt64(lost)) }
    guard !areCounted else { return }
    gestures.lose()
    add(.gap(lost: UInt64(lost)), at: time, into: &findings)
    isUnreported = true
  }

  private mutating func settle(_ change: Debouncer.Change, into findings: inout [Finding]) {
    let event = LineEvent(time: change.time, sequence: 0, isRising: change.level)
    report(event, isSuspect: false, at: max(latest, change.time), into: &findings)
  }

  private mutating func report(
    _ event: LineEvent, isSuspect: Bool, at time: Int64, into findings: inout [Finding]
  ) {
    switch mode {
    case .state:
      // The level includes events from before it was read.
      guard event.time >= start, event.isRising != level || isUnreported else { return }
      level = event.isRising
      isUnreported = false
      add(.level(level), at: time, into: &findings)
    case .event: add(.edge(isRising: event.isRising, isSuspect: isSuspect), at: time, into: &findings)
    case .counter, .frequency, .duty, .pulseWidth: sums.take(isRising: event.isRising, at: time)
    case .encoder: quadrature.take(isRising: event.isRising, isSecond: event.isSecond)
    case .gesture:
      level = event.isRising
      for change in gestures.take(isPressed: event.isRising, at: time) { report(change, into: &findings) }
    }
  }

  private mutating func report(_ change: GestureTrack.Change, into findings: inout [Finding]) {
    add(.gesture(change.gesture), at: max(latest, change.time), into: &findings)
  }

  private mutating func add(_ content: GPIOReport.Content, at time: Int64, into findings: inout [Finding]) {
    latest = time
    findings.append(Finding(content: content, time: time))
  }
}
