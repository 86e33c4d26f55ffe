/// What the server allows on this connection, from its CONNACK (MQTT 5.0 §3.2.2.3); what 3.1.1 implies otherwise.
public struct ServerLimits: Sendable, Hashable {
  /// Unacknowledged QoS 1 and 2 messages at once.
  public var receiveMaximum: UInt16 = .max
  public var maximumQoS: QoS = .exactlyOnce
  public var retainAvailable = true
  /// Bytes of a whole packet; nil: as many as a packet can have.
  public var maximumPacketSize: UInt32?
  public var topicAliasMaximum: UInt16 = 0
  public var wildcardSubscriptionAvailable = true
  public var subscriptionIdentifierAvailable = true
  public var sharedSubscriptionAvailable = true
  /// Seconds; what the server granted, which may differ from what was asked for. 0: off.
  public var keepAlive: UInt16 = 0
  /// Seconds that the session outlives the connection; `.max`: it never ends by itself.
  public var sessionExpiry: UInt32 = 0
  /// The identifier that the session goes by: as sent, or assigned by the server.
  public var clientIdentifier = ""
  public var responseInformation: String?
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
