import LimpetInstants

/// When a store that was given up is opened again: a file that was in use is replaced at once, since each second without
/// one is a second in memory only. One that could not be opened, or that did not last, waits longer each time.
package struct ReopenSchedule {
  package typealias Instant = BootClock.Instant

  private var delay = shortest
  private var opened: Instant?

  private static let shortest = Duration.seconds(5)
  private static let longest = Duration.seconds(60)
  /// A store that was open for so long is no sign that the next one will not last.
  private static let lasting = Duration.seconds(60)

  /// The store is open.
  package mutating func opened(at now: Instant) { opened = now }

  /// How long to wait before the store is opened again.
  ///
  /// - Parameter hadFile: it was open until now.
  package mutating func wait(hadFile: Bool, at now: Instant) -> Duration {
    if hadFile {
      let hasLasted = opened.map { $0.duration(to: now) >= Self.lasting } ?? true
      if hasLasted {
        delay = Self.shortest
        return .zero
      }
    }
    defer { delay = min(delay * 2, Self.longest) }
    return delay
  }
}
