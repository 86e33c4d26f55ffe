import LimpetInstants

/// Keeps the status right while the device is online (DESIGN, "Presence, in order", point 5).
///
/// `idle` –connected→ `listening` (subscribed to the own topics; messages may be this device's own old will, which the
/// session has queued and which looks live) –the presence message of this connection comes back→ `armed` (it corrects a
/// status that is not online) –disconnected→ `idle`. Without that echo it is `unavailable` until the echo comes after
/// all.
///
/// A value that takes events and the time, and says what to do. It corrects a wrong status after a jitter, so that two
/// devices that overwrite each other's status do not do so in step, and not twice within `rest`: after that it checks
/// again.
package struct SelfHealing {
  package typealias Instant = BootClock.Instant

  package enum State: Equatable {
    case idle
    case listening(until: Instant)
    case armed
    case unavailable(String)
  }

  package enum Action: Equatable {
    case sayOnline
    /// limpet cannot read the status, for this reason.
    case reportUnavailable(String)
    case reportAvailable
  }

  package static let jitter = Duration.seconds(1)
  package static let rest = Duration.seconds(10)
  package static let echoLimit = Duration.seconds(10)

  package private(set) var state = State.idle
  /// What the broker's status says, as far as it is known.
  private var isWrong = false
  /// The broker does not let this device read its status on this connection, even if the echo comes.
  private var isDenied = false
  private var last: Instant?
  private var due: Instant?

  package init() {}

  package mutating func connected(at now: Instant) {
    state = .listening(until: now + Self.echoLimit)
    isWrong = false
    isDenied = false
    due = nil
  }

  package mutating func disconnected() {
    state = .idle
    due = nil
  }

  /// There will be no echo.
  package mutating func failed(_ reason: String) -> [Action] {
    switch state {
    case .listening, .armed:
      state = .unavailable(reason)
      due = nil
      return [.reportUnavailable(reason)]
    case .idle, .unavailable: return []
    }
  }

  /// SUBACK refused the status topic: limpet cannot read it on this connection, even if the presence message comes
  /// back.
  package mutating func denied(_ reason: String) -> [Action] {
    isDenied = true
    return failed(reason)
  }

  /// The presence that was published on this connection has come back.
  ///
  /// - Parameter delay: at most `jitter`.
  package mutating func echoed(at now: Instant, delay: Duration) -> [Action] {
    guard !isDenied else { return [] }
    switch state {
    case .idle, .armed: return []
    case .listening: state = .armed
    case .unavailable:
      state = .armed
      schedule(at: now, delay)
      return [.reportAvailable]
    }
    schedule(at: now, delay)
    return []
  }

  /// The status topic says this now.
  package mutating func saw(isOnline: Bool, at now: Instant, delay: Duration) {
    isWrong = !isOnline
    schedule(at: now, delay)
  }

  private mutating func schedule(at now: Instant, _ delay: Duration) {
    guard isWrong else {
      due = nil
      return
    }
    guard state == .armed, due == nil else { return }
    due = max(now + delay, last.map { $0 + Self.rest } ?? now)
  }

  /// When `elapsed` has something to do.
  package var deadline: Instant? { if case .listening(let until) = state { until } else { due } }

  package mutating func elapsed(at now: Instant) -> [Action] {
    if case .listening(let until) = state, now >= until {
      return failed("the broker does not return what this device publishes")
    }
    guard let due, now >= due else { return [] }
    last = now
    // Until the correction has come back the status counts as wrong.
    self.due = now + Self.rest
    return [.sayOnline]
  }
}
