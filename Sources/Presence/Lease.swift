import LimpetInstants

/// When to publish `online` again, so that the retained `online` never expires while the device is connected.
///
/// `presence.lease` counts on the clock that measures, suspend included. A broker counts the Message Expiry Interval on a
/// clock of its own, which may be this machine's wall clock: a step of it, or a suspend, may have used the lease up.
package struct Lease {
  package typealias Instant = BootClock.Instant

  /// Between two publications because of steps of the clock: frequent steps must not flood the broker.
  package static let shortest = Duration.seconds(1)

  /// nil: nothing has to be published again.
  package private(set) var deadline: Instant?
  private var lastPublished: Instant?

  package init() {}

  /// `online` has been published.
  ///
  /// - Parameter interval: until it has to be again; zero: never.
  package mutating func published(every interval: Duration, at now: Instant) {
    lastPublished = now
    deadline = interval > .zero ? now + interval : nil
  }

  /// The wall clock was set, or the system was suspended.
  package mutating func clockJumped(at now: Instant) {
    guard let deadline, let lastPublished else { return }
    self.deadline = min(deadline, max(now, lastPublished + Self.shortest))
  }

  /// There is no connection, or no `online` to publish.
  package mutating func end() { deadline = nil }

  package func isDue(at now: Instant) -> Bool { deadline.map { $0 <= now } ?? false }
}
