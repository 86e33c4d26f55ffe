import LimpetInstants
import MQTTCore

/// What a broker can, and what it does where the specification leaves it free or where it strays from it.
///
/// They may be changed while it runs: an operator lowers a limit, and the next CONNECT meets it.
package struct BrokerTraits: Sendable, Hashable {
  /// What a CONNECT of MQTT 5 meets.
  package enum Version5: Sendable, Hashable {
    case served
    /// A CONNACK with 0x84 or, from a server that knows 3.1.1 only, with return code 1: both reach a client as 0x84.
    case refused
    /// The end of the connection, without a byte.
    case closes
  }

  /// What becomes of the will of a client whose session another connection takes.
  package enum WillAtTakeover: Sendable, Hashable {
    /// As §3.1.2.5 has it: it is published, unless it is delayed and the session goes on.
    case published
    /// mosquitto: it is published where the session ends, and silently dropped where it goes on.
    case droppedWhereSessionGoesOn
    /// RabbitMQ, nats-server.
    case dropped
  }

  package var version5 = Version5.served
  /// The server's Receive Maximum: QoS 1 and 2 messages of a client that may be unacknowledged. Clients of 3.1.1 do not
  /// learn it.
  package var receiveMaximum: UInt16 = 20
  package var maximumQoS = QoS.exactlyOnce
  package var retainAvailable = true
  /// Seconds; instead of what a client of MQTT 5 asked for.
  package var serverKeepAlive: UInt16?
  /// In bytes; a larger packet ends the connection with 0x95.
  package var maximumPacketSize: UInt32?
  /// Seconds; a longer wish is lowered, and CONNACK of MQTT 5 says so.
  package var maximumSessionExpiry = UInt32.max
  /// QoS 1 and 2 messages on their way to one client; its own Receive Maximum may be less.
  package var maximumInFlight = 20
  /// Messages kept for one client, those on their way included; more are dropped.
  package var maximumQueued = 1000
  /// How often it looks for clients that are silent; a loss is seen at the next multiple.
  package var keepAliveRound = Duration.zero
  /// A silent client of MQTT 5 gets a DISCONNECT with 0x8D first.
  package var saysKeepAliveTimeout = false
  /// A client of MQTT 5 gets a DISCONNECT with 0x8E before the end.
  package var saysTakenOver = true
  /// PUBACK and PUBREC say 0x10 where nobody has subscribed; MQTT 5.
  package var saysNoSubscribers = true
  /// A QoS 2 message is routed when PUBREL comes (mosquitto), not when PUBLISH does: §4.3.3 allows both.
  package var routesAtRelease = true
  package var willAtTakeover = WillAtTakeover.droppedWhereSessionGoesOn
  /// Whether a restart leaves sessions, retained messages.
  package var keepsSessions = true
  package var keepsRetained = true
  /// Of sessions only those whose last CONNECT had Clean Start 0 outlive a restart.
  package var losesSessionsBegunClean = false
  /// A stop in order (SIGTERM) publishes all wills first.
  package var publishesWillsAtStop = true

  package init() {}

  /// Debian 12's.
  package static let mosquitto2011 = {
    var traits = BrokerTraits()
    traits.saysTakenOver = false
    traits.losesSessionsBegunClean = true
    traits.keepAliveRound = .seconds(5)
    return traits
  }()

  package static let mosquitto2020 = {
    var traits = BrokerTraits()
    traits.keepAliveRound = .seconds(5)
    return traits
  }()

  package static let ejabberd = {
    var traits = BrokerTraits()
    traits.saysKeepAliveTimeout = true
    traits.willAtTakeover = .published
    traits.routesAtRelease = false
    traits.keepsSessions = false
    return traits
  }()

  /// 3.10: MQTT 3.1.1 alone, and nothing above QoS 1 is kept up; QoS 2 is not modelled there.
  package static let rabbitMQ = {
    var traits = BrokerTraits()
    traits.version5 = .closes
    traits.willAtTakeover = .dropped
    traits.keepAliveRound = .seconds(2)
    return traits
  }()

  package static let nats = {
    var traits = BrokerTraits()
    traits.version5 = .refused
    traits.willAtTakeover = .dropped
    return traits
  }()
}

/// What a broker's ACL, its quota or a fault in it has against messages or subscriptions, until it is taken away.
package struct Denial: Sendable, Hashable {
  package enum Answer: Sendable, Hashable {
    /// The code in PUBACK, PUBREC or SUBACK; nothing else. A PUBLISH of 3.1.1 is acknowledged like any other.
    case code(ReasonCode)
    /// The code, then the end of the connection. QoS 0 is dropped and no more.
    case codeThenClose(ReasonCode)
    /// The end of the connection at once.
    case close
    /// Success, and the message goes nowhere.
    case silence
    /// The message is accepted, and its acknowledgement never sent.
    case lostAcknowledgement
  }

  /// nil: every client.
  package var client: String?
  package var filter: TopicFilter
  /// nil: publishing is allowed.
  package var publish: Answer?
  /// nil: subscribing is allowed. It concerns filters that are equal to `filter`, and topics that it matches.
  package var subscribe: Answer?
  package var until: WorldTime?

  package init(
    _ filter: TopicFilter, client: String? = nil, publish: Answer? = nil, subscribe: Answer? = nil,
    until: WorldTime? = nil
  ) {
    self.filter = filter
    self.client = client
    self.publish = publish
    self.subscribe = subscribe
    self.until = until
  }
}

/// What a broker has against a CONNECT, for a time or for ever.
package struct Refusal: Sendable, Hashable {
  package enum Answer: Sendable, Hashable {
    /// A CONNACK with the code, then the end of the connection.
    case code(ReasonCode)
    /// The end of the connection, without a byte.
    case close
    /// A CONNACK that says success, and then the end of the connection.
    case closeAfterSuccess
  }

  /// nil: every client.
  package var client: String?
  package var answer: Answer
  package var until: WorldTime?

  package init(_ answer: Answer, client: String? = nil, until: WorldTime? = nil) {
    self.answer = answer
    self.client = client
    self.until = until
  }
}
