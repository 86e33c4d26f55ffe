import LimpetInstants
import Measuring
import Plan
import Readings

/// Where an output is on its way to a level that a command wants.
struct Ramp: Sendable, Equatable {
  typealias Instant = BootClock.Instant

  /// From one level that is given to the next: 20 a second look like a move.
  static let step = Duration.milliseconds(50)

  let from: Double
  let to: OutputLevel
  let since: Instant
  let end: Instant
  /// Of the order, which is carried out at the end.
  let number: UInt64
  var nextAt: Instant

  /// nil: the way is shorter than a step.
  init?(from: OutputLevel, to: OutputLevel, in whole: Duration, number: UInt64, at now: Instant) {
    let duration = whole * (abs(to.percent - from.percent) / 100)
    guard duration >= Self.step else { return nil }
    (self.from, self.to, self.number, since, end) = (from.percent, to, number, now, now + duration)
    nextAt = now + Self.step
  }

  func level(at now: Instant) -> OutputLevel {
    guard now < end else { return to }
    let part = since.duration(to: now) / since.duration(to: end)
    return OutputLevel(percent: from + (to.percent - from) * max(0, part))
  }
}

extension Outputs {
  /// The number of a step, whose report is not published.
  static let stepNumber = UInt64.max

  mutating func drive(_ place: Int, _ demand: Output.Demand, at now: Instant) {
    guard let number = entries[place]?.drive(demand, at: now) else { return }
    effects.append(.drive(OutputID(place: place), demand.level, number: number))
  }

  /// Gives it the next level of its way, if that is due.
  mutating func step(_ place: Int, at now: Instant) {
    guard entries[place]?.isRamping == true, let entry = entries[place], let ramp = entry.ramp else { return }
    let isThere = ramp.end <= now || !entry.output.mayRamp(at: now)
    guard isThere || ramp.nextAt <= now else { return }
    entries[place]?.ramp?.nextAt = min(ramp.end, now + Ramp.step)
    if isThere { entries[place]?.ramp = nil }
    let (level, number) = isThere ? (ramp.to, ramp.number) : (ramp.level(at: now), Self.stepNumber)
    effects.append(.drive(OutputID(place: place), level, number: number))
  }
}
