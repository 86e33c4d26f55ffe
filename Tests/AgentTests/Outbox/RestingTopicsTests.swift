import MQTT
import Testing

@testable import Agent
@testable import LimpetInstants
@testable import LimpetPlatform
@testable import MQTTCore
@testable import Outbox
@testable import Presence

struct RestingTopicsTests {
  private let now = BootClock.Instant.now

  private func topic(_ name: String = "limpet/d/load") throws -> TopicName { try TopicName(name) }

  @Test("a refused topic rests for a minute, then eight times as long, and never more than an hour")
  func backOff() throws {
    var topics = RestingTopics()
    let topic = try topic()
    var now = now
    for (time, seconds) in [60, 480, 3600, 3600].enumerated() {
      let refused = topics.refused(topic, .notAuthorized, at: now)
      let rest = try #require(refused)
      #expect(rest.until == now + .seconds(seconds) && rest.times == time + 1 && rest.code == .notAuthorized)
      #expect(topics.isResting(topic) && topics.deadline == rest.until)
      let early = topics.due(at: rest.until + .nanoseconds(-1))
      now = rest.until
      let due = topics.due(at: now)
      let again = topics.due(at: now)
      #expect(early == [] && due == [topic] && again == [])
      #expect(!topics.isResting(topic) && topics.deadline == nil)
    }
  }

  @Test("a denied topic costs three tries in its first hour")
  func firstHour() throws {
    var topics = RestingTopics()
    let topic = try topic()
    var now = now
    var tries = 0
    while now < self.now + .seconds(3600) {
      _ = topics.refused(topic, .notAuthorized, at: now)
      tries += 1
      now = try #require(topics.deadline)
      _ = topics.due(at: now)
    }
    #expect(tries == 3)
  }

  @Test("what was under way with the first refusal is counted, and makes no other rest")
  func together() throws {
    var topics = RestingTopics()
    let topic = try topic()
    _ = topics.refused(topic, .notAuthorized, at: now)
    for _ in 0..<5 {
      let rest = topics.refused(topic, .notAuthorized, at: now)
      #expect(rest == nil)
    }
    #expect(topics.topics[topic]?.refusals == 6 && topics.topics[topic]?.times == 1 && topics.refusals == 6)
  }

  @Test("a message that is taken after the rest ends it; one that was taken before the rest does not")
  func accepted() throws {
    var topics = RestingTopics()
    let topic = try topic()
    _ = topics.refused(topic, .notAuthorized, at: now)
    let early = topics.accepted(topic)
    #expect(!early && topics.isResting(topic))
    _ = topics.due(at: now + .seconds(60))
    let late = topics.accepted(topic)
    #expect(late && topics.topics.isEmpty)
    let refused = topics.refused(topic, .notAuthorized, at: now + .seconds(100))
    let again = try #require(refused)
    #expect(again.until == now + .seconds(160), "it begins anew")
  }

  @Test("a topic that took three closes to find rests an hour at once")
  func closed() throws {
    var topics = RestingTopics()
    let rest = topics.closed(try topic(), at: now)
    #expect(rest.until == now + .seconds(3600) && rest.code == nil)
  }

  @Test("other topics are not touched, and the number of topics is bounded")
  func bounded() throws {
    var topics = RestingTopics()
    for number in 0..<1000 {
      _ = topics.refused(try topic("t/\(number)"), .notAuthorized, at: now + .seconds(number))
    }
    #expect(topics.topics.count == RestingTopics.limit)
    let (first, last) = (try topic("t/0"), try topic("t/999"))
    #expect(!topics.isResting(first) && topics.isResting(last))
  }

  @Test("refusals of a payload or of a size are about one message")
  func messages() {
    #expect(RestingTopics.concernsMessage(.payloadFormatInvalid) && RestingTopics.concernsMessage(.packetTooLarge))
    for code in [ReasonCode.notAuthorized, .topicNameInvalid, .quotaExceeded] {
      #expect(!RestingTopics.concernsMessage(code))
    }
  }
}
