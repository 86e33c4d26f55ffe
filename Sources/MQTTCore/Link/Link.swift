import LimpetInstants
import NIOCore

/// The life of a client's connections and their session: which server to try, with which version, how long each stage
/// may take, when the next attempt begins, what to store when.
///
/// A value that takes events and the time, and appends what its owner has to do to `Effects`; it owns no clock, socket,
/// task or source of randomness but its seed. Phases: `idle` –start→ `opening` –opened→ `open` (proxy, TLS, WebSocket,
/// CONNECT, connected, closing) –closed→ `waiting` → `opening`; from each of them –disconnect, abort→ `stopped`, which is
/// the end for connections; the link still stores the changes that wait.
///
/// A turn is any number of `handle` and requests, whose effects the owner carries out, and one `drain` at its end.
public struct Link: Sendable {
  /// A moment of the clock that measures: monotonic, suspend included.
  public typealias Instant = BootClock.Instant

  enum Phase: Sendable, Hashable {
    case idle
    /// The shell looks up names, reads files, opens sockets.
    case opening
    case open
    case waiting
    case stopped
  }

  /// What a connection is for.
  enum Purpose: Sendable, Hashable {
    case use
    /// To have the server throw a session away that is not known here, and nothing else. On 3.1.1 a clean session lasts
    /// as long as its connection, so that takes a connection of its own, without a will.
    case clearSession
  }

  /// One try at a connection.
  struct Attempt: Sendable {
    let number: AttemptNumber
    let server: ServerAddress
    let version: ProtocolVersion
    let purpose: Purpose
    /// What it may take until CONNACK.
    let limit: Duration
    /// When it is cut: past `limit`, or when the server has not closed its side; nil: connected, or being cut.
    var deadline: Instant?
    /// Where it goes; `server` stands for who that is in all that outlives the attempt.
    var dialled: ServerAddress
    var localAddress: String?
    /// CONNACK came.
    var connectedSince: Instant?
    var stage = ConnectionStage.name
    /// Why it is being closed, once that is decided.
    var ending: ConnectionLoss?
  }

  /// The time between two attempts.
  struct Wait: Sendable {
    var until = Instant(nanoseconds: 0)
    /// Why there is one: it says what ends it early.
    var failure = ReconnectSchedule.Failure.ordinary
  }

  /// How long a server has to close its side, once all of what was sent has left.
  static let lingerLimit = Duration.seconds(1)
  /// How long what was sent has to leave, where nobody says for how long.
  static let sendingLimit = Duration.seconds(5)
  /// How long the store has to answer a write before the session goes on without it.
  package static let storePatience = StoreQueue.patience

  var settings: Settings
  var session: MQTTSession
  var phase = Phase.idle
  /// The last one; beside the phase and not its payload, which would be copied to be looked at.
  var attempt: Attempt
  /// CONNECT was sent and no end is decided: packets from the server count.
  var isListening = false
  var isWritable = false
  var wait = Wait()

  var schedule: ReconnectSchedule
  var versions = VersionChoice()
  var generator: SplitMix64
  var serverIndex = 0
  /// The server is tried again, after a connection to it ended.
  var isRetryingServer = false
  /// There while connected to another server than the first, where that one is preferred.
  var firstServer: FirstServer?
  /// Returns to the first server since a connection to it that lasted.
  var vainReturns = 0
  /// A server that worked was left for the first one, and no attempt has ended since.
  var isReturning = false
  /// The server that another one has named, for as long as it can be connected to.
  var referredServer: ServerAddress?
  /// Whose session it is, if that is known.
  public internal(set) var owner: SessionOwner?
  /// The server holds a session that is to be thrown away first.
  var mustClearSession = false
  var isStopping = false
  /// For the goodbye, with what was sent before it.
  var disconnectLimit: Duration?

  /// Not optional: reading a field of one that is would copy all of it. Without a store it stays empty.
  var storeQueue: StoreQueue
  /// Changes that `storeQueue` has not been given yet: what goes out goes first.
  var unqueued: [SessionChange] = []
  var writes: WriteNumber = 0
  var isFlushing = false

  /// The last packet that was sent but for PINGREQ: its type, and the topic of a PUBLISH.
  private var last: (type: PacketType, topic: TopicName?)?

  /// - Parameters:
  ///   - settings: what the link connects to, and how; with at least one server.
  ///   - state: the session of an earlier process; it also works without a store.
  ///   - seed: of all randomness.
  public init(_ settings: Settings, state: SessionState = SessionState(), seed: UInt64) {
    precondition(!settings.servers.isEmpty, "a link needs a server")
    self.settings = settings
    session = MQTTSession(
      restoring: state, inFlightLimit: settings.inFlightLimit,
      isResumable: state.owner?.isTrusted ?? settings.believesAnySession, isStored: settings.isStored)
    session.keepsPlace = settings.keepsPlace
    session.mutation = settings.mutation
    storeQueue = StoreQueue(delay: settings.storeDelay, state: state)
    owner = state.owner
    schedule = ReconnectSchedule(settings.reconnect, servers: settings.servers.count)
    generator = SplitMix64(seed: seed)
    let server = settings.servers[0]
    attempt = Attempt(number: 0, server: server, version: .v5, purpose: .use, limit: .zero, dialled: server)
  }

  // MARK: What can be seen

  /// CONNACK agreed, and neither side has ended the connection.
  public var isConnected: Bool { session.isConnected }
  /// No attempt follows.
  public var isStopped: Bool { phase == .stopped }
  /// How far the attempt has come, while there is one.
  public var stage: ConnectionStage { attempt.stage }
  /// Of the attempt that is under way, else of the last one; 0: there was none yet.
  public var attemptNumber: AttemptNumber { attempt.number }

  /// Packets from the server are to be handed over: they count or, once the end is decided, may still say that another
  /// client has taken the session.
  public var takesPackets: Bool { isListening || phase == .open && attempt.ending != nil }

  /// The next attempt waits for its time.
  package var isWaiting: Bool { phase == .waiting }

  /// This attempt is under way.
  public func isCurrent(_ number: AttemptNumber) -> Bool {
    attempt.number == number && (phase == .opening || phase == .open)
  }

  /// This attempt has no transport yet.
  public func isOpening(_ number: AttemptNumber) -> Bool { attempt.number == number && phase == .opening }

  /// The last packet that was sent on this connection or, between two of them, on the one before, for messages.
  public var lastSent: String? {
    last.map { last in
      // A topic that went as a number is not known here.
      guard let topic = last.topic?.description, !topic.isEmpty else { return "\(last.type)" }
      return "\(last.type) to \(topic)"
    }
  }

  /// The transport is being closed at once, and `closed` is all that is missing.
  package var isCut: Bool { phase == .open && attempt.ending != nil && attempt.deadline == nil }

  /// When to call `handle(.tick)` at the latest; read it after `drain`, which returns it too.
  public var deadline: Instant? {
    var next: Instant? = session.deadline
    func add(_ instant: Instant?) {
      guard let instant else { return }
      next = next.map { min($0, instant) } ?? instant
    }
    switch phase {
    case .opening, .open:
      add(attempt.deadline)
      if session.isConnected { add(firstServer?.deadline) }
    case .waiting: add(wait.until)
    case .idle, .stopped: break
    }
    if settings.isStored {
      add(storeQueue.deadline)
      add(storeQueue.answerDue)
    }
    return next
  }

  // MARK: What happens

  /// Takes an event, and drops it if it belongs to an attempt that is over. It may move `deadline`.
  public mutating func handle(_ event: consuming Event, at now: Instant, into effects: inout Effects) {
    switch consume event {
    case .received(let number, let packet): receive(packet, number, at: now, into: &effects)
    case .writable(let number, let isWritable):
      if isCurrent(number), attempt.ending == nil { self.isWritable = isWritable }
    case .heard(let number): if isListening, attempt.number == number { session.heard(at: now) }
    case .taken(let number): if isListening, attempt.number == number { session.taken(at: now) }
    case .outputClosed(let number): outputClosed(number, at: now)
    case .tick: tick(at: now, into: &effects)

    case .start:
      guard phase == .idle else { return }
      session.start(at: now)
      begin(at: now, into: &effects)
    case .disconnect(let code, let limit, let properties):
      disconnect(code, properties, within: limit, at: now, into: &effects)
    case .probed(let number, let isReachable): probed(number, isReachable: isReachable, at: now, into: &effects)
    case .readingPaused(let isPaused): session.isReadingPaused = isPaused
    case .abort: abort(into: &effects)
    case .retryNow: retryNow(at: now, into: &effects)
    case .wait(let delay): if phase == .waiting { wait = Wait(until: now + delay, failure: .refused) }
    case .distrust: distrust(at: now, into: &effects)
    case .reconfigure(let settings, let reconnecting, let isAborted):
      reconfigure(settings, reconnecting: reconnecting, isAborted: isAborted, at: now, into: &effects)
    case .returnToFirst(let isAborted): returnToFirst(isAborted: isAborted, at: now, into: &effects)
    case .storeBeginsAnew: storeBeginsAnew(at: now, into: &effects)
    case .flushStore: flushStore(at: now, into: &effects)
    case .networkChanged(let addresses, let jitter): networkChanged(addresses, jitter, at: now, into: &effects)
    case .clockChanged(let jitter): clockChanged(jitter, at: now)

    case .progress(let number, let stage, let address): progress(number, stage, address)
    case .opened(let number, let address): opened(number, from: address)
    case .ready(let number):
      guard isCurrent(number), phase == .open, attempt.ending == nil else { return }
      effects.orders.append(.askConnect(number, attempt.server, attempt.version))
    case .connectPacket(let number, let packet): connect(packet, number, at: now, into: &effects)
    case .authenticate(let number, let data):
      guard isListening, attempt.number == number else { return }
      do throws(MQTTSession.Rejection) { try session.authenticate(data, at: now, into: &effects.actions) } catch {
        return cut(.authentication("\(error)"), into: &effects)
      }
      carryOut(at: now, into: &effects)
    case .malformed(let number, let error): malformed(error, number, at: now, into: &effects)
    case .failed(let number, let loss): failed(loss, number, at: now, into: &effects)
    case .closed(let number, let received): closed(number, received: received, at: now, into: &effects)
    case .stored(let number, let isDone): stored(number, isDone: isDone, at: now, into: &effects)
    }
  }

  /// `Event.received`, without the event.
  public mutating func receive(
    _ packet: Packet, _ number: AttemptNumber, at now: Instant, into effects: inout Effects
  ) {
    guard attempt.number == number else { return }
    guard isListening else { return receiveLate(packet, at: now, into: &effects) }
    session.receive(packet, at: now, into: &effects.actions)
    carryOut(at: now, into: &effects)
  }

  /// Ends a turn: begins an attempt that is due, and a write that is due. Once its effects are carried out, the
  /// deadline is later than now.
  ///
  /// - Returns: `deadline`.
  @discardableResult
  public mutating func drain(at now: Instant, into effects: inout Effects) -> Instant? {
    endTurn(at: now, into: &effects)
    return deadline
  }

  /// `drain`, for who asks for the deadline later: it is made of many parts.
  package mutating func endTurn(at now: Instant, into effects: inout Effects) {
    if phase == .waiting, wait.until <= now { begin(at: now, into: &effects) }
    if settings.isStored { writeIfDue(at: now, into: &effects) }
  }

  private mutating func tick(at now: Instant, into effects: inout Effects) {
    session.tick(at: now, into: &effects.actions)
    carryOut(at: now, into: &effects)
    if let deadline = attempt.deadline, deadline <= now { attemptIsDue(at: now, into: &effects) }
    probeIfDue(at: now, into: &effects)
    if let due = storeQueue.answerDue, due <= now { storeIsLate(at: now, into: &effects) }
    // The wait and the store's delay are looked at by `drain`.
  }

  /// Looks at what the session wants, in its order, and does the link's part of it; what that brings up queues behind.
  mutating func carryOut(at now: Instant, into effects: inout Effects) {
    while effects.seen < effects.actions.count {
      let index = effects.seen
      effects.seen += 1
      switch effects.actions[index] {
      case .send(.publish(let publish)): last = (.publish, publish.message.topic)
      case .send(.pingreq), .settled, .answered, .remarked, .challenge, .authenticated: break
      case .send(let packet): last = (packet.type, nil)
      case .store(let change, let ticket): store(change, ticket, at: now, into: &effects)
      case .deliver(let delivery):
        if settings.acceptsAtOnce { session.accept(delivery, at: now, into: &effects.actions) }
      case .connected(let connected): self.connected(connected, at: now, into: &effects)
      case .close(let ending): close(ending, at: now, into: &effects)
      }
    }
  }

  /// Nothing has been sent on a new connection.
  mutating func forgetLastSent() { last = nil }
}
