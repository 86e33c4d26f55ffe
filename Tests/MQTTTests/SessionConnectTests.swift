import NIOCore
import Testing

@testable import MQTTCore

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
    "any other packet before CONNACK is a violation, and is not answered [MQTT-3.2.0-1] [MQTT-3.14.0-1]",
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
    "a second CONNACK, or a packet that only clients send, is a protocol error [MQTT-3.2.0-2] [MQTT-4.8.0-1 v3.1.1]",
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

  @Test(
    """
    a refusal ends the connection with its code, reason and server reference, and sends nothing [MQTT-3.2.2-7] \
    [MQTT-4.13.2-1] [MQTT-3.2.2-5 v3.1.1]
    """)
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

  @Test("what CONNACK grants is what the connection has, 5's defaults where it is silent (§3.2.2.3) [behaviour 65]")
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
    #expect(limits.clientIdentifier == "c", "it was not asked for")
  }

  @Test("a session of 3.1.1 that is not clean never ends by itself (§3.1.2.4)")
  func expiryOn311() {
    var harness = SessionHarness(.v311)
    #expect(harness.connect(cleanStart: false).limits?.sessionExpiry == .max)
    _ = harness.drop()
    #expect(harness.connect(cleanStart: true).limits?.sessionExpiry == 0)
  }

  // MARK: Session present

  @Test(
    "session present after a clean start is a protocol error [MQTT-3.2.2-2] [MQTT-3.2.2-1 v3.1.1]",
    arguments: ProtocolVersion.allCases)
  func presentAfterCleanStart(version: ProtocolVersion) {
    var harness = SessionHarness(version, isResumable: true)
    let actions = harness.connect(sessionPresent: true, cleanStart: true)
    #expect(actions.violation == .protocolError)
    #expect(actions.count == 1)
  }

  @Test(
    "session present is not believed where nothing is known of a session, and the will is left to say so [MQTT-3.2.2-4]",
    arguments: ProtocolVersion.allCases)
  func unknownSession(version: ProtocolVersion) {
    var harness = SessionHarness(version)
    let actions = harness.connect(sessionPresent: true)
    // 3.1.1 has no other word for it than none ([MQTT-3.14.4-3] would take the will back).
    let goodBye: [Session.Action] =
      version == .v5 ? [.send(.disconnect(Disconnect(reasonCode: .disconnectWithWill)))] : []
    #expect(actions == goodBye + [.close(.unknownSession)])
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

  @Test(
    """
    a disconnection on request sends DISCONNECT, then closes, once [MQTT-3.14.4-2] [MQTT-3.14.4-1 v3.1.1] \
    [behaviour 1] [behaviour 3]
    """, arguments: ProtocolVersion.allCases)
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

  @Test(
    """
    DISCONNECT from a server of 5 ends the connection with its reason, unanswered [MQTT-4.13.2-1] [behaviour 43] \
    [behaviour 44]
    """)
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
    """
    bytes that are no packet, or too large a one, end the connection, with the reason on 5 [MQTT-4.13.1-1] \
    [MQTT-3.1.2-24] [MQTT-1.5.3-1 v3.1.1] [MQTT-4.8.0-1 v3.1.1] [MQTT-4.8.0-2 v3.1.1]
    """, arguments: ProtocolVersion.allCases)
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

  @Test(
    """
    after the close nothing is sent, delivered, answered or timed any more [MQTT-3.14.4-1] [MQTT-3.14.4-2 v3.1.1] \
    [behaviour 6] [behaviour 49]
    """, arguments: ProtocolVersion.allCases)
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

  @Test(
    "what arrives late, after the transport closed, changes nothing [behaviour 42]", arguments: ProtocolVersion.allCases
  )
  func latePackets(version: ProtocolVersion) throws {
    var harness = SessionHarness.connected(version)
    _ = try harness.publish(1, .atLeastOnce)
    _ = harness.drop()
    for packet in PacketSamples.all(version) { #expect(harness.receive(packet) == [], "\(packet.type)") }
    #expect(harness.receive(.puback(Acknowledgement(1))) == [])
    #expect(harness.drop() == [], "a second close is none")
    #expect(harness.connect(sessionPresent: true).sent == [.numbered(1, .atLeastOnce, 1, duplicate: true)])
  }

  @Test(
    """
    a clean start forgets what was received, and sends what was under way as new [MQTT-3.1.2-4] [MQTT-3.2.2-5] \
    [MQTT-3.1.2-6 v3.1.1]
    """, arguments: ProtocolVersion.allCases)
  func cleanStart(version: ProtocolVersion) throws {
    var harness = SessionHarness.connected(version)
    _ = try harness.publish(1, .atLeastOnce)
    let old = try #require(harness.receive(.numbered(8, .exactlyOnce, 10)).delivered.first)
    _ = harness.accept(old)
    _ = harness.drop()
    #expect(harness.connect(cleanStart: true).sent == [.numbered(1, .atLeastOnce, 2)])
    #expect(harness.receive(.puback(Acknowledgement(1))) == [])
    #expect(harness.receive(.numbered(9, .exactlyOnce, 10, duplicate: true)).delivered.map(\.message.number) == [9])
  }

  @Test("a session belongs to its client identifier: under another, session present is not believed [MQTT-3.1.3-2]")
  func otherIdentifier() {
    var harness = SessionHarness.connected()
    _ = harness.drop()
    let other = Connect(clientIdentifier: "another", cleanStart: false, keepAlive: 0)
    _ = harness.perform { $0.connect(other, version: .v5, into: &$1) }
    let actions = harness.receive(.connack(ConnAck(sessionPresent: true, reasonCode: .success)))
    #expect(actions.ending == .unknownSession)
  }

  @Test(
    "who asked for no problem information takes none but in CONNACK, PUBLISH and DISCONNECT [MQTT-3.1.2-29]",
    arguments: [
      .puback(Acknowledgement(1, properties: Properties { $0.reasonString = "why" })),
      .puback(Acknowledgement(1, properties: Properties { $0.addUserProperty("n", "v") })),
    ] as [Packet])
  func problemInformation(packet: Packet) throws {
    var harness = SessionHarness.connected(asking: Properties { $0.requestProblemInformation = false })
    _ = try harness.publish(1, .atLeastOnce)
    let properties = Properties { $0.addUserProperty("n", "v") }
    let message = Message(topic: "t", payload: ByteBuffer(), qos: .atMostOnce, properties: properties)
    #expect(harness.receive(.publish(Publish(message))).ending == nil)
    let actions = harness.receive(packet)
    #expect(actions.violation == .protocolError)
  }

  @Test("a DISCONNECT has a code that one may carry, whatever is asked for [MQTT-3.14.2-1]")
  func codeOfDisconnect() throws {
    var harness = SessionHarness.connected()
    let actions = harness.perform { $0.disconnect(reasonCode: .badUserNameOrPassword, into: &$1) }
    let packet = try #require(actions.sent.first)
    #expect(try decode(encode(packet)) == packet)
  }

  @Test(
    """
    a DISCONNECT leaves out properties that the server's Maximum Packet Size has no room for [MQTT-3.14.2-3] \
    [MQTT-3.14.2-4]
    """)
  func largeDisconnect() throws {
    for fill in [{ $0.reasonString = "a long reason" }, { $0.addUserProperty("name", "value") }]
      as [(inout Properties) -> Void]
    {
      var harness = SessionHarness.connected(granted: Properties { $0.maximumPacketSize = 12 })
      let actions = harness.perform { $0.disconnect(properties: Properties(fill), into: &$1) }
      let packet = try #require(actions.sent.first)
      #expect(encode(packet).count <= 12)
      #expect(actions.ending == .requested)
    }
  }

  @Test(
    "a DISCONNECT sets no session expiry where CONNECT had none (§3.14.2.2.2)", arguments: [nil, 0, 60] as [UInt32?])
  func expiryOfDisconnect(asked: UInt32?) {
    var harness = SessionHarness.connected(asking: Properties { $0.sessionExpiryInterval = asked })
    let properties = Properties { $0.sessionExpiryInterval = 10 }
    let sent = harness.perform { $0.disconnect(properties: properties, into: &$1) }.sent
    let expected = Packet.disconnect(Disconnect(properties: asked == 60 ? properties : Properties()))
    #expect(sent == [expected])
  }

  @Test("a server that grants nothing special is enough: no extension is needed [MQTT-7.0.0-2 v3.1.1]")
  func bareServer() throws {
    for version in ProtocolVersion.allCases {
      var harness = SessionHarness.connected(version)
      #expect(try harness.publish(1, .exactlyOnce).sent == [.numbered(1, .exactlyOnce, 1)])
      #expect(try harness.subscribe([Subscription("#")]).sent.count == 1)
    }
  }
}
