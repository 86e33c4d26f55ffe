import LimpetInstants
import MQTTCore
import NIOCore

/// A broker at the level of packets, of both versions: sessions, retained messages, wills, windows, limits.
///
/// It is a value: a copy is a snapshot. It does at once what it can do at once; for the rest it has a deadline. Not
/// modelled: bytes, topic aliases, shared subscriptions, AUTH, identifiers that it would assign.
package struct SimulatedBroker: Sendable {
  package var traits: BrokerTraits
  /// The first that fits counts.
  package var denials: [Denial] = []
  package var refusals: [Refusal] = []
  /// What it did, since somebody took the records away.
  package private(set) var records: [BrokerRecord] = []
  package private(set) var isRunning = true
  /// It reads nothing and sends nothing, as after SIGSTOP.
  package private(set) var isStalled = false

  /// In the order of their beginning.
  var sessions: [Session] = []
  var retained: [TopicName: Retained] = [:]
  /// Connections on which no CONNECT has come.
  var openings: [(id: ConnectionID, version: ProtocolVersion)] = []
  /// What came while it was stalled.
  private var held: [BrokerEvent] = []
  /// Its wall clock, ahead of the world's time: message expiry is measured by it.
  private var wallOffset: Int64 = 0

  package init(_ traits: BrokerTraits = BrokerTraits()) { self.traits = traits }

  /// When it wants a tick.
  package var deadline: WorldTime? {
    guard isRunning, !isStalled else { return nil }
    return nextDue?.time
  }

  /// - Parameter effects: what it wants done is appended, in its order.
  package mutating func handle(_ event: BrokerEvent, at now: WorldTime, into effects: inout [BrokerEffect]) {
    guard isRunning else {
      if case .opened(let id, _) = event { effects.append(.close(id)) }
      return
    }
    guard !isStalled else {
      if case .tick = event { return }
      return held.append(event)
    }
    runTimers(now, &effects)
    switch event {
    case .opened(let id, let version): openings.append((id, version))
    case .packet(let id, let packet): receive(packet, from: id, now, &effects)
    case .closed(let id, let ending):
      openings.removeAll { $0.id == id }
      if let index = session(on: id) { lose(index, .closed(ending), now, &effects) }
    case .publish(let message, let client):
      record(.accepted(client: client, nil, Publish(message)), now)
      route(message, from: client, now, &effects)
    case .tick: break
    }
  }

  mutating func record(_ what: BrokerRecord.What, _ now: WorldTime) {
    records.append(BrokerRecord(time: now, what: what))
  }

  /// The records so far; they are the caller's from now on.
  package mutating func takeRecords(_ body: (BrokerRecord) -> Void) {
    for record in records { body(record) }
    records.removeAll(keepingCapacity: true)
  }

  // MARK: Its machine

  /// Its wall clock jumps by so much: retained messages expire earlier or later.
  package mutating func stepClock(by duration: Duration) { wallOffset += duration.wholeNanoseconds }

  func wall(_ now: WorldTime) -> Int64 { now.nanoseconds + wallOffset }

  /// From now on it takes nothing in. What comes waits, and so do its own deadlines.
  package mutating func stall() { isStalled = true }

  /// It goes on, with all that has come in one burst; who was silent too long is looked for after that.
  package mutating func resume(at now: WorldTime, into effects: inout [BrokerEffect]) {
    guard isStalled else { return }
    isStalled = false
    let burst = held
    held = []
    for event in burst {
      if case .packet(let id, _) = event, let index = session(on: id) { sessions[index].link?.lastReceived = now }
    }
    for event in burst { handle(event, at: now, into: &effects) }
    runTimers(now, &effects)
  }

  /// What it would find on its disk.
  package struct Saved: Sendable {
    fileprivate let sessions: [Session]
    fileprivate let retained: [TopicName: Retained]
  }

  /// What it would write to its disk now; given to `start` later, the broker rolls back to it.
  package var saved: Saved {
    let kept = sessions.filter { $0.expiry > 0 && !(traits.losesSessionsBegunClean && $0.isBegunClean) }
    return Saved(sessions: traits.keepsSessions ? kept : [], retained: traits.keepsRetained ? retained : [:])
  }

  /// It ends: in order (SIGTERM), or killed. All connections end.
  package mutating func stop(isOrderly: Bool, at now: WorldTime, into effects: inout [BrokerEffect]) {
    guard isRunning else { return }
    isStalled = false
    held = []
    for opening in openings { effects.append(.close(opening.id)) }
    openings = []
    let ending = sessions.indices.map { ($0, sessions[$0].link, sessions[$0].delayedWill?.message) }
    for (index, link, delayed) in ending {
      sessions[index].delayedWill = nil
      if let link {
        effects.append(.close(link.id))
        record(.lost(client: sessions[index].client, link.id, .stopped), now)
        sessions[index].endConnection(at: now)
      }
      guard let will = link?.will ?? delayed else { continue }
      if isOrderly && traits.publishesWillsAtStop {
        publishWill(will, of: sessions[index].client, now, &effects)
      } else {
        record(.willDropped(client: sessions[index].client, will, .killed), now)
      }
    }
    for session in sessions where session.expiry == 0 { record(.sessionEnded(client: session.client), now) }
    sessions.removeAll { $0.expiry == 0 }
    isRunning = false
    record(.stopped(isOrderly: isOrderly), now)
  }

  /// It starts again, with what it keeps or, where its disk is older than its end, with that.
  package mutating func start(from older: Saved? = nil, at now: WorldTime) {
    guard !isRunning else { return }
    let saved = older ?? self.saved
    let before = (retained, Set(saved.sessions.map(\.client)))
    for session in sessions where !before.1.contains(session.client) {
      record(.sessionEnded(client: session.client), now)
    }
    sessions = saved.sessions
    for index in sessions.indices {
      sessions[index].delayedWill = nil
      sessions[index].endConnection(at: now)
    }
    retained = saved.retained
    isRunning = true
    record(.started, now)
    // In an order of their own: that of a dictionary differs from process to process.
    for (topic, _) in before.0.sorted(by: { $0.key.isWritten(before: $1.key) })
    where retained[topic]?.message != before.0[topic]?.message {
      record(.retained(topic, retained[topic]?.message), now)
    }
  }

  // MARK: What oracles ask

  /// The retained message of a topic, as a new subscriber would get it.
  package func retainedMessage(_ topic: TopicName, at now: WorldTime) -> Message? {
    guard let entry = retained[topic], entry.expires.map({ $0 > wall(now) }) ?? true else { return nil }
    return entry.message
  }

  /// How long the retained message of a topic is still there by its own clock; nil: for ever, or there is none.
  package func retainedLifetime(_ topic: TopicName, at now: WorldTime) -> Duration? {
    retained[topic]?.expires.map { .nanoseconds($0 - wall(now)) }
  }

  /// The will that is armed by a client's connection.
  package func armedWill(of client: String) -> Message? { session(of: client).flatMap { sessions[$0].link?.will } }

  /// The will that waits for its delay.
  package func delayedWill(of client: String) -> (message: Message, due: WorldTime)? {
    session(of: client).flatMap { sessions[$0].delayedWill }
  }

  package func connection(of client: String) -> ConnectionID? {
    session(of: client).flatMap { sessions[$0].link?.id }
  }

  package func hasSession(_ client: String) -> Bool { session(of: client) != nil }

  /// An operator ends a session, and its connection with it.
  package mutating func forgetSession(
    of client: String, at now: WorldTime, into effects: inout [BrokerEffect]
  ) {
    guard isRunning, let index = session(of: client) else { return }
    sessions[index].expiry = 0
    if sessions[index].link != nil {
      close(index, .violation(.administrativeAction), now, &effects)
    } else {
      endSession(index, now, &effects)
    }
  }

  func session(on connection: ConnectionID) -> Int? { sessions.firstIndex { $0.link?.id == connection } }
  func session(of client: String) -> Int? { sessions.firstIndex { $0.client == client } }

  /// Who will ever hear this is another matter: retained, with its end by the broker's own clock.
  struct Retained: Sendable {
    let message: Message
    /// Nanoseconds of the broker's wall clock.
    let expires: Int64?
  }
}
