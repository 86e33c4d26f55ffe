import LimpetInstants

/// What is kept beyond the process, and what may not be sent before it is kept (MQTT 5.0 §4.1).
///
/// The server remembers identifiers of QoS 2 longer than a process may live. One that it holds and this side forgot
/// makes it drop the first new message under it; one that this side took for delivered and the server used again makes
/// this side drop one. So of QoS 2 the identifier is stored before PUBLISH, PUBREC before PUBREL, what was received
/// before PUBREC, and its release before PUBCOMP. Of QoS 1 a receiver keeps nothing, so nothing waits; nor does an owner
/// that recognizes by itself what comes again in another process.
extension MQTTSession {
  /// The number of a change: the change is stored once `stored(through:)` was called with this number or a later one.
  public typealias StoreTicket = UInt64

  /// Packets that wait for the store, in their order; each is there once.
  struct UnstoredPackets: Sendable {
    enum Packet: Sendable, Hashable {
      /// PUBLISH or PUBREL, whichever the message's course asks for.
      case message(PacketIdentifier)
      case pubrec(PacketIdentifier)
      case pubcomp(PacketIdentifier, ReasonCode)
    }

    private var row: [(ticket: StoreTicket, packet: Packet)] = []
    private var members: Set<Packet> = []

    /// What the last of them waits for.
    var lastTicket: StoreTicket? { row.last?.ticket }

    mutating func append(_ packet: Packet, until ticket: StoreTicket) {
      if members.insert(packet).inserted { row.append((ticket, packet)) }
    }

    /// Takes those out that waited for this ticket or an earlier one.
    mutating func take(through ticket: StoreTicket) -> [Packet] {
      let end = row.firstIndex { $0.ticket > ticket } ?? row.count
      let packets = row[..<end].map(\.packet)
      row.removeFirst(end)
      members.subtract(packets)
      return packets
    }
  }

  /// The changes are in the store, or never will be and the session goes on in memory: what waited for them is sent.
  public mutating func stored(through ticket: StoreTicket, at now: Instant, into actions: inout [Action]) {
    storedTicket = max(storedTicket, ticket)
    guard isConnected else { return }
    for packet in unstored.take(through: storedTicket) { send(packet, at: now, into: &actions) }
  }

  private mutating func send(_ packet: UnstoredPackets.Packet, at now: Instant, into actions: inout [Action]) {
    switch packet {
    case .message(let identifier): sendMessage(identifier, at: now, into: &actions)
    case .pubrec(let identifier): send(.pubrec(Acknowledgement(identifier)), at: now, into: &actions)
    case .pubcomp(let identifier, let code):
      send(.pubcomp(Acknowledgement(identifier, reasonCode: code)), at: now, into: &actions)
    }
  }

  /// Stores the whole session, for a store whose file is new.
  public mutating func storeAll(at now: Instant, into actions: inout [Action]) {
    guard isStored else { return }
    store(.begunAnew, into: &actions)
    for (identifier, entry) in outgoing.inOrder where entry.ticket != nil {
      if let token = entry.token, !entry.transient {
        let state: StoredMessage.State = entry.state == .released ? .released(identifier) : .published(identifier)
        let message = entry.message.expiring(at: entry.expiry, now)
        store(
          .message(StoredMessage(token: token, state: state, message: message), next: nextIdentifier), into: &actions)
      } else if entry.message.qos == .exactlyOnce {
        store(.held(identifier, true), into: &actions)
      }
    }
    for identifier in received.kept.sorted() { store(.received(identifier, true), into: &actions) }
  }

  /// Stores a message that waits outside the session; `publish` with the same token takes it over. It does not store a
  /// message that no packet can carry: `publish` refuses that.
  public mutating func keep(_ message: Message, token: Token, into actions: inout [Action]) {
    guard message.flaw == nil else { return }
    var message = message
    // It means something on one connection only.
    if !message.properties.isEmpty { message.properties.topicAlias = nil }
    _ = storeFirst(
      .message(StoredMessage(token: token, state: .queued, message: message), next: nextIdentifier), into: &actions)
  }

  /// Ends a message that was kept and not published.
  public mutating func forget(_ token: Token, into actions: inout [Action]) { store(.ended(token), into: &actions) }

  /// Sends now, or as soon as the store is so far.
  mutating func send(
    _ packet: UnstoredPackets.Packet, after ticket: StoreTicket, at now: Instant, into actions: inout [Action]
  ) {
    guard ticket > storedTicket else { return send(packet, at: now, into: &actions) }
    unstored.append(packet, until: ticket)
  }

  /// To be stored some time.
  func store(_ change: SessionChange, into actions: inout [Action]) {
    if isStored { actions.append(.store(change, nil)) }
  }

  /// To be stored at once; 0, which is past, where nothing is.
  mutating func storeFirst(_ change: SessionChange, into actions: inout [Action]) -> StoreTicket {
    guard isStored else { return 0 }
    lastTicket += 1
    actions.append(.store(change, lastTicket))
    return lastTicket
  }

  /// Stores a message under its identifier before it is sent. Of a message that may not wait it stores only the
  /// identifier, which the server will have.
  mutating func record(_ identifier: PacketIdentifier, into actions: inout [Action]) {
    guard let entry = outgoing[identifier], entry.ticket == nil else { return }
    outgoing.record(identifier, ticket(for: entry, identifier, into: &actions))
  }

  /// What a message waits for that is to be sent under this identifier.
  mutating func ticket(
    for entry: borrowing OutgoingMessages.Entry, _ identifier: PacketIdentifier, into actions: inout [Action]
  ) -> StoreTicket {
    guard isStored, let token = entry.token else { return 0 }
    let isHeld = entry.message.qos == .exactlyOnce
    guard !entry.transient else { return isHeld ? storeFirst(.held(identifier, true), into: &actions) : 0 }
    let stored = StoredMessage(token: token, state: .published(identifier), message: entry.message)
    guard !isHeld else { return storeFirst(.message(stored, next: nextIdentifier), into: &actions) }
    store(.message(stored, next: nextIdentifier), into: &actions)
    // Nothing overtakes a message that waits for the store.
    return unstored.lastTicket ?? 0
  }

  /// The message's course is over: the store forgets it.
  func forget(_ entry: OutgoingMessages.Entry, _ identifier: PacketIdentifier, into actions: inout [Action]) {
    guard isStored else { return }
    if let token = entry.token, !entry.transient {
      store(.ended(token), into: &actions)
    } else if entry.message.qos == .exactlyOnce {
      store(.held(identifier, false), into: &actions)
    }
  }
}
