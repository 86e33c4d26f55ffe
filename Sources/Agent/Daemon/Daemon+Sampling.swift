import Configuration
import Instants
import Measuring
import NIOCore
import Outbox
import Platform
import Readings
import Records
import Sensing
import Text

/// A sensor of the configuration, ready to be read.
package struct PlannedSensor: Sendable {
  /// What it was made of: as long as that is the same, it goes on.
  package let origin: SensorConfiguration
  /// Index into the plan's streams.
  package var stream: Int
  package var job: ReadJob
  package let interval: Duration
  package let change: ChangeThreshold?
  package let maxAge: Duration?
  package let unit: String?
  package let conditioning: Conditioning
  package let average: Average?
  package let decimals: Int?
}

/// What is to be done each time an interval is over.
package struct ScheduledWork: Sendable {
  package enum Action: Sendable {
    /// A sensor, by index.
    case read(sensor: Int)
    /// An input in mode `counter`, by place.
    case publishTotal(input: Int)
    case storeCounts
    case tellHealth
    case writeMetrics
  }

  package let interval: Duration
  package let action: Action
}

/// What changes about a sensor while the agent runs.
package struct SensorState {
  var averaging: Averaging?
  var policy: ReadingPolicy
  /// Why it could not be read the last time; nil: it could.
  package var failure: String?

  package init(_ sensor: PlannedSensor) {
    averaging = sensor.average.map { Averaging($0, interval: sensor.interval) }
    policy = ReadingPolicy(change: sensor.change, maxAge: sensor.maxAge)
  }
}

extension Daemon {
  /// Does what is due, and sleeps until something is again.
  package func sample() {
    guard !departure.isLeaving else { return }
    aliveMark.make(at: .now)
    var due: [Int] = []
    for index in schedule.take(at: .now) {
      switch scheduled[index].action {
      // A read that is a moment late is not begun again, and is no failure either.
      case .read(let sensor): if reading[sensor] == nil { due.append(sensor) }
      case .publishTotal(let input): publishTotal(of: input)
      case .storeCounts: storeCounts()
      case .tellHealth: tellHealth()
      case .writeMetrics: writeMetrics()
      }
    }
    if !due.isEmpty, let reader {
      for sensor in due { reading[sensor] = .now }
      sampled(reader.submit(due.map { plan.sensors[$0].job }))
    } else if !unnumbered.isEmpty {
      numberReadings()
      pump()
    }
    sampleTimer?.cancel()
    sampleTimer = schedule.next.map { next in after(BootClock.now.duration(to: next)) { $0.sample() } }
  }

  /// Takes results in: those worth a reading get a number and go into the outbox.
  func sampled(_ results: [ReadResult]) {
    for result in results {
      guard let index = sensorIndex[result.id] else { continue }
      reading[index] = nil
      // What comes after the farewell gets no number, or the next start would have a gap.
      if !departure.hasSaidFarewell { take(result.outcome, of: index) }
    }
    numberReadings()
    pump()
    readyIfSensing()
    if departure.isLeaving { perform(departure.settled(isIdle: isIdle)) }
  }

  private func take(_ outcome: Result<Measurement, SensorError>, of index: Int) {
    let sensor = plan.sensors[index]
    var content: Reading.Content
    let time: BootClock.Instant
    var unit = sensor.unit
    switch outcome {
    case .success(let measurement):
      content = sensor.conditioning.content(of: measurement)
      time = measurement.time
      unit = unit ?? measurement.unit
    case .failure(let error):
      content = .bad("\(error)")
      time = .now
    }
    report(content, of: index)
    if sensors[index].averaging != nil {
      guard let average = sensors[index].averaging?.take(content, at: time) else { return }
      content = average
    }
    if let decimals = sensor.decimals { content = content.rounded(decimals: decimals) }
    guard sensors[index].policy.publishes(content, at: time) else { return }
    accept(UnnumberedReading(stream: sensor.stream, content: content, unit: unit, time: time))
  }

  /// Says once that a sensor fails, and once that it works again.
  private func report(_ content: Reading.Content, of index: Int) {
    let name = plan.sensors[index].origin.name
    switch content {
    case .good, .doubtful, .edge, .total, .gap:
      guard sensors[index].failure != nil else { return }
      sensors[index].failure = nil
      logger.notice("\(name): can be read again")
    case .bad(let reason):
      guard sensors[index].failure != reason else { return }
      sensors[index].failure = reason
      logger.warning("\(name): \(reason)")
    }
  }

  /// The wall clock, asked at most ten times a second. A clock that is being slewed moves by 50 µs in that time at the
  /// most, and a step is told.
  func wallClock(at now: BootClock.Instant) -> WallClock {
    if let lastClock, now - lastClock.instant < .milliseconds(100) { return lastClock }
    let clock = WallClock.now(after: lastClock)
    lastClock = clock
    return clock
  }

  /// Numbers what has been read, as far as numbers are reserved, and reserves more.
  func numberReadings() {
    guard !unnumbered.isEmpty else { return reserveNumbers() }
    let now = BootClock.now
    let clock = wallClock(at: now)
    outbox.disk.notice(clock, at: now)
    while let reading = unnumbered.first, let number = numbers.next(plan.streams[reading.stream].name) {
      // Counted when they were given up.
      let isCounted = unnumbered.firstIsGap
      unnumbered.removeFirst()
      let numbered = Reading(
        stream: reading.stream, content: reading.content, unit: reading.unit, time: reading.time,
        sequence: number.sequence, restarted: number.restarted,
        label: labels.label(of: reading.time, stream: reading.stream, clock))
      note(numbered, isLossCounted: isCounted)
      outbox.append(numbered, token: nextToken, at: now)
      nextToken += 1
    }
    // A disk that does not answer must not fill the memory.
    let limit = plan.outbox.memoryLimit ?? plan.outbox.limit
    for gone in unnumbered.giveUp(beyond: limit) {
      if case .gap(let lost) = gone.content { tally.lostEdges += lost } else { outbox.refuse(gone.stream) }
    }
    reserveNumbers()
    reportDrops()
  }

  private func reserveNumbers() {
    let ends = numbers.requests(at: .now)
    guard !ends.isEmpty, let store else { return }
    reserveTimer?.cancel()
    Task {
      do throws(StorageError) {
        try await store.reserve(ends)
        numbers.reserved(ends)
        storageWorks()
      } catch {
        numbers.reservationFailed(at: .now)
        storageFails(error)
        armReserveTimer()
      }
      numberReadings()
      pump()
    }
  }

  /// Whether or not there is a reading by then.
  private func armReserveTimer() {
    reserveTimer?.cancel()
    reserveTimer = numbers.retryDeadline.map { deadline in
      after(max(.zero, BootClock.now.duration(to: deadline))) { $0.numberReadings() }
    }
  }

  /// At the first reading that is lost, and then at each doubling.
  private func reportDrops() {
    guard outbox.dropped >= max(1, reportedDrops * 2) else { return }
    reportedDrops = outbox.dropped
    logger.error(
      "the buffer is full (\(outbox.isMemoryBound ? "memory" : "storage.max_size")): \(outbox.dropped) of the oldest readings were given up since the start"
    )
  }
}
