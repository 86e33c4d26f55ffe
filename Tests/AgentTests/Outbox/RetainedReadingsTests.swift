import MQTT
import NIOCore
import Readings
import Testing

@testable import Agent
@testable import LimpetInstants
@testable import LimpetPlatform
@testable import MQTTCore
@testable import Outbox

struct RetainedReadingsTests {
  private static let base = BootClock.now
  private static func all(_: StreamID, _: TopicName) -> Bool { true }

  private var retained = RetainedReadings(rate: 100, at: base)

  private func message(_ stream: Int, _ payload: String, expiry: UInt32? = nil) throws -> Message {
    var message = Message(
      topic: try TopicName("t/\(stream)"), payload: ByteBuffer(string: payload), qos: .atLeastOnce, retain: true)
    message.properties.messageExpiryInterval = expiry
    return message
  }

  private mutating func deliver(_ stream: Int, _ payload: String, _ token: UInt64, expiry: UInt32? = nil) throws {
    retained.sent(try message(stream, payload, expiry: expiry), of: StreamID(stream), token, at: Self.base)
    retained.settled(token, isDelivered: true)
  }

  private mutating func next(at now: BootClock.Instant = base) -> String? {
    retained.next(at: now, Self.all).map { "\($0.stream.index) \(String(buffer: $0.message.payload))" }
  }

  @Test("a new session gets the newest of each stream again, as it was; one that is present gets nothing")
  mutating func newSession() throws {
    try deliver(1, "old", 20)
    try deliver(1, "new", 21)
    try deliver(0, "a", 22)
    retained.disconnected()
    retained.connected(isNew: false, at: Self.base)
    #expect(!retained.hasNext && next() == nil)
    retained.connected(isNew: true, at: Self.base)
    #expect(retained.hasNext)
    let first = retained.next(at: Self.base, Self.all)
    #expect(first?.stream == 0)
    #expect(try first?.message == message(0, "a"))
    #expect(next() == "1 new")
    #expect(next() == nil)
    retained.restored(0, isDelivered: true)
    retained.restored(1, isDelivered: false)
    #expect(retained.restored == 1 && retained.failed == 1 && retained.count == 0)
  }

  @Test("answers in another order: the newest stays the newest")
  mutating func order() throws {
    retained.sent(try message(0, "old"), of: 0, 20, at: Self.base)
    try deliver(0, "new", 21)
    retained.settled(20, isDelivered: true)
    retained.connected(isNew: true, at: Self.base)
    #expect(next() == "0 new")
  }

  @Test("a stream of which a newer one is under way or waits needs none, nor one that was never acknowledged")
  mutating func newer() throws {
    try deliver(0, "a", 20)
    try deliver(1, "b", 21)
    retained.sent(try message(0, "newer"), of: 0, 22, at: Self.base)
    retained.sent(try message(2, "first"), of: 2, 23, at: Self.base)
    retained.connected(isNew: true, at: Self.base)
    #expect(retained.next(at: Self.base) { stream, _ in stream != 1 } == nil)
    #expect(!retained.hasNext)
  }

  @Test("one whose topic rests goes when that is tried again, refused or not sent at all")
  mutating func rests() throws {
    try deliver(0, "a", 20)
    try deliver(1, "b", 21)
    retained.connected(isNew: true, at: Self.base)
    #expect(next() == "0 a")
    retained.restored(0, isDelivered: false, rests: true)
    let skipped = retained.next(at: Self.base, isResting: { $0 == 1 }, Self.all)
    #expect(skipped == nil && !retained.hasNext)
    retained.tryOut(1)
    retained.tryOut(0)
    retained.tryOut(2)
    #expect(next() == "1 b")
    #expect(next() == "0 a")
    #expect(next() == nil)
    retained.restored(0, isDelivered: false, rests: true)
    retained.connected(isNew: true, at: Self.base)
    #expect(next() == "0 a", "another session has lost all of them")
  }

  @Test("a refused one leaves what the broker had before")
  mutating func refused() throws {
    try deliver(0, "a", 20)
    retained.sent(try message(0, "refused"), of: 0, 21, at: Self.base)
    retained.settled(21, isDelivered: false)
    retained.connected(isNew: true, at: Self.base)
    #expect(next() == "0 a")
  }

  @Test("what a reload no longer retains is not sent again when it is retained once more: newer ones were not kept")
  mutating func reload() throws {
    try deliver(0, "a", 20)
    try deliver(1, "b", 21)
    retained.sent(try message(2, "under way"), of: 2, 22, at: Self.base)
    retained.keep { stream, topic in stream == 1 && topic.description == "t/1" }
    retained.settled(22, isDelivered: true)
    retained.connected(isNew: true, at: Self.base)
    #expect(next() == "1 b")
    #expect(next() == nil)
  }

  @Test("they go at a bounded rate")
  mutating func rate() throws {
    for stream in 0..<50 { try deliver(stream, "x", UInt64(20 + stream)) }
    retained.connected(isNew: true, at: Self.base)
    var sent = 0
    while next() != nil { sent += 1 }
    #expect(sent == 10)
    let deadline = try #require(retained.deadline(at: Self.base))
    #expect(deadline > Self.base && deadline <= Self.base + .milliseconds(50))
    var now = Self.base
    while retained.hasNext, now < Self.base + .seconds(5) {
      now = now + .milliseconds(10)
      while next(at: now) != nil { sent += 1 }
    }
    #expect(sent == 50)
    #expect(now >= Self.base + .milliseconds(390))
  }

  @Test("one that is lost with its connection is sent on the next, also where the session is present; not for ever")
  mutating func lost() throws {
    try deliver(0, "a", 20)
    retained.connected(isNew: true, at: Self.base)
    for _ in 0..<RetainedReadings.attempts {
      #expect(next() == "0 a")
      retained.disconnected()
      retained.connected(isNew: false, at: Self.base)
    }
    #expect(next() == nil)
    #expect(retained.failed == 1)
    retained.connected(isNew: true, at: Self.base)
    #expect(next() == "0 a")
    retained.giveBack(0)
    #expect(next() == "0 a")
  }

  @Test("what is left of its expiry goes along, and what has expired does not go")
  mutating func expiry() throws {
    try deliver(0, "a", 20, expiry: 60)
    retained.connected(isNew: true, at: Self.base + .seconds(59))
    let later = retained.next(at: Self.base + .seconds(59), Self.all)
    #expect(later?.message.properties.messageExpiryInterval == 1)
    retained.connected(isNew: true, at: Self.base + .seconds(60))
    #expect(next(at: Self.base + .seconds(60)) == nil)
  }
}
