import MQTTCore
import NIOCore

/// What stands above a client: says who it is on each connection, and hears what happens.
public protocol MQTTSessionDriverDelegate: AnyObject, Sendable {
  /// The CONNECT of the next connection, will included. It may take its time: a counter has to be stored first, say.
  func connectPacket(for server: ServerAddress, version: ProtocolVersion) async -> Connect

  /// On the client's event loop; the client can be asked to publish from in here. A message is accepted when this returns.
  func client(_ client: isolated MQTTSessionDriver, did event: MQTTSessionDriver.Event)
}

extension MQTTSessionDriver {
  /// What happens in a client's life.
  public enum Event: Sendable {
    /// An attempt begins: this server is asked for this version.
    case connecting(ServerAddress, ProtocolVersion)
    /// The server agreed.
    case connected(MQTTSession.Connected, ServerAddress)
    /// `MQTTSessionDriver.accept` answers it, unless `Configuration.acceptsAtOnce`.
    case message(MQTTSession.Delivery)
    /// The course of a published message is over.
    case settled(MQTTSession.Token, MQTTSession.Outcome)
    /// SUBACK or UNSUBACK: one code for each filter.
    case answered(MQTTSession.Token, [ReasonCode])
    /// The server says more about a packet than its code; comes before what the packet does.
    case remarked(MQTTSession.Remark)
    /// The store cannot be written, or does not answer (`StoreIsLate`): the session goes on in memory, and the write is
    /// tried again or waited for; nil: it could be again.
    case storing((any Error)?)
    /// These messages are in the store: they are not lost with the process.
    case stored([MQTTSession.Token])
    /// The transport takes more; how much of QoS 1 and 2 `MQTTSessionDriver.room(for:)` says. Comes at the end of each turn of the
    /// event loop in which that is so.
    case ready
    /// The connection, or an attempt at one, is over; nil: no other attempt follows.
    case lost(ConnectionLoss, retryAfter: Duration?)
  }

  /// Where an attempt at a connection goes.
  public struct Endpoint: Sendable {
    /// The server, as it is dialled.
    public var address: ServerAddress
    /// As `Configuration.webSocketHeaders`.
    public var webSocketHeaders: [(name: String, value: String)]
  }

  /// Where and how connections are made, and what of the session is kept.
  public struct Configuration: Sendable {
    /// Tried in turn, at least one: after a connection that was lost the same one first, for it has the session.
    public var servers: [ServerAddress]
    /// The servers are one cluster, whose nodes all have the session: only then is "session present" of another one than
    /// the last believed. Otherwise a change of the server begins the session anew.
    public var sharesSessions = false
    /// A connection to another server than the first is left for that one when it has been reachable for so long: TCP
    /// connects, by an attempt each quarter of it. nil: never; also where a `proxy` is in between, which says nothing of
    /// the server.
    public var prefersFirst: Duration?
    /// nil: 5, and 3.1.1 where a server cannot.
    public var version: ProtocolVersion?
    /// Of `mqtts` and `wss`.
    public var tls = TLSSettings()
    /// Sent with the request that opens a WebSocket, beside those that it needs.
    public var webSocketHeaders: [(name: String, value: String)] = []
    /// On the way to every server but a Unix socket; nil: none.
    public var proxy: Proxy?
    /// Changes where the next attempt goes: a path or headers that are signed for a short time, say. It is asked before
    /// each attempt, within `connectTimeout`, and cancelled when the attempt ends; what it throws ends the attempt.
    ///
    /// The address it was given stays the one that events and `MQTTSessionDriverDelegate.connectPacket` name, and that a session is
    /// known by: whatever comes back has to lead to that same server.
    public var prepareEndpoint: (@Sendable (Endpoint) async throws -> Endpoint)?
    /// For brokers that ask for an enhanced authentication; MQTT 5 only.
    public var authenticator: (any Authenticator)?
    /// Goes where a server says "use another server" (0x9C) or "server moved" (0x9D), until that one fails.
    public var followsServerReferences = false
    /// For all of a connection's beginning, from the look-up of the name to CONNACK.
    public var connectTimeout = Duration.seconds(10)
    /// How long attempts are apart.
    public var reconnect = ReconnectSchedule.Settings()
    /// false: one attempt, and the end of the connection is the end of the client.
    public var reconnects = true
    /// Bytes of a packet from the server that are taken at the most; also announced in CONNECT on 5.
    public var maximumPacketSize = 1 << 20
    /// false: a server is told nothing of it, but for what CONNECT says by itself.
    public var announcesMaximumPacketSize = true
    /// QoS 1 and 2 messages under way at the most; those that may not wait come on top, up to as many again.
    public var inFlightLimit = 100
    /// A place of the server's Receive Maximum is kept for transient messages (`MQTTSessionDriver.publish`); false where none are
    /// ever sent, which leaves all of it to the others.
    public var keepsPlace = true
    /// Topics are sent as numbers where the server allows it (MQTT 5.0 §3.3.2.3.4).
    public var usesTopicAliases = true
    /// Messages are accepted when the delegate returns; false: when `MQTTSessionDriver.accept` says so, and a message that never
    /// is comes again on the next connection.
    public var acceptsAtOnce = true
    /// Keeps the session beyond the process.
    public var store: (any SessionStore)?
    /// What is left of an earlier client's session, as `store` has kept it; also without a store.
    public var session = SessionState()
    /// "Session present" is believed whoever's session it is; otherwise only of the owner that `session` names, and of
    /// this client's own.
    public var believesAnySession = false
    /// How long a message of QoS 1 may be under way in memory only. What QoS 2 cannot do without is stored at once.
    public var storeDelay = Duration.seconds(1)

    /// Tests have names of their own, and a rehearsal goes only where it may.
    package var lookUp = Carrier.Settings().lookUp

    /// - Parameter servers: at least one.
    public init(servers: [ServerAddress]) { self.servers = servers }
  }
}
