import MQTT
import MQTTCore

/// Everything in which the brokers differ; the scenarios ask nothing else.
package struct BrokerTraits: Sendable {
  /// What a CONNECT of a version that is not spoken meets.
  package enum Refusal: Sendable {
    /// A CONNACK of 3.1.1 with return code 1.
    case answer
    /// The end of the connection, without a byte.
    case silence
  }

  /// What a PUBLISH of QoS 2 meets.
  package enum ExactlyOnce: Sendable {
    case supported
    /// PUBACK, as if it had been QoS 1.
    case downgraded
    /// The end of the connection.
    case closes
  }

  /// What a client sees whose session another one takes.
  package enum Takeover: Sendable {
    case closed
    /// DISCONNECT with this code.
    case disconnected(ReasonCode)
  }

  package var versions: [MQTTCore.ProtocolVersion] = [.v5, .v311]
  /// Where 5 is not spoken.
  package var refusal: Refusal?
  package var transports: [ServerAddress.Transport] = [.tcp, .tls, .webSocket, .secureWebSocket]
  /// Where one is needed; any password goes with it.
  package var username: String?

  package var exactlyOnce = ExactlyOnce.supported
  /// A retained message also reaches a subscription whose filter has wildcards.
  package var retainedMatchWildcards = true
  /// The versions in which `$share/...` is one. Where 5 is missing, CONNACK of 5 says so.
  package var sharedSubscriptions: [MQTTCore.ProtocolVersion] = []

  package var takeover: [MQTTCore.ProtocolVersion: Takeover]
  /// Where DISCONNECT does not take the will away.
  package var willAfterDisconnect: [ServerAddress.Transport] = []
  /// A session that ends with its connection is taken over: its will is published.
  package var willOnTakeover: Bool
  /// The same where both sessions outlive their connections.
  package var willOnPersistentTakeover: Bool
  package var sessionSurvivesRestart = true
  /// The same for one of 5 that began with Clean Start 1.
  package var cleanSessionSurvivesRestart = true
  /// After SIGKILL a session delivers as before.
  package var survivesKill = true

  // What 5 adds, all of it without a meaning where only 3.1.1 is spoken.
  package var disconnectWithWill = true
  package var willDelay = true
  /// nil: what the client asked for.
  package var serverKeepAlive: UInt16?
  package var topicAliasMaximum: UInt16 = 0
  package var subscriptionIdentifiers = true

  /// It looks at its WebSockets a few times a second only, and takes few bytes each time.
  package var hasSlowWebSockets = false

  /// How many messages are many.
  package func manyMessages(over transport: ServerAddress.Transport) -> Int {
    let isWebSocket = transport == .webSocket || transport == .secureWebSocket
    return isWebSocket && hasSlowWebSockets ? 200 : 2000
  }

  /// The highest QoS at which it delivers.
  package var maximumQoS: QoS { if case .supported = exactlyOnce { .exactlyOnce } else { .atLeastOnce } }
}

extension BrokerKind {
  package var traits: BrokerTraits {
    switch self {
    case .mosquitto:
      BrokerTraits(
        sharedSubscriptions: [.v5, .v311],
        // 2.0.11 of Debian 12; newer ones say 0x8E on 5.
        takeover: [.v5: .closed, .v311: .closed],
        willOnTakeover: true,
        // Silently dropped.
        willOnPersistentTakeover: false,
        // It saves those whose last CONNECT had Clean Start 0.
        cleanSessionSurvivesRestart: false,
        topicAliasMaximum: 10,
        hasSlowWebSockets: true)
    case .rabbitMQ:
      BrokerTraits(
        versions: [.v311],
        refusal: .silence,
        exactlyOnce: .downgraded,
        retainedMatchWildcards: false,
        takeover: [.v311: .closed],
        // rabbitmq-server, issue 4061.
        willAfterDisconnect: [.webSocket, .secureWebSocket],
        willOnTakeover: false,
        willOnPersistentTakeover: false)
    case .ejabberd:
      BrokerTraits(
        username: "anon@localhost",
        takeover: [.v5: .disconnected(.sessionTakenOver), .v311: .closed],
        willOnTakeover: true,
        willOnPersistentTakeover: true,
        // It keeps the retained messages.
        sessionSurvivesRestart: false,
        topicAliasMaximum: 100)
    case .nats:
      BrokerTraits(
        versions: [.v311],
        refusal: .answer,
        // With TLS it would be nothing else: one listener of each kind.
        transports: [.tcp, .webSocket],
        exactlyOnce: .closes,
        takeover: [.v311: .closed],
        willOnTakeover: false,
        willOnPersistentTakeover: false,
        // Now and then one does not deliver any more what is published after the start.
        survivesKill: false)
    }
  }
}
