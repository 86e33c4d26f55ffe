import LimpetInstants

/// Changes on their way to a `SessionStore`. A change that another one cancels before it is due is never written. One
/// write is under way at a time; the next one has all changes since.
///
/// States: idle –change→ due at some time –take→ writing –finished→ idle, or due again. A write that failed is due
/// again after a while, together with what has changed since; no packet waits for it meanwhile, nor for one that the
/// store has not answered in `patience`: that may have succeeded, and no other write begins before its answer.
struct StoreQueue: Sendable {
  typealias Instant = BootClock.Instant

  private struct Changes {
    struct Message {
      /// nil: it has ended.
      let stored: StoredMessage?
      let since: Instant
    }

    var owner: SessionOwner?
    var isBegunAnew = false
    var next: PacketIdentifier?
    var messages: [MQTTSession.Token: Message] = [:]
    var held: [PacketIdentifier: Bool] = [:]
    var received: [PacketIdentifier: Bool] = [:]
    /// The last change of each.
    var subscriptions: [UInt32: SessionChange] = [:]

    /// Since when there is something else than messages.
    var since: Instant?

    var oldest: Instant? {
      let message = messages.values.lazy.map(\.since).min()
      return [message, since].compactMap { $0 }.min()
    }

    var isEmpty: Bool {
      owner == nil && !isBegunAnew && messages.isEmpty && held.isEmpty && received.isEmpty && subscriptions.isEmpty
    }
  }

  private struct Writing {
    var changes: Changes
    let ticket: MQTTSession.StoreTicket
    /// It goes to a file that is given up: how it ends says nothing.
    var isStale = false
  }

  static let retryInterval = Duration.seconds(10)
  /// How long anything waits for an answer.
  static let patience = Duration.seconds(2)

  /// How long a change that nothing waits for may be in memory only.
  let delay: Duration
  private var changes = Changes()
  private var writing: Writing?
  /// Messages, identifiers and subscriptions that the store has: only these are worth deleting there.
  private var storedMessages: Set<MQTTSession.Token>
  private var storedHeld: Set<PacketIdentifier>
  private var storedReceived: Set<PacketIdentifier>
  private var storedSubscriptions: Set<UInt32>
  /// Nothing has to be written before; what set it may have come to nothing.
  private var due: Instant?
  private var isUrgent = false
  /// The latest that was asked for.
  private var ticket: MQTTSession.StoreTicket = 0
  private(set) var isFailing = false
  /// The write under way has not been answered in time.
  private(set) var isLate = false
  /// When the write under way becomes late; nil: it is, or there is none.
  private(set) var answerDue: Instant?

  /// - Parameter state: what the store has.
  init(delay: Duration, state: SessionState) {
    self.delay = delay
    storedMessages = Set(state.messages.map(\.token))
    storedHeld = state.held
    storedReceived = state.received
    storedSubscriptions = Set(state.subscriptions.keys).union(state.givenBack.keys)
  }

  /// When `take` has something to write; nil: not before another change, or the end of the write that is under way.
  var deadline: Instant? { writing == nil ? due : nil }

  var isWriting: Bool { writing != nil }

  /// Messages that the write under way keeps, the oldest first.
  var writtenTokens: [MQTTSession.Token] {
    writing.map { $0.changes.messages.filter { $0.value.stored != nil }.keys.sorted() } ?? []
  }

  mutating func giveUpWaiting() {
    isLate = writing != nil
    answerDue = nil
  }

  /// - Parameter ticket: there: to be written at once.
  mutating func add(_ change: SessionChange, ticket: MQTTSession.StoreTicket?, at now: Instant) {
    switch change {
    case .owner(let owner): changes.owner = owner
    case .message(let message, let next):
      // What is further on its course waits no longer for that.
      let since = changes.messages[message.token]?.since ?? now
      changes.messages[message.token] = .init(stored: message, since: since)
      changes.next = next
    case .ended(let token):
      let isStored = storedMessages.contains(token) || writing?.changes.messages[token] != nil
      changes.messages[token] = isStored ? .init(stored: nil, since: now) : nil
    case .held(let identifier, let isHeld):
      Self.set(identifier, isHeld, in: &changes.held, isStored: has(storedHeld, writing?.changes.held, identifier))
    case .received(let identifier, let isUnreleased):
      Self.set(
        identifier, isUnreleased, in: &changes.received,
        isStored: has(storedReceived, writing?.changes.received, identifier))
    case .subscribed(let identifier, _), .givenBack(let identifier, _): changes.subscriptions[identifier] = change
    case .unsubscribed(let identifier):
      let isStored = storedSubscriptions.contains(identifier) || writing?.changes.subscriptions[identifier] != nil
      changes.subscriptions[identifier] = isStored ? change : nil
    case .begunAnew:
      changes.isBegunAnew = true
      changes.held.removeAll()
      changes.received.removeAll()
    }
    switch change {
    case .message, .ended: break
    default: changes.since = changes.since ?? now
    }
    schedule(ticket, at: now)
  }

  /// The store begins anew and knows nothing. What has changed of messages and identifiers is forgotten with it: the
  /// session says all of it again (`MQTTSession.storeAll`), and that is written at once.
  mutating func storeHasNothing(at now: Instant) {
    (storedMessages, storedHeld, storedReceived, storedSubscriptions) = ([], [], [], [])
    changes.messages.removeAll()
    changes.held.removeAll()
    changes.received.removeAll()
    if let written = writing?.changes {
      changes.subscriptions.merge(written.subscriptions) { newer, _ in newer }
      writing?.changes = Changes()
      writing?.isStale = true
    }
    isFailing = false
    isUrgent = true
    due = now
  }

  private mutating func schedule(_ ticket: MQTTSession.StoreTicket?, at now: Instant) {
    if let ticket { self.ticket = max(self.ticket, ticket) }
    if changes.isEmpty && ticket == nil && !isUrgent {
      due = nil
    } else if isFailing {
      due = due ?? now + Self.retryInterval
    } else if ticket != nil {
      due = now
      isUrgent = true
    } else {
      due = due ?? now + delay
    }
  }

  private static func set(
    _ identifier: PacketIdentifier, _ isThere: Bool, in changes: inout [PacketIdentifier: Bool], isStored: Bool
  ) {
    changes[identifier] = isThere || isStored ? isThere : nil
  }

  private func has(
    _ stored: Set<PacketIdentifier>, _ writing: [PacketIdentifier: Bool]?, _ identifier: PacketIdentifier
  ) -> Bool {
    stored.contains(identifier) || writing?[identifier] != nil
  }

  /// Up to here nobody waits for the store: it fails at the moment, or is late.
  var skippedTicket: MQTTSession.StoreTicket? { isFailing || isLate ? ticket : nil }

  /// What to write now; nil: nothing is due. `finished` follows.
  mutating func take(at now: Instant) -> [SessionChange]? {
    guard writing == nil, let due, due <= now else { return nil }
    // It has come to nothing, also what could not be written before.
    guard isUrgent || !changes.isEmpty else {
      self.due = nil
      return nil
    }
    if !isUrgent && !isFailing, let oldest = changes.oldest, oldest + delay > now {
      self.due = oldest + delay
      return nil
    }
    return takeAll(at: now)
  }

  /// Everything, due or not; nil: nothing has changed, or a write is under way.
  mutating func takeAll(at now: Instant) -> [SessionChange]? {
    guard writing == nil, isUrgent || !changes.isEmpty else { return nil }
    let taken = changes
    changes = Changes()
    due = nil
    isUrgent = false
    writing = Writing(changes: taken, ticket: ticket)
    answerDue = now + Self.patience
    return Self.list(taken, at: now)
  }

  /// Nothing is to be written, and nothing is being written.
  var isIdle: Bool { writing == nil && !isUrgent && changes.isEmpty }

  /// The write is over; the ticket up to which nothing has to wait any more.
  mutating func finished(_ isDone: Bool, at now: Instant) -> MQTTSession.StoreTicket {
    guard let written = writing else { return ticket }
    writing = nil
    isLate = false
    answerDue = nil
    guard !written.isStale else { return written.ticket }
    isFailing = !isDone
    guard isDone else {
      putBack(written.changes)
      due = now + Self.retryInterval
      return ticket
    }
    remember(written.changes)
    return written.ticket
  }

  private mutating func remember(_ written: Changes) {
    if written.isBegunAnew {
      storedHeld.removeAll()
      storedReceived.removeAll()
    }
    for (token, message) in written.messages {
      if message.stored == nil { storedMessages.remove(token) } else { storedMessages.insert(token) }
    }
    for (identifier, isThere) in written.held {
      if isThere { storedHeld.insert(identifier) } else { storedHeld.remove(identifier) }
    }
    for (identifier, isThere) in written.received {
      if isThere { storedReceived.insert(identifier) } else { storedReceived.remove(identifier) }
    }
    for (identifier, change) in written.subscriptions {
      if case .unsubscribed = change {
        storedSubscriptions.remove(identifier)
      } else {
        storedSubscriptions.insert(identifier)
      }
    }
  }

  /// Older changes, below those that came since.
  private mutating func putBack(_ older: Changes) {
    changes.owner = changes.owner ?? older.owner
    changes.next = changes.next ?? older.next
    changes.messages.merge(older.messages) { newer, _ in newer }
    changes.subscriptions.merge(older.subscriptions) { newer, _ in newer }
    if !changes.isBegunAnew {
      changes.held.merge(older.held) { newer, _ in newer }
      changes.received.merge(older.received) { newer, _ in newer }
    }
    changes.isBegunAnew = changes.isBegunAnew || older.isBegunAnew
    changes.since = older.since ?? changes.since
  }

  /// In an order that follows from the changes alone, which that of a dictionary does not.
  private static func list(_ changes: Changes, at now: Instant) -> [SessionChange] {
    var list: [SessionChange] = []
    if let owner = changes.owner { list.append(.owner(owner)) }
    if changes.isBegunAnew { list.append(.begunAnew) }
    for (token, message) in changes.messages.sorted(by: { $0.key < $1.key }) {
      guard var stored = message.stored else {
        list.append(.ended(token))
        continue
      }
      // The store counts from when it has it.
      stored.message = stored.message.aged(by: message.since.duration(to: now))
      list.append(.message(stored, next: changes.next ?? .first))
    }
    for (identifier, isHeld) in changes.held.sorted(by: { $0.key < $1.key }) {
      list.append(.held(identifier, isHeld))
    }
    for (identifier, isUnreleased) in changes.received.sorted(by: { $0.key < $1.key }) {
      list.append(.received(identifier, isUnreleased))
    }
    for (_, change) in changes.subscriptions.sorted(by: { $0.key < $1.key }) { list.append(change) }
    return list
  }
}
