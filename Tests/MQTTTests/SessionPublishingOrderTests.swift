import NIOCore
import Testing

@testable import MQTTCore

/// A full window, identifiers that run out, and the order of what goes on.
extension SessionPublishingTests {
  @Test("with the window full everything but QoS 1 and 2 goes on [MQTT-3.3.4-8] [MQTT-4.9.0-3]")
  func fullWindow() throws {
    var harness = SessionHarness.connected(keepAlive: 10, granted: Properties { $0.receiveMaximum = 1 })
    _ = try harness.publish(1, .exactlyOnce)
    #expect(try harness.subscribe([Subscription("a")]).sent.count == 1)
    #expect(try harness.unsubscribe(["a"]).sent.count == 1)
    #expect(try harness.publish(2, .atMostOnce).sent.count == 1)
    let delivery = try #require(harness.receive(.numbered(3, .exactlyOnce, 9)).delivered.first)
    #expect(harness.accept(delivery).sent == [Self.pubrec(9)])
    #expect(harness.receive(Self.pubrel(9)).sent == [Self.pubcomp(9)])
    #expect(harness.receive(Self.pubrec(1)).sent == [Self.pubrel(1)])
    #expect(harness.tick(after: .seconds(10)).sent == [.pingreq])
  }

  @Test("when all 65,535 identifiers are in use there is no room, and the first that is freed is taken [behaviour 54]")
  func exhausted() throws {
    var harness = SessionHarness.connected(inFlightLimit: 65_535)
    for number in 1...65_534 as ClosedRange<UInt64> { _ = try harness.publish(number, .atLeastOnce) }
    _ = try harness.subscribe([Subscription("a")])
    #expect(throws: Session.Rejection.noRoom) { try harness.unsubscribe(["a"]) }
    #expect(throws: Session.Rejection.noRoom) { try harness.publish(70_000, .atLeastOnce, transient: true) }
    _ = harness.receive(Self.puback(4_321))
    #expect(try harness.publish(70_001, .atLeastOnce).sent == [.numbered(70_001, .atLeastOnce, 4_321)])
  }

  @Test("PUBREL goes out in the order in which PUBREC came [MQTT-4.6.0-4]")
  func pubrelOrder() throws {
    var harness = SessionHarness.connected()
    for number in 1...4 as ClosedRange<UInt64> { _ = try harness.publish(number, .exactlyOnce) }
    let order: [PacketIdentifier] = [3, 1, 4, 2]
    #expect(order.flatMap { harness.receive(Self.pubrec($0)).sent } == order.map { Self.pubrel($0) })
  }

  @Test(
    "on one connection nothing is sent again, however long its answer takes [MQTT-4.4.0-1]",
    arguments: ProtocolVersion.allCases)
  func neverAgain(version: ProtocolVersion) throws {
    var harness = SessionHarness.connected(version, keepAlive: 60)
    _ = try harness.publish(1, .atLeastOnce)
    _ = try harness.publish(2, .exactlyOnce)
    _ = try harness.publish(3, .exactlyOnce)
    _ = harness.receive(Self.pubrec(3))
    for _ in 1...60 {
      #expect(harness.tick(after: .seconds(60)).sent == [.pingreq])
      #expect(harness.receive(.pingresp).sent == [])
    }
  }

  @Test(
    """
    what is under way is kept as long as the connection is open, even of a session that ends with it \
    [MQTT-4.1.0-1] [MQTT-4.1.0-1 v3.1.1] [MQTT-4.1.0-2 v3.1.1]
    """, arguments: ProtocolVersion.allCases)
  func keptWhileOpen(version: ProtocolVersion) throws {
    var harness = SessionHarness.connected(version, asking: Properties { $0.sessionExpiryInterval = 0 })
    _ = try harness.publish(1, .exactlyOnce)
    let delivery = try #require(harness.receive(.numbered(2, .exactlyOnce, 9)).delivered.first)
    _ = harness.accept(delivery)
    _ = harness.tick(after: .seconds(1_000_000))
    #expect(harness.receive(.numbered(2, .exactlyOnce, 9, duplicate: true)) == [.send(Self.pubrec(9))])
    #expect(harness.receive(Self.pubrec(1)).sent == [Self.pubrel(1)])
    #expect(harness.receive(Self.pubcomp(1)).settled == [1: .delivered])
  }
}
