import Testing

@testable import MQTT

/// The beginning and the end of a connection, MQTT 5.0 §3.1, §3.2, §3.14.
@Suite struct SessionConnectTests {
  static let agreed = Packet.connack(ConnAck(sessionPresent: false, reasonCode: .success))

  // MARK: CONNECT and CONNACK

  @Test(
    "CONNECT is the first packet, and nothing else before CONNACK [MQTT-3.1.0-1]", arguments: ProtocolVersion.allCases)
  func connectFirst(version: ProtocolVersion) throws {
    var harness = SessionHarness(version)
    let connect = Connect(clientIdentifier: "c", cleanStart: false, keepAlive: 0)
    #expect(harness.begin() == [.send(.connect(connect))])
    #expect(!harness.session.isConnected)
    #expect(harness.session.room == 0)
    #expect(throws: Session.Rejection.notConnected) { try harness.publish(1, .atMostOnce) }
    #expect(throws: Session.Rejection.notConnected) { try harness.publish(1, .atLeastOnce, transient: true) }
    #expect(throws: Session.Rejection.notConnected) { try harness.subscribe([Subscription("t")]) }
    #expect(throws: Session.Rejection.notConnected) { try harness.unsubscribe(["t"]) }
    #expect(harness.tick(after: .seconds(100_000)) == [])
    let actions = harness.receive(Self.agreed)
    #expect(actions.count == 1 && actions.limits != nil)
    #expect(harness.session.isConnected)
    #expect(harness.session.room == 99)
  }

  @Test(
    "any other packet before CONNACK is a violation, and is not answered [MQTT-3.2.0-1]",
    arguments: ProtocolVersion.allCases)
  func otherFirst(version: ProtocolVersion) {
    for packet in PacketSamples.all(version) where packet.type != .connack {
      var harness = SessionHarness(version)
      _ = harness.begin()
      let actions = harness.receive(packet)
      #expect(actions.violation == .protocolError, "\(packet.type)")
      #expect(actions.count == 1, "\(packet.type)")
      #expect(harness.receive(Self.agreed) == [], "the connection is over")
    }
  }

  @Test(
    "a second CONNACK, or a packet that only clients send, is a protocol error [MQTT-3.2.0-2]",
    arguments: ProtocolVersion.allCases)
  func clientPackets(version: ProtocolVersion) {
    let wrong: [PacketType] = [.connect, .connack, .subscribe, .unsubscribe, .pingreq, .auth]
    for packet in PacketSamples.all(version) where wrong.contains(packet.type) {
      var harness = SessionHarness.connected(version)
      let actions = harness.receive(packet)
      #expect(actions.violation == .protocolError)
      #expect(actions.sent == (version == .v5 ? [.disconnect(Disconnect(reasonCode: .protocolError))] : []))
    }
  }

  @Test("a refusal ends the connection with its code, reason and server reference, and sends nothing")
  func refused() {
    var harness = SessionHarness()
    _ = harness.begin()
    let properties = Properties {
      $0.reasonString = "moved"
      $0.serverReference = "b:1883"
    }
    let actions = harness.receive(
      .connack(ConnAck(sessionPresent: false, reasonCode: .useAnotherServer, properties: properties)))
    #expect(actions == [.close(.refused(.useAnotherServer, reason: "moved", serverReference: "b:1883"))])
  }

  @Test("a refusal of the version is told as such, in either version's words")
  func refusedVersion() throws {
    for bytes in ["20 02 00 01", "20 03 00 84 00"] {
      var harness = SessionHarness()
      _ = harness.begin()
      let actions = harness.receive(try #require(try decode(hex(bytes))))
      #expect(actions == [.close(.refused(.unsupportedProtocolVersion, reason: nil, serverReference: nil))])
    }
  }

  @Test("what CONNACK grants is what the connection has; 5's defaults stand where it is silent (§3.2.2.3)")
  func limits() throws {
    var harness = SessionHarness()
    let silent = try #require(
      harness.connect(keepAlive: 30, asking: Properties { $0.sessionExpiryInterval = 60 }).limits)
    #expect(silent.receiveMaximum == 65_535)
    #expect(silent.maximumQoS == .exactlyOnce)
    #expect(silent.retainAvailable && silent.wildcardSubscriptionAvailable)
    #expect(silent.subscriptionIdentifierAvailable && silent.sharedSubscriptionAvailable)
    #expect(silent.maximumPacketSize == nil)
    #expect(silent.topicAliasMaximum == 0)
    #expect(silent.keepAlive == 30)
    #expect(silent.sessionExpiry == 60)
    #expect(silent.clientIdentifier == "c")
    let granted = Properties {
      $0.receiveMaximum = 3
      $0.maximumQoS = .atMostOnce
      $0.retainAvailable = false
      $0.maximumPacketSize = 100
      $0.topicAliasMaximum = 4
      $0.serverKeepAlive = 5
      $0.sessionExpiryInterval = 6
      $0.assignedClientIdentifier = "auto"
      $0.wildcardSubscriptionAvailable = false
    }
    _ = harness.drop()
    let limits = try #require(harness.connect(keepAlive: 30, granted: granted).limits)
    #expect(limits.receiveMaximum == 3)
    #expect(limits.maximumQoS == .atMostOnce)
    #expect(!limits.retainAvailable && !limits.wildcardSubscriptionAvailable)
    #expect(limits.maximumPacketSize == 100)
    #expect(limits.topicAliasMaximum == 4)
    #expect(limits.keepAlive == 5)
    #expect(limits.sessionExpiry == 6)
    #expect(limits.clientIdentifier == "auto")
  }

  @Test("a session of 3.1.1 that is not clean never ends by itself (§3.1.2.4)")
  func expiryOn311() {
    var harness = SessionHarness(.v311)
    #expect(harness.connect(cleanStart: false).limits?.sessionExpiry == .max)
    _ = harness.drop()
    #expect(harness.connect(cleanStart: true).limits?.sessionExpiry == 0)
  }

  // MARK: Session present

  @Test("session present after a clean start is a protocol error [MQTT-3.2.2-2]", arguments: ProtocolVersion.allCases)
  func presentAfterCleanStart(version: ProtocolVersion) {
    var harness = SessionHarness(version, isResumable: true)
    let actions = harness.connect(sessionPresent: true, cleanStart: true)
    #expect(actions.violation == .protocolError)
    #expect(actions.count == 1)
  }

  @Test(
    "session present is not believed where nothing is known of a session, and the will stays unsaid",
    arguments: ProtocolVersion.allCases)
  func unknownSession(version: ProtocolVersion) {
    var harness = SessionHarness(version)
    let actions = harness.connect(sessionPresent: true)
    #expect(actions == [.send(.disconnect(Disconnect())), .close(.unknownSession)])
    #expect(!harness.session.isConnected)
  }

  @Test("session present is believed after a connection of this session, until it is distrusted")
  func believed() {
    var harness = SessionHarness.connected()
    #expect(harness.reconnect(sessionPresent: true).limits != nil)
    harness.session.distrust()
    #expect(harness.reconnect(sessionPresent: true).ending == .unknownSession)
    _ = harness.drop()
    #expect(harness.connect(cleanStart: true).limits != nil)
    #expect(harness.reconnect(sessionPresent: true).limits != nil)
  }

  @Test("session present is believed from the start where the store knows the session")
  func resumable() {
    var harness = SessionHarness(isResumable: true)
    #expect(harness.connect(sessionPresent: true).limits != nil)
  }

  @Test("a refusal does not make a session known")
  func refusalIsNoSession() {
    var harness = SessionHarness()
    _ = harness.begin()
    _ = harness.receive(.connack(ConnAck(sessionPresent: false, reasonCode: .serverBusy)))
    #expect(harness.reconnect(sessionPresent: true).ending == .unknownSession)
  }

  // MARK: The end

  @Test("a disconnection on request sends DISCONNECT and closes [MQTT-3.14.4-1]", arguments: ProtocolVersion.allCases)
  func disconnect(version: ProtocolVersion) {
    var harness = SessionHarness.connected(version)
    let actions = harness.perform { $0.disconnect(into: &$1) }
    #expect(actions == [.send(.disconnect(Disconnect())), .close(.requested)])
    #expect(harness.perform { $0.disconnect(into: &$1) } == [], "a second one does nothing")
  }

  @Test("a disconnection that wants the will sends 0x04 on 5, and no DISCONNECT on 3.1.1")
  func disconnectWithWill() {
    var harness = SessionHarness.connected(.v5)
    #expect(
      harness.perform { $0.disconnect(reasonCode: .disconnectWithWill, into: &$1) }
        == [.send(.disconnect(Disconnect(reasonCode: .disconnectWithWill))), .close(.requested)])
    harness = .connected(.v311)
    #expect(harness.perform { $0.disconnect(reasonCode: .disconnectWithWill, into: &$1) } == [.close(.requested)])
  }

  @Test("before CONNACK there is no DISCONNECT, only the close")
  func disconnectEarly() {
    var harness = SessionHarness()
    #expect(harness.perform { $0.disconnect(into: &$1) } == [], "there is no connection")
    _ = harness.begin()
    #expect(harness.perform { $0.disconnect(into: &$1) } == [.close(.requested)])
  }

  @Test("DISCONNECT from a server of 5 ends the connection with its reason, unanswered (§3.14)")
  func serverDisconnect() {
    var harness = SessionHarness.connected()
    let properties = Properties { $0.reasonString = "another one came" }
    let actions = harness.receive(.disconnect(Disconnect(reasonCode: .sessionTakenOver, properties: properties)))
    #expect(
      actions == [.close(.disconnectedByServer(.sessionTakenOver, reason: "another one came", serverReference: nil))])
  }

  @Test("a server of 3.1.1 sends no DISCONNECT (§3.14)")
  func serverDisconnectOn311() {
    var harness = SessionHarness.connected(.v311)
    #expect(harness.receive(.disconnect(Disconnect())).violation == .protocolError)
  }

  @Test(
    "bytes that are no packet end the connection, with the reason on 5 (§4.13.1)", arguments: ProtocolVersion.allCases)
  func malformed(version: ProtocolVersion) {
    var harness = SessionHarness.connected(version)
    let error = PacketError(.packetTooLarge, "too large")
    let actions = harness.perform { $0.received(error, into: &$1) }
    let told: [Session.Action] = [.send(.disconnect(Disconnect(reasonCode: .packetTooLarge)))]
    #expect(actions == (version == .v5 ? told : []) + [.close(.violation(error))])
    #expect(harness.perform { $0.received(error, into: &$1) } == [])
  }

  @Test("bytes that are no packet before CONNACK just end the connection")
  func malformedEarly() {
    var harness = SessionHarness()
    _ = harness.begin()
    let error = PacketError(.malformedPacket, "no")
    #expect(harness.perform { $0.received(error, into: &$1) } == [.close(.violation(error))])
  }

  @Test("after the close nothing is sent, delivered or answered any more", arguments: ProtocolVersion.allCases)
  func afterClose(version: ProtocolVersion) throws {
    var harness = SessionHarness.connected(version, keepAlive: 10)
    _ = try harness.publish(1, .exactlyOnce)
    let delivery = try #require(harness.receive(.numbered(9, .exactlyOnce, 9)).delivered.first)
    _ = harness.perform { $0.disconnect(into: &$1) }
    for packet in PacketSamples.all(version) { #expect(harness.receive(packet) == [], "\(packet.type)") }
    #expect(harness.receive(.pubrec(Acknowledgement(1))) == [])
    #expect(harness.accept(delivery) == [])
    #expect(harness.tick(after: .seconds(3_600)) == [])
    #expect(harness.session.deadline == nil)
    #expect(harness.session.room == 0)
    #expect(throws: Session.Rejection.notConnected) { try harness.publish(2, .atMostOnce) }
  }

  @Test("what arrives late, after the transport closed, changes nothing", arguments: ProtocolVersion.allCases)
  func latePackets(version: ProtocolVersion) throws {
    var harness = SessionHarness.connected(version)
    _ = try harness.publish(1, .atLeastOnce)
    _ = harness.drop()
    for packet in PacketSamples.all(version) { #expect(harness.receive(packet) == [], "\(packet.type)") }
    #expect(harness.receive(.puback(Acknowledgement(1))) == [])
    #expect(harness.drop() == [], "a second close is none")
    #expect(harness.connect(sessionPresent: true).sent == [.numbered(1, .atLeastOnce, 1, duplicate: true)])
  }
}
