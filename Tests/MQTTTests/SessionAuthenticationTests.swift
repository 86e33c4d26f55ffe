import NIOCore
import Testing

@testable import MQTT

@Suite("Enhanced authentication")
struct SessionAuthenticationTests {
  private static let asking = Properties { $0.authenticationMethod = "M" }

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
    return harness.perform { $0.authenticate(ByteBuffer(string: data), at: now, into: &$1) }
  }

  @Test("challenges before CONNACK are asked and answered with the method of CONNECT [MQTT-4.12.0-3] [MQTT-4.12.0-5]")
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

  @Test("AUTH without a method in CONNECT, or with another, ends the connection [MQTT-4.12.0-6] [MQTT-4.12.0-5]")
  func notAskedFor() {
    var plain = SessionHarness()
    _ = plain.begin()
    #expect(plain.receive(auth(.continueAuthentication)).violation == .protocolError)
    var other = SessionHarness()
    _ = other.begin(asking: Self.asking)
    #expect(other.receive(auth(.continueAuthentication, "N")).violation == .badAuthenticationMethod)
    var connected = SessionHarness.connected(asking: Self.asking)
    #expect(connected.receive(auth(.continueAuthentication)).violation == .protocolError, "nothing asked for it")
  }

  @Test("authenticating again: AUTH 0x19, challenges, and AUTH 0 ends it [MQTT-4.12.1-1]")
  func again() throws {
    var harness = SessionHarness.connected(asking: Self.asking)
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
