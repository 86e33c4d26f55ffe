import LimpetInstants
import MQTTCore

/// Topics on which the broker refuses messages: they rest, so that a refusal, and the close that some brokers add to
/// it, delays nothing else (DESIGN, "Presence, in order", point 6).
///
/// A value that takes the broker's answers to messages, and says when to try a topic again: after a minute, then
/// after eight times as long, at most after an hour; where three closes were needed to find it, after an hour at once.
/// When the time is over the topic is due: one message goes, and `accepted` or another refusal says what follows.
package struct RestingTopics: Sendable {
  package typealias Instant = BootClock.Instant

  package struct Rest: Sendable, Equatable {
    /// How the broker refused the last message; nil: it closed the connection on it three times.
    package var code: ReasonCode?
    /// A message may go after this.
    package var until: Instant
    /// How often the topic began to rest since the broker last accepted a message.
    package var times: Int
    /// Messages that were refused meanwhile.
    package var refusals: UInt64
    /// `due` has named it: a message is on its way, or may go.
    package var isOnTrial = false

    package init(code: ReasonCode? = nil, until: Instant, times: Int, refusals: UInt64, isOnTrial: Bool = false) {
      self.code = code
      self.until = until
      self.times = times
      self.refusals = refusals
      self.isOnTrial = isOnTrial
    }
  }

  package static let shortest = Duration.seconds(60)
  package static let longest = Duration.seconds(3600)
  package static let factor = 8
  /// How many topics are remembered; beyond that the one whose rest ends first is forgotten.
  package static let limit = 256

  package private(set) var topics: [TopicName: Rest] = [:]
  /// Messages that the broker refused, or closed on, since the start.
  package private(set) var refusals: UInt64 = 0

  package init(topics: [TopicName: Rest] = [:], refusals: UInt64 = 0) {
    self.topics = topics
    self.refusals = refusals
  }

  /// The refusal is about the message and not about its topic: no later one is refused for it.
  package static func concernsMessage(_ code: ReasonCode) -> Bool {
    code == .payloadFormatInvalid || code == .packetTooLarge
  }

  package func isResting(_ topic: TopicName) -> Bool { topics[topic].map { !$0.isOnTrial } ?? false }

  /// The broker has refused a message to this topic. Returns the rest that begins; nil: the topic rests already.
  package mutating func refused(_ topic: TopicName, _ code: ReasonCode, at now: Instant) -> Rest? {
    refusals += 1
    // Refusals of messages that were under way with the first one are no news.
    if topics[topic].map({ !$0.isOnTrial }) ?? false {
      topics[topic]?.refusals += 1
      return nil
    }
    return rest(topic, code, nil, at: now)
  }

  /// The broker has closed the connection on a message to this topic again and again.
  package mutating func closed(_ topic: TopicName, at now: Instant) -> Rest {
    refusals += 1
    return rest(topic, nil, Self.longest, at: now)
  }

  private mutating func rest(
    _ topic: TopicName, _ code: ReasonCode?, _ fixed: Duration?, at now: Instant
  ) -> Rest {
    let before = topics[topic]
    let times = (before?.times ?? 0) + 1
    var wait = Self.shortest
    for _ in 1..<min(times, 8) where wait < Self.longest { wait = wait * Self.factor }
    let rest = Rest(
      code: code, until: now + (fixed ?? min(wait, Self.longest)), times: times, refusals: (before?.refusals ?? 0) + 1)
    if before == nil, topics.count >= Self.limit, let shortest = topics.min(by: { $0.value.until < $1.value.until }) {
      topics[shortest.key] = nil
    }
    topics[topic] = rest
    return rest
  }

  /// The broker has accepted a message to this topic; true: the topic had rested.
  package mutating func accepted(_ topic: TopicName) -> Bool {
    guard let rest = topics[topic], rest.isOnTrial else { return false }
    topics[topic] = nil
    return true
  }

  /// Another broker: it may accept these topics.
  package mutating func forget() { topics = [:] }

  /// When a topic is due next; nil: none is.
  package var deadline: Instant? { topics.values.lazy.filter { !$0.isOnTrial }.map(\.until).min() }

  /// Topics whose rest is over: one message each may go.
  package mutating func due(at now: Instant) -> [TopicName] {
    let due = topics.filter { !$0.value.isOnTrial && $0.value.until <= now }.map(\.key)
    for topic in due { topics[topic]?.isOnTrial = true }
    return due.sorted { $0.description < $1.description }
  }
}

extension RestingTopics.Rest {
  /// `0x87 not authorized`, or that it closes.
  package var reason: String { code.map { "\($0)" } ?? "it closes the connection on each" }
}
