import LimpetInstants

/// The clocks of one machine, as functions of the world's time: one that measures (CLOCK_BOOTTIME) and one that labels
/// (CLOCK_REALTIME). Each machine, board or broker, has its own.
package struct SimulatedClock: Sendable, Hashable {
  /// What the wall clock of a board without a battery shows when it starts: 1970-01-01T00:00:00Z.
  package static let epoch: Int64 = 0

  /// Parts in a million by which both clocks run too fast; within ±100,000.
  package private(set) var drift: Int64
  /// Whether the kernel says that somebody disciplines the wall clock.
  package private(set) var isSynchronized: Bool
  /// The last moment at which something was changed, and what both clocks showed then, in nanoseconds.
  private var changed: Int64
  private var bootThen: Int64
  private var wallThen: Int64

  /// - Parameters:
  ///   - now: the machine starts: its boot clock is at zero.
  ///   - wall: what its wall clock shows, in nanoseconds since 1970.
  package init(startedAt now: WorldTime, wall: Int64, isSynchronized: Bool = true, drift: Int64 = 0) {
    self.drift = min(max(drift, -100_000), 100_000)
    self.isSynchronized = isSynchronized
    changed = now.nanoseconds
    bootThen = 0
    wallThen = wall
  }

  /// What the clock that measures shows. A suspend is time for it like any other.
  package func boot(at now: WorldTime) -> BootClock.Instant {
    BootClock.Instant(nanoseconds: bootThen + elapsed(at: now))
  }

  /// What the wall clock shows: nanoseconds since 1970.
  package func wall(at now: WorldTime) -> Int64 { wallThen + elapsed(at: now) }

  /// The first moment of the world at which the clock that measures shows `instant` or more.
  package func moment(ofBoot instant: BootClock.Instant) -> WorldTime {
    let (wanted, overflows) = instant.nanoseconds.subtractingReportingOverflow(bootThen)
    guard !overflows, wanted > 0 else { return WorldTime(nanoseconds: overflows ? .max : changed) }
    let rate = 1_000_000 + drift
    // A little early, then up to it: the division below loses less than two steps.
    let (whole, rest) = wanted.quotientAndRemainder(dividingBy: rate)
    let (product, exceeds) = whole.multipliedReportingOverflow(by: 1_000_000)
    guard !exceeds else { return WorldTime(nanoseconds: .max) }
    var passed = max(0, product + rest * 1_000_000 / rate - 2)
    while Self.shown(after: passed, drift) < wanted { passed += 1 }
    let (sum, isTooFar) = changed.addingReportingOverflow(passed)
    return WorldTime(nanoseconds: isTooFar ? .max : sum)
  }

  /// Somebody sets the wall clock, NTP for instance. The clock that measures goes on.
  package mutating func setWall(to wall: Int64, isSynchronized: Bool = true, at now: WorldTime) {
    settle(at: now)
    wallThen = wall
    self.isSynchronized = isSynchronized
  }

  /// The wall clock jumps by so much, forwards or back.
  package mutating func step(by duration: Duration, at now: WorldTime) {
    settle(at: now)
    wallThen += duration.wholeNanoseconds
  }

  /// The machine's crystal gets warm, or cold.
  package mutating func setDrift(_ partsInAMillion: Int64, at now: WorldTime) {
    settle(at: now)
    drift = min(max(partsInAMillion, -100_000), 100_000)
  }

  /// The machine starts anew.
  /// - Parameter hasBattery: its wall clock went on; otherwise it shows 1970.
  package mutating func restart(hasBattery: Bool, at now: WorldTime) {
    settle(at: now)
    bootThen = 0
    if !hasBattery { wallThen = Self.epoch }
    isSynchronized = false
  }

  private func elapsed(at now: WorldTime) -> Int64 { Self.shown(after: now.nanoseconds - changed, drift) }

  private static func shown(after passed: Int64, _ drift: Int64) -> Int64 {
    guard drift != 0 else { return passed }
    let (whole, rest) = passed.quotientAndRemainder(dividingBy: 1_000_000)
    return passed + whole * drift + rest * drift / 1_000_000
  }

  private mutating func settle(at now: WorldTime) {
    let passed = elapsed(at: now)
    bootThen += passed
    wallThen += passed
    changed = now.nanoseconds
  }
}
