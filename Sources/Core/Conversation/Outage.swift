import LimpetInstants

/// What of an outage is worth a line of the log: that it begins, a new reason, and after 10, 20, 40
/// minutes and so on that it goes on; so a day of it is a screen.
///
/// A connection that ends before it has lasted belongs to the outage that was: who is thrown out again and again is not
/// logged each time. It is over when a connection lasts.
package struct Outage: Sendable {
  package enum Worth: Sendable, Equatable {
    case news
    /// It goes on. A milestone is a line at the usual level; any other tenth minute is for who wants to know more.
    case reminder(after: Duration, attempts: Int, isMilestone: Bool)
    /// Told already.
    case repetition
  }

  /// Reasons that are logged of one outage, and connections of it that did not last.
  static let limit = 5
  static let rest = Duration.minutes(10)

  private let since: BootClock.Instant
  private(set) var attempts = 0
  private var reasons: Set<String> = []
  private var connections = 0
  private var notedAt: BootClock.Instant
  private var milestone = Self.rest
  /// A connection is there, and was not logged.
  private(set) var isQuiet = false

  init(since: BootClock.Instant) {
    self.since = since
    notedAt = since
  }

  /// A connection ended, or an attempt led to none.
  mutating func failed(_ reason: String, at now: BootClock.Instant) -> Worth {
    attempts += 1
    isQuiet = false
    let age = since.duration(to: now)
    if reasons.count < Self.limit, reasons.insert(reason).inserted {
      notedAt = now
      return .news
    }
    guard notedAt.duration(to: now) >= Self.rest else { return .repetition }
    notedAt = now
    let isMilestone = age >= milestone
    while milestone <= age { milestone = milestone * 2 }
    return .reminder(after: age, attempts: attempts, isMilestone: isMilestone)
  }

  /// - Returns: whether it is worth a line.
  mutating func connected() -> Bool {
    connections += 1
    isQuiet = connections > Self.limit
    return !isQuiet
  }

  func age(at now: BootClock.Instant) -> Duration { since.duration(to: now) }
}

extension Duration {
  fileprivate static func minutes(_ count: Int) -> Duration { .seconds(count * 60) }
}
