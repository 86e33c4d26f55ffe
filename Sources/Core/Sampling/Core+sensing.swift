import LimpetInstants
import Measuring
import Outbox
import Plan
import Readings

/// From what is measured to a reading that waits.
extension Core {
  // MARK: Sensors

  /// What is due now.
  mutating func sample(at now: Moment) {
    guard !conversation.leaving.isLeaving, !conversation.leaving.hasEnded else { return }
    serving.isAlive(at: now, into: &conversation.effects)
    var due: [Sampling.Effect] = []
    sampling.tick(at: now.boot, awake: now.awake, into: &due)
    for effect in due {
      switch effect {
      case .read(let sensors): effects.orders.append(.read(sensors))
      case .perform(.publishHealth): conversation.wishes.publishesHealth = true
      case .perform(.writeMetrics): effects.orders.append(.writeMetrics)
      case .perform(let chore): count(for: chore)
      }
    }
  }

  /// The kernel says that these have changed, or may have.
  mutating func notified(_ sensors: [SensorID], at now: Moment) {
    guard !conversation.leaving.isLeaving, !conversation.leaving.hasEnded else { return }
    read(sampling.notified(sensors, awake: now.awake))
  }

  mutating func read(_ sensors: [SensorID]) {
    if !sensors.isEmpty { effects.orders.append(.read(sensors)) }
  }

  func becomesReady() -> Bool { sampling.haveAnswered && lines.haveAnswered }

  /// Once every sensor and every line has answered, be it that it cannot be read. The broker has no say: a board starts
  /// without its network as well.
  mutating func becomeReadyIfSensing() {
    guard !serving.isReady, becomesReady() else { return }
    serving.becomeReady(into: &conversation.effects)
  }

  // MARK: Lines

  /// Begins to watch the lines, where there are some.
  mutating func watchLines(at now: Moment) {
    guard !isWatching, !lines.requests.isEmpty else { return }
    isWatching = true
    effects.orders.append(.watch(lines.requests))
    // A counter that is new is known from now on, so that its total goes on after a crash.
    keeping.countsAreDue = true
  }

  // MARK: Pulses

  /// A chore that needs to know what lines have seen.
  mutating func count(for chore: Chore.Action) {
    guard isWatching else {
      if case .storeCounts = chore { keeping.countsAreDue = true }
      return
    }
    if counting.isEmpty { effects.orders.append(.count(lines.measured.map(\.line))) }
    counting.append(chore)
  }

  mutating func counted(_ pulses: [LineID: PulseCount], at now: Moment) {
    for (line, _) in lines.measured { if let count = pulses[line] { lines.counted(count, of: line) } }
    let chores = counting
    counting = []
    for chore in chores {
      switch chore {
      case .publishMeasured(let line):
        if let count = pulses[line], let gap = lines.missed(of: line, pulses: count, at: now.boot) { accept(gap) }
        if let count = pulses[line], let reading = lines.measured(of: line, pulses: count, at: now.boot) {
          accept(reading)
        }
      case .storeCounts: keeping.countsAreDue = true
      case .publishHealth, .writeMetrics: break
      }
    }
  }
}

extension DevicePlan {
  /// What is to be done again and again, besides reading sensors.
  func chores(_ lines: Lines) -> [Chore] {
    var chores = lines.measured.map { Chore(interval: $0.interval, action: .publishMeasured($0.line)) }
    if lines.areStored, let countCheckpoint { chores.append(Chore(interval: countCheckpoint, action: .storeCounts)) }
    if health.interval > .zero { chores.append(Chore(interval: health.interval, action: .publishHealth)) }
    if health.metricsFile != nil { chores.append(Chore(interval: health.metricsInterval, action: .writeMetrics)) }
    return chores
  }
}
