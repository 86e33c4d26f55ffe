/// What the server allows on this connection: from its CONNACK (MQTT 5.0 §3.2.2.3), or what 3.1.1 implies.
public struct ServerLimits: Sendable, Hashable {
  /// Unacknowledged QoS 1 and 2 messages at once.
  public var receiveMaximum: UInt16 = .max
  /// The highest QoS of a message to the server (§3.2.2.3.4, [MQTT-3.2.2-11]).
  public var maximumQoS: QoS = .exactlyOnce
  /// The server keeps retained messages (§3.2.2.3.5, [MQTT-3.2.2-14]); true on 3.1.1.
  public var retainAvailable = true
  /// Bytes of a whole packet; nil: as many as a packet can have.
  public var maximumPacketSize: UInt32?
  /// The highest topic alias that the server accepts (§3.2.2.3.8, [MQTT-3.2.2-17]); 0: none, as on 3.1.1.
  public var topicAliasMaximum: UInt16 = 0
  /// Filters may have wildcards (§3.2.2.3.11); true on 3.1.1.
  public var wildcardSubscriptionAvailable = true
  /// SUBSCRIBE may carry a Subscription Identifier (§3.2.2.3.12); false on 3.1.1.
  public var subscriptionIdentifierAvailable = true
  /// Filters may be shared (§3.2.2.3.13); true on 3.1.1, which does not mention them: some of its servers have them.
  public var sharedSubscriptionAvailable = true
  /// Seconds; what the server granted, which may differ from what CONNECT asked for. 0: off.
  public var keepAlive: UInt16 = 0
  /// Seconds that the session outlives the connection; `.max`: it never ends by itself.
  public var sessionExpiry: UInt32 = 0
  /// The identifier that the session goes by: as sent, or assigned by the server.
  public var clientIdentifier = ""
  /// What response topics may begin with, if CONNECT asked for it (§3.2.2.3.15); nil: the server does not say.
  public var responseInformation: String?
  /// Another server to use (§3.2.2.3.16, §4.11). Servers name one when they refuse: see `Ending.refused`.
  public var serverReference: String?

  private init() {}

  /// What there is without a connection.
  static let nothing: ServerLimits = {
    var limits = ServerLimits()
    limits.receiveMaximum = 0
    return limits
  }()

  init(_ connack: ConnAck, answering connect: Connect, _ version: ProtocolVersion) {
    let properties = connack.properties
    receiveMaximum = properties.receiveMaximum ?? .max
    maximumQoS = properties.maximumQoS ?? .exactlyOnce
    retainAvailable = properties.retainAvailable ?? true
    maximumPacketSize = properties.maximumPacketSize
    topicAliasMaximum = properties.topicAliasMaximum ?? 0
    wildcardSubscriptionAvailable = properties.wildcardSubscriptionAvailable ?? true
    subscriptionIdentifierAvailable = version == .v5 && properties.subscriptionIdentifierAvailable ?? true
    sharedSubscriptionAvailable = properties.sharedSubscriptionAvailable ?? true
    keepAlive = properties.serverKeepAlive ?? connect.keepAlive
    // 3.1.1 has no expiry: a session that is not clean stays until somebody removes it (§3.1.2.4).
    let asked = version == .v5 ? connect.properties.sessionExpiryInterval ?? 0 : (connect.cleanStart ? 0 : .max)
    sessionExpiry = properties.sessionExpiryInterval ?? asked
    // Only a client without a name is given one ([MQTT-3.2.2-16]); the session stays the one that was asked for.
    let assigned = connect.clientIdentifier.isEmpty ? properties.assignedClientIdentifier : nil
    clientIdentifier = assigned ?? connect.clientIdentifier
    responseInformation = properties.responseInformation
    serverReference = properties.serverReference
  }
}
