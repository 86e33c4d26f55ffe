internal import Glibc
import LimpetInstants

extension BootClock {
  /// CLOCK_BOOTTIME, of clock_gettime(2).
  public static var now: Instant {
    var time = timespec()
    clock_gettime(CLOCK_BOOTTIME, &time)
    return Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
  }
}

extension BootClock.Instant {
  /// The moment of the call, by CLOCK_BOOTTIME.
  public static var now: BootClock.Instant { BootClock.now }
}

extension WallClock {
  /// - Parameter last: the clock before, if the kernel reported no step since: then this asks only once a second
  ///   whether it is synchronised. That is a system call on the way of every edge; reading the time is none.
  package static func now(after last: WallClock? = nil) -> WallClock {
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
}
