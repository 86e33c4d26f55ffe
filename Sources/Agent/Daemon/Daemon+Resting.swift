import Instants
import MQTT
import MQTTCore
import NIOCore
import Platform
import Presence
import Text

/// Topics that the broker takes nothing on: what waits for them waits, and nothing else does (`RestingTopics`).
extension Daemon {
  /// The broker has refused a message to this topic.
  func refuses(_ topic: TopicName, _ code: ReasonCode) {
    guard let rest = topics.refused(topic, code, at: .now) else { return }
    begin(rest, of: topic)
  }

  /// The broker has closed the connection on messages to this topic.
  func closesOn(_ topic: TopicName) { begin(topics.closed(topic, at: .now), of: topic) }

  private func begin(_ rest: RestingTopics.Rest, of topic: TopicName) {
    let what =
      topic == plan.presence.status || topic == plan.presence.presence
      ? "the presence on it cannot be told" : "what is published there waits"
    logger.error(
      """
      the broker refuses \(topic): \(rest.reason); \(what), everything else goes on; next try in \
      \(BootClock.now.duration(to: rest.until).inWords). Check the broker's rights for this device
      """)
    alignStreams()
  }

  /// The broker has taken a message to this topic.
  func takes(_ topic: TopicName) {
    guard !topics.topics.isEmpty, topics.accepted(topic) else { return }
    logger.notice("the broker takes \(topic) again")
    alignStreams()
  }

  /// Readings of topics that rest are passed over, others are not; the next look is when the next rest ends.
  func alignStreams() {
    for (index, stream) in plan.streams.enumerated() {
      guard let rest = topics.topics[stream.topic] else {
        outbox.wake(index)
        continue
      }
      if !rest.isOnTrial { outbox.rest(index) }
    }
    restTimer?.cancel()
    restTimer = topics.deadline.map { deadline in
      after(max(.zero, BootClock.now.duration(to: deadline))) { $0.endRests() }
    }
  }

  private func endRests() {
    let due = topics.due(at: .now)
    alignStreams()
    for (index, stream) in plan.streams.enumerated() where due.contains(stream.topic) { outbox.tryOut(index) }
    if due.contains(plan.presence.status) || due.contains(plan.presence.presence) { tellBirth() }
    if let homeAssistant = plan.homeAssistant, due.contains(homeAssistant.topic) {
      announcer.tryAgain()
      announce()
    }
    pump()
  }

  /// What is under way to a topic that rests would be sent again with the next connection, and refused again.
  func withdrawResting() {
    guard let client else { return }
    for topic in topics.topics.keys {
      let known = outbox
      client.assumeIsolated { $0.withdraw(topic) { known.stream(of: $0) != nil } }
    }
    // What was on trial has not been answered.
    for (index, stream) in plan.streams.enumerated() where topics.topics[stream.topic]?.isOnTrial ?? false {
      outbox.tryOut(index)
    }
  }

  /// Another broker has rights of its own.
  func forgetRests() {
    topics.forget()
    alignStreams()
  }
}
