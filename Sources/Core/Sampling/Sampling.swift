import LimpetInstants
import Measuring
import Outbox
import Plan
import Readings

/// What is done when an interval is over, besides reading sensors.
package struct Chore: Sendable, Equatable {
  package enum Action: Sendable, Equatable {
    case publishMeasured(LineID)
    case storeCounts
    case publishHealth
    case writeMetrics
  }

  package let interval: Duration
  package let action: Action

  package init(interval: Duration, action: Action) {
    self.interval = interval
    self.action = action
  }
}

/// When which sensor is read, and which of its samples are worth a reading.
///
/// It gets the time at its deadline, and the samples of reads. The readers end a read that takes too long: it comes
/// back as a sample that failed.
package struct Sampling: Sendable {
  package enum Effect: Sendable, Equatable {
    /// None of these is being read now.
    case read([SensorID])
    case perform(Chore.Action)
  }

  /// All that belongs to one sensor.
  fileprivate struct Sensor {
    var plan: SensorPlan
    var averaging: Averaging?
    var policy: ReadingPolicy
    /// Why it could not be read the last time; nil: it could.
    var failure: String?
    /// What of that the log has.
    var reportedFailure: String?
    var flapping = Flapping()
    /// A read is under way.
    var readSince: Duration?
    /// It has changed since that read began, or may have: it is read once more.
    var isChanged = false
    /// Reads that failed since it was due, and are not reported yet.
    var attempts = 0
    /// It is read once more then.
    var retryAt: BootClock.Instant?
    /// How often it was due while its last read was still under way.
    var skipped: UInt64 = 0

    init(_ plan: SensorPlan) {
      self.plan = plan
      averaging = plan.average.map { Averaging($0, interval: plan.interval) }
      policy = ReadingPolicy(change: plan.change, maxAge: plan.maxAge)
    }
  }

  private var sensors: [Sensor]
  private var indices: [SensorID: Int]
  private var chores: [Chore]
  /// Of the sensors, and of the chores behind them.
  private var schedule: SampleSchedule
  /// The same of all sensors since the start.
  package private(set) var skipped: UInt64 = 0

  /// Everything is due at `start`.
  package init(_ sensors: [SensorPlan], _ chores: [Chore], start: BootClock.Instant) {
    self.sensors = sensors.map(Sensor.init)
    indices = Self.indices(of: sensors)
    self.chores = chores
    schedule = SampleSchedule(intervals: sensors.map(\.interval) + chores.map(\.interval), start: start)
  }

  /// Goes on with others: a sensor whose id is known keeps its state and its times, whatever its place in the list; one
  /// that is new is due now.
  package mutating func adopt(_ sensors: [SensorPlan], _ chores: [Chore], at now: BootClock.Instant) {
    let (before, known) = (self.sensors, indices)
    var intervals = sensors.map { (interval: $0.interval, isNew: known[$0.id] == nil) }
    intervals += chores.map { chore in
      (interval: chore.interval, isNew: !self.chores.contains { $0.isContinued(by: chore) })
    }
    self.sensors = sensors.map { plan in
      guard let index = known[plan.id] else { return Sensor(plan) }
      var sensor = before[index]
      sensor.plan = plan
      return sensor
    }
    indices = Self.indices(of: sensors)
    self.chores = chores
    schedule = schedule.continued(intervals, at: now)
  }

  private static func indices(of sensors: [SensorPlan]) -> [SensorID: Int] {
    Dictionary(sensors.enumerated().map { ($1.id, $0) }) { first, _ in first }
  }

  // MARK: Time

  /// When something is due; nil: there is nothing to do, ever.
  package var deadline: BootClock.Instant? {
    let retry = sensors.lazy.compactMap(\.retryAt).min()
    guard let next = schedule.next else { return retry }
    return min(next, retry ?? next)
  }

  /// What is due. A read that is a moment late is not begun again, and is no failure either; but it is counted.
  ///
  /// - Parameter awake: the same moment on the clock that stands still in a suspend: a read the machine slept through has
  ///   not hung.
  package mutating func tick(
    at now: BootClock.Instant, awake: Duration, into effects: inout [Effect]
  ) {
    var due: [SensorID] = []
    for index in schedule.take(at: now) {
      guard index < sensors.count else {
        effects.append(.perform(chores[index - sensors.count].action))
        continue
      }
      guard sensors[index].readSince == nil else {
        skipped += 1
        sensors[index].skipped += 1
        continue
      }
      sensors[index].attempts = 0
      sensors[index].retryAt = nil
      begin(index, awake, &due)
    }
    for index in sensors.indices {
      if let time = sensors[index].retryAt, time <= now { begin(index, awake, &due) }
    }
    if !due.isEmpty { effects.append(.read(due)) }
  }

  private mutating func begin(_ index: Int, _ awake: Duration, _ due: inout [SensorID]) {
    sensors[index].retryAt = nil
    sensors[index].isChanged = false
    sensors[index].readSince = awake
    due.append(sensors[index].plan.id)
  }

  /// The kernel says that these have changed, or may have.
  ///
  /// - Returns: those to read now; the others are being read, and are once more behind that.
  package mutating func notified(_ changed: [SensorID], awake: Duration) -> [SensorID] {
    var due: [SensorID] = []
    for index in changed.compactMap({ indices[$0] }) {
      if sensors[index].readSince == nil { begin(index, awake, &due) } else { sensors[index].isChanged = true }
    }
    return due
  }

  /// Those that have changed while they were read, and are not read any more.
  package mutating func takeChanged(awake: Duration) -> [SensorID] {
    var due: [SensorID] = []
    for index in sensors.indices where sensors[index].isChanged && sensors[index].readSince == nil {
      begin(index, awake, &due)
    }
    return due
  }

  // MARK: Samples

  /// A read is over.
  ///
  /// - Parameters:
  ///   - isWanted: false: the device has said its farewell. A reading that came behind it would get a number that the next
  ///     start has as a gap.
  ///   - now: the time of what could not be read.
  /// - Returns: the reading that the sample is worth, if it is worth one.
  package mutating func take(
    _ sample: Sample, isWanted: Bool, at now: BootClock.Instant, into notes: inout [ReadingNote]
  ) -> UnnumberedReading? {
    // Of a sensor that is not the same any more.
    guard let index = indices[sample.sensor] else { return nil }
    sensors[index].readSince = nil
    if isWanted, sensors[index].retries(sample.outcome, at: now) { return nil }
    return isWanted ? sensors[index].take(sample.outcome, at: now, into: &notes) : nil
  }

  // MARK: How it stands

  /// How often each sensor was due while its last read was still under way, by its stream.
  package var skippedRounds: [StreamID: UInt64] {
    Dictionary(sensors.map { ($0.plan.stream, $0.skipped) }) { first, _ in first }
  }

  /// Every sensor has been read, be it in vain.
  package var haveAnswered: Bool { sensors.allSatisfy { $0.readSince == nil && $0.retryAt == nil } }

  /// A read is under way.
  package var isReading: Bool { sensors.contains { $0.readSince != nil } }

  /// When the oldest read began that is under way.
  package var oldestRead: Duration? { sensors.lazy.compactMap(\.readSince).min() }

  /// Sensors that could not be read the last time.
  package var failing: Int { sensors.count { $0.failure != nil } }
}

/// The way of a sample, without an event around it: what is worth a reading gets a number and goes into the outbox.
extension Core {
  /// Takes what reads have given.
  package mutating func take(_ samples: [Sample], at now: Moment) {
    var notes: [ReadingNote] = []
    let isWanted = !conversation.leaving.departure.hasSaidFarewell && !conversation.leaving.hasEnded
    for sample in samples {
      let reading = sampling.take(sample, isWanted: isWanted, at: now.boot, into: &notes)
      if let reading { accept(reading) }
    }
    for note in notes { effects.notes.append(.reading(note)) }
    if isWanted { read(sampling.takeChanged(awake: now.awake)) }
    becomeReadyIfSensing()
  }
}

extension Sampling.Sensor {
  /// A sensor that fails now and then is asked again after this, as far as its interval leaves room: a DHT11 needs a
  /// second of rest.
  private var retryRest: Duration { min(.seconds(1), plan.interval / (plan.retries + 1)) }

  /// Whether a failure is nothing yet, since it is read once more.
  fileprivate mutating func retries(_ outcome: Result<Measurement, SensorError>, at now: BootClock.Instant) -> Bool {
    guard case .failure(let error) = outcome, error.isWorthRetrying, attempts < plan.retries else {
      attempts = 0
      return false
    }
    attempts += 1
    retryAt = now + retryRest
    return true
  }

  fileprivate mutating func take(
    _ outcome: Result<Measurement, SensorError>, at now: BootClock.Instant, into notes: inout [ReadingNote]
  ) -> UnnumberedReading? {
    var content: Reading.Content
    let time: BootClock.Instant
    var unit = plan.unit
    switch outcome {
    case .success(let measurement):
      content = plan.conditioning.content(of: measurement)
      time = measurement.time
      unit = unit ?? measurement.unit
    case .failure(let error):
      content = .bad("\(error)")
      time = now
    }
    note(content, at: now, into: &notes)
    if averaging != nil {
      guard let average = averaging?.take(content, at: time) else { return nil }
      content = average
    }
    if let decimals = plan.decimals { content = content.rounded(decimals: decimals) }
    guard policy.publishes(content, at: time) else { return nil }
    return UnnumberedReading(stream: plan.stream, content: content, unit: unit, time: time)
  }

  /// Says once that the sensor fails, and once that it works again.
  private mutating func note(_ content: Reading.Content, at now: BootClock.Instant, into notes: inout [ReadingNote]) {
    let next: String? = if case .bad(let reason) = content { reason } else { nil }
    if next != failure { flapping.changed(at: now) }
    failure = next
    guard failure != reportedFailure, let changes = flapping.reports(at: now) else { return }
    reportedFailure = failure
    // The change of this line, and the one back before it.
    let count = changes > 2 ? changes : nil
    if let failure {
      notes.append(.fails(name: plan.name, reason: failure, changes: count))
    } else {
      notes.append(.canBeReadAgain(name: plan.name, changes: count))
    }
  }
}

extension Chore {
  /// What lines measure keeps its times as long as its line is the same, everything else as long as its interval is.
  fileprivate func isContinued(by other: Chore) -> Bool {
    guard action == other.action else { return false }
    if case .publishMeasured = action { return true }
    return interval == other.interval
  }
}
