/// Messages of QoS 1 and 2 under way to the server, by packet identifier; they outlive connections (MQTT 5.0 §4.4).
struct OutgoingMessages: Sendable {
  struct Entry: Sendable {
    /// `waiting`: the server's session has not seen it yet. `published`: PUBLISH has been sent. `released`: PUBREC came,
    /// PUBREL follows. The message is kept to the end, since a server that lost its session gets it again as a new one.
    enum State: Sendable, Hashable { case waiting, published, released }

    fileprivate(set) var message: Message
    /// nil: the message was given up, and only its identifier is still to be freed at the server.
    fileprivate(set) var token: MQTTSession.Token?
    /// Good for this connection only.
    let transient: Bool
    var state: State
    /// The session sends nothing more of it before this is in the store; nil: the store does not get this identifier.
    var ticket: MQTTSession.StoreTicket?
    /// How often the server had no place for it.
    fileprivate(set) var refusals = 0
    /// When its Message Expiry Interval has passed; nil: it has none, or a session that was restored has not begun.
    fileprivate(set) var expiry: MQTTSession.Instant?
    /// Rises with each message: the order in which they are sent again ([MQTT-4.6.0-1]).
    fileprivate(set) var order: UInt64 = 0

    init(
      _ message: Message, token: MQTTSession.Token?, transient: Bool = false, state: State = .waiting,
      expiry: MQTTSession.Instant? = nil
    ) {
      self.message = message
      self.token = token
      self.transient = transient
      self.state = state
      self.expiry = expiry
      // What is further than that was taken out of a store.
      ticket = state == .waiting ? nil : 0
    }

    /// The same message in a session that knows nothing of it: its time and its tries go on counting.
    func begunAnew() -> Entry {
      var entry = Entry(message, token: token, expiry: expiry)
      entry.refusals = refusals
      return entry
    }

    func isExpired(at now: MQTTSession.Instant) -> Bool { expiry.map { $0 <= now } ?? false }
  }

  private var entries: [PacketIdentifier: Entry] = [:]
  private var lastOrder: UInt64 = 0
  /// Messages of QoS 2 among them.
  private(set) var exactlyOnceCount = 0

  var count: Int { entries.count }

  subscript(identifier: PacketIdentifier) -> Entry? { entries[identifier] }

  mutating func insert(_ entry: consuming Entry, _ identifier: PacketIdentifier) {
    lastOrder += 1
    entry.order = lastOrder
    place(entry, identifier)
  }

  private mutating func place(_ entry: consuming Entry, _ identifier: PacketIdentifier) {
    if entry.message.qos == .exactlyOnce { exactlyOnceCount += 1 }
    entries[identifier] = consume entry
  }

  /// The message is sent on with other words, on the same course and with the same QoS.
  mutating func replace(_ identifier: PacketIdentifier, _ message: Message) {
    if let index = entries.index(forKey: identifier) { entries.values[index].message = message }
  }

  /// The message's course begins anew as another message, in its place of the order, under an identifier that is free
  /// or its own. The old identifier of one of QoS 2 that was sent stays, to be released.
  ///
  /// - Returns: what was inserted.
  mutating func renew(_ identifier: PacketIdentifier, as message: Message, _ fresh: PacketIdentifier) -> Entry? {
    guard var old = remove(identifier) else { return nil }
    var renewed = Entry(message, token: old.token, transient: old.transient, expiry: old.expiry)
    renewed.order = old.order
    renewed.refusals = old.refusals
    place(renewed, fresh)
    if old.message.qos == .exactlyOnce, old.state == .published, fresh != identifier {
      old.token = nil
      old.state = .released
      insert(old, identifier)
    }
    return renewed
  }

  mutating func remove(_ identifier: PacketIdentifier) -> Entry? {
    guard let entry = entries.removeValue(forKey: identifier) else { return nil }
    if entry.message.qos == .exactlyOnce { exactlyOnceCount -= 1 }
    return entry
  }

  /// The message's course has come this far.
  mutating func advance(_ identifier: PacketIdentifier, to state: Entry.State) {
    if let index = entries.index(forKey: identifier) { entries.values[index].state = state }
  }

  /// Those whose time is not counted yet, begin now.
  mutating func countExpiry(from now: MQTTSession.Instant) {
    for index in entries.values.indices where entries.values[index].expiry == nil {
      entries.values[index].expiry = entries.values[index].message.expiry(from: now)
    }
  }

  /// The server has no place for it now; how often that was so.
  mutating func refuse(_ identifier: PacketIdentifier) -> Int {
    guard let index = entries.index(forKey: identifier) else { return 0 }
    entries.values[index].refusals += 1
    return entries.values[index].refusals
  }

  /// Those to a topic whose course is not over, beside those that are good for one connection only, oldest first.
  func identifiers(to topic: TopicName) -> [PacketIdentifier] {
    entries.filter { $0.value.token != nil && !$0.value.transient && $0.value.message.topic == topic }
      .sorted { $0.value.order < $1.value.order }.map(\.key)
  }

  /// The change is on its way to the store, with this ticket.
  mutating func record(_ identifier: PacketIdentifier, _ ticket: MQTTSession.StoreTicket?) {
    if let index = entries.index(forKey: identifier) { entries.values[index].ticket = ticket }
  }

  /// All messages with their identifiers, the oldest first.
  var inOrder: [(identifier: PacketIdentifier, entry: Entry)] {
    entries.sorted { $0.value.order < $1.value.order }.map { ($0.key, $0.value) }
  }

  /// A message in the order of all.
  struct Place: Sendable {
    let order: UInt64
    let identifier: PacketIdentifier
    let qos: QoS
  }

  /// All messages, as a row of those that are to be sent.
  var row: Row {
    var row = Row()
    for (identifier, entry) in entries.sorted(by: { $0.value.order > $1.value.order }) {
      row.append(Place(order: entry.order, identifier: identifier, qos: entry.message.qos))
    }
    return row
  }

  /// Messages that wait to be sent, in the order of all.
  struct Row: Sendable {
    /// The newest first.
    private var places: [Place] = []
    private(set) var exactlyOnceCount = 0

    var count: Int { places.count }
    var isEmpty: Bool { places.isEmpty }
    var oldest: Place? { places.last }

    fileprivate mutating func append(_ place: Place) { insert(place, at: places.endIndex) }

    private mutating func insert(_ place: Place, at index: Int) {
      places.insert(place, at: index)
      if place.qos == .exactlyOnce { exactlyOnceCount += 1 }
    }

    func contains(_ entry: Entry) -> Bool {
      let index = index(of: entry.order)
      return index < places.endIndex && places[index].order == entry.order
    }

    mutating func popOldest() {
      if places.popLast()?.qos == .exactlyOnce { exactlyOnceCount -= 1 }
    }

    /// Where a message of this order is or would be.
    private func index(of order: UInt64) -> Int {
      var (low, high) = (places.startIndex, places.endIndex)
      while low < high {
        let middle = (low + high) / 2
        if places[middle].order > order { low = middle + 1 } else { high = middle }
      }
      return low
    }

    mutating func insert(_ entry: Entry, _ identifier: PacketIdentifier) {
      let index = index(of: entry.order)
      guard index == places.endIndex || places[index].order != entry.order else { return }
      insert(Place(order: entry.order, identifier: identifier, qos: entry.message.qos), at: index)
    }

    mutating func remove(_ entry: Entry) {
      let index = index(of: entry.order)
      guard index < places.endIndex && places[index].order == entry.order else { return }
      if places.remove(at: index).qos == .exactlyOnce { exactlyOnceCount -= 1 }
    }
  }

  /// Takes all messages out, oldest first.
  mutating func removeAll() -> [Entry] {
    defer {
      entries.removeAll()
      exactlyOnceCount = 0
    }
    return entries.values.sorted { $0.order < $1.order }
  }

  /// Gives a message up. The identifier of one of QoS 2 stays until PUBREL has freed it at the server, which would take
  /// the next message under it for the same one (§4.3.3); `isFree` says that it does not.
  mutating func giveUp(_ identifier: PacketIdentifier) -> (token: MQTTSession.Token, isFree: Bool)? {
    guard let entry = entries[identifier], let token = entry.token else { return nil }
    guard entry.message.qos == .exactlyOnce && entry.state != .waiting else {
      _ = remove(identifier)
      return (token, true)
    }
    entries[identifier]?.token = nil
    entries[identifier]?.state = .released
    return (token, false)
  }

  /// The oldest whose course is not over, beside those that are good for one connection only.
  var oldest: (identifier: PacketIdentifier, token: MQTTSession.Token)? {
    entries.filter { $0.value.token != nil && !$0.value.transient }.min { $0.value.order < $1.value.order }
      .flatMap { entry in entry.value.token.map { (entry.key, $0) } }
  }

  /// Those that are good for one connection only, oldest first.
  var transients: [PacketIdentifier] {
    entries.filter { $0.value.transient && $0.value.token != nil }.sorted { $0.value.order < $1.value.order }.map(\.key)
  }
}
