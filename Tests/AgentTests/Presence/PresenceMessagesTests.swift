import MQTT
import NIOCore
import Testing

@testable import LimpetInstants
@testable import LimpetPlatform
@testable import LimpetText
@testable import MQTTCore
@testable import Presence

struct PresenceMessagesTests {
  private static let since = Timestamp(sinceEpoch: .seconds(1_795_176_000) + .milliseconds(123))

  private func presence(
    qos: QoS = .atLeastOnce, willDelay: Duration = .zero, lease: Duration = .zero
  ) throws -> PresenceMessages {
    PresenceMessages(
      status: TopicName("limpet/d1/status"), presence: TopicName("limpet/d1/presence"), online: "online",
      offline: "offline", qos: qos, willDelay: willDelay, lease: lease, instance: "5ca1ab1e", version: "0.1.0")
  }

  /// A connection as a server grants it.
  private func connection(
    _ version: ProtocolVersion = .v5, keepAlive: UInt16 = 30, sessionPresent: Bool = false,
    granted: (inout Properties) -> Void = { _ in }
  ) throws -> Session.Connected {
    var properties = Properties()
    if version == .v5 { properties.sessionExpiryInterval = 3600 }
    granted(&properties)
    let connack = ConnAck(sessionPresent: sessionPresent, reasonCode: .success, properties: properties)
    var session = Session(inFlightLimit: 100, isResumable: true)
    var actions: [Session.Action] = []
    session.connect(
      Connect(clientIdentifier: "d1", cleanStart: false, keepAlive: keepAlive), version: version, into: &actions)
    session.receive(.connack(connack), at: .now, into: &actions)
    let connections = actions.compactMap { if case .connected(let connected) = $0 { connected } else { nil } }
    return try #require(connections.first)
  }

  private func statement(
    _ event: PresenceMessages.Event, _ connection: Session.Connected, reason: String = "start"
  ) -> PresenceMessages.Statement {
    .init(event: event, reason: reason, epoch: 42, since: Self.since, connection: connection)
  }

  private func userProperties(_ message: Message) -> [String] {
    message.properties.userProperties.map { "\($0.name)=\($0.value)" }
  }

  @Test("the will goes out when the session ends, if that is before its delay")
  func shortSession() throws {
    let presence = try presence(willDelay: .seconds(60))
    let connection = try connection { $0.sessionExpiryInterval = 20 }
    #expect(presence.effectiveWillDelay(connection.limits) == .seconds(20))
    let text = String(buffer: presence.presence(statement(.birth, connection)).payload)
    #expect(text.contains("\"detect_within\":71,"))
  }

  @Test("a birth after a crash says how long the device was gone, and in a conflict who is the other")
  func more() throws {
    var statement = statement(.birth, try connection(), reason: "recovered")
    statement.goneFor = 86_400
    statement.conflict = "instance 4d8b uses this client id"
    let text = String(buffer: try presence().presence(statement).payload)
    #expect(text.hasSuffix(#""conflict":"instance 4d8b uses this client id","gone_for":86400}"#))
  }

  // MARK: status

  @Test("status says online at a birth and offline at a stop, retained")
  func status() throws {
    let connection = try connection()
    let birth = try presence().status(statement(.birth, connection))
    let stop = try presence().status(statement(.stop, connection, reason: "shutdown"))
    #expect(String(buffer: birth.payload) == "online")
    #expect(String(buffer: stop.payload) == "offline")
    for message in [birth, stop] {
      #expect(message.topic.description == "limpet/d1/status")
      #expect(message.qos == .atLeastOnce)
      #expect(message.retain)
    }
  }

  @Test("the configured words stand for online and offline")
  func words() throws {
    var presence = try presence()
    presence = PresenceMessages(
      status: presence.status, presence: presence.presence, online: "1", offline: "0", qos: .exactlyOnce,
      willDelay: .zero, lease: .zero, instance: "i", version: "v")
    let connection = try connection()
    #expect(String(buffer: presence.status(statement(.birth, connection)).payload) == "1")
    #expect(String(buffer: presence.status(statement(.stop, connection)).payload) == "0")
    #expect(String(buffer: presence.will(epoch: 1, .v5).payload) == "0")
  }

  @Test("the will and the birth are the same in topic, QoS and retain flag, on both versions", arguments: QoS.allCases)
  func willLikeBirth(qos: QoS) throws {
    let presence = try presence(qos: qos, willDelay: .seconds(5))
    for version in ProtocolVersion.allCases {
      let will = presence.will(epoch: 42, version)
      let birth = presence.status(statement(.birth, try connection(version)))
      #expect(will.topic == birth.topic)
      #expect(will.qos == qos && birth.qos == qos)
      #expect(will.retain && birth.retain)
      #expect(String(buffer: will.payload) == "offline")
    }
  }

  @Test("on MQTT 5 what a birth says expires after three times the lease", arguments: [1, 300, 604_800] as [UInt32])
  func birthExpiry(seconds: UInt32) throws {
    let presence = try presence(lease: .seconds(Int64(seconds)))
    let birth = statement(.birth, try connection())
    #expect(presence.status(birth).properties.messageExpiryInterval == 3 * seconds)
    #expect(presence.presence(birth).properties.messageExpiryInterval == 3 * seconds)
  }

  @Test(
    "will and stop never expire: that a device is offline stays true", arguments: [.zero, .seconds(300)] as [Duration])
  func noExpiry(lease: Duration) throws {
    let presence = try presence(willDelay: .seconds(5), lease: lease)
    let stop = statement(.stop, try connection())
    for message in [presence.will(epoch: 42, .v5), presence.status(stop), presence.presence(stop)] {
      #expect(message.properties.messageExpiryInterval == nil)
    }
  }

  @Test("without a lease a birth does not expire either")
  func noLease() throws {
    let birth = statement(.birth, try connection())
    #expect(try presence().status(birth).properties.messageExpiryInterval == nil)
    #expect(try presence().presence(birth).properties.messageExpiryInterval == nil)
  }

  @Test(
    "the will is delayed where MQTT 5 can, and only when it should be",
    arguments: [(.zero, nil), (.seconds(5), 5), (.seconds(86_400), 86_400), (.seconds(1 << 40), .max)]
      as [(Duration, UInt32?)])
  func willDelay(delay: Duration, interval: UInt32?) throws {
    let presence = try presence(willDelay: delay)
    #expect(presence.will(epoch: 42, .v5).properties.willDelayInterval == interval)
    #expect(presence.will(epoch: 42, .v311).properties.isEmpty)
    // Of the will only: elsewhere it would be a protocol error (MQTT 5.0 §3.1.3.2.2).
    #expect(presence.status(statement(.birth, try connection())).properties.willDelayInterval == nil)
  }

  @Test("on MQTT 5 will, birth and stop carry epoch, instance and reason")
  func userPropertiesOn5() throws {
    let presence = try presence()
    let connection = try connection()
    #expect(userProperties(presence.will(epoch: 42, .v5)) == ["epoch=42", "instance=5ca1ab1e", "reason=lost"])
    #expect(
      userProperties(presence.status(statement(.birth, connection, reason: "reconnected")))
        == ["epoch=42", "instance=5ca1ab1e", "reason=reconnected"])
    #expect(
      userProperties(presence.status(statement(.stop, connection, reason: "shutdown")))
        == ["epoch=42", "instance=5ca1ab1e", "reason=shutdown"])
  }

  @Test("3.1.1 has no properties")
  func noPropertiesOn311() throws {
    let presence = try presence(willDelay: .seconds(5), lease: .seconds(300))
    let statement = statement(.birth, try connection(.v311))
    for message in [presence.will(epoch: 42, .v311), presence.status(statement), presence.presence(statement)] {
      #expect(message.properties.isEmpty)
    }
  }

  // MARK: presence

  @Test("presence has these fields in this order")
  func fields() throws {
    let message = try presence(willDelay: .seconds(5)).presence(
      statement(.birth, try connection(sessionPresent: true), reason: "recovered"))
    #expect(message.topic.description == "limpet/d1/presence")
    #expect(message.qos == .atLeastOnce && message.retain)
    #expect(
      String(buffer: message.payload) == #"{"event":"birth","reason":"recovered","epoch":42,"instance":"5ca1ab1e","#
        + #""since":"2026-11-20T12:00:00.123Z","version":"0.1.0","session_present":true,"detect_within":56,"conflict":null}"#
    )
  }

  @Test("presence of a clean stop")
  func stop() throws {
    let message = try presence().presence(statement(.stop, try connection(), reason: "shutdown"))
    let object = try JSONText(message.payload)
    #expect(object["event"] == .text("stop"))
    #expect(object["reason"] == .text("shutdown"))
    #expect(object["session_present"] == .flag(false))
  }

  @Test("presence has no word for online or offline: status has the only one")
  func noState() throws {
    let text = String(buffer: try presence().presence(statement(.stop, try connection())).payload)
    #expect(!text.contains("online") && !text.contains("offline"))
  }

  @Test(
    "detect_within is one and a half granted keepalives, 6 s, and the will's delay on MQTT 5",
    arguments: [
      (30, .zero, .v5, 51), (30, .seconds(5), .v5, 56), (30, .seconds(5), .v311, 51), (15, .zero, .v5, 28.5),
      (1, .zero, .v5, 7.5), (.max, .zero, .v311, 98_308.5), (0, .zero, .v5, nil), (0, .seconds(5), .v5, nil),
    ] as [(UInt16, Duration, ProtocolVersion, Double?)])
  func detectWithin(keepAlive: UInt16, willDelay: Duration, version: ProtocolVersion, seconds: Double?) throws {
    let message = try presence(willDelay: willDelay).presence(
      statement(.birth, try connection(version, keepAlive: keepAlive)))
    #expect(try JSONText(message.payload)["detect_within"] == seconds.map { .number($0.shortestDecimal) } ?? .null)
  }

  @Test("over a secure WebSocket the broker may take 5 s longer")
  func detectWithinOverSecureWebSocket() throws {
    for (transport, seconds) in [(.tls, "51"), (.webSocket, "51"), (.secureWebSocket, "56")]
      as [(ServerAddress.Transport, String)]
    {
      var statement = statement(.birth, try connection())
      statement.transport = transport
      #expect(try JSONText(presence().presence(statement).payload)["detect_within"] == .number(seconds))
    }
  }

  @Test("what counts is the keepalive that the server granted")
  func grantedKeepAlive() throws {
    let granted = try connection(keepAlive: 30) { $0.serverKeepAlive = 60 }
    #expect(try JSONText(presence().presence(statement(.birth, granted)).payload)["detect_within"] == .number("96"))
    let none = try connection(keepAlive: 30) { $0.serverKeepAlive = 0 }
    #expect(try JSONText(presence().presence(statement(.birth, none)).payload)["detect_within"] == .null)
  }

  // MARK: Servers that can do less

  @Test("a server without retain is told without it")
  func withoutRetain() throws {
    let connection = try connection { $0.retainAvailable = false }
    for event in [PresenceMessages.Event.birth, .stop] {
      #expect(try !presence().status(statement(event, connection)).retain)
      #expect(try !presence().presence(statement(event, connection)).retain)
    }
  }

  @Test(
    "a server with a lower maximum QoS is told with that, a higher one changes nothing",
    arguments: QoS.allCases, QoS.allCases)
  func lowerMaximum(configured: QoS, maximum: QoS) throws {
    let connection = try connection { $0.maximumQoS = maximum }
    let statement = statement(.birth, connection)
    #expect(try presence(qos: configured).status(statement).qos == min(configured, maximum))
    #expect(try presence(qos: configured).presence(statement).qos == min(configured, maximum))
  }

  @Test("what a server can do changes nothing else of a message")
  func otherwiseUnchanged() throws {
    let limited = try connection {
      $0.retainAvailable = false
      $0.maximumQoS = .atMostOnce
    }
    let full = try presence().status(statement(.birth, try connection()))
    var expected = full
    expected.qos = .atMostOnce
    expected.retain = false
    #expect(full.adapted(to: limited.limits) == expected)
    #expect(try presence().status(statement(.birth, limited)) == expected)
    #expect(expected.adapted(to: try connection().limits) == expected, "what is not retained does not become so")
  }
}
