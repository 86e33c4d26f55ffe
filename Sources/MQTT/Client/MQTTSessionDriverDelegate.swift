import MQTTCore
import NIOCore

/// The owner of a session driver: it gives the CONNECT of each connection, and receives events.
public protocol MQTTSessionDriverDelegate: AnyObject, Sendable {
  /// The CONNECT of the next connection, will included. It may take its time: a counter has to be stored first, say.
  func connectPacket(for server: ServerAddress, version: ProtocolVersion) async -> Connect

  /// On the client's event loop; the client can be asked to publish from in here. A message is accepted when this returns.
  func client(_ client: isolated MQTTSessionDriver, did event: MQTTSessionDriver.Event)
}

extension MQTTSessionDriver {
  /// The events of a driver.
  public enum Event: Sendable {
    /// An attempt to connect to this server with this version begins.
    case connecting(ServerAddress, ProtocolVersion)
    /// The server has accepted the connection.
    case connected(MQTTSession.Connected, ServerAddress)
    /// A message has come; `MQTTSessionDriver.accept` acknowledges it, unless `Configuration.acceptsAtOnce` is set.
    case message(MQTTSession.Delivery)
    /// A published message is done with, in this way.
    case settled(MQTTSession.Token, MQTTSession.Outcome)
    /// SUBACK or UNSUBACK: one code for each filter.
    case answered(MQTTSession.Token, [ReasonCode])
    /// The server gives more than a code with a packet; this comes before the packet's own event.
    case remarked(MQTTSession.Remark)
    /// The store cannot be written, or does not answer (`StoreIsLate`): the session goes on in memory, and the driver
    /// tries the write again or waits for it. nil: the store works again.
    case storing((any Error)?)
    /// These messages are in the store: they are not lost with the process.
    case stored([MQTTSession.Token])
    /// The transport accepts more; `MQTTSessionDriver.room(for:)` says how much. It comes at the end of each turn of
    /// the event loop in which that is so.
    case ready
    /// The connection, or an attempt at one, is over; nil: no other attempt follows.
    case lost(ConnectionLoss, retryAfter: Duration?)
  }

  /// The place that an attempt to connect goes to.
  public struct Endpoint: Sendable {
    /// The server's address, as it will be dialled.
    public var address: ServerAddress
    /// As `Configuration.webSocketHeaders`.
    public var webSocketHeaders: [(name: String, value: String)]
  }

  /// Where and how connections are made, and what of the session is kept.
  public struct Configuration: Sendable {
    /// Tried in turn, at least one. After a loss the same server comes first, since it has the session.
    public var servers: [ServerAddress]
    /// Whether the servers are one cluster whose nodes all have the session: only then does the client believe a
    /// "session present" from another server than the last. Otherwise it starts a new session when it changes the
    /// server.
    public var sharesSessions = false
    /// How long the first server must be reachable again before the client leaves another one for it: TCP connects,
    /// tried four times in that interval. nil: the client stays, as it does behind a `proxy`, through which
    /// reachability cannot be tested.
    public var prefersFirst: Duration?
    /// The version of MQTT; nil: 5, and 3.1.1 with a server that lacks 5.
    public var version: ProtocolVersion?
    /// TLS settings for `mqtts` and `wss`.
    public var tls = TLSSettings()
    /// Headers of the request that opens a WebSocket, besides those that it needs.
    public var webSocketHeaders: [(name: String, value: String)] = []
    /// The proxy for every server but a Unix socket; nil: none.
    public var proxy: Proxy?
    /// Changes where the next attempt goes: with a path or headers that are signed for a short time, for example. The
    /// client calls it before each attempt, within `connectTimeout`, and cancels it when the attempt ends; an error
    /// that it throws ends the attempt.
    ///
    /// Events, `MQTTSessionDriverDelegate.connectPacket` and the session keep the original address, so the new endpoint
    /// must lead to the same server.
    public var prepareEndpoint: (@Sendable (Endpoint) async throws -> Endpoint)?
    /// Checks the certificates that a server shows, in place of every check that `tls` names (authorities, name, pinned
    /// certificates, none at all): return to accept the server, throw to refuse it. The client calls it in each TLS
    /// handshake with a server, but not with a proxy, within `connectTimeout`, and cancels it when the connection ends.
    /// The error stands in the `ConnectionLoss` that follows, so it should hold no secret. nil: TLS checks by `tls`.
    public var checkCertificates: (@Sendable (ServerCertificates) async throws -> Void)?
    /// For servers that require enhanced authentication; MQTT 5 only.
    public var authenticator: (any Authenticator)?
    /// Whether the client goes where a server refers it to with "use another server" (0x9C) or "server moved" (0x9D),
    /// until that one fails.
    public var followsServerReferences = false
    /// The time for connecting, from looking up the name to CONNACK.
    public var connectTimeout = Duration.seconds(10)
    /// The waits between attempts.
    public var reconnect = ReconnectSchedule.Settings()
    /// Whether the client connects again; otherwise it makes one attempt, and ends with its connection.
    public var reconnects = true
    /// The size in bytes of the largest packet that the client accepts; on MQTT 5 CONNECT announces it.
    public var maximumPacketSize = 1 << 20
    /// Whether CONNECT announces `maximumPacketSize`; otherwise only if the CONNECT packet itself has such a property.
    public var announcesMaximumPacketSize = true
    /// How many messages of QoS 1 and 2 may be under way; transient ones may come on top, up to as many again.
    public var inFlightLimit = 100
    /// Whether one place of the server's Receive Maximum is reserved for transient messages
    /// (`MQTTSessionDriver.publish`); false if you send none, which leaves all places to the others.
    public var keepsPlace = true
    /// Whether the client sends topics as numbers if the server allows it (MQTT 5.0 §3.3.2.3.4).
    public var usesTopicAliases = true
    /// Whether a message counts as accepted when the delegate returns; otherwise when `MQTTSessionDriver.accept` is
    /// called. A message for which it is not called comes again on the next connection.
    public var acceptsAtOnce = true
    /// Keeps the session beyond the process.
    public var store: (any SessionStore)?
    /// The state of an earlier client's session, as `store` has kept it; it also works without a store.
    public var session = SessionState()
    /// Whether "session present" is believed whoever the session belongs to; otherwise only if it belongs to the owner
    /// that `session` names, or to this client.
    public var believesAnySession = false
    /// How long a message of QoS 1 may be under way in memory only. State that QoS 2 needs is stored at once.
    public var storeDelay = Duration.seconds(1)

    /// Tests have names of their own, and a rehearsal goes only where it may.
    package var lookUp = Carrier.Settings().lookUp

    /// - Parameter servers: at least one.
    public init(servers: [ServerAddress]) { self.servers = servers }
  }
}
