import Glibc
import LimpetInstants
import Testing

@testable import LimpetInstants
@testable import LimpetPlatform

struct TimestampTests {
  @Test(
    "known moments",
    arguments: [
      (0, "1970-01-01T00:00:00.000Z"), (951_782_399, "2000-02-28T23:59:59.000Z"),
      (951_782_400, "2000-02-29T00:00:00.000Z"), (951_868_800, "2000-03-01T00:00:00.000Z"),
      (1_709_164_800, "2024-02-29T00:00:00.000Z"), (1_709_251_199, "2024-02-29T23:59:59.000Z"),
      (1_798_761_599, "2026-12-31T23:59:59.000Z"), (1_798_761_600, "2027-01-01T00:00:00.000Z"),
      // 2100 is no leap year.
      (4_107_542_399, "2100-02-28T23:59:59.000Z"), (4_107_542_400, "2100-03-01T00:00:00.000Z"),
      (-1, "1969-12-31T23:59:59.000Z"), (-86_400, "1969-12-31T00:00:00.000Z"),
      (-62_135_596_800, "0001-01-01T00:00:00.000Z"), (253_402_300_799, "9999-12-31T23:59:59.000Z"),
    ] as [(Int64, String)])
  func known(seconds: Int64, text: String) {
    #expect(Timestamp(sinceEpoch: .seconds(seconds)).description == text)
  }

  @Test(
    "a moment belongs to the millisecond that has begun, before 1970 too",
    arguments: [
      (.milliseconds(123), 123, "1970-01-01T00:00:00.123Z"), (.milliseconds(7), 7, "1970-01-01T00:00:00.007Z"),
      (.nanoseconds(1_999_999), 1, "1970-01-01T00:00:00.001Z"), (.nanoseconds(999_999), 0, "1970-01-01T00:00:00.000Z"),
      (.nanoseconds(999_999_999), 999, "1970-01-01T00:00:00.999Z"),
      (.milliseconds(-1), -1, "1969-12-31T23:59:59.999Z"), (.milliseconds(-1000), -1000, "1969-12-31T23:59:59.000Z"),
      (.milliseconds(-1001), -1001, "1969-12-31T23:59:58.999Z"), (.nanoseconds(-1), -1, "1969-12-31T23:59:59.999Z"),
      (.nanoseconds(-1_000_001), -2, "1969-12-31T23:59:59.998Z"),
    ] as [(Duration, Int64, String)])
  func milliseconds(sinceEpoch: Duration, milliseconds: Int64, text: String) {
    let timestamp = Timestamp(sinceEpoch: sinceEpoch)
    #expect(timestamp.milliseconds == milliseconds)
    #expect(timestamp.description == text)
  }

  @Test("the same date and time as gmtime(3), for moments from the year 1 to 9999")
  func likeTheSystem() {
    var generator = SplitMix64(seed: 1970)
    for index in 0..<5000 {
      // Half of them where devices live: 1970 to 2106.
      let range: ClosedRange<Int64> = index.isMultiple(of: 2) ? 0...4_294_967_295 : -62_135_596_800...253_402_300_799
      let seconds = Int64.random(in: range, using: &generator)
      #expect(Timestamp(sinceEpoch: .seconds(seconds)).description == systemText(seconds))
    }
  }

  @Test("the first and last second of every month of four centuries, like gmtime(3)")
  func everyMonth() {
    var day: Int64 = 0
    for year in 1970..<2370 {
      let isLeap = year.isMultiple(of: 4) && (!year.isMultiple(of: 100) || year.isMultiple(of: 400))
      for length: Int64 in [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        for seconds in [day * 86_400, (day + length) * 86_400 - 1] {
          #expect(Timestamp(sinceEpoch: .seconds(seconds)).description == systemText(seconds))
        }
        day += length
      }
    }
    #expect(Timestamp(sinceEpoch: .seconds(day * 86_400)).description == "2370-01-01T00:00:00.000Z")
  }

  private func systemText(_ seconds: Int64) -> String {
    var moment = time_t(seconds)
    var date = tm()
    gmtime_r(&moment, &date)
    var text = [CChar](repeating: 0, count: 64)
    let format = "%04d-%02d-%02dT%02d:%02d:%02d.000Z"
    let fields = [date.tm_year + 1900, date.tm_mon + 1, date.tm_mday, date.tm_hour, date.tm_min, date.tm_sec]
    _ = withVaList(fields) { vsnprintf(&text, text.count, format, $0) }
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}

struct WallClockTests {
  private static let base = BootClock.now
  private static let clock = WallClock(instant: base, sinceEpoch: .seconds(1_795_176_000), isSynchronized: true)

  @Test(
    "another moment's wall time is as far away as the moment is",
    arguments: [
      (.zero, "2026-11-20T12:00:00.000Z"), (.milliseconds(-877), "2026-11-20T11:59:59.123Z"),
      (.seconds(-3600), "2026-11-20T11:00:00.000Z"), (.milliseconds(1), "2026-11-20T12:00:00.001Z"),
      (.seconds(-2 * 86_400), "2026-11-18T12:00:00.000Z"), (.microseconds(-1), "2026-11-20T11:59:59.999Z"),
    ] as [(Duration, String)])
  func time(of distance: Duration, text: String) {
    #expect(Self.clock.time(of: Self.base + distance).description == text)
  }

  @Test("a board whose clock starts in 1970 can have measured before it")
  func before1970() {
    let clock = WallClock(instant: Self.base, sinceEpoch: .seconds(5), isSynchronized: false)
    #expect(clock.time(of: Self.base - .milliseconds(5001)).description == "1969-12-31T23:59:59.999Z")
  }

  @Test("whether it is synchronised is what it said last, for a second; the time is asked")
  func remembersSynchronization() {
    let now = BootClock.now
    let truth = WallClock.now()
    func clock(asked: Duration) -> WallClock {
      WallClock(instant: now - asked, sinceEpoch: .zero, isSynchronized: !truth.isSynchronized)
    }
    let soon = WallClock.now(after: clock(asked: .zero))
    #expect(soon.isSynchronized == !truth.isSynchronized && soon.instant >= now)
    #expect(abs(soon.time(of: now).microseconds - truth.time(of: now).microseconds) < 60_000_000)
    #expect(WallClock.now(after: clock(asked: .milliseconds(1001))).isSynchronized == truth.isSynchronized)
  }
}
