import NIOCore
import Testing

@testable import MQTTCore

/// What a server says beside its codes reaches the application.
@Suite struct SessionRemarkTests {
  private let words = Properties {
    $0.reasonString = "because"
    $0.addUserProperty("a", "b")
  }

  private func remark(_ actions: [Session.Action]) -> Session.Remark? {
    for case .remarked(let remark) in actions { return remark }
    return nil
  }

  @Test("\"no matching subscribers\" (0x10) is told apart from success, in PUBACK and in PUBREC (§3.4.2.1)")
  func noMatchingSubscribers() throws {
    var harness = SessionHarness.connected()
    _ = try harness.publish(1, .atLeastOnce)
    let actions = harness.receive(.puback(Acknowledgement(1, reasonCode: .noMatchingSubscribers)))
    #expect(remark(actions)?.reasonCode == .noMatchingSubscribers && remark(actions)?.token == 1)
    #expect(actions.settled == [1: .delivered])
    _ = try harness.publish(2, .exactlyOnce)
    let received = harness.receive(.pubrec(Acknowledgement(2, reasonCode: .noMatchingSubscribers)))
    #expect(remark(received)?.packet == .pubrec && remark(received)?.token == 2)
    #expect(remark(harness.receive(.pubcomp(Acknowledgement(2)))) == nil, "an answer without words")
  }

  @Test("reason and user properties of PUBACK, SUBACK, DISCONNECT and CONNACK are told (§3.4.2.2.2)")
  func told() throws {
    var harness = SessionHarness.connected()
    _ = try harness.publish(1, .atLeastOnce)
    let refused = harness.receive(
      .puback(Acknowledgement(1, reasonCode: .notAuthorized, properties: words)))
    #expect(remark(refused)?.properties == words && refused.settled == [1: .refused(.notAuthorized)])
    _ = try harness.subscribe([Subscription("t")], token: 9)
    let suback = SubscriptionAcknowledgement(2, reasonCodes: [.grantedQoS1], properties: words)
    #expect(remark(harness.receive(.suback(suback)))?.token == 9)
    let ended = harness.receive(.disconnect(Disconnect(reasonCode: .serverBusy, properties: words)))
    #expect(remark(ended)?.packet == .disconnect && remark(ended)?.properties.userProperties.count == 1)
    _ = harness.drop()
    _ = harness.begin()
    let connack = ConnAck(sessionPresent: false, reasonCode: .serverBusy, properties: words)
    #expect(remark(harness.receive(.connack(connack)))?.packet == .connack)
    _ = harness.drop()
    let granted = harness.connect(granted: words)
    for case .connected(let connected) in granted { #expect(connected.properties == words) }
  }
}
