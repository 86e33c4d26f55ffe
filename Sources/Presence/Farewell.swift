import LimpetInstants
import MQTTCore

/// The farewell on a connection that another one replaces, after a reload or for the first server of the list: it must not
/// leave an `online` behind that no connection and no will belongs to (DESIGN, "Presence, in order").
///
/// `idle` –begin→ `saying` (presence, then status) –the broker acknowledges `offline`→ `leaving` by a DISCONNECT. Where
/// the broker refuses it, or does not acknowledge it in time, `leaving` is an abort: the broker publishes the will,
/// which a DISCONNECT would delete. The next connection ends the farewell. From `begin` on nothing
/// else is published on the old connection, neither readings nor another birth.
package struct Farewell {
  package typealias Instant = BootClock.Instant

  package enum State: Equatable {
    case idle
    case saying(until: Instant)
    /// The old connection ends, or has ended; the next one is made in the new way.
    case leaving
  }

  package enum Action: Equatable {
    case say
    /// The next attempt follows at once. A connection that is there ends with a DISCONNECT, or by an
    /// abort.
    case leave(isAborted: Bool)
    /// A still newer configuration makes the next attempt, which follows by itself.
    case adopt
  }

  /// How long an acknowledgement is waited for.
  package static let limit = Duration.seconds(2)

  package private(set) var state = State.idle

  package init(state: State = State.idle) {
    self.state = state
  }

  package var isUnderWay: Bool { state != .idle }
  package var isLeaving: Bool { state == .leaving }

  /// When `elapsed` has to be called.
  package var deadline: Instant? { if case .saying(let until) = state { until } else { nil } }

  /// Another configuration wants another connection, or the first server is returned to.
  package mutating func begin(at now: Instant, isConnected: Bool) -> [Action] {
    switch state {
    // A farewell that is under way goes on, in its time.
    case .saying: return []
    case .leaving where isConnected: return [.adopt]
    case .idle where isConnected:
      state = .saying(until: now + Self.limit)
      return [.say]
    case .idle, .leaving: return leave(isAborted: false)
    }
  }

  /// The broker has `offline`.
  package mutating func acknowledged() -> [Action] { deadline == nil ? [] : leave(isAborted: false) }

  /// The broker refuses `offline`, or it cannot be sent.
  package mutating func refused() -> [Action] { deadline == nil ? [] : leave(isAborted: true) }

  package mutating func elapsed(at now: Instant) -> [Action] {
    guard let deadline, now >= deadline else { return [] }
    return leave(isAborted: true)
  }

  /// The connection ended before the broker had acknowledged anything: the broker publishes the will.
  package mutating func lost() -> [Action] { deadline == nil ? [] : leave(isAborted: false) }

  /// The next connection is there, or the agent stops and has a farewell of its own (`Departure`).
  package mutating func end() { state = .idle }

  private mutating func leave(isAborted: Bool) -> [Action] {
    state = .leaving
    return [.leave(isAborted: isAborted)]
  }
}
