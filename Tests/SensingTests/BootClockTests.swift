import Foundation
import LimpetInstants
import LimpetPlatform
import Testing

@Suite("BootClock")
struct BootClockTests {
  private let start = BootClock.Instant(nanoseconds: 1_000)

  @Test("counts the time since the system was started, suspend included, as the kernel tells it")
  func clock() throws {
    let text = try String(contentsOfFile: "/proc/uptime", encoding: .utf8)
    let uptime = try #require(text.split(separator: " ").first.flatMap { Double($0) })
    let now = BootClock.now
    #expect(now <= BootClock.now)
    #expect(abs(Double(now.nanoseconds) / 1e9 - uptime) < 60)
  }

  @Test("adds and subtracts to the nanosecond")
  func arithmetic() {
    #expect(start + .nanoseconds(1) == BootClock.Instant(nanoseconds: 1_001))
    #expect(start - .microseconds(2) == BootClock.Instant(nanoseconds: -1_000))
    #expect(start.duration(to: start + .seconds(3)) == .seconds(3))
    #expect((start + .milliseconds(5)) - start == .milliseconds(5))
    #expect(start < start + .nanoseconds(1))
  }

  @Test("knows no moment beyond the last and the first")
  func bounds() {
    #expect(start + .seconds(Int64.max) == BootClock.Instant(nanoseconds: .max))
    #expect(BootClock.Instant(nanoseconds: -1) - .seconds(Int64.max) == BootClock.Instant(nanoseconds: .min))
    let (first, last) = (BootClock.Instant(nanoseconds: .min), BootClock.Instant(nanoseconds: .max))
    #expect(first.duration(to: last) == .nanoseconds(Int64.max))
    #expect(last.duration(to: first) == .nanoseconds(Int64.min))
  }

  @Test(
    "takes the whole nanoseconds of a duration",
    arguments: [
      (Duration.zero, Int64(0)), (.seconds(-1) - .nanoseconds(1), Int64(-1_000_000_001)),
      (.seconds(Int64.max), Int64.max),
      (.seconds(Int64.min), Int64.min), (Duration(secondsComponent: 0, attosecondsComponent: 1_999_999_999), Int64(1)),
    ])
  func nanoseconds(duration: Duration, nanoseconds: Int64) { #expect(duration.wholeNanoseconds == nanoseconds) }
}
