import Configuration
import LimpetText
import MQTTCore
import NIOCore
import Presence

/// Why a valid configuration cannot run here.
public enum PlanError: Error, CustomStringConvertible {
  case topic(String, TopicError)

  public var description: String {
    switch self {
    case .topic(let topic, let error): "topic \"\(topic)\": \(error)"
    }
  }
}

extension Configuration {
  /// The client identifier of a device.
  package func clientIdentifier(device: String) -> String {
    if case .given(let given) = broker.clientID { given } else { device }
  }

  /// How connections are made, and made again.
  package var link: Link.Settings {
    var link = Link.Settings(servers: broker.urls.map(\.server))
    switch broker.version {
    case .automatic: link.version = nil
    case .v5: link.version = .v5
    case .v311: link.version = .v311
    }
    link.sharesSessions = broker.sharesSessions
    if broker.prefersFirst {
      link.prefersFirst = firstServerPatience
      // What is left behind must not say online.
      link.leavesByHand = true
    }
    // A node of a cluster may send its clients to another; they go there with the same scheme, name check and login.
    link.followsServerReferences = true
    link.connectTimeout = broker.connectTimeout
    link.reconnect.minimum = broker.reconnect.min
    link.reconnect.maximum = broker.reconnect.max
    link.reconnect.stableAfter = broker.reconnect.stableAfter
    return link
  }

  /// How long the first broker has to have been reachable before another one is left for it.
  package var firstServerPatience: Duration { max(broker.reconnect.stableAfter, .seconds(10)) }

  package var tls: TLSSettings {
    var tls = TLSSettings()
    tls.authorities = broker.tls.ca
    tls.certificate = broker.tls.certificate
    tls.privateKey = broker.tls.key
    tls.serverName = broker.tls.serverName
    tls.isInsecure = broker.tls.insecure
    return tls
  }

  /// CONNECT without its will.
  package func connectPacket(device: String) -> Connect {
    var properties = Properties()
    // The broker need not keep a session that nobody resumes.
    properties.sessionExpiryInterval =
      switch broker.sessionExpiry {
      case _ where broker.cleanStart: 0
      case .after(let duration): UInt32(clamping: duration.components.seconds)
      case .never: .max
      }
    return Connect(
      clientIdentifier: clientIdentifier(device: device), cleanStart: broker.cleanStart,
      keepAlive: UInt16(clamping: broker.keepalive.components.seconds), username: broker.username,
      password: broker.password.map { ByteBuffer(bytes: $0.exposed) }, properties: properties)
  }

  package func presenceMessages(device: String, instance: String) throws(PlanError) -> PresenceMessages {
    var messages = PresenceMessages(
      status: try Self.topicName(presence.topic.expanded(device: device)),
      presence: try Self.topicName(TopicTemplate.description.expanded(device: device)),
      online: presence.online, offline: presence.offline,
      qos: QoS(rawValue: UInt8(clamping: presence.qos)) ?? .atLeastOnce, willDelay: presence.willDelay,
      lease: presence.lease,
      instance: instance, version: limpetVersion)
    messages.name = self.device.name
    return messages
  }

  /// How often counters that moved are stored; nil: never.
  package var countCheckpoint: Duration? {
    switch storage.sync {
    case .always: .seconds(1)
    case .within: .seconds(60)
    case .never: nil
    }
  }

  /// The client identifier of the Homie device's connection. The agent's own one has 22 letters and digits: with one
  /// more, every server of 3.1.1 must still accept it ([MQTT-3.1.3-5]).
  package func homieClientIdentifier(device: String) -> String {
    let own = clientIdentifier(device: device)
    guard !own.isEmpty else { return own }
    let isMade = own.utf8.count == 22 && own.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) }
    return isMade ? "h" + own : own + "-homie"
  }

  package static func topicName(_ text: String) throws(PlanError) -> TopicName {
    do { return try TopicName(text) } catch { throw .topic(text, error) }
  }

  static func topicFilter(_ text: String) throws(PlanError) -> TopicFilter {
    do { return try TopicFilter(text) } catch { throw .topic(text, error) }
  }
}

extension BrokerURL {
  /// The same for the client.
  package var server: ServerAddress {
    let transport: ServerAddress.Transport =
      switch scheme {
      case .mqtt: .tcp
      case .mqtts: .tls
      case .ws: .webSocket
      case .wss: .secureWebSocket
      case .unix: .unix
      }
    return ServerAddress(transport: transport, host: host, port: port, path: path)
  }
}
