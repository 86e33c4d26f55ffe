import MQTTCore
import Records

extension StoreModel {
  /// The tables of the MQTT session.
  package struct Session: Sendable, Equatable {
    package struct Row: Sendable, Equatable, TokenRow {
      package var message: StoredMessage
      /// When it came here first.
      package let stored: Int64

      package var token: UInt64 { message.token }
    }

    package struct Aside: Sendable, Equatable {
      package let message: Message
      package let owner: String
      package let stored: Int64
    }

    package internal(set) var owner: SessionOwner?
    package internal(set) var rows = TokenRows<Row>()
    package internal(set) var held: Set<PacketIdentifier> = []
    package internal(set) var received: Set<PacketIdentifier> = []
    package internal(set) var nextIdentifier = PacketIdentifier.first
    package internal(set) var subscriptions: [UInt32: [Subscription]] = [:]
    package internal(set) var givenBack: [UInt32: [TopicFilter]] = [:]
    /// What is kept beside it, the oldest first.
    package internal(set) var aside: [Aside] = []
  }
}

extension StoreModel.Session {
  mutating func setAside(_ message: Message, of owner: String, stored: Int64) {
    aside = (aside + [Aside(message: message, owner: owner, stored: stored)]).suffix(StoredMessages.aside)
  }

  /// All of it, since it belongs to another client now; how many messages that were.
  mutating func setAside() -> Int {
    let kept = rows.elements.map { row in
      Aside(message: row.message.message, owner: owner?.clientIdentifier ?? "", stored: row.stored)
    }
    let next = nextIdentifier
    self = Self()
    (aside, nextIdentifier) = (kept, next)
    return kept.count
  }

  mutating func apply(_ change: SessionChange, now: Int64) {
    switch change {
    case .owner(let owner): self.owner = owner
    case .message(let message, let next):
      nextIdentifier = next
      rows.put(message.token) { row, token in
        // Since when it waits stays as it came first, for as long as it says the same.
        let since = row.flatMap { $0.message.message == message.message ? $0.stored : nil }
        row = Row(
          message: StoredMessage(token: token, state: message.state, message: message.message), stored: since ?? now)
      }
    case .ended(let token): rows.remove(token)
    case .held(let identifier, let isHeld):
      if isHeld { held.insert(identifier) } else { held.remove(identifier) }
    case .received(let identifier, let isUnreleased):
      if isUnreleased { received.insert(identifier) } else { received.remove(identifier) }
    case .subscribed(let identifier, let subscriptions):
      self.subscriptions[identifier] = subscriptions
      givenBack[identifier] = nil
    case .givenBack(let identifier, let filters):
      subscriptions[identifier] = nil
      givenBack[identifier] = filters
    case .unsubscribed(let identifier):
      subscriptions[identifier] = nil
      givenBack[identifier] = nil
    case .begunAnew:
      held.removeAll()
      received.removeAll()
    }
  }

  /// The session that goes on, and how many rows said nothing: their messages are beside it now.
  mutating func load(now: Int64) -> (state: SessionState, unreadable: Int) {
    let unreadable = rows.elements.filter { !$0.isPossible }
    for row in unreadable {
      rows.remove(row.token)
      setAside(row.message.message, of: owner?.clientIdentifier ?? "", stored: row.stored)
    }
    var messages = StoredMessages(now: StoredTime(wall: now))
    for row in rows.elements { messages.append(row.message, stored: StoredTime(wall: row.stored)) }
    for token in messages.expired { rows.remove(token) }
    var state = SessionState()
    state.owner = owner
    state.messages = messages.messages
    state.held = held
    state.received = received
    state.nextIdentifier = nextIdentifier
    state.subscriptions = subscriptions
    state.givenBack = givenBack
    return (state, unreadable.count)
  }
}

/// A row under a token, as SQLite has it: a signed number.
package protocol TokenRow {
  var token: UInt64 { get }
}

extension TokenRow {
  var isPossible: Bool { StoredBounds.tokens.contains(Int64(clamping: token)) }
}

/// A table whose key is a token.
package struct TokenRows<Row: TokenRow> {
  /// By their tokens.
  package private(set) var elements: [Row] = []

  package init() {}

  /// - Parameter body: is given the row that there is, and the token as it is kept.
  mutating func put(_ token: UInt64, _ body: (inout Row?, UInt64) -> Void) {
    let token = Self.kept(token)
    let place = lowerBound(token)
    let isThere = place < elements.count && elements[place].token == token
    var row = isThere ? elements[place] : nil
    body(&row, token)
    guard let row else { return }
    if isThere { elements[place] = row } else { elements.insert(row, at: place) }
  }

  mutating func remove(_ token: UInt64) {
    let token = Self.kept(token)
    let place = lowerBound(token)
    if place < elements.count && elements[place].token == token { elements.remove(at: place) }
  }

  func contains(_ token: UInt64) -> Bool {
    let token = Self.kept(token)
    let place = lowerBound(token)
    return place < elements.count && elements[place].token == token
  }

  mutating func removeAll(where isGone: (Row) -> Bool) { elements.removeAll(where: isGone) }

  /// Those of a range.
  func rows(in range: ClosedRange<UInt64>) -> ArraySlice<Row> {
    let start = lowerBound(Self.kept(range.lowerBound))
    let upper = Self.kept(range.upperBound)
    return elements[start...].prefix { $0.token <= upper }
  }

  private static func kept(_ token: UInt64) -> UInt64 { min(token, UInt64(Int64.max)) }

  private func lowerBound(_ token: UInt64) -> Int {
    var (low, high) = (0, elements.count)
    while low < high {
      let middle = (low + high) / 2
      if elements[middle].token < token { low = middle + 1 } else { high = middle }
    }
    return low
  }
}

extension TokenRows: Sendable where Row: Sendable {}
extension TokenRows: Equatable where Row: Equatable {}
