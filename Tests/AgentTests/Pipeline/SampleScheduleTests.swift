import Testing

@testable import Configuration
@testable import LimpetInstants
@testable import LimpetPlatform
@testable import Readings

struct SampleScheduleTests {
  private static let start = BootClock.now

  private func schedule(_ intervals: Duration...) -> SampleSchedule {
    SampleSchedule(intervals: intervals, start: Self.start)
  }

  /// When the schedule wants to wake up next, as a distance from the start.
  private func next(_ schedule: SampleSchedule) -> Duration? { schedule.next.map { Self.start.duration(to: $0) } }

  /// Wakes up exactly when the schedule asks for it.
  private func wakeUps(_ schedule: inout SampleSchedule, count: Int) -> [(time: Duration, due: [Int])] {
    (0..<count).compactMap { _ in
      guard let next = schedule.next else { return nil }
      return (Self.start.duration(to: next), schedule.take(at: next).sorted())
    }
  }

  @Test("without sensors nothing is ever due")
  func empty() {
    var schedule = schedule()
    #expect(schedule.next == nil)
    #expect(schedule.take(at: Self.start + .seconds(1000)) == [])
  }

  @Test("every sensor is due at the start")
  func atOnce() {
    var schedule = schedule(.seconds(10), .days(7), .milliseconds(10), .seconds(10))
    #expect(next(schedule) == .zero)
    #expect(schedule.take(at: Self.start).sorted() == [0, 1, 2, 3])
  }

  @Test("going on with others, what is new is due at once, the rest keeps its times, and then they share wake-ups")
  func continued() {
    var schedule = schedule(.seconds(10), .seconds(4))
    _ = schedule.take(at: Self.start)
    let now = Self.start + .seconds(5)
    _ = schedule.take(at: now)
    var next = schedule.continued(
      [(.seconds(10), false), (.seconds(10), true), (.seconds(3), true), (.seconds(4), false)], at: now)
    #expect(next.take(at: now).sorted() == [1, 2])
    let rest = wakeUps(&next, count: 4)
    #expect(rest.map(\.time) == [.seconds(6), .seconds(8), .seconds(9), .seconds(10)])
    #expect(rest.map(\.due) == [[2], [3], [2], [0, 1]])
  }

  @Test("before the start nothing is due")
  func beforeStart() {
    var schedule = schedule(.seconds(10))
    #expect(schedule.take(at: Self.start - .seconds(1)) == [])
    #expect(next(schedule) == .zero)
  }

  @Test("sensors of one interval share every wake-up")
  func shared() {
    var schedule = schedule(.seconds(10), .seconds(10), .seconds(10))
    let wakeUps = wakeUps(&schedule, count: 4)
    #expect(wakeUps.map(\.time) == [.zero, .seconds(10), .seconds(20), .seconds(30)])
    #expect(wakeUps.allSatisfy { $0.due == [0, 1, 2] })
  }

  @Test("10 s and 30 s meet at every third wake-up")
  func dividing() {
    var schedule = schedule(.seconds(30), .seconds(10))
    let wakeUps = wakeUps(&schedule, count: 7)
    #expect(wakeUps.map(\.time) == (0..<7).map { .seconds(10 * $0) })
    #expect(wakeUps.map(\.due) == [[0, 1], [1], [1], [0, 1], [1], [1], [0, 1]])
  }

  @Test("a wake-up that comes late does not move the ones after it")
  func late() {
    var schedule = schedule(.seconds(10))
    for period in 0..<100 {
      #expect(schedule.take(at: Self.start + .seconds(10 * period) + .milliseconds(9_999)) == [0])
      #expect(next(schedule) == .seconds(10 * (period + 1)))
    }
  }

  @Test("times that were missed are left out: one sample after a suspend, then at the usual times")
  func suspended() {
    var schedule = schedule(.seconds(10), .seconds(60))
    _ = schedule.take(at: Self.start)
    #expect(schedule.take(at: Self.start + .days(2) + .seconds(3)).sorted() == [0, 1])
    #expect(next(schedule) == .days(2) + .seconds(10))
    #expect(schedule.take(at: Self.start + .days(2) + .seconds(3)) == [])
  }

  @Test("nothing is due a moment too early")
  func early() {
    var schedule = schedule(.seconds(10))
    _ = schedule.take(at: Self.start)
    #expect(schedule.take(at: Self.start + .seconds(10) - .nanoseconds(1)) == [])
    #expect(schedule.take(at: Self.start + .seconds(10)) == [0])
  }

  @Test(
    "never due twice at one instant, and no period left out",
    arguments: [
      .milliseconds(10), .milliseconds(30), .milliseconds(49), .milliseconds(100), .milliseconds(123),
      .milliseconds(333),
      .milliseconds(700), .microseconds(12_345), .seconds(7), .seconds(86_400),
    ] as [Duration])
  func onceAnInstant(interval: Duration) {
    var schedule = schedule(interval)
    for period in 0..<20_000 {
      let due = Self.start + interval * period
      guard schedule.next == due, schedule.take(at: due) == [0], schedule.take(at: due) == [] else {
        Issue.record("wrong at period \(period)")
        return
      }
    }
  }

  @Test(
    "there is no drift after a million periods",
    arguments: [.milliseconds(10), .milliseconds(49), .seconds(1)] as [Duration])
  func drift(interval: Duration) {
    var schedule = schedule(interval)
    let far = interval * 1_000_000
    for offset in [Duration.zero, interval / 2, interval - .nanoseconds(1)] {
      _ = schedule.take(at: Self.start + far + offset)
      #expect(next(schedule) == far + interval)
    }
    #expect(schedule.take(at: Self.start + far + interval) == [0])
    #expect(next(schedule) == far + interval * 2)
  }
}

extension Duration {
  fileprivate static func days(_ count: Int) -> Duration { .seconds(86_400 * count) }
}
