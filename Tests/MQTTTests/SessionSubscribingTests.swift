import NIOCore
import Testing

@testable import MQTTCore

/// SUBSCRIBE and UNSUBSCRIBE with their answers, MQTT 5.0 §3.8 to §3.11.
@Suite struct SessionSubscribingTests {
  static let two = [Subscription("a"), Subscription("b/+", qos: .exactlyOnce)]

  static func suback(_ identifier: PacketIdentifier, _ codes: [ReasonCode]) -> Packet {
    .suback(SubscriptionAcknowledgement(identifier, reasonCodes: codes))
  }

  static func unsuback(_ identifier: PacketIdentifier, _ codes: [ReasonCode]) -> Packet {
    .unsuback(SubscriptionAcknowledgement(identifier, reasonCodes: codes))
  }

  @Test(
    """
    SUBSCRIBE has an identifier, and SUBACK's codes come back under its token in their order [MQTT-2.2.1-6] \
    [MQTT-2.3.1-7 v3.1.1] [MQTT-3.8.4-2] [MQTT-3.9.3-1]
    """, arguments: ProtocolVersion.allCases)
  func subscribe(version: ProtocolVersion) throws {
    var harness = SessionHarness.connected(version)
    #expect(try harness.subscribe(Self.two, token: 7) == [.send(.subscribe(Subscribe(1, subscriptions: Self.two)))])
    #expect(
      harness.receive(Self.suback(1, [.grantedQoS1, .unspecifiedError])) == [
        .answered(7, [.grantedQoS1, .unspecifiedError])
      ])
    #expect(harness.receive(Self.suback(1, [.grantedQoS1, .unspecifiedError])) == [], "answered before")
  }

  @Test(
    """
    two requests under way have two identifiers, and are answered in any order [MQTT-2.2.1-3] \
    [MQTT-2.3.1-2 v3.1.1] [MQTT-3.10.4-5]
    """)
  func twoRequests() throws {
    var harness = SessionHarness.connected()
    _ = try harness.subscribe(Self.two, token: 7)
    #expect(try harness.unsubscribe(["c"], token: 8) == [.send(.unsubscribe(Unsubscribe(2, filters: ["c"])))])
    #expect(harness.receive(Self.unsuback(2, [.noSubscriptionExisted])) == [.answered(8, [.noSubscriptionExisted])])
    #expect(harness.receive(Self.suback(1, [.success, .success])) == [.answered(7, [.success, .success])])
  }

  @Test("UNSUBACK of 3.1.1 has no codes and agrees to all (§3.11)")
  func unsubackOn311() throws {
    var harness = SessionHarness.connected(.v311)
    _ = try harness.unsubscribe(["a", "b"], token: 8)
    #expect(harness.receive(Self.unsuback(1, [])) == [.answered(8, [.success, .success])])
  }

  @Test(
    "an answer with more or fewer codes than filters is a protocol error [MQTT-3.8.4-6] [MQTT-3.8.4-5 v3.1.1]",
    arguments: [1, 3])
  func wrongCount(count: Int) throws {
    for version in ProtocolVersion.allCases {
      var harness = SessionHarness.connected(version)
      _ = try harness.subscribe(Self.two)
      let actions = harness.receive(Self.suback(1, Array(repeating: .success, count: count)))
      #expect(actions.violation == .protocolError)
      #expect(actions.sent.isEmpty == (version == .v311))
    }
    var harness = SessionHarness.connected()
    _ = try harness.unsubscribe(["a", "b"])
    #expect(harness.receive(Self.unsuback(1, Array(repeating: .success, count: count))).violation == .protocolError)
  }

  @Test("SUBACK for UNSUBSCRIBE, and the other way round, is a protocol error")
  func wrongType() throws {
    var harness = SessionHarness.connected()
    _ = try harness.subscribe([Subscription("a")])
    #expect(harness.receive(Self.unsuback(1, [.success])).violation == .protocolError)
    harness = .connected()
    _ = try harness.unsubscribe(["a"])
    #expect(harness.receive(Self.suback(1, [.success])).violation == .protocolError)
  }

  @Test(
    """
    an answer under an identifier that no request has is ignored [MQTT-2.2.1-6] [MQTT-3.8.4-2] [MQTT-3.10.4-5] \
    [MQTT-3.10.4-4 v3.1.1]
    """)
  func unknown() throws {
    var harness = SessionHarness.connected()
    _ = try harness.publish(1, .atLeastOnce)
    #expect(harness.receive(Self.suback(9, [.success])) == [])
    #expect(harness.receive(Self.suback(1, [.success])) == [], "1 is a message")
    #expect(harness.receive(Self.unsuback(1, [.success])) == [])
    #expect(harness.receive(.puback(Acknowledgement(1))).settled == [1: .delivered])
  }

  @Test("PUBACK, PUBREC and PUBCOMP under the identifier of a SUBSCRIBE do not answer it")
  func messageAnswers() throws {
    var harness = SessionHarness.connected()
    _ = try harness.subscribe([Subscription("a")], token: 7)
    #expect(harness.receive(.puback(Acknowledgement(1))) == [])
    #expect(harness.receive(.pubcomp(Acknowledgement(1))) == [])
    #expect(harness.receive(Self.suback(1, [.grantedQoS1])) == [.answered(7, [.grantedQoS1])])
  }

  @Test("a request belongs to its connection: the next one knows nothing of it")
  func reconnect() throws {
    var harness = SessionHarness.connected()
    _ = try harness.subscribe([Subscription("a")], token: 7)
    #expect(harness.reconnect(sessionPresent: true).sent == [])
    #expect(harness.receive(Self.suback(1, [.success])) == [])
  }

  @Test("a message may go out before SUBACK (§3.8.4), and its identifier differs")
  func messageBeforeSuback() throws {
    var harness = SessionHarness.connected()
    _ = try harness.subscribe([Subscription("a")])
    #expect(try harness.publish(1, .atLeastOnce).sent == [.numbered(1, .atLeastOnce, 2)])
  }

  @Test("what the server does not offer is not asked for (§3.2.2.3.11 to 13)")
  func notOffered() throws {
    var harness = SessionHarness.connected(
      granted: Properties {
        $0.wildcardSubscriptionAvailable = false
        $0.sharedSubscriptionAvailable = false
        $0.subscriptionIdentifierAvailable = false
      })
    for filter in ["+", "a/#", "+/a"] as [TopicFilter] {
      #expect(throws: Session.Rejection.featureNotSupported(.wildcardSubscriptionsNotSupported)) {
        try harness.subscribe([Subscription("a"), Subscription(filter)])
      }
    }
    #expect(throws: Session.Rejection.featureNotSupported(.sharedSubscriptionsNotSupported)) {
      try harness.subscribe([Subscription("$share/g/a")])
    }
    let identified = Properties { $0.subscriptionIdentifier = 1 }
    #expect(throws: Session.Rejection.featureNotSupported(.subscriptionIdentifiersNotSupported)) {
      try harness.subscribe([Subscription("a")], properties: identified)
    }
    #expect(try harness.subscribe([Subscription("a")]).sent.count == 1)
    harness = .connected(.v311)
    #expect(throws: Session.Rejection.featureNotSupported(.subscriptionIdentifiersNotSupported)) {
      try harness.subscribe([Subscription("a")], properties: identified)
    }
    harness = .connected()
    #expect(try harness.subscribe([Subscription("$share/g/#")], properties: identified).sent.count == 1)
  }

  @Test("a request larger than the server's maximum packet size is not sent [MQTT-3.2.2-15]")
  func tooLarge() throws {
    let granted = Properties { $0.maximumPacketSize = 20 }
    var harness = SessionHarness.connected(granted: granted)
    let fits = TopicFilter(stringLiteral: String(repeating: "f", count: 12))
    let long = TopicFilter(stringLiteral: String(repeating: "f", count: 13))
    #expect(throws: Session.Rejection.tooLarge(bytes: 21, maximum: 20)) { try harness.subscribe([Subscription(long)]) }
    #expect(try harness.subscribe([Subscription(fits)]).sent.count == 1)
    #expect(throws: Session.Rejection.tooLarge(bytes: 22, maximum: 20)) { try harness.unsubscribe([fits, "f"]) }
  }

  @Test("UNSUBACK's codes come back in the order of the filters [MQTT-3.11.3-1]")
  func unsubackOrder() throws {
    var harness = SessionHarness.connected()
    _ = try harness.unsubscribe(["a", "b", "c"], token: 8)
    let codes: [ReasonCode] = [.success, .noSubscriptionExisted, .notAuthorized]
    #expect(harness.receive(Self.unsuback(1, codes)) == [.answered(8, codes)])
  }

  @Test("an UNSUBSCRIBE without a filter is refused here [MQTT-3.10.3-2]")
  func emptyUnsubscribe() {
    var harness = SessionHarness.connected()
    #expect(throws: Session.Rejection.notEncodable) { try harness.unsubscribe([]) }
  }

  @Test("a SUBSCRIBE with properties of other packets, or the subscription identifier 0, is refused here (§3.8.2.1)")
  func foreignProperties() {
    var harness = SessionHarness.connected()
    #expect(throws: Session.Rejection.notEncodable) {
      try harness.subscribe([Subscription("a")], properties: Properties { $0.subscriptionIdentifier = 0 })
    }
    #expect(throws: Session.Rejection.notEncodable) {
      try harness.subscribe([Subscription("a")], properties: Properties { $0.topicAlias = 1 })
    }
  }
}
