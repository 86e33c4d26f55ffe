internal import Glibc
import Sensing
import Time

/// What the wall clock says next to the clock that measures. Wall time only labels.
struct WallClock: Sendable, Equatable {
  /// One moment on both clocks.
  let instant: BootClock.Instant
  /// Since 1970-01-01T00:00:00Z, leap seconds left out, in nanoseconds.
  private let sinceEpoch: Int64
  /// The kernel's clock is disciplined by somebody (NTP, PTP, GPS).
  let isSynchronized: Bool
  /// When the kernel was asked that.
  private let asked: BootClock.Instant

  init(instant: BootClock.Instant, sinceEpoch: Duration, isSynchronized: Bool) {
    self.init(
      instant: instant, sinceEpoch: sinceEpoch.wholeNanoseconds, isSynchronized: isSynchronized, asked: instant)
  }

  private init(instant: BootClock.Instant, sinceEpoch: Int64, isSynchronized: Bool, asked: BootClock.Instant) {
    self.instant = instant
    self.sinceEpoch = sinceEpoch
    self.isSynchronized = isSynchronized
    self.asked = asked
  }

  /// - Parameter last: What it said before, and no step was told since: whether it is synchronised is asked once a second
  ///   then. That is a call of the kernel's on the way of every edge; the time itself is none.
  static func now(after last: WallClock? = nil) -> WallClock {
    let (instant, sinceEpoch) = bothClocks()
    if let last, instant - last.asked < .seconds(1) {
      return WallClock(
        instant: instant, sinceEpoch: sinceEpoch, isSynchronized: last.isSynchronized, asked: last.asked)
    }
    return WallClock(
      instant: instant, sinceEpoch: sinceEpoch, isSynchronized: ClockState.isSynchronized, asked: instant)
  }

  /// One moment on both clocks: a thread that loses its processor between the two readings tries again, or the times of
  /// edges would be off by as long as it was away.
  private static func bothClocks() -> (instant: BootClock.Instant, sinceEpoch: Int64) {
    var best = (instant: BootClock.Instant(nanoseconds: 0), sinceEpoch: Int64(0), width: Int64.max)
    for _ in 0..<5 {
      let before = BootClock.now.nanoseconds
      var time = timespec()
      clock_gettime(CLOCK_REALTIME, &time)
      let width = BootClock.now.nanoseconds - before
      if width < best.width {
        let sinceEpoch = Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
        best = (BootClock.Instant(nanoseconds: before + width / 2), sinceEpoch, width)
      }
      if width < 20_000 { break }
    }
    return (best.instant, best.sinceEpoch)
  }

  /// The wall time of another moment; one too far away is the first or the last there is.
  func time(of other: BootClock.Instant) -> Timestamp {
    let moment = BootClock.Instant(nanoseconds: sinceEpoch) + instant.duration(to: other)
    return Timestamp(microseconds: moment.nanoseconds.flooredDivision(by: 1000).quotient)
  }

  /// The moment of a wall time, which may lie before this boot. A time beyond what 64 bits hold is this moment.
  func instant(of time: Timestamp) -> BootClock.Instant {
    let (nanoseconds, overflow) = time.microseconds.multipliedReportingOverflow(by: 1000)
    guard !overflow else { return instant }
    return instant
      + BootClock.Instant(nanoseconds: sinceEpoch).duration(to: BootClock.Instant(nanoseconds: nanoseconds))
  }
}
