import Glibc

/// Turns the kernel's times of edges (CLOCK_MONOTONIC) into times that count suspend (CLOCK_BOOTTIME, which is Swift's
/// `ContinuousClock` on Linux).
///
/// The clocks differ by the time the system was suspended, so by nothing between two suspends: one pair of readings
/// serves until the next. Taking a new pair each time would shift the times of edges against each other by as long as
/// a thread was kept from its processor between the two readings.
struct BootTime {
  private var pair: Pair

  private struct Pair {
    var monotonic: Int64
    var instant: ContinuousClock.Instant
    /// How far the two readings may be apart.
    var width: Int64
  }

  /// A suspend is longer, and drift between the two is impossible: both count the same ticks.
  private static let tolerance = Duration.milliseconds(1)

  init() { pair = Self.read() }

  /// Notices a suspend; call it when events are read.
  mutating func refresh() {
    let now = Self.read()
    let tolerance = Self.tolerance + .nanoseconds(now.width)
    let difference = instant(of: now.monotonic).duration(to: now.instant)
    if difference > tolerance || difference < .zero - tolerance || now.width < pair.width { pair = now }
  }

  func instant(of monotonic: Int64) -> ContinuousClock.Instant {
    pair.instant + .nanoseconds(monotonic - pair.monotonic)
  }

  /// CLOCK_MONOTONIC, in nanoseconds.
  static func monotonic() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }

  private static func read() -> Pair {
    let before = monotonic()
    let instant = ContinuousClock.now
    let width = monotonic() - before
    return Pair(monotonic: before + width / 2, instant: instant, width: width)
  }
}

extension Duration {
  /// Whole nanoseconds, as far as 64 bits reach.
  var nanoseconds: Int64 {
    let (seconds, attoseconds) = components
    let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    return overflow ? (seconds < 0 ? .min : .max) : product + attoseconds / 1_000_000_000
  }
}
