import LimpetInstants
import LimpetPlatform
import Logging
import MQTTCore
import NIOCore
import NIOPosix

/// An MQTT client for Swift concurrency: it keeps a session connected while it runs, publishes, and receives.
///
/// It is a thin shell: `MQTTSessionDriver` connects; `PendingMessages` and `SubscriptionTable` keep messages and
/// subscriptions until the server has them. The client runs on the driver's event loop. States: `idle` –run→ `running`
/// –disconnect→ `leaving` –abort or the end of the connection→ `ended`. At that point, at the latest, every call that
/// waits here returns or throws.
public actor MQTTClient {
  enum Phase {
    case idle
    case running(MQTTSessionDriver)
    /// DISCONNECT follows, or the transport is being closed: no more attempts.
    case leaving(MQTTSessionDriver)
    case ended(ConnectionLoss)

    var client: MQTTSessionDriver? {
      switch self {
      case .running(let client), .leaving(let client): client
      case .idle, .ended: nil
      }
    }
  }

  typealias Subscriber = CheckedContinuation<Result<SubscriptionAnswer, SubscribeError>, Never>
  typealias Identifier = SubscriptionTable.Identifier

  /// QoS 0 bytes that may be handed over in one turn of the event loop; the transport says only after it if it is full.
  static let bytesPerTurn = 1 << 16

  /// The event loop that the client runs on.
  public nonisolated let eventLoop: any EventLoop
  /// The event loop: whoever runs on it already calls the client synchronously, by `assumeIsolated`.
  public nonisolated var unownedExecutor: UnownedSerialExecutor { eventLoop.executor.asUnownedSerialExecutor() }

  let configuration: Configuration
  private let logger: Logger
  nonisolated let broadcast: EventBroadcast

  var phase = Phase.idle
  var pending: PendingMessages
  var subscriptions = SubscriptionTable()
  var takesIdentifiers = false
  var bytesThisTurn = 0
  private var lastToken: MQTTSession.Token = 0
  /// `shutDown` came before `run`.
  private var shutsDownAtOnce = false
  var unrouted: UInt64 = 0
  var unpublished: UInt64 = 0

  var publishers: [MQTTSession.Token: any Publisher] = [:]
  /// Callers of `enqueue` that wait for a place.
  var placeWaiters: [MQTTSession.Token: CheckedContinuation<Void, Never>] = [:]
  /// What servers said with an answer whose code has not come yet.
  var remarks: [MQTTSession.Token: MQTTSession.Remark] = [:]
  let responses: Responses
  let meters: Meters?
  var buffers: [Identifier: MessageBuffer] = [:]
  /// What has come for subscriptions that nobody has claimed yet.
  var unclaimed: [Identifier: MessageBuffer] = [:]
  /// Who reads a subscription's stream; none: it outlives its reader, or is an earlier process's.
  var readers: [Identifier: MQTTSession.Token] = [:]
  /// Subscriptions that stay when nobody reads them.
  var outliving: Set<Identifier> = []
  /// Properties of the SUBSCRIBE, or the UNSUBSCRIBE, of a subscription.
  var requestProperties: [Identifier: Properties] = [:]
  /// Subscriptions whose readers are so far behind that nothing is read from the connection.
  var full: Set<Identifier> = []
  /// What the server allows on this connection; nil: there is none.
  public internal(set) var limits: ServerLimits?
  /// The version of MQTT that this connection speaks; nil: there is none.
  public internal(set) var version: ProtocolVersion?
  var wills = WillFallback()
  var askedWill: AskedWill?
  /// The loss that the client stops after.
  private var stopCause: ConnectionLoss?
  /// Changes that the store does not have: the client does not run yet.
  var unkept: [SessionChange] = []
  var subscribers: [Identifier: Subscriber] = [:]
  var unsubscribers: [Identifier: [MQTTSession.Token: Subscriber]] = [:]
  private var drainWaiters: [CheckedContinuation<Void, Never>] = []
  private var endWaiters: [CheckedContinuation<ConnectionLoss, Never>] = []
  var expiryTimer: (at: BootClock.Instant, task: Scheduled<Void>)?

  /// A client that does nothing until `run` is called.
  ///
  /// - Parameters:
  ///   - configuration: where to connect, and how.
  ///   - eventLoop: the loop to run on; by default one of SwiftNIO's shared ones.
  ///   - logger: receives connections and losses, without secrets and payloads.
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
    responses = Responses()
    meters = configuration.metrics.map(Meters.init)
    pending = PendingMessages(
      limit: configuration.queueLimit, byteLimit: configuration.queueBytes,
      queuesAtMostOnce: configuration.queuesAtMostOnce,
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
  /// Cancelling the task closes the transport at once, without DISCONNECT: the server publishes the will. `shutDown`
  /// and `disconnect` end the client properly.
  ///
  /// - Throws: `MQTTClientError.hasRun` the second time; `MQTTClientError.notStored` if the session could not be kept;
  ///   `CancellationError` after a cancellation; `ConnectionLoss` if the client was not to connect again
  ///   (`Configuration.stopsAfter`, `MQTTSessionDriver.Configuration.reconnects`).
  public func run() async throws {
    guard case .idle = phase else { throw MQTTClientError.hasRun }
    guard !Task.isCancelled else {
      // Whoever waits is answered, as after any other cancellation.
      end(.aborted)
      throw CancellationError()
    }
    // The client does not keep it.
    let listener = Listener(self)
    let client = MQTTSessionDriver(configuration.connection, delegate: listener, eventLoop: eventLoop, logger: logger)
    phase = .running(client)
    defer { withExtendedLifetime(listener) {} }
    let loss = await withTaskCancellationHandler {
      start(client)
      if shutsDownAtOnce { leave() }
      return await ended()
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

  private func start(_ client: MQTTSessionDriver) {
    bufferUnclaimed()
    client.assumeIsolated { $0.start() }
    keepUnkept()
    keepWaiting()
    armExpiryTimer()
  }

  /// Starts what `disconnect` does, within `Configuration.shutdownLimit`, without waiting for it: `run` returns when it
  /// is done. A client that does not run yet will connect once and leave.
  public nonisolated func shutDown() {
    later { client in
      if case .idle = client.phase { client.shutsDownAtOnce = true } else { client.leave() }
    }
  }

  private func leave() {
    Task { await disconnect(within: configuration.shutdownLimit) }
  }

  /// Ends the client with a DISCONNECT. It accepts no further messages; those that wait or are under way have half of
  /// `limit` to be acknowledged. Then it sends DISCONNECT and closes the transport properly, or at once when `limit`
  /// has passed. Without a connection the client ends at once. Returns when it has ended, also when called again.
  ///
  /// - Parameters:
  ///   - reasonCode: with `disconnectWithWill` the server publishes the will.
  ///   - properties: of DISCONNECT, on MQTT 5 (§3.14.2.2).
  ///   - limit: the time for everything.
  public func disconnect(
    reasonCode: ReasonCode = .success, properties: Properties = Properties(), within limit: Duration = .seconds(5)
  ) async {
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
    await client.disconnect(
      reasonCode, properties: properties, within: max(.zero, BootClock.now.duration(to: deadline)))
    _ = await ended()
  }

  /// Ends the client at once: it closes the transport without DISCONNECT, and the server publishes the will.
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
  private func end(_ reason: ConnectionLoss) {
    let loss = stopCause ?? reason
    phase = .ended(loss)
    limits = nil
    expiryTimer?.task.cancel()
    expiryTimer = nil
    for completion in pending.end(loss) { complete(completion) }
    for identifier in subscriptions.identifiers { endSubscription(identifier, nil, .closed(loss)) }
    for buffer in buffers.values { buffer.finish() }
    buffers = [:]
    unclaimed = [:]
    for identifier in unsubscribers.keys { answerUnsubscribers(identifier, .failure(.closed(loss))) }
    endDrain()
    answerPlaceWaiters(all: true)
    endRequests(loss)
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

  /// The events of the connection; each reader receives those from when it begins to read.
  public nonisolated var events: ConnectionEvents { ConnectionEvents(broadcast: broadcast) }

  /// Whether the server has accepted the connection and neither side has ended it.
  public var isConnected: Bool { phase.client?.assumeIsolated { $0.isConnected } ?? false }

  /// How many messages and subscriptions the client has now, and how many messages it lost.
  public struct Counts: Sendable, Hashable {
    /// Messages that wait for a connection or for room, at most `Configuration.queueLimit`.
    public var queued: Int
    /// Callers of `publish` that wait because the queue is full.
    public var heldBack: Int
    /// Messages that were sent and are not acknowledged.
    public var underWay: Int
    /// Subscriptions that are made or requested.
    public var subscriptions: Int
    /// Messages from the server that were for no subscription of this client, since the start.
    public var unrouted: UInt64
    /// Messages that the store had and that could not be published after all, since the start:
    /// `ConnectionEvent.unpublished`.
    public var unpublished: UInt64
  }

  /// How many messages and subscriptions the client has now, and how many messages it lost.
  public var counts: Counts {
    Counts(
      queued: pending.queued, heldBack: pending.heldBack, underWay: pending.underWayCount,
      subscriptions: subscriptions.count, unrouted: unrouted, unpublished: unpublished)
  }

  // MARK: Events of the connection

  fileprivate func handle(_ event: MQTTSessionDriver.Event) {
    switch event {
    case .connecting(let server, let version): broadcast.send(.connecting(server, version))
    case .connected(let connected, let server): self.connected(connected, server)
    case .message(let delivery): deliver(delivery)
    case .settled(let token, let outcome): settled(token, outcome)
    case .answered(let token, let codes): answered(token, codes)
    case .remarked(let remark): remarked(remark)
    case .storing(let error): storing(error)
    case .stored(let tokens): stored(tokens)
    case .ready:
      bytesThisTurn = 0
      pump()
      meters?.count(phase.client, underWay: pending.underWayCount)
    case .lost(let loss, let delay): lost(loss, retryAfter: delay)
    }
  }

  /// What is about an answer comes before it.
  private func remarked(_ remark: MQTTSession.Remark) {
    if let token = remark.token { remarks[token] = remark }
    broadcast.send(.remarked(remark))
  }

  private func connected(_ granted: MQTTSession.Connected, _ server: ServerAddress) {
    let connected = acceptedWill(granted, server)
    takesIdentifiers =
      configuration.usesSubscriptionIdentifiers && connected.limits.subscriptionIdentifierAvailable
    limits = connected.limits
    version = connected.version
    meters?.connected()
    if !full.isEmpty { pauseReading(true) }
    pending.connected(PublishLimits(connected.limits))
    if !connected.sessionPresent && !configuration.resubscribes {
      for identifier in subscriptions.removeLost() { endSubscription(identifier, .sessionLost, .sessionLost) }
    }
    for identifier in subscriptions.connected(sessionPresent: connected.sessionPresent) {
      keep(.unsubscribed(identifier))
      answerUnsubscribers(identifier, .success(SubscriptionAnswer()))
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
    limits = nil
    version = nil
    remarks = [:]
    meters?.lost(loss, phase.client)
    guard let delay else { return end(loss) }
    let learnt = learnWill(from: loss)
    if case .running(let client) = phase {
      var stops = configuration.stopsAfter(loss)
      if case .ends = learnt { stops = true }
      if stops {
        stopCause = loss
        phase = .leaving(client)
      }
    }
    broadcast.send(.lost(loss, retryAfter: delay))
    if case .smaller(let server, let will, let loss) = learnt {
      broadcast.send(.willTakenBack(server, will))
      // A refusal that says why is over with it: there are as many steps as there are smaller wills.
      if case .session = loss { later { $0.retryNow() } }
    }
    if case .leaving(let client) = phase { client.assumeIsolated { $0.abort() } }
  }

  func takeToken() -> MQTTSession.Token {
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
    var packet = await configuration.makeConnect?(server, version) ?? configuration.connect
    takeBackWill(&packet, server, version)
    return packet
  }
}

/// Receives the events of `MQTTSessionDriver`, on the same event loop and so at once.
private final class Listener: MQTTSessionDriverDelegate {
  private let owner: MQTTClient

  init(_ owner: MQTTClient) { self.owner = owner }

  func connectPacket(for server: ServerAddress, version: ProtocolVersion) async -> Connect {
    await owner.makeConnect(server, version)
  }

  func client(_ client: isolated MQTTSessionDriver, did event: MQTTSessionDriver.Event) {
    owner.assumeIsolated { $0.handle(event) }
  }
}
