import Core
import Instants
import NIOCore
import Outbox
import Platform
import Readings
import Records
import Sensing

/// Carries out what the sampling asks for: reads on the reader's threads, timers, the store.
extension Daemon {
  /// Does what is due, and sleeps until something is again.
  package func sample() {
    guard !departure.isLeaving, let reader else { return }
    aliveMark.make(at: .now)
    var effects: [Sampling.Effect] = []
    sampling.tick(at: .now, awake: .now, into: &effects)
    var isRead = false
    for effect in effects {
      switch effect {
      case .read(let due):
        isRead = true
        sampled(reader.submit(due.compactMap { jobs[$0] }))
      case .perform(let chore): perform(chore)
      }
    }
    if !isRead, numbering.hasWaiting {
      numberReadings()
      pump()
    }
    sampleTimer?.cancel()
    sampleTimer = sampling.deadline.map { next in after(BootClock.now.duration(to: next)) { $0.sample() } }
  }

  private func perform(_ chore: Chore.Action) {
    switch chore {
    case .publishTotal(let line): publishTotal(of: line)
    case .storeCounts: storeCounts()
    case .tellHealth: tellHealth()
    case .writeMetrics: writeMetrics()
    }
  }

  /// Takes results in: those worth a reading get a number and go into the outbox.
  func sampled(_ results: [ReadResult]) {
    var notes: [ReadingNote] = []
    for result in results {
      let sample = Sample(sensor: SensorID(result.id), outcome: result.outcome)
      let reading = sampling.take(sample, isWanted: !departure.hasSaidFarewell, at: .now, into: &notes)
      if let reading { accept(reading) }
    }
    log(notes)
    numberReadings()
    pump()
    readyIfSensing()
    if departure.isLeaving { perform(departure.settled(isIdle: isIdle)) }
  }

  func log(_ notes: [ReadingNote]) {
    for note in notes {
      switch note {
      case .reads(let name, let line): logger.notice("\(name): reads \(line)")
      case .fails(let name, let reason): logger.warning("\(name): \(reason)")
      case .canBeReadAgain(let name): logger.notice("\(name): can be read again")
      case .bufferIsFull(let dropped, let isMemoryBound):
        let limit = isMemoryBound ? "memory" : "storage.max_size"
        logger.error(
          "the buffer is full (\(limit)): \(dropped) of the oldest readings were given up since the start")
      }
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
    guard numbering.hasWaiting else { return reserveNumbers() }
    let now = BootClock.now
    var notes: [ReadingNote] = []
    numbering.number(
      into: &outbox, wallClock(at: now), limit: plan.outbox.memoryLimit ?? plan.outbox.limit, at: now, notes: &notes)
    reserveNumbers()
    log(notes)
  }

  private func reserveNumbers() {
    let ends = numbering.request(at: .now)
    guard !ends.isEmpty, let store else { return }
    reserveTimer?.cancel()
    Task {
      do throws(StorageError) {
        try await store.reserve(ends)
        numbering.reserved(ends)
        storageWorks()
      } catch {
        numbering.reservationFailed(at: .now)
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
    reserveTimer = numbering.deadline.map { deadline in
      after(max(.zero, BootClock.now.duration(to: deadline))) { $0.numberReadings() }
    }
  }
}
