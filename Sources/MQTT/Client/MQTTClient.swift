import Instants
import Logging
import MQTTCore
import NIOCore
import NIOPosix
import Platform
import ServiceLifecycle

/// An MQTT client for Swift concurrency: keeps a session connected while it runs, and publishes and receives over it.
///
/// It is a thin shell: `Client` connects, `PendingMessages` and `SubscriptionTable` hold the rules of waiting. It
/// lives on the same event loop as its `Client`, which calls it synchronously. States: `idle` –run→ `running`
/// –disconnect→ `leaving` –abort or the connection's end→ `ended`. Whoever waits for something here is answered when
/// it ends, at the latest.
public actor MQTTClient: Service {
  enum Phase {
    case idle
    case running(Client)
    /// DISCONNECT follows, or the transport is being closed: no more attempts.
    case leaving(Client)
    case ended(ConnectionLoss)

    var client: Client? {
      switch self {
      case .running(let client), .leaving(let client): client
      case .idle, .ended: nil
      }
    }
  }

  typealias Publisher = CheckedContinuation<Result<PublishResult, PublishError>, Never>
  typealias Subscriber = CheckedContinuation<Result<[ReasonCode], SubscribeError>, Never>
  typealias Identifier = SubscriptionTable.Identifier

  /// QoS 0 bytes that may be handed over in one turn of the event loop; the transport says only after it if it is full.
  static let bytesPerTurn = 1 << 16

  public nonisolated let eventLoop: any EventLoop
  public nonisolated var unownedExecutor: UnownedSerialExecutor { eventLoop.executor.asUnownedSerialExecutor() }

  let configuration: Configuration
  private let logger: Logger
  nonisolated let broadcast: EventBroadcast

  var phase = Phase.idle
  var pending: PendingMessages
  var subscriptions = SubscriptionTable()
  var takesIdentifiers = false
  var bytesThisTurn = 0
  private var lastToken: Session.Token = 0
  var unrouted: UInt64 = 0
  var unpublished: UInt64 = 0

  var publishers: [Session.Token: Publisher] = [:]
  var buffers: [Identifier: MessageBuffer] = [:]
  /// What has come for subscriptions that nobody has claimed yet.
  var unclaimed: [Identifier: (MessageBuffer, AsyncStream<MessageBuffer.Element>)] = [:]
  /// Changes that the store has not been told of: there is no client yet.
  var unkept: [SessionChange] = []
  var subscribers: [Identifier: Subscriber] = [:]
  var unsubscribers: [Identifier: [Session.Token: Subscriber]] = [:]
  private var drainWaiters: [CheckedContinuation<Void, Never>] = []
  private var endWaiters: [CheckedContinuation<ConnectionLoss, Never>] = []
  var expiryTimer: (at: BootClock.Instant, task: Scheduled<Void>)?

  /// - Parameter eventLoop: what the client runs on; by default one of SwiftNIO's shared ones.
  public init(
    _ configuration: Configuration, eventLoop: any EventLoop = MultiThreadedEventLoopGroup.singleton.next(),
    logger: Logger = Logger(label: "mqtt")
  ) {
    var configuration = configuration
    configuration.connection.acceptsAtOnce = configuration.acknowledges == .onArrival
    configuration.connection.keepsPlace = false
    self.configuration = configuration
    self.eventLoop = eventLoop
    self.logger = logger
    broadcast = EventBroadcast(limit: configuration.eventBufferLimit)
    pending = PendingMessages(
      limit: configuration.queueLimit, queuesAtMostOnce: configuration.queuesAtMostOnce,
      isStored: configuration.connection.store != nil)
    let state = configuration.connection.session
    for stored in state.underWay { pending.restoreUnderWay(stored) }
    for stored in state.waiting { pending.restore(stored, at: .now) }
    subscriptions.restore(state.subscriptions, givenBack: state.givenBack)
    lastToken = state.messages.last?.token ?? 0
  }

  // MARK: The client's life

  /// Keeps the session connected until the client ends.
  ///
  /// Cancelling the task closes the transport at once, without DISCONNECT: the server publishes the will. A graceful
  /// shutdown is `disconnect` within `Configuration.shutdownLimit`.
  ///
  /// - Throws: `MQTTClientError.hasRun` the second time; `MQTTClientError.notStored` where the session could not be kept;
  ///   `CancellationError` after a cancellation; `ConnectionLoss` where the connection was not to be made again
  ///   (`Client.Configuration.reconnects`).
  public func run() async throws {
    guard case .idle = phase else { throw MQTTClientError.hasRun }
    guard !Task.isCancelled else {
      // Whoever waits is answered, as after any other cancellation.
      end(.aborted)
      throw CancellationError()
    }
    // The client does not keep it.
    let listener = Listener(self)
    let client = Client(configuration.connection, delegate: listener, eventLoop: eventLoop, logger: logger)
    phase = .running(client)
    defer { withExtendedLifetime(listener) {} }
    let loss = await withTaskCancellationHandler {
      await withGracefulShutdownHandler {
        start(client)
        return await ended()
      } onGracefulShutdown: {
        self.later { $0.shutDown() }
      }
    } onCancel: {
      later { $0.abort() }
    }
    let failure = await client.flushStore()
    switch loss {
    case .session(.requested): break
    case .aborted: try Task.checkCancellation()
    default: throw loss
    }
    if let failure { throw MQTTClientError.notStored("\(failure)") }
  }

  private func start(_ client: Client) {
    bufferUnclaimed()
    client.assumeIsolated { $0.start() }
    keepUnkept()
    keepWaiting()
    armExpiryTimer()
  }

  private func shutDown() {
    Task { await disconnect(within: configuration.shutdownLimit) }
  }

  /// Ends the client with a DISCONNECT: no message is taken any more, those that wait or are under way have half of
  /// `limit` to be acknowledged, then DISCONNECT is sent and the transport closed properly; past `limit` it is closed
  /// at once. When the connection is away the client ends at once. Returns when it has ended, also when called again.
  ///
  /// - Parameter reasonCode: `disconnectWithWill` has the server publish the will.
  public func disconnect(reasonCode: ReasonCode = .success, within limit: Duration = .seconds(5)) async {
    guard case .running(let client) = phase else {
      if case .idle = phase { end(.aborted) } else { _ = await ended() }
      return
    }
    phase = .leaving(client)
    let deadline = BootClock.now + limit
    pending.leave()
    if !pending.isEmpty && isConnected {
      let timer = after(limit / 2) { $0.endDrain() }
      await withCheckedContinuation { drainWaiters.append($0) }
      timer.cancel()
    }
    await client.disconnect(reasonCode, within: max(.zero, BootClock.now.duration(to: deadline)))
    _ = await ended()
  }

  /// Ends the client at once: the transport is closed without DISCONNECT, and the server publishes the will.
  public func abort() {
    switch phase {
    case .idle: end(.aborted)
    case .running(let client), .leaving(let client):
      phase = .leaving(client)
      client.assumeIsolated { $0.abort() }
    case .ended: break
    }
  }

  /// Waits for the end.
  private func ended() async -> ConnectionLoss {
    if case .ended(let loss) = phase { return loss }
    return await withCheckedContinuation { endWaiters.append($0) }
  }

  /// Everyone who waits is answered.
  private func end(_ loss: ConnectionLoss) {
    phase = .ended(loss)
    expiryTimer?.task.cancel()
    expiryTimer = nil
    for completion in pending.end(loss) { complete(completion) }
    for identifier in subscriptions.identifiers { endSubscription(identifier, nil, .closed(loss)) }
    for buffer in buffers.values { buffer.finish() }
    buffers = [:]
    unclaimed = [:]
    for identifier in unsubscribers.keys { answerUnsubscribers(identifier, .failure(.closed(loss))) }
    endDrain()
    broadcast.send(.ended(loss))
    broadcast.finish()
    for waiter in endWaiters { waiter.resume(returning: loss) }
    endWaiters = []
  }

  func endDrain() {
    for waiter in drainWaiters { waiter.resume() }
    drainWaiters = []
  }

  // MARK: What can be seen

  /// What happens to the connection; each reader hears everything from when it begins to read.
  public nonisolated var events: ConnectionEvents { ConnectionEvents(broadcast: broadcast) }

  public var isConnected: Bool { phase.client?.assumeIsolated { $0.isConnected } ?? false }

  /// What waits, and what was lost, now.
  public struct Counts: Sendable, Hashable {
    /// Messages that wait for a connection or for room, `Configuration.queueLimit` at the most.
    public var queued: Int
    /// Callers of `publish` whose message is held back because the queue is full.
    public var heldBack: Int
    /// Messages that were sent and are not acknowledged.
    public var underWay: Int
    public var subscriptions: Int
    /// Messages from the server that were for no subscription of this client, since the start.
    public var unrouted: UInt64
    /// Messages that were stored and came to nothing, since the start: `ConnectionEvent.unpublished`.
    public var unpublished: UInt64
  }

  public var counts: Counts {
    Counts(
      queued: pending.queued, heldBack: pending.heldBack, underWay: pending.underWayCount,
      subscriptions: subscriptions.count, unrouted: unrouted, unpublished: unpublished)
  }

  // MARK: What the connection tells

  fileprivate func handle(_ event: Client.Event) {
    switch event {
    case .connecting(let server, let version): broadcast.send(.connecting(server, version))
    case .connected(let connected, let server): self.connected(connected, server)
    case .message(let delivery): deliver(delivery)
    case .settled(let token, let outcome): settled(token, outcome)
    case .answered(let token, let codes): answered(token, codes)
    case .remarked(let remark): broadcast.send(.remarked(remark))
    case .storing(let error): storing(error)
    case .stored(let tokens): stored(tokens)
    case .ready:
      bytesThisTurn = 0
      pump()
    case .lost(let loss, let delay): lost(loss, retryAfter: delay)
    }
  }

  private func connected(_ connected: Session.Connected, _ server: ServerAddress) {
    takesIdentifiers = connected.limits.subscriptionIdentifierAvailable
    pending.connected(PublishLimits(connected.limits))
    if !connected.sessionPresent && !configuration.resubscribes {
      for identifier in subscriptions.removeLost() { endSubscription(identifier, .sessionLost, .sessionLost) }
    }
    for identifier in subscriptions.connected(sessionPresent: connected.sessionPresent) {
      keep(.unsubscribed(identifier))
      answerUnsubscribers(identifier, .success([]))
    }
    broadcast.send(.connected(server, connected))
    // The session that is there has what an earlier process subscribed to.
    if connected.sessionPresent { answerClaims() }
    sendRequests()
  }

  private func lost(_ loss: ConnectionLoss, retryAfter delay: Duration?) {
    subscriptions.lost()
    for completion in pending.lost() { complete(completion) }
    bytesThisTurn = 0
    guard let delay else { return end(loss) }
    broadcast.send(.lost(loss, retryAfter: delay))
    if case .leaving(let client) = phase { client.assumeIsolated { $0.abort() } }
  }

  func takeToken() -> Session.Token {
    lastToken += 1
    return lastToken
  }

  func after(
    _ delay: Duration, _ body: @escaping @Sendable (isolated MQTTClient) -> Void
  ) -> Scheduled<Void> {
    eventLoop.scheduleTask(in: TimeAmount(delay)) { self.assumeIsolated { body($0) } }
  }

  /// From any thread; after what the actor is doing now.
  nonisolated func later(_ body: @escaping @Sendable (isolated MQTTClient) -> Void) {
    eventLoop.execute { self.assumeIsolated { body($0) } }
  }
}

extension MQTTClient {
  fileprivate func makeConnect(_ server: ServerAddress, _ version: ProtocolVersion) async -> Connect {
    await configuration.makeConnect?(server, version) ?? configuration.connect
  }
}

/// What `Client` talks to: on the same event loop, so it is heard at once.
private final class Listener: ClientDelegate {
  private let owner: MQTTClient

  init(_ owner: MQTTClient) { self.owner = owner }

  func connectPacket(for server: ServerAddress, version: ProtocolVersion) async -> Connect {
    await owner.makeConnect(server, version)
  }

  func client(_ client: isolated Client, did event: Client.Event) {
    owner.assumeIsolated { $0.handle(event) }
  }
}
