/// When which sensor is due. Times are whole multiples of the interval after the start, so that sensors of one interval,
/// and of intervals that divide each other, share a wake-up. Times that were missed (a suspend) are left out, not made up for.
struct SampleSchedule {
  typealias Instant = ContinuousClock.Instant

  private struct Group {
    let interval: Duration
    var members: [Int]
    var due: Instant
  }

  private let start: Instant
  private var groups: [Group] = []

  /// Every sensor is due at once, by index into `intervals`; an interval is more than zero.
  init(intervals: [Duration], start: Instant) {
    self.start = start
    for (index, interval) in intervals.enumerated() {
      if let group = groups.firstIndex(where: { $0.interval == interval }) {
        groups[group].members.append(index)
      } else {
        groups.append(Group(interval: interval, members: [index], due: start))
      }
    }
  }

  /// When the next sensor is due; nil without sensors.
  var next: Instant? { groups.map(\.due).min() }

  /// The sensors that are due, each once.
  mutating func take(at now: Instant) -> [Int] {
    var due: [Int] = []
    for index in groups.indices where groups[index].due <= now {
      due += groups[index].members
      let interval = groups[index].interval
      // In integers: a quotient of Doubles is below the whole number at times, and this very moment would be due again.
      let passed = start.duration(to: now).attoseconds / interval.attoseconds
      groups[index].due = start + interval * (passed + 1)
    }
    return due
  }
}
