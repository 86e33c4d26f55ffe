import NIOCore
import Testing

@testable import MQTTCore

@Suite("Outbound topic aliases")
struct OutboundAliasTests {
  private func name(_ text: String) -> TopicName { TopicName(validated: ByteBuffer(string: text)) }

  @Test("a topic gets a number with its first use and is the number from then on")
  func numbers() {
    var aliases = OutboundAliases(maximum: 2)
    for (topic, alias, isKnown) in [("a/one", 1, false), ("a/one", 1, true), ("a/two", 2, false), ("a/one", 1, true)] {
      let use = aliases.use(name(topic))
      #expect(use?.alias == UInt16(alias) && use?.isKnown == isKnown, "\(topic)")
    }
  }

  @Test("without numbers, or for a topic that is as short as one, there is none")
  func none() {
    var off = OutboundAliases(maximum: 0)
    #expect(off.use(name("a/one")) == nil)
    var aliases = OutboundAliases(maximum: 1)
    #expect(aliases.use(name("abc")) == nil)
    #expect(aliases.use(name("abcd"))?.alias == 1)
  }

  @Test("when numbers are scarce, a topic that has become busier takes that of the idlest")
  func busiest() {
    var aliases = OutboundAliases(maximum: 2)
    for _ in 0..<5 { _ = aliases.use(name("busy")) }
    _ = aliases.use(name("idle"))
    #expect(aliases.use(name("new1")) == nil, "no busier than the idlest")
    let taken = aliases.use(name("new1"))
    #expect(taken?.alias == 2 && taken?.isKnown == false)
    #expect(aliases.use(name("new1"))?.isKnown == true)
    #expect(aliases.use(name("busy"))?.alias == 1)
    #expect(aliases.use(name("idle")) == nil)
  }

  @Test("on the wire: topic and number, then the number alone; a new connection begins anew [MQTT-3.3.2-7]")
  func onTheWire() throws {
    let granted = Properties { $0.topicAliasMaximum = 10 }
    var harness = SessionHarness.connected(granted: granted)
    let message = Message(topic: TopicName("limpet/x/load"), payload: ByteBuffer(string: "1"))
    func publishes(_ actions: [Session.Action]) -> [Publish] {
      actions.sent.compactMap { if case .publish(let publish) = $0 { publish } else { nil } }
    }
    let first = publishes(try harness.publish(message, token: 1))
    let second = publishes(try harness.publish(message, token: 2))
    #expect(first.first?.message.topic == message.topic && first.first?.message.properties.topicAlias == 1)
    #expect(second.first?.message.topic.isEmpty == true && second.first?.message.properties.topicAlias == 1)
    let again = publishes(harness.reconnect(sessionPresent: true, granted: granted))
    #expect(again.map(\.message.topic.isEmpty) == [false, true])
    #expect(again.map(\.duplicate) == [true, true])
    let without = publishes(harness.reconnect(sessionPresent: true))
    #expect(without.map(\.message) == [message, message])
  }

  @Test("a packet that the number would make too large goes with its topic alone [MQTT-3.2.2-15]")
  func tooLarge() throws {
    let message = Message(topic: TopicName("limpet/x/load"), payload: ByteBuffer(repeating: 0, count: 50))
    let size = Publish(message, packetIdentifier: 1).size(.v5)
    let granted = Properties {
      $0.topicAliasMaximum = 10
      $0.maximumPacketSize = UInt32(size)
    }
    var harness = SessionHarness.connected(granted: granted)
    for token in 1...2 as ClosedRange<UInt64> {
      guard case .publish(let publish)? = try harness.publish(message, token: token).sent.first else { continue }
      #expect(publish.message == message)
    }
  }
}
