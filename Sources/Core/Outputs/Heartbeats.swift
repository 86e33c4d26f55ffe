import DequeModule
import LimpetInstants
import MQTTCore

/// Topics on which controllers publish that they are there (`lost.heartbeat`), on this connection: beside the commands,
/// whose fate is their own. A broker that does not let a device hear its controller may well let it hear commands.
struct Heartbeats: Sendable, Equatable {
  /// What each SUBSCRIBE that has no answer yet asked for, the oldest first.
  private var asked: Deque<[TopicFilter]> = []
  /// What the server has refused; it rests (`DeniedSubscriptions`).
  private var refused: [TopicFilter] = []

  mutating func asks(_ topics: [TopicFilter]) { asked.append(topics) }

  /// - Returns: what is refused of it, with the first reason.
  mutating func answered(_ codes: [ReasonCode]) -> (topics: [TopicFilter], code: ReasonCode)? {
    guard let topics = asked.popFirst() else { return nil }
    let denied = zip(topics, codes).filter { $0.1.isError }
    guard let code = denied.first?.1 else { return nil }
    refused += denied.map(\.0)
    return (denied.map(\.0), code)
  }

  /// Those of `topics` that were refused: they are asked for now.
  mutating func takeRefused(of topics: [TopicFilter]) -> [TopicFilter] {
    defer { refused = [] }
    return refused.filter(topics.contains)
  }
}

extension Conversation {
  mutating func watchHeartbeats(at now: Moment) { watchHeartbeats(plan.commands?.heartbeats ?? [], at: now) }

  private mutating func watchHeartbeats(_ topics: [TopicFilter], at now: Moment) {
    guard !topics.isEmpty, !leaving.isLeaving, watching.closes.maySubscribe else { return }
    let heartbeats = topics.map {
      Subscription($0, qos: .atMostOnce, retainAsPublished: true, retainHandling: .doNotSend)
    }
    do throws(Session.Rejection) {
      try link.subscribe(heartbeats, token: Request.heartbeats.token, at: now.boot, into: &linkEffects)
      watching.heartbeats.asks(topics)
    } catch {
      effects.notes.append(.heartbeatsRefused(topics, "\(error)"))
    }
  }

  mutating func heartbeatsSubscribed(_ codes: [ReasonCode], at now: Moment) {
    guard let refused = watching.heartbeats.answered(codes) else { return }
    watching.denied.add(.heartbeats, at: now.boot)
    effects.notes.append(.heartbeatsRefused(refused.topics, "\(refused.code)"))
  }

  /// The rest of those that were refused is over.
  mutating func askForDeniedHeartbeats(at now: Moment) {
    watchHeartbeats(watching.heartbeats.takeRefused(of: plan.commands?.heartbeats ?? []), at: now)
  }

  /// After a reload: a session would go on hearing those that left. Those that stay are heard already, or rest.
  mutating func watchOtherHeartbeats(_ old: [TopicFilter], at now: Moment) {
    let new = plan.commands?.heartbeats ?? []
    unwatch(old.filter { !new.contains($0) }, at: now)
    watchHeartbeats(new.filter { !old.contains($0) }, at: now)
  }
}
