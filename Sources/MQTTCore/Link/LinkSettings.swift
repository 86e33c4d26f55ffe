extension Link {
  /// What an owner decides about connections.
  public struct Settings: Sendable, Hashable {
    /// Tried in turn, at least one. After a loss the same server comes first, since it has the session.
    public var servers: [ServerAddress]
    /// The servers are one cluster whose nodes all have the session: only then does the link believe a "session
    /// present" from another server than the last.
    public var sharesSessions = false
    /// How long the first server must be reachable again before the link leaves another one for it; nil: the link
    /// stays.
    public var prefersFirst: Duration?
    /// The owner has something to say to the server that is left: it hears `Notice.firstServerIsBack`, and moves with
    /// `Event.returnToFirst`; false: the link sends DISCONNECT and goes.
    public var leavesByHand = false
    /// nil: 5, and 3.1.1 with a server that lacks 5.
    public var version: ProtocolVersion?
    /// The time for connecting, from `Order.open` to CONNACK.
    public var connectTimeout = Duration.seconds(10)
    /// How long it waits between two attempts.
    public var reconnect = ReconnectSchedule.Settings()
    /// false: the link makes one attempt, and ends with its connection.
    public var reconnects = true
    /// Goes where a server says "use another server" (0x9C) or "server moved" (0x9D), until that one fails.
    public var followsServerReferences = false
    /// The size in bytes of the largest packet that the link accepts; on 5 CONNECT announces it.
    public var maximumPacketSize = 1 << 20
    /// false: CONNECT announces it only if the owner's CONNECT has that property.
    public var announcesMaximumPacketSize = true
    /// QoS 1 and 2 messages under way at the most; those that may not wait come on top, up to as many again.
    public var inFlightLimit = 100
    /// One place of the server's Receive Maximum is reserved for transient messages; false if you send none, which
    /// leaves all places to the others. It belongs to the session.
    public var keepsPlace = true
    /// Topics are sent as numbers where the server allows it (MQTT 5.0 §3.3.2.3.4).
    public var usesTopicAliases = true
    /// Messages are accepted as they come; false: when `Link.accept` says so.
    public var acceptsAtOnce = true
    /// The link believes "session present" whoever the session belongs to; otherwise only if it belongs to the owner
    /// that the state names, or to this link.
    public var believesAnySession = false
    /// There is a store that keeps the session beyond the process.
    public var isStored = false
    /// How long a message of QoS 1 may be under way in memory only. State that QoS 2 needs is stored at once.
    public var storeDelay = Duration.seconds(1)
    /// The simulator's alone; it concerns the link's owner.
    package var mutation: Mutation?

    /// - Parameter servers: at least one, or `Link` ends the program.
    public init(servers: [ServerAddress]) { self.servers = servers }
  }
}
