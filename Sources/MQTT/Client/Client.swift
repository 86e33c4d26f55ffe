import Logging
import NIOCore
import NIOSSL

/// Keeps a session connected: opens transports, carries bytes between them and the `Session`, waits and tries again.
///
/// It lives on one event loop, which is its executor. Its states: `idle` –start→ `preparing` (looks up the name, reads
/// TLS files) → `opening` (TCP) → `open` (TLS, WebSocket, CONNECT, connected, closing) –loss→ `waiting` → `preparing`;
/// from each of them –disconnect, abort→ `stopped`, which is the end. What belongs to an attempt carries its number, so
/// that nothing late from an old connection touches a new one.
public actor Client {
  enum State {
    case idle
    case preparing(Attempt)
    /// With the sockets that have been made so far: a name may have several addresses.
    case opening(Attempt, [any Channel])
    case open(Connection)
    case waiting(Scheduled<Void>)
    case stopped
  }

  /// What a connection is for.
  enum Purpose {
    case use
    /// To have the server throw a session away that is not known here, and nothing else. On 3.1.1 a clean session lasts
    /// as long as its connection, so that takes a connection of its own, without a will.
    case clearSession
  }

  /// One try at a connection.
  struct Attempt {
    let number: UInt64
    let server: ServerAddress
    let version: ProtocolVersion
    let purpose: Purpose
    let deadline: Scheduled<Void>
  }

  public nonisolated let eventLoop: any EventLoop
  public nonisolated var unownedExecutor: UnownedSerialExecutor { eventLoop.executor.asUnownedSerialExecutor() }

  let configuration: Configuration
  let logger: Logger
  private weak var delegate: (any ClientDelegate)?

  var state = State.idle
  var session: Session
  private var schedule: ReconnectSchedule
  private var versions = VersionChoice()
  private var generator = SystemRandomNumberGenerator()
  private var attempts: UInt64 = 0
  private var serverIndex = 0
  /// The server that another one has named, for as long as it can be connected to.
  private var referredServer: ServerAddress?
  private var sessionServer: ServerAddress?
  /// The server holds a session that is to be thrown away first.
  private var mustClearSession = false
  private var isStopping = false
  private static let lookUpLimit = 4
  private var lookUps = 0

  var actions: [Session.Action] = []
  private var isPerforming = false
  private var isTurnScheduled = false
  private var timer: (at: ContinuousClock.Instant, task: Scheduled<Void>)?
  private var closeWaiters: [CheckedContinuation<Void, Never>] = []

  /// - Parameter delegate: not kept; without it there is nobody to ask for a CONNECT, and the client ends.
  public init(
    _ configuration: Configuration, delegate: any ClientDelegate, eventLoop: any EventLoop, logger: Logger
  ) {
    precondition(!configuration.servers.isEmpty, "a client needs a server")
    self.configuration = configuration
    self.delegate = delegate
    self.eventLoop = eventLoop
    self.logger = logger
    session = Session(inFlightLimit: configuration.inFlightLimit, isResumable: configuration.knownSession != nil)
    sessionServer = configuration.knownSession
    schedule = ReconnectSchedule(configuration.reconnect, servers: configuration.servers.count)
  }

  // MARK: What a user asks for

  public func start() {
    guard case .idle = state else { return }
    prepare()
  }

  public var isConnected: Bool { session.isConnected }

  /// How many more messages of QoS 1 and 2 can be published now; 0 while the transport is full.
  public var room: Int {
    guard case .open(let connection) = state, connection.channel.isWritable else { return 0 }
    return session.room
  }

  /// Sends a message now; `Event.settled` says how it went. See `Session.publish`.
  public func publish(
    _ message: Message, token: Session.Token, transient: Bool = false
  ) throws(Session.Rejection) {
    try session.publish(message, token: token, transient: transient, at: .now, into: &actions)
    perform()
  }

  public func subscribe(_ subscriptions: [Subscription], token: Session.Token) throws(Session.Rejection) {
    try session.subscribe(subscriptions, token: token, at: .now, into: &actions)
    perform()
  }

  /// Says DISCONNECT, lets what was sent leave, and closes the transport properly; past `limit` it is closed at once.
  /// The client ends.
  public func disconnect(_ reasonCode: ReasonCode = .success, within limit: Duration) async {
    guard case .open(let connection) = state, session.isConnected else { return abort() }
    isStopping = true
    session.disconnect(reasonCode: reasonCode, into: &actions)
    perform()
    endTurn()
    let number = connection.attempt.number
    let deadline = after(limit) { client in
      if client.isCurrent(number) { client.abort() }
    }
    if case .stopped = state {} else { await withCheckedContinuation { closeWaiters.append($0) } }
    deadline.cancel()
  }

  /// Closes the transport at once, whatever is buffered or half open, without DISCONNECT. The client ends.
  public func abort() {
    isStopping = true
    switch state {
    case .preparing(let attempt):
      attempt.deadline.cancel()
      stop(.aborted)
    case .opening(let attempt, let channels):
      attempt.deadline.cancel()
      stop(.aborted)
      for channel in channels { Transport.abort(channel) }
    case .open(let connection):
      connection.ending = connection.ending ?? .aborted
      Transport.abort(connection.channel)
    case .waiting(let task):
      task.cancel()
      stop(.aborted)
    case .idle: stop(.aborted)
    case .stopped: break
    }
  }

  /// Ends a back-off: what made the last attempt fail may be over.
  public func retryNow() {
    guard case .waiting(let task) = state else { return }
    task.cancel()
    schedule.reset()
    prepare()
  }

  // MARK: Attempts

  func isCurrent(_ number: UInt64) -> Bool {
    switch state {
    case .preparing(let attempt), .opening(let attempt, _): attempt.number == number
    case .open(let connection): connection.attempt.number == number
    case .idle, .waiting, .stopped: false
    }
  }

  private func prepare() {
    attempts += 1
    let number = attempts
    let server = referredServer ?? configuration.servers[serverIndex % configuration.servers.count]
    let version = configuration.version ?? versions.version(for: server, at: .now)
    let limit = configuration.connectTimeout
    let deadline = after(limit) { $0.connectTimedOut(number, limit) }
    let attempt = Attempt(
      number: number, server: server, version: version,
      purpose: mustClearSession && version == .v311 ? .clearSession : .use, deadline: deadline)
    state = .preparing(attempt)
    if server != sessionServer { session.distrust() }
    delegate?.client(self, did: .connecting(server, version))
    Task { await open(attempt) }
  }

  private func open(_ attempt: Attempt) async {
    let (number, server) = (attempt.number, attempt.server)
    let context: NIOSSLContext?
    let addresses: [SocketAddress]
    do {
      addresses = try await lookUp(server)
      context = server.transport.usesTLS ? try await tlsContext(for: server) : nil
    } catch {
      if isCurrent(number) { finish(ConnectionLoss.opening(server, error)) }
      return
    }
    guard isCurrent(number) else { return }
    state = .opening(attempt, [])
    let transport = Transport(
      server: server, addresses: addresses, tls: context, isInsecure: configuration.tls.isInsecure,
      serverName: configuration.tls.serverName, webSocketHeaders: configuration.webSocketHeaders,
      timeout: configuration.connectTimeout)
    transport.open(for: self, attempt: number).whenFailure { error in
      self.assumeIsolated { if $0.isCurrent(number) { $0.finish(.opening(server, error)) } }
    }
  }

  private func tlsContext(for server: ServerAddress) async throws -> NIOSSLContext {
    let settings = configuration.tls
    // RFC 7301; over WebSocket it is HTTP that TLS carries first.
    let applicationProtocol = server.transport.isWebSocket ? "http/1.1" : "mqtt"
    return try await BlockingWork.run("tls-files") { try settings.makeContext(applicationProtocol) }
  }

  /// Look-ups that outlast their attempts are left to end by themselves, but not without a bound.
  private func lookUp(_ server: ServerAddress) async throws -> [SocketAddress] {
    guard server.transport != .unix else { return [] }
    guard lookUps < Self.lookUpLimit else {
      throw NameLookup.Failure(host: server.host, description: "\(lookUps) look-ups have not ended yet")
    }
    lookUps += 1
    defer { lookUps -= 1 }
    return try await NameLookup.addresses(server.host, port: server.port)
  }

  private func connectTimedOut(_ number: UInt64, _ limit: Duration) {
    guard isCurrent(number) else { return }
    switch state {
    case .preparing(let attempt): finish(.timeout(attempt.server, .name, after: limit))
    case .opening(let attempt, let channels):
      finish(.timeout(attempt.server, .transport, after: limit))
      for channel in channels { Transport.abort(channel) }
    case .open(let connection):
      connection.ending = .timeout(connection.attempt.server, connection.stage, after: limit)
      Transport.abort(connection.channel)
    case .idle, .waiting, .stopped: break
    }
  }

  // MARK: What the transport tells

  /// A socket was made; there may be several before one is connected.
  func transportCreated(_ channel: any Channel, _ number: UInt64) {
    guard case .opening(let attempt, let channels) = state, attempt.number == number else { return }
    state = .opening(attempt, channels + [channel])
  }

  func transportOpened(_ channel: any Channel, _ number: UInt64) {
    guard case .opening(let attempt, _) = state, attempt.number == number else { return Transport.abort(channel) }
    state = .open(
      Connection(attempt: attempt, channel: channel, maximumPacketSize: configuration.maximumPacketSize))
  }

  /// Every layer below MQTT is up.
  func transportReady(_ number: UInt64) {
    guard isCurrent(number), case .open(let connection) = state else { return }
    Task { await connect(connection.attempt) }
  }

  /// Only now is the delegate asked: a counter of CONNECTs is not to be stored while there is no server to hear it.
  private func connect(_ attempt: Attempt) async {
    guard let delegate else { return abort() }
    var packet = await delegate.connectPacket(for: attempt.server, version: attempt.version)
    guard isCurrent(attempt.number), case .open(let connection) = state, connection.ending == nil else { return }
    if attempt.version == .v5 {
      packet.properties.maximumPacketSize = UInt32(clamping: configuration.maximumPacketSize)
    }
    if mustClearSession { packet.cleanStart = true }
    if attempt.purpose == .clearSession { packet.will = nil }
    guard await beginAuthentication(&packet, attempt), isCurrent(attempt.number), connection.ending == nil else {
      return
    }
    guard packet.isEncodable else {
      connection.ending = .notEncodable
      return Transport.abort(connection.channel)
    }
    connection.stage = .connect
    session.connect(packet, version: attempt.version, into: &actions)
    perform()
    endTurn()
  }

  func received(_ bytes: ByteBuffer, _ number: UInt64) {
    guard isCurrent(number), case .open(let connection) = state else { return }
    connection.append(bytes)
    let now = ContinuousClock.now
    do throws(PacketError) {
      while connection.ending == nil, let packet = try connection.nextPacket() {
        session.receive(packet, at: now, into: &actions)
        perform()
      }
    } catch {
      session.received(error, into: &actions)
      perform()
    }
  }

  func transportFailed(_ error: any Error, _ number: UInt64) {
    guard isCurrent(number), case .open(let connection) = state else { return }
    if connection.ending == nil { connection.ending = connection.loss(from: error) }
    Transport.abort(connection.channel)
  }

  func transportClosed(_ number: UInt64) {
    guard isCurrent(number), case .open(let connection) = state else { return }
    session.transportClosed(into: &actions)
    perform()
    finish(connection.ending ?? .closed(connection.stage, received: connection.hasReceived, detail: nil))
  }

  // MARK: The session's actions

  /// Carries out what the session wants, in its order. What the delegate asks for meanwhile queues up behind.
  func perform() {
    guard !isPerforming else { return }
    isPerforming = true
    var index = 0
    while index < actions.count {
      let action = actions[index]
      index += 1
      perform(action)
    }
    actions.removeAll(keepingCapacity: true)
    isPerforming = false
    scheduleTurn()
  }

  private func perform(_ action: Session.Action) {
    switch action {
    case .send(let packet):
      if case .open(let connection) = state { connection.write(packet) }
    case .connected(let connected): sessionConnected(connected)
    case .deliver(let delivery):
      delegate?.client(self, did: .message(delivery.message))
      session.accept(delivery, at: .now, into: &actions)
    case .settled(let token, let outcome): delegate?.client(self, did: .settled(token, outcome))
    case .answered(let token, let codes): delegate?.client(self, did: .answered(token, codes))
    case .challenge(let data):
      if case .open(let connection) = state { Task { await answer(data, connection.attempt.number) } }
    case .authenticated(let data):
      if case .open(let connection) = state { Task { await finishAuthentication(data, connection.attempt.number) } }
    case .close(let ending): close(ending)
    }
  }

  private func sessionConnected(_ connected: Session.Connected) {
    guard case .open(let connection) = state else { return }
    let attempt = connection.attempt
    attempt.deadline.cancel()
    connection.stage = .connected
    versions.accepted(attempt.version, by: attempt.server)
    mustClearSession = false
    guard attempt.purpose == .use else { return session.disconnect(into: &actions) }
    sessionServer = attempt.server
    schedule.connected(at: .now)
    if connected.limits.keepAlive > 0 {
      Transport.setUserTimeout(.seconds(Int64(connected.limits.keepAlive)) * 3 / 2, of: connection.channel)
    }
    delegate?.client(self, did: .connected(connected, attempt.server))
  }

  private func close(_ ending: Session.Ending) {
    guard case .open(let connection) = state else { return }
    connection.ending = .session(ending)
    guard !ending.isAbort else { return Transport.abort(connection.channel) }
    connection.flush()
    let channel = connection.channel
    let number = connection.attempt.number
    // The server closes when it has read the DISCONNECT; closing both ways first could reset the connection under it.
    channel.close(mode: .output).whenFailure { _ in Transport.abort(channel) }
    _ = after(Connection.lingerLimit) { if $0.isCurrent(number) { Transport.abort(channel) } }
  }

  /// The end of a turn of the event loop: more messages while there is room, one write for all of it, the next wake-up.
  func endTurn() {
    isTurnScheduled = false
    guard case .open(let connection) = state else { return }
    if room > 0 { delegate?.client(self, did: .ready) }
    connection.flush()
    armTimer()
  }

  private func scheduleTurn() {
    guard !isTurnScheduled, case .open = state else { return }
    isTurnScheduled = true
    eventLoop.execute { self.assumeIsolated { if $0.isTurnScheduled { $0.endTurn() } } }
  }

  /// One timer, moved forward only: what fires early just asks again.
  private func armTimer() {
    guard let deadline = session.deadline else { return }
    if let timer, timer.at <= deadline { return }
    timer?.task.cancel()
    let task = after(ContinuousClock.now.duration(to: deadline)) { client in
      client.timer = nil
      client.tick()
    }
    timer = (deadline, task)
  }

  /// Looks at the clock: also to be called when the system wakes up from a suspend, which timers do not count.
  public func tick() {
    session.tick(at: .now, into: &actions)
    perform()
    endTurn()
  }

  // MARK: Ends

  /// The attempt is over: another one follows, or none.
  private func finish(_ loss: ConnectionLoss) {
    guard let attempt = endAttempt() else { return }
    let now = ContinuousClock.now
    if case .aborted = loss { return stop(loss) }
    let delay = retryDelay(after: loss, attempt, at: now)
    guard !isStopping, configuration.reconnects || delay == .zero else { return stop(loss) }
    let task = after(delay) { $0.prepare() }
    state = .waiting(task)
    delegate?.client(self, did: .lost(loss, retryAfter: delay))
  }

  private func retryDelay(after loss: ConnectionLoss, _ attempt: Attempt, at now: ContinuousClock.Instant) -> Duration {
    switch loss {
    case .session(.unknownSession):
      mustClearSession = true
      return .zero
    // A connection that was made to clear a session has done so.
    case .session(.requested): return .zero
    case .session(.refused(.unsupportedProtocolVersion, _, _)) where attempt.version == .v5:
      guard configuration.version == nil else { break }
      versions.refused(by: attempt.server, at: now)
      return .zero
    case .closed(.connect, received: false, _) where attempt.version == .v5 && configuration.version == nil:
      // A client for one connection has no later attempt to learn from this.
      versions.closedSilently(by: attempt.server, at: now)
      if !configuration.reconnects { return .zero }
    default: break
    }
    if let server = loss.referredServer(from: attempt.server), configuration.followsServerReferences,
      server != attempt.server
    {
      // With a delay as after any failure: two servers that name each other must not make a loop.
      referredServer = server
    } else if referredServer != nil {
      referredServer = nil
    } else {
      serverIndex += 1
    }
    return schedule.failed(loss.failure, at: now, using: &generator)
  }

  private func endAttempt() -> Attempt? {
    timer?.task.cancel()
    timer = nil
    switch state {
    case .preparing(let attempt), .opening(let attempt, _):
      attempt.deadline.cancel()
      return attempt
    case .open(let connection):
      connection.attempt.deadline.cancel()
      return connection.attempt
    case .idle, .waiting, .stopped: return nil
    }
  }

  private func stop(_ loss: ConnectionLoss) {
    state = .stopped
    delegate?.client(self, did: .lost(loss, retryAfter: nil))
    for waiter in closeWaiters { waiter.resume() }
    closeWaiters = []
  }

  private func after(
    _ delay: Duration, _ body: @escaping @Sendable (isolated Client) -> Void
  ) -> Scheduled<Void> {
    eventLoop.scheduleTask(in: TimeAmount(delay)) { self.assumeIsolated { body($0) } }
  }
}
