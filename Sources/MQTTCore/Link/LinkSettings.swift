extension Link {
  /// What an owner decides about connections.
  public struct Settings: Sendable, Hashable {
    /// Tried in turn, at least one: after a connection that was lost the same one first, for it has the session.
    public var servers: [ServerAddress]
    /// The servers are one cluster, whose nodes all have the session: only then is "session present" of another one than
    /// the last believed.
    public var sharesSessions = false
    /// A connection to another server than the first is left for that one when it has been reachable for so long; nil:
    /// never, the connection stays where it is for as long as it lasts.
    public var prefersFirst: Duration?
    /// nil: 5, and 3.1.1 where a server cannot.
    public var version: ProtocolVersion?
    /// For all of a connection's beginning, from `Order.open` to CONNACK.
    public var connectTimeout = Duration.seconds(10)
    /// How long it waits between two attempts.
    public var reconnect = ReconnectSchedule.Settings()
    /// false: one attempt, and the end of the connection is the end of the link.
    public var reconnects = true
    /// Goes where a server says "use another server" (0x9C) or "server moved" (0x9D), until that one fails.
    public var followsServerReferences = false
    /// Bytes of a packet from the server that are taken at the most; announced in CONNECT on 5.
    public var maximumPacketSize = 1 << 20
    /// false: what the owner's CONNECT says of it is left as it is, which may be nothing.
    public var announcesMaximumPacketSize = true
    /// QoS 1 and 2 messages under way at the most; those that may not wait come on top, up to as many again.
    public var inFlightLimit = 100
    /// A place of the server's Receive Maximum is kept for transient messages; false where none are ever sent, which
    /// leaves all of it to the others. It belongs to the session.
    public var keepsPlace = true
    /// Topics are sent as numbers where the server allows it (MQTT 5.0 §3.3.2.3.4).
    public var usesTopicAliases = true
    /// Messages are accepted as they come; false: when `Link.accept` says so.
    public var acceptsAtOnce = true
    /// "Session present" is believed whoever's session it is; otherwise only of the owner that the state names, and of
    /// this link's own.
    public var believesAnySession = false
    /// There is a store that keeps the session beyond the process.
    public var isStored = false
    /// How long a message of QoS 1 may be under way in memory only. What QoS 2 cannot do without is stored at once.
    public var storeDelay = Duration.seconds(1)
    /// The simulator's alone; it concerns the link's owner.
    package var mutation: Mutation?

    /// - Parameter servers: at least one, or `Link` ends the program.
    public init(servers: [ServerAddress]) { self.servers = servers }
  }
}
