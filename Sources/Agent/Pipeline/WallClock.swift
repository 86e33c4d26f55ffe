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

  init(instant: BootClock.Instant, sinceEpoch: Duration, isSynchronized: Bool) {
    self.init(instant: instant, sinceEpoch: sinceEpoch.wholeNanoseconds, isSynchronized: isSynchronized)
  }

  private init(instant: BootClock.Instant, sinceEpoch: Int64, isSynchronized: Bool) {
    self.instant = instant
    self.sinceEpoch = sinceEpoch
    self.isSynchronized = isSynchronized
  }

  static func now() -> WallClock {
    let (instant, sinceEpoch) = bothClocks()
    return WallClock(instant: instant, sinceEpoch: sinceEpoch, isSynchronized: ClockState.isSynchronized)
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

  /// The wall time of another moment.
  func time(of other: BootClock.Instant) -> Timestamp {
    let nanoseconds = sinceEpoch + (other.nanoseconds - instant.nanoseconds)
    return Timestamp(microseconds: nanoseconds.flooredDivision(by: 1000).quotient)
  }

  /// The moment of a wall time, which may lie before this boot. A time beyond what 64 bits hold is this moment.
  func instant(of time: Timestamp) -> BootClock.Instant {
    let (nanoseconds, overflow) = time.microseconds.multipliedReportingOverflow(by: 1000)
    guard !overflow else { return instant }
    return BootClock.Instant(nanoseconds: instant.nanoseconds &- (sinceEpoch &- nanoseconds))
  }
}

/// A moment as RFC 3339 writes it, in UTC: `2026-11-20T12:00:00.123Z`.
struct Timestamp: Sendable, Equatable, CustomStringConvertible {
  /// Since 1970.
  let microseconds: Int64

  /// How exactly it is told.
  enum Precision: Sendable {
    case milliseconds, microseconds
  }

  init(microseconds: Int64) { self.microseconds = microseconds }

  init(sinceEpoch: Duration) {
    let (seconds, attoseconds) = sinceEpoch.components
    microseconds = seconds * 1_000_000 + attoseconds.flooredDivision(by: 1_000_000_000_000).quotient
  }

  /// Since 1970.
  var milliseconds: Int64 { microseconds.flooredDivision(by: 1000).quotient }

  var description: String { text(.milliseconds) }

  /// Digit by digit into one string: every reading has one of these.
  func text(_ precision: Precision) -> String {
    let (seconds, microsecond) = microseconds.flooredDivision(by: 1_000_000)
    let (days, second) = seconds.flooredDivision(by: 86_400)
    let (year, month, day) = Self.date(days)
    return String(unsafeUninitializedCapacity: 32) { buffer in
      var end = 0
      func add(_ value: Int64, _ count: Int, then separator: Unicode.Scalar) {
        var rest = value.magnitude
        for place in (end..<end + count).reversed() {
          buffer[place] = UInt8(ascii: "0") + UInt8(rest % 10)
          rest /= 10
        }
        buffer[end + count] = UInt8(ascii: separator)
        end += count + 1
      }
      add(year, 4, then: "-")
      add(month, 2, then: "-")
      add(day, 2, then: "T")
      add(second / 3600, 2, then: ":")
      add(second / 60 % 60, 2, then: ":")
      add(second % 60, 2, then: ".")
      switch precision {
      case .milliseconds: add(microsecond / 1000, 3, then: "Z")
      case .microseconds: add(microsecond, 6, then: "Z")
      }
      return end
    }
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
