import LimpetInstants
import Testing

@testable import MQTT
@testable import MQTTCore

/// Keep alive, MQTT 5.0 §3.1.2.10; behaviours 26 to 33.
@Suite struct KeepAliveTests {
  static let pingresp = Packet.pingresp

  @Test(
    "PINGREQ is sent when an interval has passed, not before [MQTT-3.1.2-20] [MQTT-3.1.2-23 v3.1.1] [behaviour 26]",
    arguments: ProtocolVersion.allCases)
  func pings(version: ProtocolVersion) {
    var harness = SessionHarness.connected(version, keepAlive: 10)
    #expect(harness.session.deadline == harness.now + .seconds(10))
    #expect(harness.tick(after: .milliseconds(9_999)) == [])
    #expect(harness.tick(after: .milliseconds(1)) == [.send(.pingreq)])
    #expect(harness.session.deadline == harness.now + .seconds(5))
    #expect(harness.tick(after: .zero) == [], "one is enough")
  }

  @Test("sending alone does not put the ping off: nothing was received [behaviour 27]")
  func sendingOnly() throws {
    var harness = SessionHarness.connected(keepAlive: 10)
    for second in 1...9 {
      #expect(harness.tick(after: .seconds(1)) == [])
      _ = try harness.publish(UInt64(second), .atMostOnce)
    }
    #expect(harness.tick(after: .seconds(1)) == [.send(.pingreq)])
  }

  @Test("receiving alone does not put the ping off: nothing was sent [MQTT-3.1.2-20]")
  func receivingOnly() {
    var harness = SessionHarness.connected(keepAlive: 10)
    for _ in 1...9 {
      #expect(harness.tick(after: .seconds(1)) == [])
      _ = harness.receive(.numbered(1, .atMostOnce, nil))
    }
    #expect(harness.tick(after: .seconds(1)) == [.send(.pingreq)])
  }

  @Test("with traffic both ways there is no ping")
  func traffic() {
    var harness = SessionHarness.connected(keepAlive: 10)
    for _ in 1...10 {
      #expect(harness.tick(after: .seconds(9)) == [])
      let delivery = harness.receive(.numbered(1, .atLeastOnce, 1)).delivered[0]
      _ = harness.accept(delivery)
    }
  }

  @Test("no answer within half an interval is a loss: closed at once, without a DISCONNECT [behaviour 28]")
  func loss() {
    var harness = SessionHarness.connected(keepAlive: 10)
    _ = harness.tick(after: .seconds(10))
    #expect(harness.tick(after: .milliseconds(4_999)) == [])
    let actions = harness.tick(after: .milliseconds(1))
    #expect(actions == [.close(.keepAliveTimeout)])
    #expect(actions.ending?.isAbort == true)
    #expect(harness.tick(after: .seconds(10)) == [], "one loss, one close")
  }

  @Test("what is sent meanwhile is no answer")
  func sendingIsNoAnswer() throws {
    var harness = SessionHarness.connected(keepAlive: 10)
    _ = harness.tick(after: .seconds(10))
    _ = harness.tick(after: .seconds(4))
    _ = try harness.publish(1, .atMostOnce)
    #expect(harness.tick(after: .seconds(1)).ending == .keepAliveTimeout)
  }

  @Test(
    "any packet disproves a loss [behaviour 29]",
    arguments: [.pingresp, .puback(Acknowledgement(77)), .numbered(1, .atMostOnce, nil)] as [Packet])
  func anyPacketAnswers(packet: Packet) {
    var harness = SessionHarness.connected(keepAlive: 10)
    _ = harness.tick(after: .seconds(10))
    _ = harness.tick(after: .milliseconds(4_999))
    _ = harness.receive(packet)
    #expect(harness.tick(after: .milliseconds(1)) == [])
    #expect(
      harness.session.deadline == harness.now - .seconds(5) + .seconds(10), "from the PINGREQ, the last packet sent")
    #expect(harness.tick(after: .seconds(5)) == [.send(.pingreq)])
  }

  @Test("as long as bytes leave that a PINGREQ is behind its answer is waited for, half an interval from the last")
  func bytesAheadOfThePing() {
    var harness = SessionHarness.connected(keepAlive: 10)
    _ = harness.tick(after: .seconds(9))
    harness.session.taken(at: harness.now)
    #expect(harness.tick(after: .seconds(1)).sent == [.pingreq], "what leaves while nothing is asked is no answer")
    for _ in 0..<10 {
      #expect(harness.tick(after: .milliseconds(4_900)) == [])
      harness.session.taken(at: harness.now)
    }
    #expect(harness.tick(after: .seconds(5)).ending == .keepAliveTimeout)
  }

  @Test("part of a large packet that is on its way disproves a loss [behaviour 29]")
  func partOfAPacketAnswers() {
    var harness = SessionHarness.connected(keepAlive: 10)
    _ = harness.tick(after: .seconds(10))
    for _ in 0..<10 {
      #expect(harness.tick(after: .milliseconds(4_900)).ending == nil)
      harness.session.heard(at: harness.now)
    }
    // The answer comes behind the rest, which TCP may have to send again.
    for _ in 0..<15 { #expect(harness.tick(after: .milliseconds(1250)).sent == [.pingreq]) }
    #expect(harness.tick(after: .milliseconds(1250)).ending == .keepAliveTimeout)
  }

  @Test("while a packet takes long to come more of them go out: TCP sends a lost one again too late")
  func pingsMidPacket() {
    var harness = SessionHarness.connected(keepAlive: 8)
    harness.session.heard(at: harness.now)
    #expect(harness.tick(after: .milliseconds(999)) == [], "most packets are whole by then")
    for _ in 0..<4 {
      harness.session.heard(at: harness.now)
      #expect(harness.session.deadline == harness.now + .milliseconds(1))
      #expect(harness.tick(after: .milliseconds(1)) == [.send(.pingreq)])
      #expect(harness.tick(after: .milliseconds(999)) == [])
    }
    // Nothing is heard, and that they are not answered ends nothing yet.
    for _ in 0..<14 {
      #expect(harness.tick(after: .milliseconds(1)) == [.send(.pingreq)])
      #expect(harness.tick(after: .milliseconds(999)) == [])
    }
    _ = harness.receive(.pingresp)
    #expect(harness.session.deadline == harness.now + .milliseconds(7_001), "the packet is whole: as usual")
  }

  @Test("small packets in between end that: their bytes are no part of one that takes long")
  func manySmallPackets() {
    var harness = SessionHarness.connected(keepAlive: 8)
    for _ in 0..<70 {
      harness.session.heard(at: harness.now)
      #expect(harness.tick(after: .milliseconds(100)) == [])
      _ = harness.receive(.numbered(1, .atMostOnce, nil))
    }
  }

  @Test("once the packet is whole, half an interval is enough again")
  func wholePacketEndsThat() {
    var harness = SessionHarness.connected(keepAlive: 10)
    harness.session.heard(at: harness.now)
    _ = harness.receive(.pingresp)
    #expect(harness.tick(after: .seconds(10)).sent == [.pingreq])
    #expect(harness.tick(after: .seconds(5)).ending == .keepAliveTimeout)
  }

  @Test("after a suspend, however long, a PINGREQ is sent before it is a loss")
  func suspend() {
    var harness = SessionHarness.connected(keepAlive: 10)
    #expect(harness.tick(after: .seconds(86_400)) == [.send(.pingreq)])
    #expect(harness.receive(Self.pingresp) == [])
    #expect(harness.tick(after: .seconds(9)) == [])
  }

  @Test("a suspend while a PINGREQ is out is a loss, unless what waited was read first")
  func suspendAfterPing() {
    var lost = SessionHarness.connected(keepAlive: 10)
    _ = lost.tick(after: .seconds(10))
    var alive = lost
    #expect(lost.tick(after: .seconds(3_600)).ending == .keepAliveTimeout)
    alive.now += .seconds(3_600)
    _ = alive.receive(Self.pingresp)
    #expect(alive.tick(after: .zero).ending == nil)
  }

  @Test("the server's keep alive replaces the one asked for [MQTT-3.1.2-21] [MQTT-3.2.2-21] [behaviour 31]")
  func serverKeepAlive() {
    let harness = SessionHarness.connected(keepAlive: 60, granted: Properties { $0.serverKeepAlive = 4 })
    #expect(harness.session.deadline == harness.now + .seconds(4))
  }

  @Test("0 turns it off, whoever says it [behaviour 26]", arguments: ProtocolVersion.allCases)
  func off(version: ProtocolVersion) {
    var harness = SessionHarness.connected(version, keepAlive: 0)
    #expect(harness.session.deadline == nil)
    #expect(harness.tick(after: .seconds(1_000_000)) == [])
    harness = .connected(.v5, keepAlive: 60, granted: Properties { $0.serverKeepAlive = 0 })
    #expect(harness.session.deadline == nil)
  }

  @Test("the server can turn it on")
  func on() {
    let harness = SessionHarness.connected(keepAlive: 0, granted: Properties { $0.serverKeepAlive = 7 })
    #expect(harness.session.deadline == harness.now + .seconds(7))
  }

  @Test("an odd interval of a second is answered within half a second")
  func oneSecond() {
    var harness = SessionHarness.connected(keepAlive: 1)
    #expect(harness.tick(after: .seconds(1)) == [.send(.pingreq)])
    #expect(harness.tick(after: .milliseconds(499)) == [])
    #expect(harness.tick(after: .milliseconds(1)).ending == .keepAliveTimeout)
  }

  @Test("a new connection starts its own count [behaviour 32]")
  func reconnect() {
    var harness = SessionHarness.connected(keepAlive: 10)
    _ = harness.tick(after: .seconds(10))
    _ = harness.tick(after: .seconds(5))
    _ = harness.drop()
    _ = harness.connect(keepAlive: 10)
    #expect(harness.tick(after: .seconds(9)) == [])
    #expect(harness.tick(after: .seconds(1)) == [.send(.pingreq)])
  }

  @Test("each connection can have another interval; the longest that there is is kept as it is [behaviour 30]")
  func otherInterval() {
    var harness = SessionHarness.connected(keepAlive: 10)
    for seconds in [3, 65_535, 1] as [UInt16] {
      _ = harness.drop()
      _ = harness.connect(keepAlive: seconds)
      #expect(harness.session.deadline == harness.now + .seconds(Int(seconds)))
      #expect(harness.tick(after: .seconds(Int(seconds))).sent == [.pingreq])
    }
  }
}
