/// Messages of QoS 1 and 2 under way to the server, by packet identifier; they outlive connections (MQTT 5.0 §4.4).
struct OutgoingMessages: Sendable {
  struct Entry: Sendable {
    /// `waiting`: the server's session has not seen it yet. `published`: PUBLISH has been sent. `released`: PUBREC came,
    /// PUBREL follows. The message is kept to the end, since a server that lost its session gets it again as a new one.
    enum State: Sendable, Hashable { case waiting, published, released }

    let message: Message
    /// nil: the message was given up, and only its identifier is still to be freed at the server.
    fileprivate(set) var token: Session.Token?
    /// Good for this connection only.
    let transient: Bool
    fileprivate(set) var state: State
    /// Nothing more of it is sent before this is in the store; nil: the store has not been told of this identifier.
    fileprivate(set) var ticket: Session.StoreTicket?
    /// Rises with each message: the order in which they are sent again ([MQTT-4.6.0-1]).
    fileprivate(set) var order: UInt64 = 0

    init(_ message: Message, token: Session.Token?, transient: Bool = false, state: State = .waiting) {
      self.message = message
      self.token = token
      self.transient = transient
      self.state = state
      // What is further than that was taken out of a store.
      ticket = state == .waiting ? nil : 0
    }
  }

  private var entries: [PacketIdentifier: Entry] = [:]
  private var lastOrder: UInt64 = 0

  var count: Int { entries.count }

  subscript(identifier: PacketIdentifier) -> Entry? { entries[identifier] }

  mutating func insert(_ entry: Entry, _ identifier: PacketIdentifier) {
    var entry = entry
    lastOrder += 1
    entry.order = lastOrder
    entries[identifier] = entry
  }

  mutating func remove(_ identifier: PacketIdentifier) -> Entry? { entries.removeValue(forKey: identifier) }

  /// The message's course has come this far.
  mutating func advance(_ identifier: PacketIdentifier, to state: Entry.State) { entries[identifier]?.state = state }

  /// The store has been told, and will have it with this ticket.
  mutating func record(_ identifier: PacketIdentifier, _ ticket: Session.StoreTicket?) {
    entries[identifier]?.ticket = ticket
  }

  /// A message in the order of all.
  struct Place: Sendable {
    let order: UInt64
    let identifier: PacketIdentifier
  }

  /// All messages, the newest first.
  var places: [Place] {
    entries.map { Place(order: $0.value.order, identifier: $0.key) }.sorted { $0.order > $1.order }
  }

  /// Takes all messages out, oldest first.
  mutating func removeAll() -> [Entry] {
    defer { entries.removeAll() }
    return entries.values.sorted { $0.order < $1.order }
  }

  /// Gives a message up. The identifier of one of QoS 2 stays until PUBREL has freed it at the server, which would take
  /// the next message under it for the same one (§4.3.3); `isFree` says that it does not.
  mutating func giveUp(_ identifier: PacketIdentifier) -> (token: Session.Token, isFree: Bool)? {
    guard let entry = entries[identifier], let token = entry.token else { return nil }
    guard entry.message.qos == .exactlyOnce && entry.state != .waiting else {
      entries[identifier] = nil
      return (token, true)
    }
    entries[identifier]?.token = nil
    entries[identifier]?.state = .released
    return (token, false)
  }

  /// Those that are good for one connection only, oldest first.
  var transients: [PacketIdentifier] {
    entries.filter { $0.value.transient && $0.value.token != nil }.sorted { $0.value.order < $1.value.order }.map(\.key)
  }
}

extension [OutgoingMessages.Place] {
  /// Where a message of this order is or would be, in a row with the newest first.
  private func index(of order: UInt64) -> Int {
    var (low, high) = (startIndex, endIndex)
    while low < high {
      let middle = (low + high) / 2
      if self[middle].order > order { low = middle + 1 } else { high = middle }
    }
    return low
  }

  mutating func insert(_ identifier: PacketIdentifier, order: UInt64) {
    let index = index(of: order)
    guard index == endIndex || self[index].order != order else { return }
    insert(OutgoingMessages.Place(order: order, identifier: identifier), at: index)
  }

  mutating func remove(order: UInt64) {
    let index = index(of: order)
    if index < endIndex && self[index].order == order { remove(at: index) }
  }
}
