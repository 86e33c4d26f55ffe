import Testing

@testable import MQTTCore

/// How much of the server's Receive Maximum is for messages that may wait.
@Suite struct SessionWindowTests {
  @Test(
    "where no transient message is ever sent the others have all that the server grants [MQTT-3.3.4-7]",
    arguments: [1, 2, 3, 50] as [UInt16])
  func keepsNoPlace(granted: UInt16) throws {
    var harness = SessionHarness()
    harness.session.keepsPlace = false
    _ = harness.connect(granted: Properties { $0.receiveMaximum = granted })
    #expect(harness.session.room == granted)
    for number in 1...UInt64(granted) { _ = try harness.publish(number, .atLeastOnce) }
    #expect(harness.session.room == 0)
    #expect(throws: Session.Rejection.noRoom) { _ = try harness.publish(1000, .atLeastOnce) }
  }

  @Test("whether a place is kept belongs to the session: other settings do not change it")
  func reconfigured() {
    var harness = LinkHarness.connected(LinkHarness.settings { $0.keepsPlace = false })
    #expect(harness.link.room(for: .atLeastOnce) == 100)
    harness.handle(.reconfigure(LinkHarness.settings(), reconnecting: true))
    harness.closed()
    harness.agree()
    #expect(harness.link.room(for: .atLeastOnce) == 100)
  }
}
