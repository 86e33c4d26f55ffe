/// What the wall clock says next to the clock that measures. Wall time only labels.
package struct WallClock: Sendable, Equatable {
  /// One moment on both clocks.
  package let instant: BootClock.Instant
  /// Since 1970-01-01T00:00:00Z, leap seconds left out, in nanoseconds.
  package let sinceEpoch: Int64
  /// The kernel's clock is disciplined by somebody (NTP, PTP, GPS).
  package let isSynchronized: Bool
  /// When the kernel was asked that.
  package let asked: BootClock.Instant

  package init(instant: BootClock.Instant, sinceEpoch: Duration, isSynchronized: Bool) {
    self.init(
      instant: instant, sinceEpoch: sinceEpoch.wholeNanoseconds, isSynchronized: isSynchronized, asked: instant)
  }

  package init(instant: BootClock.Instant, sinceEpoch: Int64, isSynchronized: Bool, asked: BootClock.Instant) {
    self.instant = instant
    self.sinceEpoch = sinceEpoch
    self.isSynchronized = isSynchronized
    self.asked = asked
  }

  /// The wall time of another moment; one too far away is the first or the last there is.
  package func time(of other: BootClock.Instant) -> Timestamp {
    let moment = BootClock.Instant(nanoseconds: sinceEpoch) + instant.duration(to: other)
    return Timestamp(microseconds: moment.nanoseconds.flooredDivision(by: 1000).quotient)
  }

  /// The moment of a wall time, which may lie before this boot. A time beyond what 64 bits hold is this moment.
  package func instant(of time: Timestamp) -> BootClock.Instant {
    let (nanoseconds, overflow) = time.microseconds.multipliedReportingOverflow(by: 1000)
    guard !overflow else { return instant }
    return instant
      + BootClock.Instant(nanoseconds: sinceEpoch).duration(to: BootClock.Instant(nanoseconds: nanoseconds))
  }
}
