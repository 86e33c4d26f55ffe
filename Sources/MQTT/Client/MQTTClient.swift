import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle

/// An MQTT client for Swift concurrency: keeps a session connected while it runs, and publishes and receives over it.
///
/// It is a thin shell: `Client` connects, `PendingMessages` and `SubscriptionTable` hold the rules of waiting. It
/// lives on the same event loop as its `Client`, which calls it synchronously. States: `idle` –run→ `running`
/// –disconnect→ `leaving` –abort or the connection's end→ `ended`. Whoever waits for something here is answered when
/// it ends, at the latest.
public actor MQTTClient: Service {
  private enum Phase {
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

  private typealias Publisher = CheckedContinuation<Result<PublishResult, PublishError>, Never>
  private typealias Subscriber = CheckedContinuation<Result<[ReasonCode], SubscribeError>, Never>
  private typealias Identifier = SubscriptionTable.Identifier

  /// QoS 0 bytes that may be handed over in one turn of the event loop; the transport says only after it if it is full.
  private static let bytesPerTurn = 1 << 16

  public nonisolated let eventLoop: any EventLoop
  public nonisolated var unownedExecutor: UnownedSerialExecutor { eventLoop.executor.asUnownedSerialExecutor() }

  private let configuration: Configuration
  private let logger: Logger
  private nonisolated let broadcast: EventBroadcast

  private var phase = Phase.idle
  private var pending: PendingMessages
  private var subscriptions = SubscriptionTable()
  private var hasConnected = false
  private var takesIdentifiers = false
  private var bytesThisTurn = 0
  private var lastToken: Session.Token = 0
  private var unrouted: UInt64 = 0

  private var publishers: [Session.Token: Publisher] = [:]
  private var buffers: [Identifier: MessageBuffer] = [:]
  private var subscribers: [Identifier: Subscriber] = [:]
  private var unsubscribers: [Identifier: [Session.Token: Subscriber]] = [:]
  private var drainWaiters: [CheckedContinuation<Void, Never>] = []
  private var endWaiters: [CheckedContinuation<ConnectionLoss, Never>] = []
  private var expiryTimer: (at: ContinuousClock.Instant, task: Scheduled<Void>)?

  /// - Parameter eventLoop: what the client runs on; by default one of SwiftNIO's shared ones.
  public init(
    _ configuration: Configuration, eventLoop: any EventLoop = MultiThreadedEventLoopGroup.singleton.next(),
    logger: Logger = Logger(label: "mqtt")
  ) {
    self.configuration = configuration
    self.eventLoop = eventLoop
    self.logger = logger
    broadcast = EventBroadcast(limit: configuration.eventBufferLimit)
    pending = PendingMessages(
      limit: configuration.queueLimit, queuesAtMostOnce: configuration.queuesAtMostOnce)
  }

  // MARK: The client's life

  /// Keeps the session connected until the client ends.
  ///
  /// Cancelling the task closes the transport at once, without DISCONNECT: the server publishes the will. A graceful
  /// shutdown is `disconnect` within `Configuration.shutdownLimit`.
  ///
  /// - Throws: `MQTTClientError.hasRun` the second time; `CancellationError` after a cancellation; `ConnectionLoss`
  ///   where the connection was not to be made again (`Client.Configuration.reconnects`).
  public func run() async throws {
    guard case .idle = phase else { throw MQTTClientError.hasRun }
    try Task.checkCancellation()
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
    switch loss {
    case .session(.requested): break
    case .aborted: try Task.checkCancellation()
    default: throw loss
    }
  }

  private func start(_ client: Client) { client.assumeIsolated { $0.start() } }

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
    let deadline = ContinuousClock.now + limit
    pending.leave()
    if !pending.isEmpty && isConnected {
      let timer = after(limit / 2) { $0.endDrain() }
      await withCheckedContinuation { drainWaiters.append($0) }
      timer.cancel()
    }
    await client.disconnect(reasonCode, within: max(.zero, ContinuousClock.now.duration(to: deadline)))
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
    for identifier in unsubscribers.keys { answerUnsubscribers(identifier, .failure(.closed(loss))) }
    endDrain()
    broadcast.send(.ended(loss))
    broadcast.finish()
    for waiter in endWaiters { waiter.resume(returning: loss) }
    endWaiters = []
  }

  private func endDrain() {
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
  }

  public var counts: Counts {
    Counts(
      queued: pending.queued, heldBack: pending.heldBack, underWay: pending.underWayCount,
      subscriptions: subscriptions.count, unrouted: unrouted)
  }

  // MARK: Publishing

  /// Publishes a message, and returns when it is safe: QoS 0 when it was handed to the transport, QoS 1 and 2 when the
  /// server has acknowledged it.
  ///
  /// While there is no connection or no room, messages wait in the order of the calls, `Configuration.queueLimit` of
  /// them in a queue and the others held back with their callers; QoS 0 fails then, unless
  /// `Configuration.queuesAtMostOnce`. What was sent and not acknowledged is sent again on the next connection. A
  /// Message Expiry Interval counts down by the whole seconds of waiting.
  ///
  /// A task that is cancelled takes its message out of the queue; one that has been sent is left to complete.
  @discardableResult
  public func publish(_ message: Message) async throws(PublishError) -> PublishResult {
    guard !Task.isCancelled else { throw .cancelled }
    let token = takeToken()
    let result = await withTaskCancellationHandler {
      await withCheckedContinuation { offer(message, token, $0) }
    } onCancel: {
      later { $0.cancelPublish(token) }
    }
    return try result.get()
  }

  private func offer(_ message: Message, _ token: Session.Token, _ publisher: Publisher) {
    if let error = pending.add(message, token: token, at: .now) { return publisher.resume(returning: .failure(error)) }
    publishers[token] = publisher
    pump()
    armExpiryTimer()
  }

  private func cancelPublish(_ token: Session.Token) {
    guard pending.cancel(token) else { return }
    complete(.init(token: token, result: .failure(.cancelled)))
  }

  /// Sends what can be sent.
  private func pump() {
    guard let client = phase.client else { return }
    while true {
      let (room, isWritable) = client.assumeIsolated { $0.capacity }
      switch pending.next(
        room: room, isWritable: isWritable && bytesThisTurn < Self.bytesPerTurn, at: .now)
      {
      case .send(let token, let message):
        if message.qos == .atMostOnce { bytesThisTurn += message.payload.readableBytes + 64 }
        if let rejection = client.assumeIsolated({ $0.send(message, token: token) }) {
          settled(token, .rejected(rejection))
        }
      case .complete(let completion): complete(completion)
      case .nothing: return
      }
    }
  }

  private func settled(_ token: Session.Token, _ outcome: Session.Outcome) {
    if let completion = pending.settled(token, outcome) { complete(completion) }
  }

  private func complete(_ completion: PendingMessages.Completion) {
    publishers.removeValue(forKey: completion.token)?.resume(returning: completion.result)
    if pending.isEmpty { endDrain() }
  }

  private func armExpiryTimer() {
    guard let deadline = pending.nextExpiry else { return }
    if let expiryTimer, expiryTimer.at <= deadline { return }
    expiryTimer?.task.cancel()
    let task = after(ContinuousClock.now.duration(to: deadline)) { client in
      client.expiryTimer = nil
      for completion in client.pending.expire(at: .now) { client.complete(completion) }
      client.armExpiryTimer()
    }
    expiryTimer = (deadline, task)
  }

  // MARK: Subscribing

  /// Subscribes, and returns once the server has agreed to at least one of the filters; it waits for a connection
  /// where there is none. After a reconnect without the session the subscription is made again, with its options and
  /// without filters that the server refused.
  ///
  /// - Returns: the messages that match one of the filters, retained ones included.
  public func subscribe(_ filters: [Subscription]) async throws(SubscribeError) -> MessageStream {
    guard !Task.isCancelled else { throw .cancelled }
    if case .ended(let loss) = phase { throw .closed(loss) }
    let identifier = try subscriptions.add(filters)
    let (buffer, messages) = MessageBuffer.make(limit: configuration.messageBufferLimit) { [weak self] in
      self?.later { $0.giveBack(identifier) }
    }
    buffers[identifier] = buffer
    let result = await withTaskCancellationHandler {
      await withCheckedContinuation { subscriber in
        subscribers[identifier] = subscriber
        sendRequests()
      }
    } onCancel: {
      later { $0.cancelSubscribe(identifier) }
    }
    return MessageStream(
      reasonCodes: try result.get(), identifier: identifier, buffer: buffer, messages: messages)
  }

  /// Gives a subscription back; its stream ends once it has been read to the end. Returns when the server has answered,
  /// or its session has ended; at once where it knew nothing of the subscription.
  public func unsubscribe(_ stream: MessageStream) async throws(SubscribeError) {
    guard !Task.isCancelled else { throw .cancelled }
    let identifier = stream.identifier
    guard stream.buffer === buffers[identifier] else { return }
    buffers.removeValue(forKey: identifier)?.finish()
    guard subscriptions.remove(identifier) else { return }
    let token = takeToken()
    let result = await withTaskCancellationHandler {
      await withCheckedContinuation { subscriber in
        unsubscribers[identifier, default: [:]][token] = subscriber
        sendRequests()
      }
    } onCancel: {
      later { $0.unsubscribers[identifier]?.removeValue(forKey: token)?.resume(returning: .failure(.cancelled)) }
    }
    _ = try result.get()
  }

  private func cancelSubscribe(_ identifier: Identifier) {
    guard let subscriber = subscribers.removeValue(forKey: identifier) else { return }
    giveBack(identifier)
    subscriber.resume(returning: .failure(.cancelled))
  }

  /// Nobody is there to wait for the answer.
  private func giveBack(_ identifier: Identifier) {
    guard let buffer = buffers.removeValue(forKey: identifier) else { return }
    buffer.finish()
    if subscriptions.remove(identifier) { sendRequests() }
  }

  /// Packets that are due; after a connection is lost they are due again.
  private func sendRequests() {
    guard let client = phase.client, isConnected else { return }
    let identifies = takesIdentifiers
    for request in subscriptions.requests() {
      let token = takeToken()
      let rejection = client.assumeIsolated { $0.send(request, identifies: identifies, token: token) }
      guard let rejection else {
        subscriptions.asked(request, token)
        continue
      }
      if case .notConnected = rejection { return }
      subscriptions.rejected(request)
      switch request {
      case .subscribe(let identifier, _): endSubscription(identifier, .rejected(rejection), .rejected(rejection))
      case .unsubscribe(let identifier, _): answerUnsubscribers(identifier, .failure(.rejected(rejection)))
      }
    }
  }

  private func answered(_ token: Session.Token, _ codes: [ReasonCode]) {
    switch subscriptions.answered(token, codes) {
    case .subscribed(let identifier, let codes):
      subscribers.removeValue(forKey: identifier)?.resume(returning: .success(codes))
    case .refused(let identifier, let codes): endSubscription(identifier, .refused(codes), .refused(codes))
    case .unsubscribed(let identifier, let codes):
      let isRefused = codes.contains(where: \.isError)
      answerUnsubscribers(identifier, isRefused ? .failure(.refused(codes)) : .success(codes))
    case nil: break
    }
  }

  /// - Parameters:
  ///   - failure: for who reads the stream.
  ///   - error: for who waits for it.
  private func endSubscription(_ identifier: Identifier, _ failure: SubscribeError?, _ error: SubscribeError) {
    buffers.removeValue(forKey: identifier)?.finish(failure)
    subscribers.removeValue(forKey: identifier)?.resume(returning: .failure(error))
  }

  private func answerUnsubscribers(_ identifier: Identifier, _ result: Result<[ReasonCode], SubscribeError>) {
    for subscriber in (unsubscribers.removeValue(forKey: identifier) ?? [:]).values {
      subscriber.resume(returning: result)
    }
  }

  private func deliver(_ message: Message) {
    let receivers = subscriptions.receivers(of: message)
    if receivers.isEmpty { unrouted += 1 }
    for identifier in receivers { buffers[identifier]?.add(message) }
  }

  // MARK: What the connection tells

  fileprivate func handle(_ event: Client.Event) {
    switch event {
    case .connecting(let server, let version): broadcast.send(.connecting(server, version))
    case .connected(let connected, let server): self.connected(connected, server)
    case .message(let delivery): deliver(delivery.message)
    case .settled(let token, let outcome): settled(token, outcome)
    case .answered(let token, let codes): answered(token, codes)
    case .storing(let error): broadcast.send(.storing(error.map { "\($0)" }))
    case .ready:
      bytesThisTurn = 0
      pump()
    case .lost(let loss, let delay): lost(loss, retryAfter: delay)
    }
  }

  private func connected(_ connected: Session.Connected, _ server: ServerAddress) {
    hasConnected = true
    takesIdentifiers = connected.limits.subscriptionIdentifierAvailable
    pending.connected()
    for identifier in subscriptions.connected(sessionPresent: connected.sessionPresent) {
      answerUnsubscribers(identifier, .success([]))
    }
    broadcast.send(.connected(server, connected))
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

  private func takeToken() -> Session.Token {
    lastToken += 1
    return lastToken
  }

  private func after(
    _ delay: Duration, _ body: @escaping @Sendable (isolated MQTTClient) -> Void
  ) -> Scheduled<Void> {
    eventLoop.scheduleTask(in: TimeAmount(delay)) { self.assumeIsolated { body($0) } }
  }

  /// From any thread; after what the actor is doing now.
  private nonisolated func later(_ body: @escaping @Sendable (isolated MQTTClient) -> Void) {
    eventLoop.execute { self.assumeIsolated { body($0) } }
  }
}

extension MQTTClient {
  fileprivate func makeConnect(_ server: ServerAddress, _ version: ProtocolVersion) async -> Connect {
    if let makeConnect = configuration.makeConnect { return await makeConnect(server, version) }
    var connect = configuration.connect
    // Saves the connection that would find a session nobody here knows.
    if version == .v5 && !hasConnected && configuration.connection.session.owner == nil { connect.cleanStart = true }
    return connect
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
