import LimpetInstants
import NIOCore
import Testing

@testable import MQTTCore

@Suite("Enhanced authentication")
struct SessionAuthenticationTests {
  private static let asking = Properties { $0.authenticationMethod = "M" }
  private static let narrow = Properties {
    $0.authenticationMethod = "M"
    $0.maximumPacketSize = 20
  }

  private func auth(_ code: ReasonCode, _ method: String? = "M", _ data: String? = nil) -> Packet {
    .auth(
      Auth(
        reasonCode: code,
        properties: Properties {
          $0.authenticationMethod = method
          $0.authenticationData = data.map { ByteBuffer(string: $0) }
        }))
  }

  private func answer(_ harness: inout SessionHarness, _ data: String) -> [Session.Action] {
    let now = harness.now
    return harness.perform { try? $0.authenticate(ByteBuffer(string: data), at: now, into: &$1) }
  }

  @Test(
    """
    challenges before CONNACK are asked and answered with the method of CONNECT and no other property \
    [MQTT-4.12.0-3] [MQTT-4.12.0-5] [MQTT-3.15.2-1] [MQTT-3.15.2-2] [MQTT-3.15.2-3]
    """)
  func beforeConnack() {
    var harness = SessionHarness()
    _ = harness.begin(asking: Self.asking)
    #expect(harness.receive(auth(.continueAuthentication, "M", "1?")) == [.challenge(ByteBuffer(string: "1?"))])
    #expect(answer(&harness, "1!").sent == [auth(.continueAuthentication, "M", "1!")])
    #expect(answer(&harness, "twice") == [])
    let granted = Properties {
      $0.authenticationMethod = "M"
      $0.authenticationData = ByteBuffer(string: "ok")
    }
    let actions = harness.receive(.connack(ConnAck(sessionPresent: false, reasonCode: .success, properties: granted)))
    #expect(actions.contains(.authenticated(ByteBuffer(string: "ok"))))
    #expect(harness.session.isConnected)
  }

  @Test("AUTH without a method in CONNECT, or with another, ends the connection [MQTT-4.12.0-6] [behaviour 63]")
  func notAskedFor() {
    var plain = SessionHarness()
    _ = plain.begin()
    #expect(plain.receive(auth(.continueAuthentication)).violation == .protocolError)
    var other = SessionHarness()
    _ = other.begin(asking: Self.asking)
    #expect(other.receive(auth(.continueAuthentication, "N")).violation == .badAuthenticationMethod)
    var connected = SessionHarness.connected(asking: Self.asking, granted: Self.asking)
    #expect(connected.receive(auth(.continueAuthentication)).violation == .protocolError, "nothing asked for it")
  }

  @Test("authenticating again: AUTH 0x19, challenges, and AUTH 0 ends it [MQTT-4.12.1-1] [behaviour 63]")
  func again() throws {
    var harness = SessionHarness.connected(asking: Self.asking, granted: Self.asking)
    let now = harness.now
    var actions: [Session.Action] = []
    try harness.session.reauthenticate(nil, at: now, into: &actions)
    #expect(actions.sent == [auth(.reauthenticate)])
    #expect(throws: Session.Rejection.self) { try harness.session.reauthenticate(nil, at: now, into: &actions) }
    #expect(harness.receive(auth(.continueAuthentication, "M", "?")) == [.challenge(ByteBuffer(string: "?"))])
    #expect(answer(&harness, "!").sent == [auth(.continueAuthentication, "M", "!")])
    #expect(harness.receive(auth(.success)) == [.authenticated(nil)])
    #expect(harness.session.isConnected)
  }

  @Test("before CONNACK a server's AUTH asks to continue, or the connection ends [MQTT-4.12.0-2]")
  func codeBeforeConnack() {
    for code in [ReasonCode.success, .reauthenticate] {
      var harness = SessionHarness()
      _ = harness.begin(asking: Self.asking)
      #expect(harness.receive(auth(code)).violation == .protocolError)
    }
  }

  @Test("until CONNACK nothing but AUTH is sent [MQTT-3.1.2-30]")
  func nothingElse() throws {
    var harness = SessionHarness()
    _ = harness.begin(keepAlive: 1, asking: Self.asking)
    _ = harness.receive(auth(.continueAuthentication))
    #expect(throws: Session.Rejection.notConnected) { try harness.publish(1, .atMostOnce) }
    #expect(throws: Session.Rejection.notConnected) { try harness.subscribe([Subscription("t")]) }
    #expect(harness.tick(after: .seconds(60)) == [])
    #expect(answer(&harness, "!").sent.map(\.type) == [.auth])
  }

  @Test("without a method in CONNECT no AUTH is sent [MQTT-4.12.0-7]", arguments: ProtocolVersion.allCases)
  func noMethod(version: ProtocolVersion) {
    var harness = SessionHarness(version)
    _ = harness.begin()
    #expect(answer(&harness, "!") == [])
    _ = harness.receive(.connack(ConnAck(sessionPresent: false, reasonCode: .success)))
    #expect(answer(&harness, "!") == [])
    #expect(throws: Session.Rejection.featureNotSupported(.badAuthenticationMethod)) {
      var actions: [Session.Action] = []
      try harness.session.reauthenticate(nil, at: harness.now, into: &actions)
    }
  }

  @Test("CONNACK names the method of CONNECT, or none where that had none [MQTT-4.12.0-5] [MQTT-4.12.0-6]")
  func methodOfConnack() {
    for (asked, granted) in [("M", nil), ("M", "N"), (nil, "M")] as [(String?, String?)] {
      var harness = SessionHarness()
      let actions = harness.connect(
        asking: Properties { $0.authenticationMethod = asked },
        granted: Properties { $0.authenticationMethod = granted })
      #expect(actions.violation != nil)
    }
  }

  @Test("an authentication that fails ends the connection, whoever notices [MQTT-4.12.1-2]")
  func fails() throws {
    for isOurs in [true, false] {
      var harness = SessionHarness.connected(asking: Self.asking, granted: Self.asking)
      var actions: [Session.Action] = []
      try harness.session.reauthenticate(nil, at: harness.now, into: &actions)
      if isOurs {
        actions = harness.perform { $0.disconnect(reasonCode: .notAuthorized, into: &$1) }
        #expect(actions.sent == [.disconnect(Disconnect(reasonCode: .notAuthorized))])
      } else {
        actions = harness.receive(.disconnect(Disconnect(reasonCode: .notAuthorized)))
      }
      #expect(actions.ending != nil)
      #expect(!harness.session.isConnected)
    }
  }

  @Test(
    "a re-authentication that the end of its connection interrupts is over: nothing of it reaches the next one",
    arguments: [true, false])
  func interrupted(isChallenged: Bool) throws {
    var harness = SessionHarness.connected(asking: Self.asking, granted: Self.asking)
    var actions: [Session.Action] = []
    try harness.session.reauthenticate(nil, at: harness.now, into: &actions)
    if isChallenged {
      #expect(harness.receive(auth(.continueAuthentication, "M", "?")) == [.challenge(ByteBuffer(string: "?"))])
    }
    _ = try harness.publish(1, .atLeastOnce)
    _ = harness.drop()
    #expect(answer(&harness, "late") == [])
    _ = harness.begin(asking: Self.asking)
    #expect(answer(&harness, "late") == [], "the server has asked nothing yet")
    #expect(harness.receive(auth(.continueAuthentication, "M", "1?")) == [.challenge(ByteBuffer(string: "1?"))])
    #expect(answer(&harness, "1!").sent == [auth(.continueAuthentication, "M", "1!")])
    let connack = ConnAck(sessionPresent: true, reasonCode: .success, properties: Self.asking)
    #expect(harness.receive(.connack(connack)).sent == [.numbered(1, .atLeastOnce, 1, duplicate: true)])
    #expect(harness.receive(auth(.success)).violation == .protocolError, "nothing was asked on this connection")
  }

  @Test("after an interrupted one another can be begun")
  func begunAgain() throws {
    var harness = SessionHarness.connected(asking: Self.asking, granted: Self.asking)
    var actions: [Session.Action] = []
    try harness.session.reauthenticate(nil, at: harness.now, into: &actions)
    _ = harness.drop()
    _ = harness.connect(sessionPresent: true, asking: Self.asking, granted: Self.asking)
    actions = []
    try harness.session.reauthenticate(nil, at: harness.now, into: &actions)
    #expect(actions.sent == [auth(.reauthenticate)])
    #expect(harness.receive(auth(.success)) == [.authenticated(nil)])
  }

  @Test("AUTH is not sent where it is larger than the server takes [MQTT-3.2.2-15]")
  func tooLarge() throws {
    var harness = SessionHarness.connected(asking: Self.asking, granted: Self.narrow)
    #expect(throws: Session.Rejection.self) {
      var actions: [Session.Action] = []
      try harness.session.reauthenticate(ByteBuffer(repeating: 0, count: 20), at: harness.now, into: &actions)
    }
  }

  @Test("data that no packet can carry is not sent, and the process lives [MQTT-3.2.2-15]", arguments: [true, false])
  func notEncodable(isLong: Bool) {
    var harness = SessionHarness.connected(asking: Self.asking, granted: isLong ? Self.asking : Self.narrow)
    var actions: [Session.Action] = []
    let data = ByteBuffer(repeating: 0, count: isLong ? 65_536 : 20)
    #expect(throws: Session.Rejection.self) {
      try harness.session.reauthenticate(data, at: harness.now, into: &actions)
    }
    #expect(actions == [])
  }

  @Test("an answer to a challenge that cannot be sent ends the connection, with its reason", arguments: [true, false])
  func answerNotEncodable(isLong: Bool) {
    let granted = isLong ? Self.asking : Self.narrow
    var harness = LinkHarness()
    harness.handle(.start)
    harness.agree(granted, LinkHarness.connect { $0.properties.authenticationMethod = "M" })
    let now = harness.now
    _ = try? harness.turn { try $0.reauthenticate(nil, at: now, into: &$1) }
    _ = harness.receive(auth(.continueAuthentication))
    let data = ByteBuffer(repeating: 0, count: isLong ? 65_536 : 20)
    let effects = harness.handle(.authenticate(harness.number, data))
    #expect(effects.sent.allSatisfy { $0.type != .auth } && effects.closings == [.atOnce])
    guard case .authentication? = harness.closed().losses.first?.loss else {
      Issue.record("it goes on")
      return
    }
  }

  @Test("a server reference is a host, with or without a port; the first that can be read counts")
  func serverReferences() {
    let server = ServerAddress(transport: .tls, host: "a", port: 8883)
    let cases: [(String, String?)] = [
      ("b", "mqtts://b:8883"), ("b:1", "mqtts://b:1"), ("[::1]:2", "mqtts://[::1]:2"), ("[::1]", "mqtts://[::1]:8883"),
      ("b:x c:3", "mqtts://c:3"), ("", nil), (":5", nil), ("b:99999", nil),
    ]
    for (text, address) in cases {
      #expect(ServerReference.first(in: text, like: server)?.description == address, "\(text)")
    }
  }
}
