import NIOCore

@testable import MQTTCore

/// Packets of every type with everything that they can carry, for tests that want many of them.
enum PacketSamples {
  static func all(_ version: ProtocolVersion) -> [Packet] {
    connections(version) + messages(version) + subscriptions(version) + (version == .v5 ? onlyV5() : [])
  }

  private static func properties(_ version: ProtocolVersion, _ fill: (inout Properties) -> Void) -> Properties {
    version == .v5 ? Properties(fill) : Properties()
  }

  private static func connections(_ version: ProtocolVersion) -> [Packet] {
    let will = Message(
      topic: "limpet/x/status", payload: ByteBuffer("offline"), qos: .exactlyOnce, retain: true,
      properties: properties(version) {
        $0.willDelayInterval = 5
        $0.payloadFormatIndicator = true
        $0.messageExpiryInterval = 60
        $0.contentType = "text/plain"
        $0.responseTopic = "r/t"
        $0.correlationData = ByteBuffer(bytes: [0, 255])
        $0.addUserProperty("epoch", "17")
      })
    let full = Connect(
      clientIdentifier: "Grünhaus-3", cleanStart: false, keepAlive: 65_535, username: "greenhouse",
      password: ByteBuffer(bytes: [0, 1, 2]), will: will,
      properties: properties(version) {
        $0.sessionExpiryInterval = 604_800
        $0.receiveMaximum = 100
        $0.maximumPacketSize = 1 << 20
        $0.topicAliasMaximum = 10
        $0.requestResponseInformation = true
        $0.requestProblemInformation = false
        $0.addUserProperty("a", "b")
        $0.authenticationMethod = "SCRAM-SHA-1"
        $0.authenticationData = ByteBuffer("client-first")
      })
    var modest = will
    modest.qos = .atMostOnce
    modest.retain = false
    modest.payload = ByteBuffer()
    return [
      .connect(full),
      .connect(Connect(clientIdentifier: "", cleanStart: true, keepAlive: 0)),
      .connect(Connect(clientIdentifier: "c", cleanStart: false, keepAlive: 30, username: "u", will: modest)),
      .connack(ConnAck(sessionPresent: true, reasonCode: .success)),
      .connack(ConnAck(sessionPresent: false, reasonCode: .notAuthorized)),
      .connack(ConnAck(sessionPresent: false, reasonCode: .unsupportedProtocolVersion)),
      .pingreq, .pingresp, .disconnect(Disconnect()),
    ]
  }

  private static func messages(_ version: ProtocolVersion) -> [Packet] {
    let full = Message(
      topic: "limpet/x/温度", payload: ByteBuffer("{\"value\":21.5}"), qos: .atLeastOnce, retain: true,
      properties: properties(version) {
        $0.payloadFormatIndicator = true
        $0.messageExpiryInterval = .max
        $0.topicAlias = 7
        $0.responseTopic = "r"
        $0.correlationData = ByteBuffer()
        $0.contentType = "application/json"
        $0.subscriptionIdentifier = 268_435_455
        $0.addUserProperty("time", "2026-11-20T12:00:00.123Z")
        $0.addUserProperty("time", "")
      })
    var large = full
    large.payload = ByteBuffer(repeating: 0xA5, count: 20_000)
    var qos2 = full
    qos2.qos = .exactlyOnce
    qos2.retain = false
    let empty = Message(topic: "t", payload: ByteBuffer(), qos: .atMostOnce, retain: true)
    let acknowledgements: [Acknowledgement] = [Acknowledgement(1), Acknowledgement(65_535)]
    return [
      .publish(Publish(full, packetIdentifier: 10)), .publish(Publish(large, packetIdentifier: 11, duplicate: true)),
      .publish(Publish(qos2, packetIdentifier: 65_535, duplicate: true)), .publish(Publish(empty)),
    ]
      + acknowledgements.flatMap { [.puback($0), .pubrec($0), .pubrel($0), .pubcomp($0)] as [Packet] }
  }

  private static func subscriptions(_ version: ProtocolVersion) -> [Packet] {
    let isV5 = version == .v5
    return [
      .subscribe(
        Subscribe(
          10,
          subscriptions: [
            Subscription(
              "limpet/+/status", qos: .exactlyOnce, noLocal: isV5, retainAsPublished: isV5,
              retainHandling: isV5 ? .doNotSend : .send),
            Subscription("$share/g/a/#", qos: .atMostOnce, retainHandling: isV5 ? .sendIfNew : .send),
          ],
          properties: properties(version) {
            $0.subscriptionIdentifier = 1
            $0.addUserProperty("", "")
          })),
      .suback(SubscriptionAcknowledgement(10, reasonCodes: [.success, .grantedQoS1, .grantedQoS2, .unspecifiedError])),
      .unsubscribe(
        Unsubscribe(
          11, filters: ["a/+", "#"],
          properties: properties(version) { $0.addUserProperty("n", "v") })),
      .unsuback(SubscriptionAcknowledgement(11, reasonCodes: isV5 ? [.success, .noSubscriptionExisted] : [])),
    ]
  }

  private static func onlyV5() -> [Packet] {
    let reason = Properties {
      $0.reasonString = "because"
      $0.addUserProperty("n", "v")
    }
    let server = Properties {
      $0.sessionExpiryInterval = 0
      $0.receiveMaximum = 20
      $0.maximumQoS = .atLeastOnce
      $0.retainAvailable = false
      $0.maximumPacketSize = 4_096
      $0.assignedClientIdentifier = "auto-1"
      $0.topicAliasMaximum = 5
      $0.reasonString = "welcome"
      $0.addUserProperty("n", "v")
      $0.wildcardSubscriptionAvailable = false
      $0.subscriptionIdentifierAvailable = false
      $0.sharedSubscriptionAvailable = true
      $0.serverKeepAlive = 15
      $0.responseInformation = "r/"
      $0.serverReference = "other.example.com"
      $0.authenticationMethod = "SCRAM-SHA-1"
      $0.authenticationData = ByteBuffer("server-final")
    }
    let aliased = Message(
      topic: .aliased, payload: ByteBuffer("x"), qos: .atMostOnce, properties: Properties { $0.topicAlias = 65_535 })
    return [
      .connect(Connect(clientIdentifier: "c", cleanStart: true, keepAlive: 1, password: ByteBuffer("token"))),
      .connack(ConnAck(sessionPresent: false, reasonCode: .success, properties: server)),
      .connack(ConnAck(sessionPresent: false, reasonCode: .quotaExceeded, properties: reason)),
      .publish(Publish(aliased)),
      .puback(Acknowledgement(1, reasonCode: .noMatchingSubscribers)),
      .puback(Acknowledgement(1, properties: reason)),
      .pubrec(Acknowledgement(2, reasonCode: .quotaExceeded, properties: reason)),
      .pubrel(Acknowledgement(3, reasonCode: .packetIdentifierNotFound)),
      .pubrel(Acknowledgement(3, properties: reason)),
      .pubcomp(Acknowledgement(4, reasonCode: .packetIdentifierNotFound, properties: reason)),
      .suback(SubscriptionAcknowledgement(5, reasonCodes: [.topicFilterInvalid, .success], properties: reason)),
      .unsuback(SubscriptionAcknowledgement(6, reasonCodes: [.notAuthorized], properties: reason)),
      .disconnect(Disconnect(reasonCode: .disconnectWithWill)),
      .disconnect(Disconnect(reasonCode: .serverMoved, properties: reason)),
      .disconnect(Disconnect(properties: Properties { $0.sessionExpiryInterval = 0 })),
      .auth(Auth(reasonCode: .success)),
      .auth(
        Auth(
          reasonCode: .continueAuthentication,
          properties: Properties {
            $0.authenticationMethod = "SCRAM-SHA-1"
            $0.authenticationData = ByteBuffer("server-first")
          })),
    ]
  }
}
