import LimpetInstants
import MQTTCore
import Presence
import Readings

/// Topics that the broker takes nothing on: what waits for them waits, and nothing else does.
struct Resting: Sendable {
  var topics = RestingTopics()
  /// Streams of which the broker has taken a reading since it closed on one.
  var working: Set<StreamID> = []
  /// Those of other servers that are configured, for when the agent comes back to one.
  private var elsewhere: [ServerAddress: RestingTopics] = [:]

  /// Each server has rights of its own: what the one before refuses is kept for it, and what this one refused holds again.
  mutating func move(from last: ServerAddress, to server: ServerAddress, of servers: [ServerAddress]) {
    elsewhere[last] = topics
    topics = RestingTopics(topics: elsewhere.removeValue(forKey: server)?.topics ?? [:], refusals: topics.refusals)
    elsewhere = elsewhere.filter { servers.contains($0.key) }
  }

  mutating func forget() {
    topics.forget()
    elsewhere = [:]
  }
}

extension Conversation {
  /// The broker has refused a message to this topic.
  mutating func refuses(_ topic: TopicName, _ code: ReasonCode, at now: Moment) {
    guard plan.link.mutation != .refusedTopicDoesNotRest, let rest = resting.topics.refused(topic, code, at: now.boot)
    else { return }
    begin(rest, of: topic, at: now)
  }

  /// Readings that wait until their topic may be tried again.
  var restingCount: Int {
    sender.outbox.restingCount + sender.leftOver.count { resting.topics.isResting($0.message.topic) }
  }

  /// The broker has closed the connection on messages to this topic.
  mutating func closesOn(_ topic: TopicName, at now: Moment) {
    begin(resting.topics.closed(topic, at: now.boot), of: topic, at: now)
  }

  private mutating func begin(_ rest: RestingTopics.Rest, of topic: TopicName, at now: Moment) {
    let isPresence = topic == plan.presence.status || topic == plan.presence.presence
    let hasReadings = plan.streams.streamIDs.contains { plan.streams[$0].topic == topic }
    effects.notes.append(
      .rests(
        topic, rest, of: isPresence ? .presence : hasReadings ? .readings : .other,
        for: now.boot.duration(to: rest.until), resting: resting.topics.topics.count))
    alignStreams()
  }

  /// The broker has taken a message to this topic.
  mutating func takes(_ topic: TopicName) {
    guard !resting.topics.topics.isEmpty, resting.topics.accepted(topic) else { return }
    effects.notes.append(.takesAgain(topic, resting: resting.topics.topics.count))
    alignStreams()
  }

  /// Readings of topics that rest are passed over, others are not.
  mutating func alignStreams() {
    for stream in plan.streams.streamIDs {
      guard let rest = resting.topics.topics[plan.streams[stream].topic] else {
        sender.outbox.wake(stream)
        continue
      }
      if !rest.isOnTrial { sender.outbox.rest(stream) }
    }
  }

  mutating func endRests(at now: Moment) {
    guard resting.topics.deadline.map({ $0 <= now.boot }) ?? false else { return }
    let due = resting.topics.due(at: now.boot)
    alignStreams()
    for stream in plan.streams.streamIDs where due.contains(plan.streams[stream].topic) {
      sender.outbox.tryOut(stream)
      sender.retained.tryOut(stream)
    }
    if due.contains(plan.presence.status) || due.contains(plan.presence.presence) { publishBirth(at: now) }
    if let homeAssistant = plan.homeAssistant,
      due.contains(homeAssistant.topic) || homeAssistant.handovers.map(\.topic).contains(where: due.contains)
    {
      announcing.announcer.tryAgain()
    }
  }

  /// What is under way to a topic that rests would be sent again with the next connection, and refused again.
  mutating func withdrawResting(at now: Moment) {
    guard !resting.topics.topics.isEmpty else { return }
    let known = sender.outbox
    for topic in resting.topics.topics.keys.sorted(by: { $0.description < $1.description }) {
      link.withdraw(topic, where: { known.stream(of: $0) != nil }, at: now.boot, into: &linkEffects)
    }
    // What was on trial has not been answered.
    for stream in plan.streams.streamIDs
    where resting.topics.topics[plan.streams[stream].topic]?.isOnTrial ?? false {
      sender.outbox.tryOut(stream)
    }
  }

  /// The next connection is made in another way, perhaps as somebody else.
  mutating func forgetRests() {
    resting.forget()
    alignStreams()
  }

  /// Another broker has rights of its own. What rested there may be due by now.
  mutating func changeRests(from last: ServerAddress, to server: ServerAddress, at now: Moment) {
    resting.move(from: last, to: server, of: plan.link.servers)
    alignStreams()
    endRests(at: now)
  }
}
