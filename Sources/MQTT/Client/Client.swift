import Instants
import Logging
import MQTTCore
import NIOCore
import Platform

/// Keeps a session connected: opens transports, carries bytes between them and the `Session`, waits and tries again.
///
/// It lives on one event loop, which is its executor. Its states: `idle` –start→ `preparing` (endpoint, name, TLS files)
/// → `opening` (TCP) → `open` (proxy, TLS, WebSocket, CONNECT, connected, closing) –loss→ `waiting` → `preparing`; from
/// each of them –disconnect, abort→ `stopped`, which is the end. What belongs to an attempt carries its number, so that
/// nothing late from an old connection touches a new one.
public actor Client {
  enum State {
    case idle
    indirect case preparing(Attempt)
    /// With the sockets that have been made so far: a name may have several addresses.
    indirect case opening(Attempt, [any Channel])
    case open(Connection)
    case waiting(Wait)
    case stopped
  }

  /// The time between two attempts.
  struct Wait {
    let number: UInt64
    let task: Scheduled<Void>
    /// Why there is one: it says what ends it early.
    var failure: ReconnectSchedule.Failure
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
    /// Where it goes; `server` stands for who that is in all that outlives the attempt.
    var endpoint: Endpoint
    var proxy: Proxy?
    /// What the name was looked up to: the proxy's, where there is one.
    var addresses: [SocketAddress] = []
    /// Until there is a connection, which has its own.
    var stage: ConnectionStage
  }

  public nonisolated let eventLoop: any EventLoop
  public nonisolated var unownedExecutor: UnownedSerialExecutor { eventLoop.executor.asUnownedSerialExecutor() }

  var configuration: Configuration
  let logger: Logger
  weak var delegate: (any ClientDelegate)?

  var state = State.idle
  var session: Session
  var schedule: ReconnectSchedule
  var versions = VersionChoice()
  var generator = SystemRandomNumberGenerator()
  var attempts: UInt64 = 0
  var waits: UInt64 = 0
  var serverIndex = 0
  /// The server that another one has named, for as long as it can be connected to.
  var referredServer: ServerAddress?
  /// Whose session it is, as far as it is known here.
  var owner: SessionOwner?
  /// The server holds a session that is to be thrown away first.
  var mustClearSession = false
  var isStopping = false
  var lookUps = 0
  var endpointRequests = 0
  var preparation: Task<Void, Never>?

  /// Not optional: reading a field of one that is would copy all of it. Without a store it stays empty.
  var storeQueue: StoreQueue
  /// For the store, since it was asked last.
  var hasChanges = false
  /// Those of them that `storeQueue` has not been given yet: what goes out goes first.
  var lateChanges: [SessionChange] = []
  var storeTimer: (at: BootClock.Instant, task: Scheduled<Void>)?
  /// When there was something to wait for the last time, and whether the time before was shortly before.
  var lastChange: Session.Instant?
  var changesQuickly = false
  var storeWaiters: [Awaited<(any Error)?>] = []

  var lastPacket: String?
  var actions: [Session.Action] = []
  private var isPerforming = false
  /// The end of this turn is yet to come: it is scheduled, or whoever began the turn sees to it.
  private var isTurnOpen = false
  private var isEndingTurn = false
  var timer: (at: BootClock.Instant, task: Scheduled<Void>)?
  var closeWaiters: [Awaited<Void>] = []

  /// - Parameter delegate: not kept; without it there is nobody to ask for a CONNECT, and the client ends.
  public init(
    _ configuration: Configuration, delegate: any ClientDelegate, eventLoop: any EventLoop, logger: Logger
  ) {
    precondition(!configuration.servers.isEmpty, "a client needs a server")
    self.configuration = configuration
    self.delegate = delegate
    self.eventLoop = eventLoop
    self.logger = logger
    let state = configuration.session
    session = Session(
      restoring: state, inFlightLimit: configuration.inFlightLimit,
      isResumable: state.owner?.isTrusted ?? configuration.believesAnySession, isStored: configuration.store != nil)
    storeQueue = StoreQueue(delay: configuration.storeDelay, state: state)
    owner = state.owner
    schedule = ReconnectSchedule(configuration.reconnect, servers: configuration.servers.count)
  }

  // MARK: What a user asks for

  public func start() {
    guard case .idle = state else { return }
    prepare()
  }

  public var isConnected: Bool { session.isConnected }

  /// How many more messages of QoS 1 and 2 can be published now; 0 while the transport is full.
  public var room: Int { room(for: .atLeastOnce) }

  /// On a server of 3.1.1 fewer of QoS 2 than of QoS 1.
  public func room(for qos: QoS) -> Int {
    guard case .open(let connection) = state, connection.channel.isWritable else { return 0 }
    return session.roomInPlace(for: qos)
  }

  /// Sends a message now; `Event.settled` says how it went. See `Session.publish`.
  ///
  /// - Parameter endsTurn: the caller has no more to ask for in this turn, as with `flush`; the transport has to have
  ///   room.
  public func publish(
    _ message: Message, token: Session.Token, transient: Bool = false, endsTurn: Bool = false
  ) throws(Session.Rejection) {
    if endsTurn && room(for: message.qos) == 0 { throw .noRoom }
    try session.publish(message, token: token, transient: transient, at: .now, into: &actions)
    if endsTurn { openTurn() }
    perform()
    guard endsTurn, isTurnOpen, !isEndingTurn else { return }
    // The answer brings a turn in which the delegate is asked for more.
    endTurn(asksForMore: message.qos == .atMostOnce)
  }

  public func subscribe(_ subscriptions: [Subscription], token: Session.Token) throws(Session.Rejection) {
    try session.subscribe(subscriptions, token: token, at: .now, into: &actions)
    perform()
  }

  /// Asks for no more messages; `Event.answered` brings a code for each filter.
  public func unsubscribe(_ filters: [TopicFilter], token: Session.Token) throws(Session.Rejection) {
    try session.unsubscribe(filters, token: token, at: .now, into: &actions)
    perform()
  }

  /// The application has a message (`Configuration.acceptsAtOnce`): see `Session.accept`.
  public func accept(_ delivery: Session.Delivery) {
    session.accept(delivery, at: .now, into: &actions)
    perform()
  }

  /// The application could not take a message: see `Session.leave`.
  public func leave(_ delivery: Session.Delivery) {
    session.leave(delivery, at: .now, into: &actions)
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
    await ended()
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
    case .waiting(let wait):
      wait.task.cancel()
      stop(.aborted)
    case .idle: stop(.aborted)
    case .stopped: break
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
  func transportReady(_ writer: NIOLoopBound<ConnectionHandler>, _ number: UInt64) {
    guard isCurrent(number), case .open(let connection) = state else { return }
    connection.writer = writer
    Task { await connect(connection.attempt) }
  }

  /// What was read; `endTurn` follows.
  func received(_ bytes: ByteBuffer, _ number: UInt64) {
    guard isCurrent(number), case .open(let connection) = state else { return }
    isTurnOpen = true
    connection.append(bytes)
    guard connection.stage == .connect || connection.stage == .connected else {
      // The client speaks first: the session would drop this, and the server never say it again.
      connection.ending = connection.ending ?? .session(.violation(.protocolError("bytes before CONNECT")))
      return Transport.abort(connection.channel)
    }
    let now = BootClock.now
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
    finish(connection.ending ?? connection.lossByClosing)
  }

  // MARK: The session's actions

  /// Carries out what the session wants, in its order. What the delegate asks for meanwhile queues up behind.
  func perform() {
    guard !isPerforming else { return }
    isPerforming = true
    var index = 0
    while index < actions.count {
      // Taken out and not copied: a packet has several references.
      var action = Session.Action.send(.pingreq)
      swap(&action, &actions[index])
      index += 1
      perform(consume action)
    }
    actions.removeAll(keepingCapacity: true)
    isPerforming = false
    // While connected what goes out goes first.
    if case .open = state { scheduleTurn() } else if hasChanges { writeIfDue() }
  }

  private func perform(_ action: consuming Session.Action) {
    switch consume action {
    case .send(let packet):
      guard case .open(let connection) = state else { break }
      connection.write(packet)
    case .connected(let connected): sessionConnected(connected)
    case .deliver(let delivery):
      delegate?.client(self, did: .message(delivery))
      if configuration.acceptsAtOnce { session.accept(delivery, at: .now, into: &actions) }
    case .settled(let token, let outcome): delegate?.client(self, did: .settled(token, outcome))
    case .answered(let token, let codes): delegate?.client(self, did: .answered(token, codes))
    case .challenge(let data):
      if case .open(let connection) = state { Task { await answer(data, connection.attempt.number) } }
    case .authenticated(let data):
      if case .open(let connection) = state { Task { await finishAuthentication(data, connection.attempt.number) } }
    case .store(let change, let ticket): store(change, ticket)
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
    own(SessionOwner(server: attempt.server.description, clientIdentifier: connected.limits.clientIdentifier))
    schedule.connected(at: .now)
    if connected.limits.keepAlive > 0 {
      Transport.setUserTimeout(.seconds(Int64(connected.limits.keepAlive)) * 3 / 2, of: connection.channel)
    }
    logger.debug("connected to \(attempt.server), session present: \(connected.sessionPresent)")
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
  func endTurn(asksForMore: Bool = true) {
    isTurnOpen = false
    isEndingTurn = true
    defer {
      isEndingTurn = false
      if hasChanges { writeIfDue() }
    }
    guard case .open(let connection) = state else { return }
    connection.flush()
    if asksForMore && room > 0 {
      delegate?.client(self, did: .ready)
      connection.flush()
    }
    armTimer()
  }

  /// Begins a turn for a caller that has several things to ask for: they go out together when it says `flush`.
  ///
  /// - Returns: `room(for:)`.
  public func beginTurn(for qos: QoS) -> Int {
    openTurn()
    return room(for: qos)
  }

  private func openTurn() { if !isEndingTurn { isTurnOpen = true } }

  /// Ends the turn now, for a caller that has no more to ask for in it: the next one would come after another look at
  /// every socket. While the turn is ending anyway there is nothing to do.
  public func flush() {
    if isTurnOpen && !isEndingTurn { endTurn() }
  }

  private func scheduleTurn() {
    guard !isTurnOpen, case .open = state else { return }
    isTurnOpen = true
    eventLoop.execute { self.assumeIsolated { if $0.isTurnOpen { $0.endTurn() } } }
  }

  /// One timer, moved forward only: what fires early just asks again.
  private func armTimer() {
    guard let deadline = session.deadline else { return }
    if let timer, timer.at <= deadline { return }
    timer?.task.cancel()
    let task = after(BootClock.now.duration(to: deadline)) { client in
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
}
