import LimpetInstants

/// How fast a backlog goes out: this many readings a second, and one more for each that comes in behind it; otherwise
/// the backlog of a name that is measured at that rate would never end.
package struct DrainBudget {
  package typealias Instant = BootClock.Instant

  /// Readings a second.
  private let rate: Double
  private var level: Double
  private var updated: Instant
  /// Readings that came in behind a backlog.
  private var owed = 0

  package init(rate: Int, at now: Instant) {
    self.rate = Double(max(rate, 1))
    level = max(1, self.rate / 10)
    updated = now
  }

  /// How many may be sent at once, after a pause.
  private var burst: Double { max(1, rate / 10) }

  mutating func restart(at now: Instant) {
    level = burst
    updated = now
    owed = 0
  }

  mutating func owe() { owed += 1 }

  mutating func allows(at now: Instant) -> Bool {
    level = min(burst, level + max(0, updated.duration(to: now) / .seconds(1)) * rate)
    updated = now
    return owed > 0 || level >= 1
  }

  mutating func spend() {
    if owed > 0 { owed -= 1 } else { level -= 1 }
  }

  /// When there is enough for a handful: not one wake-up for each.
  package func next(at now: Instant) -> Instant {
    let handful = max(1, min(burst, rate / 50))
    return now + .seconds(max(0.001, (handful - level) / rate))
  }
}
