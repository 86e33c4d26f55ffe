internal import CLinux
internal import Glibc

/// What the wall clock says next to the clock that measures. Wall time only labels.
struct WallClock: Sendable, Equatable {
  /// One moment on both clocks.
  let instant: ContinuousClock.Instant
  /// Since 1970-01-01T00:00:00Z, leap seconds left out.
  let sinceEpoch: Duration
  /// The kernel's clock is disciplined by somebody (NTP, PTP, GPS).
  let isSynchronized: Bool

  static func now() -> WallClock {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    var state = timex()
    // adjtimex(2): TIME_ERROR while the clock is not synchronised; reading needs no privilege.
    let answer = adjtimex(&state)
    return WallClock(
      instant: .now, sinceEpoch: .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec),
      isSynchronized: answer >= 0 && answer != TIME_ERROR && state.status & STA_UNSYNC == 0)
  }

  /// The wall time of another moment.
  func time(of other: ContinuousClock.Instant) -> Timestamp {
    Timestamp(sinceEpoch: sinceEpoch - other.duration(to: instant))
  }
}

/// A moment as RFC 3339 writes it, in UTC: `2026-11-20T12:00:00.123Z`.
struct Timestamp: Sendable, Equatable, CustomStringConvertible {
  /// Milliseconds since 1970.
  let milliseconds: Int64

  init(sinceEpoch: Duration) {
    let (seconds, attoseconds) = sinceEpoch.components
    milliseconds = seconds * 1000 + attoseconds.flooredDivision(by: 1_000_000_000_000_000).quotient
  }

  var description: String {
    let (seconds, millisecond) = milliseconds.flooredDivision(by: 1000)
    let (days, second) = seconds.flooredDivision(by: 86_400)
    let (year, month, day) = Self.date(days)
    func digits(_ value: Int64, _ count: Int) -> String {
      let text = String(value)
      return String(repeating: "0", count: max(0, count - text.utf8.count)) + text
    }
    return "\(digits(year, 4))-\(digits(month, 2))-\(digits(day, 2))T\(digits(second / 3600, 2)):"
      + "\(digits(second / 60 % 60, 2)):\(digits(second % 60, 2)).\(digits(millisecond, 3))Z"
  }

  /// The date of a day since 1970-01-01 in the Gregorian calendar. Years begin in March here, so that the leap day is
  /// the last of its year; 146,097 days make 400 years.
  private static func date(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let (era, dayOfEra) = (days + 719_468).flooredDivision(by: 146_097)
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shifted = (5 * dayOfYear + 2) / 153
    let month = shifted < 10 ? shifted + 3 : shifted - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
  }
}

extension Int64 {
  fileprivate func flooredDivision(by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
    let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
  }
}
