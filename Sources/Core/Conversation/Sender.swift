import DequeModule
import Instants
import MQTTCore
import NIOCore
import Outbox
import Plan
import Readings

/// All that waits for a place in the send window, beside presence and announcements, in one order: what an earlier
/// process had published, topics to be forgotten, retained readings that the broker has lost, fresh readings, the
/// backlog. The link has the place, and `Conversation.pull` asks for the next.
struct Sender: Sendable {
  struct Outgoing {
    let message: Message
    let request: Request
    /// Good for this connection only.
    var isTransient = false
    var taken: Outbox.Taken?
    var leftOver: StoredMessage?
  }

  var outbox: Outbox
  var clearings: Clearings
  /// Readings that the broker retains, for one that has lost them.
  var retained: RetainedReadings
  /// Messages that an earlier process made and that no server has seen.
  var leftOver: Deque<StoredMessage>
  /// Those of them, and of what is under way, that a store has which was opened late: the session does not know it.
  var late: Set<Session.Token> = []
  var underWay: Int
  var refused: UInt64 = 0
  /// The times that readings are sent with.
  var labels: TimeLabels
  /// When a budget has more, though nothing else happens.
  var deadline: BootClock.Instant?

  /// - Parameter state: what is left of an earlier process's session.
  init(_ plan: DevicePlan, _ outbox: Outbox, _ state: SessionState, clearings: [String], at now: BootClock.Instant) {
    self.outbox = outbox
    self.clearings = Clearings()
    self.clearings.found(clearings)
    retained = RetainedReadings(rate: plan.outbox.drainRate, at: now)
    // What an earlier process had sent is the session's, and settled by it; what it had not is sent first.
    leftOver = Deque(state.waiting)
    underWay = state.underWay.count
    labels = TimeLabels(streams: plan.streams.count)
  }

  /// Readings that were taken and numbered, and that the broker does not have.
  var unsent: Int { outbox.count + leftOver.count + underWay }

  mutating func connected(isNew: Bool, at now: BootClock.Instant) {
    outbox.connected(at: now)
    retained.connected(isNew: isNew, at: now)
  }

  mutating func disconnected(at now: BootClock.Instant) {
    retained.disconnected()
    outbox.disconnected(at: now)
    deadline = nil
  }

  // MARK: One after the other

  mutating func nextLeftOver(_ limits: PublishLimits) -> Outgoing? {
    guard let stored = leftOver.popFirst() else { return nil }
    return Outgoing(message: stored.message.adapted(to: limits), request: .reading(stored.token), leftOver: stored)
  }

  /// A message without content has a topic forgotten (MQTT 5.0 §3.3.1.3), behind what was sent there before.
  mutating func nextClearing(_ streams: [Stream], _ limits: PublishLimits) -> Outgoing? {
    guard clearings.hasNext,
      let topic = clearings.next({ topic in streams.contains { $0.isRetained && $0.topic == topic } })
    else { return nil }
    let message = Message(topic: topic, payload: ByteBuffer(), qos: .atLeastOnce, retain: true)
    return Outgoing(message: message.adapted(to: limits), request: .clearing, isTransient: true)
  }

  mutating func nextRetained(_ streams: [Stream], _ limits: PublishLimits, at now: BootClock.Instant) -> Outgoing? {
    guard retained.hasNext else { return nil }
    let outbox = outbox
    let next = retained.next(at: now) { stream, topic in
      streams[stream].isRetained(under: topic) && !outbox.hasWaiting(of: stream)
    }
    guard let next else {
      deadline = earliest(deadline, retained.deadline(at: now))
      return nil
    }
    return Outgoing(
      message: next.message.adapted(to: limits), request: .retained(stream: next.stream), isTransient: true)
  }

  mutating func nextReading(
    _ streams: [Stream], expiry: Duration?, _ limits: PublishLimits, _ version: ProtocolVersion, at now: Moment
  ) -> Outgoing? {
    guard !outbox.isEmpty, let taken = outbox.take(at: now.boot) else { return nil }
    let label = labels.label(of: taken.reading) { now.wall }
    var message = streams[taken.reading.stream].message(taken.reading, label, isNewest: taken.isNewest, version)
    if let expiry, version == .v5 {
      // What is left of it when the server has the message, never nothing.
      let left = expiry - taken.reading.age(at: now.boot)
      message.properties.messageExpiryInterval = UInt32(clamping: max(1, left.components.seconds))
    }
    // Before it goes out: at QoS 0 that is the end of its course.
    if message.retain { retained.sent(message, of: taken.reading.stream, taken.token, at: now.boot) }
    return Outgoing(message: message.adapted(to: limits), request: .reading(taken.token), taken: taken)
  }

  /// The link has no room for it after all.
  mutating func giveBack(_ outgoing: Outgoing) {
    switch outgoing.request {
    case .clearing: clearings.giveBack()
    case .retained(let stream): retained.giveBack(stream)
    case .reading(let token):
      if let stored = outgoing.leftOver { leftOver.prepend(stored) }
      guard let taken = outgoing.taken else { return }
      retained.settled(token, isDelivered: false)
      outbox.giveBack(taken)
    default: break
    }
  }

  /// The course of a reading is over, in whichever way.
  mutating func over(_ token: Session.Token, isDelivered: Bool, at now: BootClock.Instant) {
    outbox.settled(token, at: now)
    retained.settled(token, isDelivered: isDelivered)
    if late.remove(token) != nil { outbox.disk.endMessage(token, at: now) }
  }
}

extension Stream {
  /// Its readings are retained, and under this topic.
  func isRetained(under topic: TopicName) -> Bool { isRetained && self.topic == topic }
}
