import LimpetInstants
import Measuring
import Plan
import Readings

/// What is asked of one output in every turn and for every command, all mutating: what is not has the whole entry copied
/// for it, and a command should be at its line sooner than that.
extension Outputs.Entry {
  typealias Instant = BootClock.Instant

  var isUnheld: Bool { mutating get { !output.isHeld } }
  var mayLeave: Bool { mutating get { output.isStopping && !output.isUnderWay } }
  var isRamping: Bool { mutating get { ramp != nil } }
  var hasWaiting: Bool { mutating get { !waiting.isEmpty } }
  /// The number of its newest order.
  var newest: UInt64 { mutating get { number } }

  mutating func hasLate(at now: Instant) -> Bool { waiting.contains { $0.isLate(at: now) } }

  /// The state that is to be published again by now.
  mutating func republished(at now: Instant) -> Reading.Content? {
    guard let republishAt, republishAt <= now else { return nil }
    return last
  }

  // MARK: A command

  /// What it is to be driven to.
  mutating func level(
    of command: Command, _ arrival: Arrival, _ partners: [Output.Partner], at moment: Moment
  ) throws(Objection) -> OutputLevel {
    let age = AgeRule(rules: output.plan.rules, arrival: arrival)
    if let objection = age.objection(to: command, moment.timestamp, isSynchronized: moment.wall.isSynchronized) {
      throw objection
    }
    switch output.holding {
    case .held: break
    case .pending: throw Objection(.notHeld, "limpet does not hold its line yet")
    case .failed(let reason): throw Objection(.notHeld, reason)
    }
    let level = try output.level(of: command)
    if bucket.available(at: moment.boot.nanoseconds) == 0 {
      guard level == output.plan.rules.safe else {
        throw Objection(
          .maxRate, "more than \(output.plan.rules.maxRate) commands a second (max_rate)", retryAfter: .seconds(1))
      }
    } else {
      bucket.take(1)
    }
    if let objection = output.objection(to: level, for: command.duration, partners, at: moment.boot) {
      throw objection
    }
    return level
  }

  mutating func obey(
    _ level: OutputLevel, for duration: Duration?, until expiry: Instant?, at now: Instant
  ) throws(Objection) {
    // What changes the level takes the place of those that wait for another.
    guard waiting.count < Outputs.waitingLimit || level != output.ordered else {
      throw Objection(.driver, Outputs.unanswered)
    }
    output.command(level, for: duration, until: expiry, at: now)
    plainWish = plainLevel(level, for: duration)
  }

  /// What a start restores of it: on or off, as they are. Another level would come back as that of on, and a pulse or what
  /// has an end would come back without it.
  private func plainLevel(_ level: OutputLevel, for duration: Duration?) -> Bool? {
    guard output.plan.rules.start == .restore, duration == nil else { return nil }
    if !level.isOn { return false }
    return output.plan.rules.pulse == nil && level == output.plan.rules.on ? true : nil
  }

  /// - Returns: the number of the drive; nil: the output goes there step by step.
  mutating func drive(_ demand: Output.Demand, at now: Instant) -> UInt64? {
    number += 1
    var way: Ramp?
    if output.plan.rules.ramp > .zero, output.mayRamp(at: now), demand.level == output.base.level {
      let from = ramp?.level(at: now) ?? output.ordered
      way = Ramp(from: from, to: demand.level, in: output.plan.rules.ramp, number: number, at: now)
    }
    output.order(demand, number, at: now, doneAt: way?.end ?? now, leaving: ramp?.number)
    ramp = way
    return way == nil ? number : nil
  }

  /// What has become of its newest command.
  enum Progress {
    case waits((at: Instant, isOn: Bool), OutputLevel)
    case ramps(Ramp)
    case isUnderWay
    case isThere(OutputLevel)
  }

  var progress: Progress {
    mutating get {
      if let pending = output.pending { return .waits(pending, output.ordered) }
      if let ramp { return .ramps(ramp) }
      return output.isUnderWay ? .isUnderWay : .isThere(output.ordered)
    }
  }
}

extension Outputs.Waiting {
  func isLate(at now: BootClock.Instant) -> Bool { until.map { $0 <= now } ?? false }
}
