import MQTTCore

/// A client's subscriptions: what has been asked for, what the server agreed to, which messages belong to which. It
/// knows no sockets or tasks.
///
/// A subscription is `waiting` –SUBSCRIBE→ `asked` –SUBACK→ `made`. A connection that ends makes `asked` `unanswered`,
/// one that begins without the session makes all of them `waiting`: each is asked for once on a connection that needs it.
/// `givenBack` keeps a subscription that has ended here until the server has answered UNSUBSCRIBE.
struct SubscriptionTable: Sendable {
  typealias Token = MQTTSession.Token
  /// Goes as Subscription Identifier to servers that take them (MQTT 5.0 §3.8.2.1.2).
  typealias Identifier = UInt32

  private enum State: Sendable, Hashable {
    case waiting
    case asked(Token)
    /// Asked for on an earlier connection of the server's session, without an answer.
    case unanswered
    case made

    var isDue: Bool { self == .waiting || self == .unanswered }
  }

  private struct Entry: Sendable {
    var subscriptions: [Subscription]
    var state = State.waiting
    /// An earlier process made it, and nobody has asked for it in this one.
    var isUnclaimed = false
  }

  private struct GivenBack: Sendable {
    let filters: [TopicFilter]
    var asked: Token?
  }

  /// A packet to send.
  enum Request: Sendable, Hashable {
    case subscribe(Identifier, [Subscription])
    case unsubscribe(Identifier, [TopicFilter])

    var identifier: Identifier {
      switch self {
      case .subscribe(let identifier, _), .unsubscribe(let identifier, _): identifier
      }
    }
  }

  /// What an answer of the server means.
  enum Answer: Sendable, Hashable {
    /// At least one filter was granted, in the order asked for.
    case subscribed(Identifier, [ReasonCode])
    /// No filter was; the subscription is gone.
    case refused(Identifier, [ReasonCode])
    case unsubscribed(Identifier, [ReasonCode])
  }

  private static let largestIdentifier: Identifier = 268_435_455

  private var entries: [Identifier: Entry] = [:]
  private var givenBack: [Identifier: GivenBack] = [:]
  private var lastIdentifier: Identifier = 0
  /// Subscriptions that a new one has taken the place of, since they were last asked for.
  private var superseded: [Identifier] = []

  var count: Int { entries.count }
  var identifiers: [Identifier] { entries.keys.sorted() }

  // MARK: Callers

  /// Subscriptions of an earlier process: the server has them for as long as it has the session.
  mutating func restore(_ stored: [Identifier: [Subscription]], givenBack: [Identifier: [TopicFilter]] = [:]) {
    for (identifier, subscriptions) in stored {
      entries[identifier] = Entry(subscriptions: subscriptions, state: .made, isUnclaimed: true)
    }
    for (identifier, filters) in givenBack { self.givenBack[identifier] = GivenBack(filters: filters) }
    lastIdentifier = max(stored.keys.max() ?? 0, givenBack.keys.max() ?? 0)
  }

  /// See `Entry.isUnclaimed`.
  var unclaimed: [Identifier] { entries.filter(\.value.isUnclaimed).keys.sorted() }

  /// One that is there already, with the very same options, belongs to who asks now.
  mutating func claimOrAdd(_ subscriptions: [Subscription]) throws(SubscribeError) -> Identifier {
    guard let identifier = unclaimed.first(where: { entries[$0]?.subscriptions == subscriptions }) else {
      return try add(subscriptions)
    }
    entries[identifier]?.isUnclaimed = false
    return identifier
  }

  /// Nobody reads it for now: it belongs to who asks for it next.
  mutating func unclaim(_ identifier: Identifier) { entries[identifier]?.isUnclaimed = true }

  /// The filters to unsubscribe from; nil: none.
  func filtersGivenBack(_ identifier: Identifier) -> [TopicFilter]? { givenBack[identifier]?.filters }

  mutating func takeSuperseded() -> [Identifier] {
    defer { superseded = [] }
    return superseded
  }

  /// The server's session has it, so there is nothing to wait for.
  func isMade(_ identifier: Identifier) -> Bool { entries[identifier]?.state == .made }

  func subscriptions(_ identifier: Identifier) -> [Subscription] { entries[identifier]?.subscriptions ?? [] }

  mutating func add(_ subscriptions: [Subscription]) throws(SubscribeError) -> Identifier {
    guard !subscriptions.isEmpty else { throw .noFilter }
    var taken = Set(entries.values.filter { !$0.isUnclaimed }.flatMap(\.subscriptions).map(\.filter))
    for subscription in subscriptions {
      guard taken.insert(subscription.filter).inserted else { throw .alreadySubscribed(subscription.filter) }
      guard !subscription.noLocal || !subscription.filter.isShared else {
        throw .noLocalOnSharedSubscription(subscription.filter)
      }
    }
    // SUBSCRIBE takes the place of an older one with this filter ([MQTT-3.8.4-3]); its other filters go.
    for identifier in unclaimed {
      let left = entries[identifier]?.subscriptions.filter { !taken.contains($0.filter) } ?? []
      guard left.count < entries[identifier]?.subscriptions.count ?? 0 else { continue }
      entries[identifier] = nil
      superseded.append(identifier)
      if !left.isEmpty { givenBack[identifier] = GivenBack(filters: left.map(\.filter)) }
    }
    repeat {
      lastIdentifier = lastIdentifier < Self.largestIdentifier ? lastIdentifier + 1 : 1
    } while entries[lastIdentifier] != nil || givenBack[lastIdentifier] != nil
    entries[lastIdentifier] = Entry(subscriptions: subscriptions)
    return lastIdentifier
  }

  /// The application has ended the subscription; true: the server needs an UNSUBSCRIBE, which `requests` brings.
  mutating func remove(_ identifier: Identifier) -> Bool {
    guard let entry = entries.removeValue(forKey: identifier) else { return givenBack[identifier] != nil }
    guard entry.state != .waiting else { return false }
    givenBack[identifier] = GivenBack(filters: entry.subscriptions.map(\.filter))
    return true
  }

  // MARK: The connection

  /// The session is gone: takes out what it had. Those that were never asked for are asked for all the same.
  mutating func removeLost() -> [Identifier] {
    let lost = entries.filter { $0.value.state != .waiting }.keys.sorted()
    for identifier in lost { entries[identifier] = nil }
    return lost
  }

  /// - Returns: those that were given back and ended with the session.
  mutating func connected(sessionPresent: Bool) -> [Identifier] {
    guard !sessionPresent else { return [] }
    for identifier in entries.keys { entries[identifier]?.state = .waiting }
    defer { givenBack.removeAll() }
    return givenBack.keys.sorted()
  }

  /// The packets that are due on this connection, those that give back first: a filter may have been taken again.
  func requests() -> [Request] {
    let back = givenBack.filter { $0.value.asked == nil }.sorted { $0.key < $1.key }
    let new = entries.filter(\.value.state.isDue).sorted { $0.key < $1.key }
    return back.map { .unsubscribe($0.key, $0.value.filters) } + new.map { .subscribe($0.key, $0.value.subscriptions) }
  }

  /// A request is about to be sent under this token.
  mutating func asked(_ request: Request, _ token: Token) {
    switch request {
    case .subscribe(let identifier, _): entries[identifier]?.state = .asked(token)
    case .unsubscribe(let identifier, _): givenBack[identifier]?.asked = token
    }
  }

  /// A request could not be sent: it is not tried again.
  mutating func rejected(_ request: Request) {
    switch request {
    case .subscribe(let identifier, _): entries[identifier] = nil
    case .unsubscribe(let identifier, _): givenBack[identifier] = nil
    }
  }

  /// What has no answer is asked again on the next connection, once.
  mutating func lost() {
    for (identifier, entry) in entries {
      if case .asked = entry.state { entries[identifier]?.state = .unanswered }
    }
    for identifier in givenBack.keys { givenBack[identifier]?.asked = nil }
  }

  /// Filters that the server refused are not asked for again.
  mutating func answered(_ token: Token, _ codes: [ReasonCode]) -> Answer? {
    if let (identifier, entry) = entries.first(where: { $0.value.state == .asked(token) }) {
      let granted = zip(entry.subscriptions, codes).filter { !$0.1.isError }.map(\.0)
      guard !granted.isEmpty else {
        entries[identifier] = nil
        return .refused(identifier, codes)
      }
      entries[identifier] = Entry(subscriptions: granted, state: .made)
      return .subscribed(identifier, codes)
    }
    guard let (identifier, _) = givenBack.first(where: { $0.value.asked == token }) else { return nil }
    givenBack[identifier] = nil
    return .unsubscribed(identifier, codes)
  }

  // MARK: Messages

  /// The subscriptions that a message is for: those that it names, where the server writes Subscription Identifiers
  /// into it, and those with a filter that matches otherwise.
  func receivers(of message: Message) -> [Identifier] {
    let named = message.properties.subscriptionIdentifiers.filter { entries[$0] != nil }
    guard named.isEmpty else { return named }
    return entries.filter { $0.value.subscriptions.contains { $0.filter.matches(message.topic) } }.keys.sorted()
  }
}
