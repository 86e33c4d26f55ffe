import Instants
import Logging
import MQTTCore
import NIOCore
import Platform

/// Keeps a session connected: carries a `Link` out, which holds every rule of that.
///
/// It has a `Carrier` for the transports, writes to the store, asks whoever is to be asked, and wakes the link up in
/// time. It lives on one event loop, which is its executor.
public actor MQTTSessionDriver {
  /// What it lives on.
  public nonisolated let eventLoop: any EventLoop
  /// The event loop: whoever runs on it already calls the driver synchronously, by `assumeIsolated`.
  public nonisolated var unownedExecutor: UnownedSerialExecutor { eventLoop.executor.asUnownedSerialExecutor() }

  var configuration: Configuration
  let logger: Logger
  private(set) weak var delegate: (any MQTTSessionDriverDelegate)?

  var link: Link
  /// What the link wants, on the way to being done.
  var effects = Link.Effects()
  private var isPerforming = false

  let carrier: Carrier

  /// What the last write failed with.
  var storeError: (any Error)?
  var storeWaiters: [Awaited<(any Error)?>] = []
  private var closeWaiters: [Awaited<Void>] = []

  /// The end of this turn is yet to come: it is scheduled, or whoever began the turn sees to it.
  private var isTurnOpen = false
  private var isEndingTurn = false
  private var alarm = Alarm()

  /// - Parameter delegate: not kept; without it there is nobody to ask for a CONNECT, and the client ends. A delegate that
  ///   needs the client is set afterwards: `setDelegate`.
  public init(
    _ configuration: Configuration, delegate: (any MQTTSessionDriverDelegate)? = nil, eventLoop: any EventLoop,
    logger: Logger
  ) {
    precondition(!configuration.servers.isEmpty, "a client needs a server")
    self.configuration = configuration
    self.configuration.session = SessionState()
    self.delegate = delegate
    self.eventLoop = eventLoop
    self.logger = logger
    carrier = Carrier(configuration.carrier, eventLoop: eventLoop)
    link = Link(configuration.link, state: configuration.session, seed: .random(in: 0 ... .max))
  }

  // MARK: What a user asks for

  /// Makes the first attempt, once.
  public func start() { handle(.start) }

  /// Who is asked for the next CONNECT, and hears what happens from now on; not kept.
  public func setDelegate(_ delegate: any MQTTSessionDriverDelegate) { self.delegate = delegate }

  /// Takes no bytes from the transport until it is told otherwise: TCP holds the server back then. That a server is
  /// silent meanwhile is no loss; one that closes is noticed only afterwards.
  public func pauseReading(_ isPaused: Bool) {
    handle(.readingPaused(isPaused))
    carrier.pauseReading(isPaused)
  }

  /// A server has agreed, and neither side has ended it.
  public var isConnected: Bool { link.isConnected }

  /// How many more messages of QoS 1 and 2 can be published now; 0 while the transport is full.
  public var room: Int { room(for: .atLeastOnce) }

  /// On a server of 3.1.1 fewer of QoS 2 than of QoS 1.
  public func room(for qos: QoS) -> Int { link.room(for: qos) }

  /// Sends a message now; `Event.settled` says how it went. See `MQTTSession.publish`.
  ///
  /// - Parameter endsTurn: the caller has no more to ask for in this turn, as with `flush`; the transport has to have
  ///   room.
  public func publish(
    _ message: Message, token: MQTTSession.Token, transient: Bool = false, endsTurn: Bool = false
  ) throws(MQTTSession.Rejection) {
    if endsTurn && room(for: message.qos) == 0 { throw .noRoom }
    try link.publish(message, token: token, transient: transient, at: .now, into: &effects)
    if endsTurn { openTurn() }
    perform()
    guard endsTurn, isTurnOpen, !isEndingTurn else { return }
    // The answer brings a turn in which the delegate is asked for more.
    endTurn(asksForMore: message.qos == .atMostOnce)
  }

  /// Asks for messages; `Event.answered` brings a code for each filter.
  public func subscribe(
    _ subscriptions: [Subscription], properties: Properties = Properties(), token: MQTTSession.Token
  ) throws(MQTTSession.Rejection) {
    try link.subscribe(subscriptions, properties: properties, token: token, at: .now, into: &effects)
    perform()
  }

  /// Asks for no more messages; `Event.answered` brings a code for each filter.
  public func unsubscribe(
    _ filters: [TopicFilter], properties: Properties = Properties(), token: MQTTSession.Token
  ) throws(MQTTSession.Rejection) {
    try link.unsubscribe(filters, properties: properties, token: token, at: .now, into: &effects)
    perform()
  }

  /// The application has a message (`Configuration.acceptsAtOnce`): see `MQTTSession.accept`.
  public func accept(_ delivery: MQTTSession.Delivery, reasonCode: ReasonCode = .success) {
    link.accept(delivery, reasonCode: reasonCode, at: .now, into: &effects)
    perform()
  }

  /// The application could not take a message: see `MQTTSession.leave`.
  public func leave(_ delivery: MQTTSession.Delivery) {
    link.leave(delivery, at: .now, into: &effects)
    perform()
  }

  /// Says DISCONNECT, lets what was sent leave, and closes the transport properly; past `limit` it is closed at once.
  /// The client ends.
  ///
  /// - Parameter properties: of DISCONNECT, on MQTT 5 (§3.14.2.2): a reason string, say, or another session expiry.
  public func disconnect(
    _ reasonCode: ReasonCode = .success, properties: Properties = Properties(), within limit: Duration
  ) async {
    handle(.disconnect(reasonCode, within: limit, properties: properties))
    endTurn()
    guard !link.isStopped else { return }
    let end = Awaited<Void>()
    closeWaiters.append(end)
    await end.value
  }

  /// Closes the transport at once, whatever is buffered or half open, without DISCONNECT. The client ends.
  public func abort() { handle(.abort) }

  // MARK: What the link wants

  func handle(_ event: Link.Event) {
    link.handle(event, at: .now, into: &effects)
    perform()
  }

  /// Carries out what the link wants. What the delegate asks for meanwhile queues up behind.
  func perform() {
    guard !isPerforming else { return }
    isPerforming = true
    while true {
      if let action = effects.nextAction() {
        perform(consume action)
      } else if let order = effects.nextOrder() {
        perform(order)
      } else {
        break
      }
    }
    effects.removeAll()
    isPerforming = false
    scheduleTurn()
  }

  private func perform(_ action: consuming MQTTSession.Action) {
    switch consume action {
    case .send(let packet): carrier.write(packet)
    case .settled(let token, let outcome): delegate?.client(self, did: .settled(token, outcome))
    case .deliver(let delivery): delegate?.client(self, did: .message(delivery))
    case .answered(let token, let codes): delegate?.client(self, did: .answered(token, codes))
    case .remarked(let remark): delegate?.client(self, did: .remarked(remark))
    case .challenge(let data):
      let number = link.attemptNumber
      Task { await answer(data, number) }
    case .authenticated(let data):
      let number = link.attemptNumber
      Task { await finishAuthentication(data, number) }
    case .connected, .store, .close: break
    }
  }

  private func perform(_ order: Link.Order) {
    switch order {
    case .tell(let notice): tell(notice)
    case .open(let number, let server, let version): carrier.open(number, server, version, for: self)
    case .askConnect(let number, let server, let version):
      Task { await askConnect(number, server, version) }
    case .close(let number, let closing): carrier.close(number, closing)
    case .probe(let number, let server): carrier.probe(number, server)
    case .write(let number, let changes): write(changes, number)
    case .flushed(let isDone): flushed(isDone)
    }
  }

  private func tell(_ notice: Link.Notice) {
    switch notice {
    case .stored(let tokens): delegate?.client(self, did: .stored(tokens))
    case .storing(let condition): delegate?.client(self, did: .storing(error(of: condition)))
    case .connecting(let server, let version):
      logger.debug("connecting to \(server), MQTT \(version)")
      delegate?.client(self, did: .connecting(server, version))
    case .connected(let connected, let server):
      carrier.connected(connected.limits)
      logger.debug("connected to \(server), session present: \(connected.sessionPresent)")
      delegate?.client(self, did: .connected(connected, server))
    case .lost(let loss, let delay): lost(loss, retryAfter: delay)
    }
  }

  private func lost(_ loss: ConnectionLoss, retryAfter delay: Duration?) {
    if let delay { logger.debug("\(loss); the next attempt begins after \(delay)") }
    delegate?.client(self, did: .lost(loss, retryAfter: delay))
    guard delay == nil else { return }
    for waiter in closeWaiters { waiter.give(()) }
    closeWaiters = []
  }

  /// Only now is the delegate asked: a counter of CONNECTs is not to be stored while there is no server to hear it.
  private func askConnect(_ number: UInt64, _ server: ServerAddress, _ version: ProtocolVersion) async {
    guard let delegate else { return abort() }
    var packet = await delegate.connectPacket(for: server, version: version)
    guard link.isCurrent(number), await beginAuthentication(&packet, version, number) else { return }
    handle(.connectPacket(number, packet))
    endTurn()
  }

  // MARK: Turns of the event loop

  /// The end of a turn of the event loop: more messages while there is room, one write for all of it, the next wake-up.
  func endTurn(asksForMore: Bool = true) {
    isTurnOpen = false
    isEndingTurn = true
    defer { isEndingTurn = false }
    carrier.flush()
    // Also where the window is full: QoS 0 needs none.
    if asksForMore, link.isConnected, link.takesBytes {
      delegate?.client(self, did: .ready)
      carrier.flush()
    }
    let now = BootClock.now
    var deadline = link.drain(at: now, into: &effects)
    if !effects.isEmpty {
      perform()
      deadline = link.deadline
    }
    alarm.set(deadline, at: now, on: eventLoop) { self.assumeIsolated { $0.tick() } }
  }

  /// Begins a turn for a caller that has several things to ask for: they go out together when it says `flush`.
  ///
  /// - Returns: `room(for:)`.
  public func beginTurn(for qos: QoS) -> Int {
    openTurn()
    return room(for: qos)
  }

  func openTurn() { if !isEndingTurn { isTurnOpen = true } }

  /// Ends the turn now, for a caller that has no more to ask for in it: the next one would come after another look at
  /// every socket. While the turn is ending anyway there is nothing to do.
  public func flush() {
    if isTurnOpen && !isEndingTurn { endTurn() }
  }

  private func scheduleTurn() {
    guard !isTurnOpen else { return }
    isTurnOpen = true
    eventLoop.execute { self.assumeIsolated { if $0.isTurnOpen { $0.endTurn() } } }
  }

  /// Looks at the clock: also to be called when the system wakes up from a suspend, which timers do not count.
  public func tick() {
    openTurn()
    handle(.tick)
    endTurn()
  }
}

/// In this package, where no other client is near.
package typealias Client = MQTTSessionDriver
package typealias ClientDelegate = MQTTSessionDriverDelegate
