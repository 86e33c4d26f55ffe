import Testing

@testable import Core
@testable import LimpetInstants

@Suite("ReopenSchedule")
struct ReopenScheduleTests {
  private let start = BootClock.Instant(nanoseconds: 0)

  @Test("a store that cannot be opened is tried after 5 s, then after twice as long each time, up to a minute")
  func cannotOpen() {
    var schedule = ReopenSchedule()
    let waits = (1...6).map { _ in schedule.wait(hadFile: false, at: start) }
    #expect(waits == [5, 10, 20, 40, 60, 60].map { .seconds($0) })
  }

  @Test("a file that was in use since the start, or for a minute, is replaced at once")
  func replacedAtOnce() {
    var schedule = ReopenSchedule()
    #expect(schedule.wait(hadFile: true, at: start) == .zero)
    schedule.opened(at: start)
    #expect(schedule.wait(hadFile: true, at: start + .seconds(60)) == .zero)
  }

  @Test("a store that opens and fails again and again costs time each time, also where opening succeeds at once")
  func fleeting() {
    var schedule = ReopenSchedule()
    var now = start
    var openings = 0
    while now < start + .seconds(3600) {
      now += schedule.wait(hadFile: true, at: now)
      schedule.opened(at: now)
      openings += 1
    }
    #expect(openings < 70, "\(openings) in an hour")
  }
}
