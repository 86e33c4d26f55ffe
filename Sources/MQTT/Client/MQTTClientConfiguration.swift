import MQTTCore
import NIOCore

extension MQTTClient {
  /// How a client connects, and how much it holds.
  public struct Configuration: Sendable {
    /// Servers, TLS, time limits and back-off.
    public var connection: MQTTSessionDriver.Configuration
    /// The CONNECT of every connection: identity, credentials, keepalive, will.
    ///
    /// The client discards a session that the server has and that it does not know, unless `connection.session` says
    /// that it is its own: see `keepSession`.
    public var connect: Connect
    /// If set, the client asks this for every CONNECT, in place of `connect`: for credentials that change, for example.
    public var makeConnect: (@Sendable (ServerAddress, ProtocolVersion) async -> Connect)?
    /// How many messages may wait for a connection or for room. Beyond that, `publish` waits until one has left.
    public var queueLimit = 1000
    /// The same in bytes of payload: beyond that, `enqueue` waits.
    public var queueBytes = 16 << 20
    /// Whether messages of QoS 0 wait for a connection like the others.
    public var queuesAtMostOnce = false
    /// Whether the client subscribes again when the server has lost the session; otherwise subscriptions end then, with
    /// an error.
    public var resubscribes = true
    /// How many messages a subscription keeps for a reader that is slower than the server; `whenFull` says what happens
    /// beyond that. If messages are not acknowledged on arrival, the Receive Maximum of `connect` is the limit instead.
    public var messageBufferLimit = 1000
    /// The same in bytes.
    public var messageBufferBytes = 16 << 20
    /// What happens when a subscription's buffer is full.
    public var whenFull = FullBuffer.dropsOldest
    /// When the client acknowledges a message of QoS 1 or 2.
    public var acknowledges = Acknowledgement.onArrival
    /// Called with messages that match no subscription of this client, such as one that another process made. It runs
    /// on the client's event loop, so it must not block.
    public var receivesUnmatched: (@Sendable (Message) -> Void)?
    /// Whether the client sends a Subscription Identifier with each SUBSCRIBE if the server supports them (MQTT 5.0
    /// §3.8.2.1.2), so that the server says which subscriptions a message is for.
    public var usesSubscriptionIdentifiers = true
    /// Whether this loss of a connection ends the client: `run` then throws it. By default none does; `{ $0.isTakeOver
    /// || $0.isRefusedForGood }` leaves the session to another client that has taken it over, and does not retry a
    /// password that the server refuses.
    public var stopsAfter: @Sendable (ConnectionLoss) -> Bool = { _ in false }
    /// What happens when a server refuses the will as it is: it is taken back to what the server takes, or the client ends.
    public var whenWillIsRefused = RefusedWill.takenBack
    /// The topic to which servers send responses to this client's requests; nil: `responses/` and the client
    /// identifier, after the server's Response Information if it gives one (MQTT 5.0 §4.10.1).
    public var responseTopic: TopicName?
    /// Counters for swift-metrics; nil: nothing is counted.
    public var metrics: MQTTMetrics?
    /// How many events wait for a reader of `events`; beyond that the oldest are dropped.
    public var eventBufferLimit = 64
    /// How long a graceful shutdown may take: half of it for messages that wait and are under way, the rest for
    /// DISCONNECT and closing. When it has passed, the client closes the connection at once.
    public var shutdownLimit = Duration.seconds(5)

    /// When the client treats a message from the server as taken, and acknowledges it.
    public enum Acknowledgement: Sendable, Hashable {
      /// When it is in the buffers of its subscriptions. A reader that is too slow misses messages.
      case onArrival
      /// When every reader has asked for the next one, has left its loop, or has unsubscribed. Unread messages come
      /// again on the next connection, so nothing is missed. The server stops sending when as many messages are
      /// unacknowledged as its own limit or the Receive Maximum of `connect` allows (mosquitto 2.0.11 ignores that
      /// limit, which ends the connection). Since acknowledgements keep the order of the messages, one slow reader
      /// delays the others.
      case whenRead
      /// When every reader has called `ReceivedMessage.acknowledge`, with a reason code of its choice.
      case manually
    }

    /// What happens to messages for which a reader is too slow.
    public enum FullBuffer: Sendable, Hashable {
      /// The buffer drops the oldest and counts them (`MessageStream.dropped`): the connection is shared, and goes on.
      case dropsOldest
      /// The client reads nothing from the connection until half of the buffer is free. TCP, and the server at its end,
      /// then hold back all messages, including acknowledgements and those of other subscriptions. So a reader must not
      /// wait for the server between two messages: `MQTTClient.enqueue` does not, `publish` and `request` do.
      case pausesReading
    }

    /// Keeps the session beyond the process: it continues with what the store has, and stores changes. The client sends
    /// unacknowledged messages again, and subscribing again takes over earlier subscriptions.
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
