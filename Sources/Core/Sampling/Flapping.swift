import LimpetInstants

/// Whether a change between working and failing is worth a line of the log. The first few are; a thing that changes on
/// and on gets a line after 10 minutes, then after 20 and so on, at most after 6 hours, with how often it changed.
/// After an hour without a change the count begins again.
struct Flapping: Sendable {
  static let free = 4
  private static let rest = Duration.seconds(600)
  private static let longest = Duration.seconds(6 * 3600)
  private static let calm = Duration.seconds(3600)

  private var noted = 0
  private var gap = Duration.zero
  private var notedAt: BootClock.Instant?
  private var changedAt: BootClock.Instant?
  private var changes = 0

  /// It is another way than before.
  mutating func changed(at now: BootClock.Instant) {
    if let last = changedAt, last.duration(to: now) >= Self.calm { (noted, gap, changes) = (0, .zero, 0) }
    changedAt = now
    changes += 1
  }

  /// Asked while the last line is no longer true.
  ///
  /// - Returns: nil: not now; else how often it changed since the last line.
  mutating func reports(at now: BootClock.Instant) -> Int? {
    if let notedAt, notedAt.duration(to: now) < gap { return nil }
    noted += 1
    if noted >= Self.free { gap = min(max(gap * 2, Self.rest), Self.longest) }
    notedAt = now
    defer { changes = 0 }
    return changes
  }
}
