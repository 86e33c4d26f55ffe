import LimpetInstants
import Presence

/// What the server has refused to subscribe this connection to, and when it is asked again: after a minute, then after
/// eight times as long, at most an hour, as of topics that it takes nothing on.
///
/// A refusal need not be for ever: rights are given without a new connection, and nats-server refuses subscriptions at
/// random while one of its nodes is away. Up to 3.1.1 SUBACK does not say which it is.
struct DeniedSubscriptions: Sendable, Equatable {
  struct Parts: OptionSet, Sendable {
    let rawValue: UInt8
    static let presence = Parts(rawValue: 1)
    static let commands = Parts(rawValue: 2)
    static let heartbeats = Parts(rawValue: 4)
    static let homeAssistant = Parts(rawValue: 8)
  }

  private var parts: Parts = []
  private var rest = RestingTopics.shortest
  /// nil: nothing is refused.
  private(set) var askedAt: BootClock.Instant?

  mutating func add(_ part: Parts, at now: BootClock.Instant) {
    parts.insert(part)
    guard askedAt == nil else { return }
    askedAt = now + rest
    rest = min(rest * RestingTopics.factor, RestingTopics.longest)
  }

  /// It is asked for now, or not wanted any more.
  mutating func remove(_ part: Parts) {
    parts.subtract(part)
    if parts.isEmpty { askedAt = nil }
  }

  /// They are asked for now.
  mutating func take() -> Parts {
    defer { (parts, askedAt) = ([], nil) }
    return parts
  }
}
