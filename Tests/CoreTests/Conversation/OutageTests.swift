import LimpetInstants
import Testing

@testable import Core

@Suite("What of an outage is worth a line")
struct OutageTests {
  private let start = BootClock.Instant(nanoseconds: 0)

  /// Lines at the usual level.
  private func lines(every step: Duration, for time: Duration, _ reason: (Int) -> String) -> Int {
    var outage = Outage(since: start)
    var (count, attempt, at) = (0, 0, Duration.zero)
    while at < time {
      switch outage.failed(reason(attempt), at: start + at) {
      case .news, .reminder(_, _, isMilestone: true): count += 1
      case .reminder, .repetition: break
      }
      attempt += 1
      at += step
    }
    return count
  }

  @Test("a day of it at a back-off of 2 minutes is less than 20 lines, whatever the reasons are")
  func day() {
    let day = Duration.seconds(86_400)
    #expect(lines(every: .seconds(120), for: day) { _ in "refused" } <= 10)
    #expect(lines(every: .seconds(120), for: day) { $0 % 2 == 0 ? "refused" : "no answer" } <= 11)
    #expect(lines(every: .seconds(1), for: day) { "\($0)" } <= 15, "each with a reason of its own")
  }

  @Test("the first failure and each other reason is news; after ten minutes it is said that it goes on")
  func order() {
    var outage = Outage(since: start)
    #expect(outage.failed("a", at: start) == .news)
    #expect(outage.failed("a", at: start + .seconds(60)) == .repetition)
    #expect(outage.failed("b", at: start + .seconds(120)) == .news)
    #expect(outage.failed("b", at: start + .seconds(700)) == .repetition, "not ten minutes since the last line")
    #expect(
      outage.failed("a", at: start + .seconds(720))
        == .reminder(after: .seconds(720), attempts: 5, isMilestone: true))
    #expect(
      outage.failed("a", at: start + .seconds(1330))
        == .reminder(after: .seconds(1330), attempts: 6, isMilestone: true))
    #expect(
      outage.failed("a", at: start + .seconds(2000))
        == .reminder(after: .seconds(2000), attempts: 7, isMilestone: false), "the next milestone is at 40 minutes")
  }

  @Test("connections that do not last are told a few times; the one that lasts then is told")
  func short() {
    var outage = Outage(since: start)
    let told = (0..<20).map { _ in outage.connected() }
    #expect(told.count { $0 } == Outage.limit && told.last == false)
    #expect(outage.isQuiet)
    _ = outage.failed("x", at: start)
    #expect(!outage.isQuiet)
  }

  @Test("a broker that takes a connection and closes it all day long is not told each time, and at last that it holds")
  func flappingBroker() {
    var bench = CoreBench.connected()
    bench.forget()
    for _ in 0..<50 {
      bench.lose()
      bench.reconnect()
    }
    let connected = bench.notes.count { if case .connected(_, _, _, _, isNews: true) = $0 { true } else { false } }
    let lost = bench.notes.count { if case .lost(_, _, _, _, _, .news) = $0 { true } else { false } }
    #expect(connected <= 6 && lost <= 2 * Outage.limit, "\(connected) \(lost)")
    bench.forget()
    bench.advance(by: .seconds(61))
    #expect(bench.noted.contains("connectionLasts"))
  }
}
