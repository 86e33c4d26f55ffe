import LimpetInstants
import MQTTCore
import Outbox
import Presence
import Readings

/// What became of what was sent.
extension Conversation {
  mutating func settled(_ request: Request, _ outcome: Session.Outcome, at now: Moment) {
    switch request {
    case .reading(let token): readingSettled(token, outcome, at: now)
    case .retained(let stream): retainedSettled(stream, outcome, at: now)
    // The next description has what a lost one had.
    case .reminder(let stream): _ = isRefused(plan.streams[stream].topic, outcome, at: now)
    case .clearing: clearingSettled(outcome)
    case .announcement: announced(outcome, at: now)
    case .birthStatus, .birthPresence, .stopPresence, .stopStatus, .owedStatus:
      presenceSettled(request, outcome, at: now)
    case .fence: fenceSettled(outcome, at: now)
    case .health, .subscription, .homeAssistant, .unwatching, .commands, .heartbeats, .answer:
      break
    }
  }

  private mutating func readingSettled(_ token: Session.Token, _ outcome: Session.Outcome, at now: Moment) {
    sender.underWay -= 1
    let stream = sender.outbox.stream(of: token)
    // It has no place in the outbox to wait in: it is counted, and what follows it rests.
    if let topic = sender.takeEarlierTopic(of: token) { _ = isRefused(topic, outcome, at: now) }
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
      let topic = stream.map { plan.streams[$0].topic }
      effects.notes.append(.readingRefused(topic, code, count: sender.refused))
    case .rejected(let rejection):
      sender.refused += 1
      effects.notes.append(.readingGivenUp(rejection, count: sender.refused))
    }
  }

  /// The broker takes nothing on the reading's topic: it waits in the outbox again. False: its course is over.
  private mutating func waitsAgain(
    _ token: Session.Token, _ topic: TopicName, _ outcome: Session.Outcome, at now: Moment
  ) -> Bool {
    guard outcome == .abandoned || isRefused(topic, outcome, at: now) else { return false }
    return sender.outbox.putBack(token, now.wall, at: now.boot)
  }

  /// The broker takes nothing on the topic, which rests from now on.
  private mutating func isRefused(_ topic: TopicName, _ outcome: Session.Outcome, at now: Moment) -> Bool {
    guard case .refused(let code) = outcome, !RestingTopics.concernsMessage(code) else { return false }
    refuses(topic, code, at: now)
    return true
  }

  private mutating func retainedSettled(_ stream: StreamID, _ outcome: Session.Outcome, at now: Moment) {
    // What was lost with its connection is sent on the next.
    guard outcome != .abandoned else { return }
    let topic = plan.streams[stream].topic
    let rests = isRefused(topic, outcome, at: now)
    sender.retained.restored(stream, isDelivered: outcome == .delivered, rests: rests)
    switch outcome {
    case .delivered: takes(topic)
    case .abandoned: break
    case .refused, .rejected: effects.notes.append(.retainedRefused(topic, outcome))
    }
  }

  private mutating func clearingSettled(_ outcome: Session.Outcome) {
    if plan.link.mutation == .clearingIsCounted, outcome == .delivered { tally.delivered += 1 }
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
