import Glibc
import LimpetInstants
import LimpetPlatform

/// Turns the kernel's times of edges (CLOCK_MONOTONIC) into times that count suspend (`BootClock`).
///
/// The clocks differ by the time the system was suspended, so by nothing between two suspends: one pair of readings
/// serves until the next. Taking a new pair each time would shift the times of edges against each other by as long as
/// a thread was kept from its processor between the two readings.
struct BootTime {
  private var pair: Pair

  /// In nanoseconds.
  private struct Pair {
    var monotonic: Int64
    var boot: Int64
    /// How far the two readings may be apart.
    var width: Int64
  }

  /// A suspend is longer, and drift between the two is impossible: both count the same ticks.
  private static let tolerance: Int64 = 1_000_000

  /// In nanoseconds: both readings were one moment.
  private static let narrow: Int64 = 20_000

  init() { pair = Self.read() }

  /// Notices a suspend; call it when events are read.
  mutating func refresh() {
    let now = Self.read()
    let difference = now.boot - instant(of: now.monotonic).nanoseconds
    if abs(difference) > Self.tolerance + now.width || now.width < pair.width { pair = now }
  }

  func instant(of monotonic: Int64) -> BootClock.Instant {
    BootClock.Instant(nanoseconds: pair.boot + (monotonic - pair.monotonic))
  }

  /// CLOCK_MONOTONIC, in nanoseconds.
  static func monotonic() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }

  /// A thread that loses its processor between two readings tries again.
  private static func read() -> Pair {
    var best = Pair(monotonic: 0, boot: 0, width: .max)
    for _ in 0..<5 where best.width > Self.narrow {
      let before = monotonic()
      let boot = BootClock.now.nanoseconds
      let width = monotonic() - before
      if width < best.width { best = Pair(monotonic: before + width / 2, boot: boot, width: width) }
    }
    return best
  }
}
