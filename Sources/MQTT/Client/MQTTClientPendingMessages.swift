import DequeModule
import LimpetInstants
import MQTTCore

/// The messages that callers of `MQTTClient.publish` wait for, and the rules for that; a value without sockets, tasks
/// and clock.
///
/// A message waits, first in first out, until the session has room; then it is under way until it is settled. Its
/// caller gets the outcome exactly once. Without a connection, messages of QoS 0 do not wait unless the configuration
/// says so.
struct PendingMessages: Sendable {
  typealias Instant = BootClock.Instant
  typealias Token = MQTTSession.Token

  struct Waiting: Sendable {
    var message: Message
    let since: Instant
    let expiry: Instant?
    /// The store has it, or will.
    var isKept = false
    /// Its caller has the answer that it is stored, or belonged to an earlier process.
    var isAlone = false
  }

  /// A message under way in a session that is stored: its caller may hear that it is, and be gone when it ends.
  private struct Stored: Sendable {
    let message: Message
    var isAlone: Bool
  }

  /// What became of a caller's message.
  struct Completion: Sendable {
    let token: Token
    var result: Result<PublishResult, PublishError>
    /// A message whose caller already has the answer that it is stored: no caller waits for this outcome.
    var alone: Message?

    init(token: Token, result: Result<PublishResult, PublishError>, alone: Message? = nil) {
      self.token = token
      self.result = result
      self.alone = alone
    }

    /// What the server said with its answer.
    mutating func take(_ remark: MQTTSession.Remark?) {
      guard let remark, case .success(var answer) = result, answer.isAcknowledged else { return }
      answer.reasonCode = remark.reasonCode
      answer.properties = remark.properties
      result = .success(answer)
    }
  }

  /// What the head of the queue asks for.
  enum Head: Sendable {
    case send(Token, Message)
    case complete(Completion)
    /// Nothing waits, or there is no room for the one that is first.
    case nothing
  }

  enum Availability: Sendable {
    case away
    case connected
    /// No message is taken any more; those that were are still sent.
    case leaving(isConnected: Bool)
    case ended(ConnectionLoss)
  }

  /// Messages that are held; what is beyond it waits with its caller.
  let limit: Int
  let byteLimit: Int
  let queuesAtMostOnce: Bool
  /// There is a store that keeps them.
  let isStored: Bool
  private(set) var availability = Availability.away
  private var waiting: [Token: Waiting] = [:]
  /// Of their payloads.
  private var waitingBytes = 0
  /// Tokens in the order of their calls; those that no longer wait are passed over.
  private var order: Deque<Token> = []
  private var underWay: [Token: QoS] = [:]
  /// Those of them that a store keeps; empty without one.
  private var stored: [Token: Stored] = [:]
  /// What the server takes, while there is a connection.
  private var limits: PublishLimits?
  /// Waiting messages that the store has.
  private var kept = 0
  /// No message that waits expires before.
  private(set) var nextExpiry: Instant?

  init(limit: Int, byteLimit: Int = .max, queuesAtMostOnce: Bool, isStored: Bool = false) {
    self.isStored = isStored
    self.limit = max(limit, 1)
    self.byteLimit = max(byteLimit, 1)
    self.queuesAtMostOnce = queuesAtMostOnce
  }

  /// Messages in the queue.
  var queued: Int { min(waiting.count, limit) }
  /// Callers whose message is held back since the queue is full.
  var heldBack: Int { max(0, waiting.count - limit) }
  var underWayCount: Int { underWay.count }
  /// No place is left in the queue.
  var isFull: Bool { waiting.count >= limit || waitingBytes >= byteLimit }
  var isEmpty: Bool { waiting.isEmpty && underWay.isEmpty }

  private var isConnected: Bool {
    switch availability {
    case .connected, .leaving(isConnected: true): true
    case .away, .leaving(isConnected: false), .ended: false
    }
  }

  // MARK: Callers

  /// A new message; nil: it waits. One that no server could take does not.
  mutating func add(_ message: Message, token: Token, at now: Instant) -> PublishError? {
    switch availability {
    case .connected: break
    case .away: if message.qos == .atMostOnce && !queuesAtMostOnce { return .notConnected }
    case .leaving: return .closed(.session(.requested))
    case .ended(let loss): return .closed(loss)
    }
    if let flaw = message.flaw { return .rejected(flaw) }
    let expiry = message.properties.messageExpiryInterval.map { now + .seconds(Int64($0)) }
    append(token, Waiting(message: message, since: now, expiry: expiry))
    if let expiry { nextExpiry = min(nextExpiry ?? expiry, expiry) }
    return nil
  }

  /// The caller gave up: false where the message has been completed already.
  mutating func cancel(_ token: Token) -> Bool {
    let wasWaiting = remove(token)
    if wasWaiting { compact() }
    return wasWaiting || underWay.removeValue(forKey: token) != nil
  }

  // MARK: The store

  /// A message of an earlier process: nobody waits for it, and it comes before every new one.
  mutating func restore(_ stored: StoredMessage, at now: Instant) {
    let expiry = stored.message.properties.messageExpiryInterval.map { now + .seconds(Int64($0)) }
    append(
      stored.token, Waiting(message: stored.message, since: now, expiry: expiry, isKept: true, isAlone: true))
    kept += 1
    if let expiry { nextExpiry = min(nextExpiry ?? expiry, expiry) }
  }

  /// One that an earlier process sent: the session settles it.
  mutating func restoreUnderWay(_ stored: StoredMessage) {
    underWay[stored.token] = stored.message.qos
    if isStored { self.stored[stored.token] = Stored(message: stored.message, isAlone: true) }
  }

  /// The store has the message, and its caller has that answer.
  mutating func callerIsGone(_ token: Token) {
    waiting[token]?.isAlone = true
    stored[token]?.isAlone = true
  }

  /// Messages that are in the queue by now and that the store does not have; from now on it has.
  mutating func takeUnkept() -> [(token: Token, message: Message)] {
    guard kept < min(waiting.count, limit) else { return [] }
    var taken: [(Token, Message)] = []
    var place = 0
    for token in order where place < limit {
      guard let entry = waiting[token] else { continue }
      place += 1
      guard !entry.isKept, entry.message.qos != .atMostOnce else { continue }
      waiting[token]?.isKept = true
      kept += 1
      taken.append((token, entry.message))
    }
    return taken
  }

  /// It has not been sent.
  func isWaiting(_ token: Token) -> Bool { waiting[token] != nil }

  /// The store could not take it: it does not wait any more; nil: it is on its way already.
  mutating func storeFailed(_ token: Token) -> Completion? {
    guard waiting[token] != nil else { return nil }
    _ = cancel(token)
    return .init(token: token, result: .failure(.notStored))
  }

  // MARK: The connection

  mutating func connected(_ limits: PublishLimits? = nil) {
    self.limits = limits
    switch availability {
    case .away: availability = .connected
    case .leaving: availability = .leaving(isConnected: true)
    case .connected, .ended: break
    }
  }

  /// Messages of QoS 0 that had not left are not kept for another connection.
  mutating func lost() -> [Completion] {
    switch availability {
    case .connected: availability = .away
    case .leaving: availability = .leaving(isConnected: false)
    case .away, .ended: break
    }
    guard !queuesAtMostOnce else { return [] }
    return takeWaiting { $0.message.qos == .atMostOnce }.map { .init(token: $0, result: .failure(.notConnected)) }
  }

  mutating func leave() {
    if case .ended = availability { return }
    availability = .leaving(isConnected: isConnected)
  }

  /// The client is over, and so is everything.
  mutating func end(_ loss: ConnectionLoss) -> [Completion] {
    availability = .ended(loss)
    let tokens = underWay.keys.sorted() + takeWaiting { _ in true }
    underWay.removeAll()
    stored.removeAll()
    return tokens.map { .init(token: $0, result: .failure(.closed(loss))) }
  }

  // MARK: Sending

  /// Takes the first message out, if it can be sent now or is too old to be.
  ///
  /// - Parameters:
  ///   - room: how many messages of QoS 1 the session takes.
  ///   - exactlyOnceRoom: how many of QoS 2; nil: as many.
  ///   - isWritable: the transport takes a message of QoS 0.
  mutating func next(room: Int, exactlyOnceRoom: Int? = nil, isWritable: Bool, at now: Instant) -> Head {
    while let token = order.first {
      guard let entry = waiting[token] else {
        order.removeFirst()
        continue
      }
      if let expiry = entry.expiry, expiry <= now {
        drop(token)
        return .complete(.init(token: token, result: .failure(.expired), alone: entry.isAlone ? entry.message : nil))
      }
      // A caller that still waits gets an error if the server does not accept the message as it is. If no caller waits,
      // a message without these features is better than none.
      let message = entry.isAlone ? limits.map(entry.message.adapted(to:)) ?? entry.message : entry.message
      // One that goes at QoS 0 instead still has its turn behind those that wait for room.
      let hasRoom =
        switch entry.message.qos {
        case .atMostOnce: isWritable
        case .atLeastOnce: room > 0
        case .exactlyOnce: (exactlyOnceRoom ?? room) > 0
        }
      guard isConnected, hasRoom else { return .nothing }
      drop(token)
      underWay[token] = message.qos
      if isStored { stored[token] = Stored(message: message, isAlone: entry.isAlone) }
      return .send(token, message.aged(by: entry.since.duration(to: now)))
    }
    return .nothing
  }

  private mutating func append(_ token: Token, _ entry: Waiting) {
    waiting[token] = entry
    waitingBytes += entry.message.payload.readableBytes
    order.append(token)
  }

  /// false: it does not wait.
  private mutating func remove(_ token: Token) -> Bool {
    guard let entry = waiting.removeValue(forKey: token) else { return false }
    waitingBytes -= entry.message.payload.readableBytes
    if entry.isKept { kept -= 1 }
    return true
  }

  private mutating func drop(_ token: Token) {
    _ = remove(token)
    order.removeFirst()
    if waiting.isEmpty { nextExpiry = nil }
  }

  /// The messages whose time has passed.
  mutating func expire(at now: Instant) -> [Completion] {
    guard let nextExpiry, nextExpiry <= now else { return [] }
    let alone = waiting.filter { $0.value.isAlone }
    let tokens = takeWaiting { $0.expiry.map { $0 <= now } ?? false }
    self.nextExpiry = waiting.values.compactMap(\.expiry).min()
    return tokens.map { .init(token: $0, result: .failure(.expired), alone: alone[$0]?.message) }
  }

  /// The session is through with a message; nil: its caller is gone.
  mutating func settled(_ token: Token, _ outcome: MQTTSession.Outcome) -> Completion? {
    let entry = isStored ? stored.removeValue(forKey: token) : nil
    guard let qos = underWay.removeValue(forKey: token) else { return nil }
    let result: Result<PublishResult, PublishError> =
      switch outcome {
      case .delivered: .success(qos == .atMostOnce ? .handedOver : .acknowledged)
      case .refused(let code): .failure(.refused(code))
      case .abandoned: .failure(.notConnected)
      case .rejected(.expired): .failure(.expired)
      case .rejected(let rejection): .failure(.rejected(rejection))
      }
    return .init(token: token, result: result, alone: entry.flatMap { $0.isAlone ? $0.message : nil })
  }

  /// Oldest first.
  private mutating func takeWaiting(where isTaken: (Waiting) -> Bool) -> [Token] {
    let tokens = Array(order.filter { waiting[$0].map(isTaken) ?? false })
    for token in tokens { _ = remove(token) }
    compact()
    return tokens
  }

  /// Tokens of messages that are gone are kept to no more than the number of those that are not.
  private mutating func compact() {
    guard order.count > 2 * waiting.count + 16 || waiting.isEmpty else { return }
    order.removeAll { waiting[$0] == nil }
    if waiting.isEmpty { nextExpiry = nil }
  }
}
