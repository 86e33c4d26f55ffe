import LimpetInstants
import LimpetPlatform
import Logging
import MQTTCore
import NIOCore

/// Keeps a session connected: it carries out a `Link`, which has all the rules.
///
/// It has a `Carrier` for the transports, writes to the store, asks its delegate, and wakes the link up in time. It
/// runs on one event loop, which is its executor.
public actor MQTTSessionDriver {
  /// The event loop that the driver runs on.
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

  /// A driver that does nothing until `start` is called.
  ///
  /// - Parameters:
  ///   - configuration: where to connect, and how.
  ///   - delegate: gives the CONNECT of each connection; without it the driver ends. The driver does not retain it. For a
  ///     delegate that needs the driver, use `setDelegate` afterwards.
  ///   - eventLoop: the loop to run on.
  ///   - logger: receives connections and losses, without secrets and payloads.
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

  /// Sets the delegate, which gives the next CONNECT and receives events from now on. The driver does not retain it.
  public func setDelegate(_ delegate: any MQTTSessionDriverDelegate) { self.delegate = delegate }

  /// Stops reading from the transport until it is called with false: TCP then holds the server back. Meanwhile the
  /// driver does not treat silence as a loss, and notices only afterwards that the server has closed.
  public func pauseReading(_ isPaused: Bool) {
    handle(.readingPaused(isPaused))
    carrier.pauseReading(isPaused)
  }

  /// Whether the server has accepted the connection and neither side has ended it.
  public var isConnected: Bool { link.isConnected }

  /// How many more messages of QoS 1 and 2 can be published now; 0 while the transport is full.
  public var room: Int { room(for: .atLeastOnce) }

  /// The same for this QoS: on a server of 3.1.1 there is less room for QoS 2 than for QoS 1.
  public func room(for qos: QoS) -> Int { link.room(for: qos) }

  /// Sends a message now; `Event.settled` says how it ended. See `MQTTSession.publish`.
  ///
  /// - Parameters:
  ///   - message: what to publish.
  ///   - token: the owner's name for this message, which comes back with `settled`.
  ///   - transient: the message is for this connection only.
  ///   - endsTurn: the caller has no more requests in this turn, as with `flush`; the transport must have room.
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

  /// Subscribes; `Event.answered` has a code for each filter.
  public func subscribe(
    _ subscriptions: [Subscription], properties: Properties = Properties(), token: MQTTSession.Token
  ) throws(MQTTSession.Rejection) {
    try link.subscribe(subscriptions, properties: properties, token: token, at: .now, into: &effects)
    perform()
  }

  /// Unsubscribes; `Event.answered` has a code for each filter.
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

  /// Sends DISCONNECT after everything that was sent before, and closes the transport properly, or at once when `limit`
  /// has passed. The client ends.
  ///
  /// - Parameters:
  ///   - reasonCode: of DISCONNECT.
  ///   - properties: of DISCONNECT, on MQTT 5 (§3.14.2.2): a reason string, for example, or another session expiry.
  ///   - limit: how long that may take.
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
    case .report(let notice): report(notice)
    case .open(let number, let server, let version): carrier.open(number, server, version, for: self)
    case .askConnect(let number, let server, let version):
      Task { await askConnect(number, server, version) }
    case .close(let number, let closing): carrier.close(number, closing)
    case .probe(let number, let server): carrier.probe(number, server)
    case .write(let number, let changes): write(changes, number)
    case .flushed(let isDone): flushed(isDone)
    }
  }

  private func report(_ notice: Link.Notice) {
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
    // Its link moves by itself.
    case .firstServerIsBack: break
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

  /// Begins a turn for a caller that has several requests: the driver sends them together at `flush`.
  ///
  /// - Returns: `room(for:)`.
  public func beginTurn(for qos: QoS) -> Int {
    openTurn()
    return room(for: qos)
  }

  func openTurn() { if !isEndingTurn { isTurnOpen = true } }

  /// Ends the turn now, for a caller that has no more requests in it; otherwise it ends only after the event loop has
  /// looked at every socket again. If the turn is ending already, this does nothing.
  public func flush() {
    if isTurnOpen && !isEndingTurn { endTurn() }
  }

  private func scheduleTurn() {
    guard !isTurnOpen else { return }
    isTurnOpen = true
    eventLoop.execute { self.assumeIsolated { if $0.isTurnOpen { $0.endTurn() } } }
  }

  /// Compares the connection with the clock. Call it also when the system wakes up from a suspend, which timers do not
  /// count.
  public func tick() {
    openTurn()
    handle(.tick)
    endTurn()
  }
}

/// In this package, where no other client is near.
package typealias Client = MQTTSessionDriver
package typealias ClientDelegate = MQTTSessionDriverDelegate
