import MQTTCore
import NIOCore

extension MQTTClient {
  /// How a client connects, and how much it holds.
  public struct Configuration: Sendable {
    /// Servers, TLS, time limits and back-off.
    public var connection: MQTTSessionDriver.Configuration
    /// The CONNECT of every connection: identity, credentials, keepalive, will.
    ///
    /// A session that the server has and that is not known here is thrown away, unless `connection.session` says that it
    /// is this client's: see `keepSession`.
    public var connect: Connect
    /// Asked for every CONNECT instead, where it is set: for credentials that change, say.
    public var makeConnect: (@Sendable (ServerAddress, ProtocolVersion) async -> Connect)?
    /// Messages that wait for a connection or for room. Where there are as many, `publish` holds its message back
    /// until one has left.
    public var queueLimit = 1000
    /// The same in bytes of payload: `enqueue` waits while as many wait.
    public var queueBytes = 16 << 20
    /// Messages of QoS 0 wait for a connection like the others.
    public var queuesAtMostOnce = false
    /// Subscriptions are made again when the server has lost the session. false: they end then, with an error.
    public var resubscribes = true
    /// Messages that a subscription holds for a reader who is slower than the server; then it is as `whenFull` says. Where
    /// messages are not acknowledged on arrival, it is the Receive Maximum of `connect` that bounds them.
    public var messageBufferLimit = 1000
    /// The same in bytes.
    public var messageBufferBytes = 16 << 20
    /// What happens when a subscription's buffer is full.
    public var whenFull = FullBuffer.dropsOldest
    /// When the server is told that a message of QoS 1 or 2 has been taken.
    public var acknowledges = Acknowledgement.onArrival
    /// Told of messages that are for no subscription of this client: of one that another process made, say. On the
    /// client's event loop, so it must not block.
    public var receivesUnmatched: (@Sendable (Message) -> Void)?
    /// A Subscription Identifier goes with each SUBSCRIBE where the server takes them (MQTT 5.0 §3.8.2.1.2), so that it
    /// says which subscriptions a message is for.
    public var usesSubscriptionIdentifiers = true
    /// Whether the end of a connection is the end of the client: `run` throws it then. By default no loss is;
    /// `{ $0.isTakeOver || $0.isRefusedForGood }` leaves the session to another client, and does not try a password again
    /// that the server does not take.
    public var stopsAfter: @Sendable (ConnectionLoss) -> Bool = { _ in false }
    /// A will that cannot be had as it is goes as the server takes it, or is the end of the client.
    public var whenWillIsRefused = RefusedWill.takenBack
    /// Where servers answer the requests of this client, once for all of them; nil: `responses/` and the client
    /// identifier, behind the Response Information of the server where there is one (MQTT 5.0 §4.10.1).
    public var responseTopic: TopicName?
    /// Counters for swift-metrics; nil: nothing is counted.
    public var metrics: MQTTMetrics?
    /// Events that are held for a reader of `events`; then the oldest go.
    public var eventBufferLimit = 64
    /// What a graceful shutdown may take: half of it for messages that wait and are under way, the rest for DISCONNECT
    /// and closing. Past it the connection is closed at once.
    public var shutdownLimit = Duration.seconds(5)

    /// When a message from the server counts as taken.
    public enum Acknowledgement: Sendable, Hashable {
      /// When it is in the buffers of its subscriptions. A reader who is too slow misses messages.
      case onArrival
      /// When every reader has asked for the one after it, left the loop that it was given to, or given the subscription
      /// back. What was not read to that point comes again on another connection, so nothing is missed. The server stops sending when as many are not taken as it allows, or as the
      /// Receive Maximum of `connect` says (mosquitto 2.0.11 does not keep to that, which ends the connection); since
      /// answers keep the order of the messages, one slow reader then holds up the others.
      case whenRead
      /// When every reader has called `ReceivedMessage.acknowledge`, with a reason code of its choice.
      case manually
    }

    /// What happens to messages that a reader is too slow for.
    public enum FullBuffer: Sendable, Hashable {
      /// The oldest go, and are counted (`MessageStream.dropped`): the connection is shared, and goes on.
      case dropsOldest
      /// Nothing is read from the connection until half of the buffer has been: TCP, and the server behind it, hold
      /// messages back, also those of other subscriptions, and acknowledgements. So a reader must not wait for the server
      /// between two messages: `MQTTClient.enqueue` does not, `publish` and `request` do.
      case pausesReading
    }

    /// Keeps the session beyond the process: goes on with what the store has, and stores what changes. Messages that
    /// were not acknowledged are sent again, subscriptions can be claimed by subscribing again.
    public mutating func keepSession(in store: any SessionStore) async throws {
      connection.session = try await store.loadSession()
      connection.store = store
    }

    /// One server, as a URL with or without user name and password: `mqtts://user:secret@mqtt.example.com`.
    ///
    /// - Throws: `ServerURLError`, which does not repeat the URL.
    public init(url: String, clientIdentifier: String) throws(ServerURLError) {
      let server = try ServerURL(url)
      self.init(servers: [server.address], clientIdentifier: clientIdentifier)
      connect.username = server.username
      connect.password = server.password.map { ByteBuffer(string: $0) }
    }

    /// - Parameters:
    ///   - servers: tried in turn; at least one.
    ///   - clientIdentifier: unique at the server.
    ///
    /// Keepalive is 60 s; on MQTT 5 the session outlives its connection for an hour, so that what is under way when a
    /// connection is lost goes on where it was.
    public init(servers: [ServerAddress], clientIdentifier: String) {
      connection = .init(servers: servers)
      connect = Connect(clientIdentifier: clientIdentifier, cleanStart: false, keepAlive: 60)
      connect.properties.sessionExpiryInterval = 3600
    }
  }
}
