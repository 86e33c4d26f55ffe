import Instants
import MQTTCore
import Outbox
import Presence

/// The one order in which what waits takes a place in the send window: presence (`Telling`, which has a place of its
/// own), announcements, then what `Sender` has.
extension Conversation {
  /// Fills the room that the link has.
  mutating func pull(at now: Moment) {
    sender.deadline = nil
    guard let connection = standing.connection, !isSayingFarewell, telling.waiting.isEmpty else { return }
    let limits = PublishLimits(connection.limits)
    let version = connection.version
    announce(limits, at: now)
    while let message = sender.leftOver.first?.message {
      guard hasRoom(message.qos), let next = sender.nextLeftOver(limits), send(next, at: now) else { return }
    }
    if sender.clearings.hasNext {
      while hasRoom(.atLeastOnce), let next = sender.nextClearing(plan.streams, limits) {
        guard send(next, at: now) else { return }
      }
    }
    let qos = min(plan.qos, limits.maximumQoS)
    if sender.retained.hasNext {
      while hasRoom(qos), let next = sender.nextRetained(plan.streams, limits, at: now.boot) {
        guard send(next, at: now) else { return }
      }
    }
    guard !sender.outbox.isEmpty else { return }
    var room = link.room(for: qos)
    while room > 0,
      let next = sender.nextReading(
        plan.streams, expiry: plan.outbox.expiry, limits, version, at: now)
    {
      guard send(next, at: now) else { return }
      room -= 1
    }
    if room > 0 { sender.deadline = earliest(sender.deadline, sender.outbox.drainDeadline(at: now.boot)) }
  }

  private mutating func hasRoom(_ qos: QoS) -> Bool { link.room(for: qos) > 0 }

  /// False: there is no room for it now.
  private mutating func send(_ outgoing: Sender.Outgoing, at now: Moment) -> Bool {
    do throws(Session.Rejection) {
      try link.publish(
        outgoing.message, token: outgoing.request.token, transient: outgoing.isTransient, at: now.boot,
        into: &linkEffects)
    } catch {
      guard error != .noRoom, error != .notConnected else {
        sender.giveBack(outgoing)
        return false
      }
      if case .reading = outgoing.request { sender.underWay += 1 }
      settled(outgoing.request, .rejected(error), at: now)
      return true
    }
    if case .reading = outgoing.request {
      sender.underWay += 1
      tally.handedOver += 1
    }
    return true
  }

  // MARK: What became of it

  mutating func settled(_ request: Request, _ outcome: Session.Outcome, at now: Moment) {
    switch request {
    case .reading(let token): readingSettled(token, outcome, at: now)
    case .retained(let stream): retainedSettled(stream, outcome)
    case .clearing: clearingSettled(outcome)
    case .announcement: announced(outcome, at: now)
    case .birthStatus, .birthPresence, .stopPresence, .stopStatus, .owedStatus:
      presenceSettled(request, outcome, at: now)
    case .health, .subscription, .homeAssistant, .unwatching: break
    }
  }

  private mutating func readingSettled(_ token: Session.Token, _ outcome: Session.Outcome, at now: Moment) {
    sender.underWay -= 1
    let stream = sender.outbox.stream(of: token)
    if let stream, waitsAgain(token, plan.streams[stream].topic, outcome, at: now) { return }
    sender.over(token, isDelivered: outcome == .delivered, at: now.boot)
    switch outcome {
    case .delivered:
      tally.delivered += 1
      messageTaken()
      guard let stream else { return }
      resting.working.insert(stream)
      takes(plan.streams[stream].topic)
    case .abandoned: break
    case .refused(let code):
      sender.refused += 1
      effects.notes.append(.readingRefused(code, count: sender.refused))
    case .rejected(let rejection):
      sender.refused += 1
      effects.notes.append(.readingGivenUp(rejection, count: sender.refused))
    }
  }

  /// The broker takes nothing on the reading's topic: it waits in the outbox again. False: its course is over.
  private mutating func waitsAgain(
    _ token: Session.Token, _ topic: TopicName, _ outcome: Session.Outcome, at now: Moment
  ) -> Bool {
    switch outcome {
    case .refused(let code):
      guard !RestingTopics.concernsMessage(code) else { return false }
      refuses(topic, code, at: now)
    case .abandoned: break
    case .delivered, .rejected: return false
    }
    return sender.outbox.putBack(token, now.wall, at: now.boot)
  }

  private mutating func retainedSettled(_ stream: Int, _ outcome: Session.Outcome) {
    // What was lost with its connection is sent on the next.
    guard outcome != .abandoned else { return }
    sender.retained.restored(stream, isDelivered: outcome == .delivered)
    switch outcome {
    case .delivered, .abandoned: break
    case .refused, .rejected: effects.notes.append(.retainedRefused(plan.streams[stream].topic, outcome))
    }
  }

  private mutating func clearingSettled(_ outcome: Session.Outcome) {
    switch sender.clearings.settled(outcome) {
    case .cleared, .waits: break
    case .refused(let topic, let outcome): effects.notes.append(.clearingRefused(topic, outcome))
    case .givenUp(let topic): effects.notes.append(.clearingGivenUp(topic))
    }
  }

  /// Has the broker forget what it keeps of readings that are gone.
  mutating func clear(_ topics: [TopicName]) {
    let dropped = sender.clearings.add(topics)
    if dropped > 0 { effects.notes.append(.clearingsDropped(dropped)) }
  }
}
