import DequeModule
import LimpetInstants
import MQTTCore
import NIOCore
import Outbox
import Plan
import Presence
import Readings

/// All that waits for a place in the send window, beside presence and announcements, in one order: what an earlier
/// process had published, topics to be forgotten, retained readings that the broker has lost, the newest values for who
/// has just subscribed, fresh readings, the backlog. The link has the place, and `Conversation.pull` asks for the next.
struct Sender: Sendable {
  struct Outgoing {
    let message: Message
    let request: Request
    /// Good for this connection only.
    var isTransient = false
    var taken: Outbox.Taken?
    var leftOver: StoredMessage?
    var reminder: Reading?
  }

  var outbox: Outbox
  var clearings: Clearings
  /// Readings that the broker retains, for one that has lost them.
  var retained: RetainedReadings
  /// Messages that an earlier process made and that no server has seen.
  var leftOver: Deque<StoredMessage>
  /// Where messages of an earlier process go that are under way.
  private var earlier: [Session.Token: TopicName] = [:]
  /// Newest readings to publish once more, for subscribers that came since: on this connection or not at all.
  var reminders: Deque<Reading> = []
  /// Those of them, and of what is under way, that a store has which was opened late: the session does not know it.
  var late: Set<Session.Token> = []
  /// It is about now: one that cannot be sent is left out, and the next one has more.
  var health: Message?
  var underWay: Int
  var refused: UInt64 = 0
  /// The times that readings are sent with.
  var labels: TimeLabels
  /// Readings of QoS 0 in one turn, which nothing else bounds, and how long the others wait for the next.
  static let burst = 100
  static let burstRest = Duration.milliseconds(10)
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
    earlier = Dictionary(state.underWay.map { ($0.token, $0.message.topic) }) { first, _ in first }
    labels = TimeLabels(streams: plan.streams.count)
  }

  /// Readings taken and numbered, and that the broker does not have.
  var unsent: Int { waiting + underWay }

  /// Those of them that were not handed to the session, or not by this process.
  var waiting: Int { outbox.count + leftOver.count }

  mutating func connected(isNew: Bool, at now: BootClock.Instant) {
    outbox.connected(at: now)
    retained.connected(isNew: isNew, at: now)
  }

  mutating func disconnected(at now: BootClock.Instant) {
    reminders = []
    health = nil
    retained.disconnected()
    outbox.disconnected(at: now)
    deadline = nil
  }

  /// It is over; nil: it was none of an earlier process.
  mutating func takeEarlierTopic(of token: Session.Token) -> TopicName? {
    earlier.isEmpty ? nil : earlier.removeValue(forKey: token)
  }

  // MARK: One after the other

  /// The place of the first that goes to no topic that rests.
  func nextLeftOver(besides topics: RestingTopics) -> Int? {
    leftOver.firstIndex { !topics.isResting($0.message.topic) }
  }

  mutating func takeLeftOver(at place: Int, _ limits: PublishLimits) -> Outgoing {
    let stored = leftOver.remove(at: place)
    earlier[stored.token] = stored.message.topic
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

  mutating func nextRetained(
    _ streams: [Stream], _ limits: PublishLimits, _ topics: RestingTopics, at now: BootClock.Instant
  ) -> Outgoing? {
    guard retained.hasNext else { return nil }
    let outbox = outbox
    let next = retained.next(
      at: now, isResting: { topics.isResting(streams[$0].topic) },
      { stream, topic in streams[stream].isRetained(under: topic) && !outbox.hasWaiting(of: stream) })
    guard let next else {
      deadline = earliest(deadline, retained.deadline(at: now))
      return nil
    }
    return Outgoing(
      message: next.message.adapted(to: limits), request: .retained(stream: next.stream), isTransient: true)
  }

  /// As it was published before: under the same number, so that a subscriber that counts sees a repeat and no loss.
  mutating func nextReminder(
    _ streams: [Stream], _ limits: PublishLimits, _ version: ProtocolVersion, _ topics: RestingTopics, at now: Moment
  ) -> Outgoing? {
    // Beside one that is on its way it would come twice, and the older ones behind it: it waits until that is over.
    let busy = outbox.streamsUnderWay
    while let place = reminders.firstIndex(where: { !busy.contains($0.stream) }) {
      let reading = reminders.remove(at: place)
      // A newer one says more.
      if streams[reading.stream].isRemoved || outbox.hasWaiting(of: reading.stream) { continue }
      if topics.isResting(streams[reading.stream].topic) { continue }
      let label = labels.label(of: reading, nil) { now.wall }
      let message = streams[reading.stream].message(reading, label, version)
      return Outgoing(
        message: message.adapted(to: limits), request: .reminder(stream: reading.stream), isTransient: true,
        reminder: reading)
    }
    return nil
  }

  mutating func nextReading(
    _ streams: [Stream], expiry: Duration?, _ limits: PublishLimits, _ version: ProtocolVersion, at now: Moment
  ) -> Outgoing? {
    guard !outbox.isEmpty, let taken = outbox.take(at: now.boot) else { return nil }
    // What was to be published again would come behind it, and be the value that the broker keeps.
    if !reminders.isEmpty { reminders.removeAll { $0.stream == taken.reading.stream } }
    let label = labels.label(of: taken.reading, taken.token) { now.wall }
    var message = streams[taken.reading.stream].message(taken.reading, label, isNewest: taken.isNewest, version)
    if let expiry, version == .v5 {
      // What is left of it when the server has the message, never nothing.
      let left = expiry - taken.reading.age(at: now.boot)
      message.properties.messageExpiryInterval = UInt32(clamping: max(1, left.components.seconds))
    }
    // Before it goes out: at QoS 0 that is the end of its course.
    if message.retain, !streams[taken.reading.stream].isEvent {
      retained.sent(message, of: taken.reading.stream, taken.token, at: now.boot)
    }
    return Outgoing(message: message.adapted(to: limits), request: .reading(taken.token), taken: taken)
  }

  /// The link has no room for it after all.
  mutating func giveBack(_ outgoing: Outgoing) {
    switch outgoing.request {
    case .clearing: clearings.giveBack()
    case .retained(let stream): retained.giveBack(stream)
    case .reminder: if let reading = outgoing.reminder { reminders.prepend(reading) }
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

/// The one order in which what waits takes a place in the send window: presence (`OwnPresence`, which has a place of its
/// own), announcements, then what `Sender` has.
extension Conversation {
  /// The end of a turn: what is due is said, as far as there is room.
  mutating func drain(at now: Moment) {
    pull(at: now)
    carryOut(at: now)
    link.endTurn(at: now.boot, into: &linkEffects)
    carryOut(at: now)
  }

  /// Fills the room that the link has.
  mutating func pull(at now: Moment) {
    sender.deadline = nil
    // A place may be free though nothing of this process was settled: one that was only held at the server.
    sayWaiting(at: now)
    guard let connection = standing.connection, !isSayingFarewell, ownPresence.waiting.isEmpty else { return }
    let limits = PublishLimits(connection.limits)
    let version = connection.version
    pullAnswers(limits, at: now)
    pullHealth(at: now)
    announce(limits, at: now)
    while let place = sender.nextLeftOver(besides: resting.topics) {
      guard hasRoom(sender.leftOver[place].message.qos), send(sender.takeLeftOver(at: place, limits), at: now) else {
        return
      }
    }
    if sender.clearings.hasNext {
      while hasRoom(.atLeastOnce), let next = sender.nextClearing(plan.streams, limits) {
        guard send(next, at: now) else { return }
      }
    }
    let qos = min(plan.qos, limits.maximumQoS)
    if sender.retained.hasNext {
      while hasRoom(qos), let next = sender.nextRetained(plan.streams, limits, resting.topics, at: now.boot) {
        guard send(next, at: now) else { return }
      }
    }
    if !sender.reminders.isEmpty {
      while hasRoom(qos), let next = sender.nextReminder(plan.streams, limits, version, resting.topics, at: now) {
        guard send(next, at: now) else { return }
      }
    }
    guard !sender.outbox.isEmpty else { return }
    var room = link.room(for: qos)
    // Without acknowledgements none brings the next turn.
    if qos == .atMostOnce, room > 0 { room = Sender.burst }
    while room > 0,
      let next = sender.nextReading(
        plan.streams, expiry: plan.outbox.expiry, limits, version, at: now)
    {
      guard send(next, at: now) else { return }
      room -= 1
    }
    if room > 0 {
      sender.deadline = earliest(sender.deadline, sender.outbox.drainDeadline(at: now.boot))
    } else if qos == .atMostOnce, !sender.outbox.isEmpty, link.room(for: qos) > 0 {
      sender.deadline = earliest(sender.deadline, now.boot + Sender.burstRest)
    }
  }

  private mutating func pullHealth(at now: Moment) {
    guard let message = sender.health else { return }
    sender.health = nil
    do throws(Session.Rejection) {
      try link.publish(message, token: Request.health.token, at: now.boot, into: &linkEffects)
    } catch {
      effects.notes.append(.healthNotSent(error))
    }
  }

  private mutating func hasRoom(_ qos: QoS) -> Bool { link.room(for: qos) > 0 }

  /// False: there is no room for it now.
  private mutating func send(_ outgoing: Sender.Outgoing, at now: Moment) -> Bool {
    do throws(Session.Rejection) {
      try link.publish(
        outgoing.message, token: outgoing.request.token, transient: outgoing.isTransient, at: now.boot,
        into: &linkEffects)
    } catch {
      guard error != .noRoom, error != .notConnected else {
        sender.giveBack(outgoing)
        return false
      }
      if case .reading = outgoing.request { sender.underWay += 1 }
      settled(outgoing.request, .rejected(error), at: now)
      return true
    }
    if case .reading = outgoing.request {
      sender.underWay += 1
      tally.handedOver += 1
    }
    return true
  }

  // MARK: To the wire

  /// What a turn of the link has brought up, until nothing is left; what the owners ask the link for queues up behind.
  mutating func carryOut(at now: Moment) {
    while true {
      if let action = linkEffects.nextAction() {
        take(consume action, at: now)
      } else if let order = linkEffects.nextOrder() {
        take(order, at: now)
      } else {
        break
      }
    }
    linkEffects.removeAll()
  }

  private mutating func take(_ action: consuming Session.Action, at now: Moment) {
    switch consume action {
    case .send(let packet): effects.add(.send(.agent, packet))
    case .settled(let token, let outcome):
      if let request = Request(token) { settled(request, outcome, at: now) }
    case .deliver(let delivery):
      heard(delivery.message, at: now)
      heardHomeAssistant(delivery.message, at: now)
      // A command is acknowledged when it is decided.
      if !heardCommand(delivery, at: now) { link.accept(delivery, at: now.boot, into: &linkEffects) }
    case .answered(let token, let codes):
      switch Request(token) {
      case .subscription: subscribed(codes, at: now)
      case .homeAssistant: watchesHomeAssistant(codes, at: now)
      case .commands: commandsSubscribed(codes, at: now)
      case .heartbeats: heartbeatsSubscribed(codes, at: now)
      default: break
      }
    // There is no authentication beyond CONNECT's; the rest is the link's own.
    case .remarked, .challenge, .authenticated, .connected, .store, .close: break
    }
  }
}

extension Stream {
  /// Its readings are retained, and under this topic.
  func isRetained(under topic: TopicName) -> Bool { isRetained && self.topic == topic }
}
