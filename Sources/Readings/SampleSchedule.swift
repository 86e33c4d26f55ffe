import LimpetInstants

/// When which sensor is due. Times are whole multiples of the interval after the start, so that sensors of one interval,
/// and of intervals that divide each other, share a wake-up. Times that were missed in a suspend are not made up for.
package struct SampleSchedule {
  package typealias Instant = BootClock.Instant

  private struct Group {
    let interval: Duration
    var members: [Int]
    var due: Instant
  }

  private let start: Instant
  private var groups: [Group] = []

  /// Every sensor is due at once, by index into `intervals`; an interval is more than zero.
  package init(intervals: [Duration], start: Instant) {
    self.start = start
    for (index, interval) in intervals.enumerated() {
      if let group = groups.firstIndex(where: { $0.interval == interval }) {
        groups[group].members.append(index)
      } else {
        groups.append(Group(interval: interval, members: [index], due: start))
      }
    }
  }

  /// Goes on with others, by index into `intervals`: of those that are new the first time is at once, the rest keep their
  /// times.
  package func continued(_ intervals: [(interval: Duration, isNew: Bool)], at now: Instant) -> SampleSchedule {
    var schedule = SampleSchedule(intervals: [], start: start)
    for (index, (interval, isNew)) in intervals.enumerated() {
      let due = isNew ? now : Self.next(interval, after: start, at: now)
      if let group = schedule.groups.firstIndex(where: { $0.interval == interval && $0.due == due }) {
        schedule.groups[group].members.append(index)
      } else {
        schedule.groups.append(Group(interval: interval, members: [index], due: due))
      }
    }
    return schedule
  }

  /// In integers: a quotient of Doubles may be just below the whole number, and this same moment would be due again.
  private static func next(_ interval: Duration, after start: Instant, at now: Instant) -> Instant {
    start + interval * (start.duration(to: now).attoseconds / interval.attoseconds + 1)
  }

  /// When the next sensor is due; nil without sensors.
  package var next: Instant? { groups.map(\.due).min() }

  /// The sensors that are due, each once.
  package mutating func take(at now: Instant) -> [Int] {
    var due: [Int] = []
    for index in groups.indices where groups[index].due <= now {
      due += groups[index].members
      let interval = groups[index].interval
      groups[index].due = Self.next(interval, after: start, at: now)
    }
    return due
  }
}
