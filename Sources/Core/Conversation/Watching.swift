import LimpetInstants
import MQTTCore
import NIOCore
import Presence

/// What is heard on the own topics: a status that is wrong, another client of the same identifier; and what a server
/// closes connections on.
struct Watching: Sendable {
  var healing = SelfHealing()
  var conflict: ConflictWatch
  var closes = CloseWatch()
  /// SUBSCRIBE has been sent, and not been answered.
  var isSubscribing = false
  /// When the connection has lasted.
  var stableAt: BootClock.Instant?
  /// When a connection without SUBSCRIBE gets one.
  var subscribesAt: BootClock.Instant?
  var denied = DeniedSubscriptions()
  var heartbeats = Heartbeats()

  /// - Parameter instances: this process's and those of earlier ones.
  init(instances: Set<String>) { conflict = ConflictWatch(instances: instances) }

  var deadline: BootClock.Instant? { earliest(healing.deadline, stableAt, subscribesAt, denied.askedAt) }

  mutating func disconnected() {
    healing.disconnected()
    (stableAt, subscribesAt) = (nil, nil)
    denied = DeniedSubscriptions()
    heartbeats = Heartbeats()
  }
}

extension Conversation {
  /// Before the birth, which does not wait for the answer.
  mutating func watchPresence(at now: Moment) {
    watching.isSubscribing = false
    guard !leaving.isLeaving else { return }
    watching.stableAt = now.boot + plan.link.reconnect.stableAfter
    subscribePresence(at: now)
  }

  private mutating func subscribePresence(at now: Moment) {
    watching.healing.connected(at: now.boot)
    guard watching.closes.maySubscribe else {
      watching.subscribesAt = now.boot + watching.closes.patience(stableAfter: plan.link.reconnect.stableAfter)
      return perform(watching.healing.failed("the broker closes the connection on SUBSCRIBE"), at: now)
    }
    do {
      let filters = try [plan.presence.status, plan.presence.presence].map {
        Subscription(try TopicFilter($0.description))
      }
      try link.subscribe(filters, token: Request.subscription.token, at: now.boot, into: &linkEffects)
      watching.isSubscribing = true
    } catch {
      perform(watching.healing.failed("\(error)"), at: now)
    }
  }

  /// The connection has lasted without: what ended those before it may have been something else.
  private mutating func subscribeAfterAll(at now: Moment) {
    watching.subscribesAt = nil
    guard !leaving.isLeaving else { return }
    watching.closes.pardon()
    subscribePresence(at: now)
    // The session may have what was subscribed to before.
    watchCommands(sessionPresent: true, at: now)
    if announcing.hasBegun { watchHomeAssistant(at: now) }
    carryOut(at: now)
  }

  /// What was refused, and that alone: a subscription that is there would have its commands wait anew.
  private mutating func askForDenied(at now: Moment) {
    let parts = watching.denied.take()
    guard !leaving.isLeaving else { return }
    if parts.contains(.presence) { subscribePresence(at: now) }
    // The session may have what was subscribed to before.
    if parts.contains(.commands) { subscribeCommands(sessionPresent: true, at: now) }
    if parts.contains(.heartbeats) { askForDeniedHeartbeats(at: now) }
    if parts.contains(.homeAssistant) { watchHomeAssistant(at: now) }
    carryOut(at: now)
  }

  mutating func subscribed(_ codes: [ReasonCode], at now: Moment) {
    watching.isSubscribing = false
    watching.closes.subscribed()
    guard let code = codes.first(where: \.isError) else { return }
    watching.denied.add(.presence, at: now.boot)
    note(watching.healing.denied("the broker does not let this device read its own status: \(code)"))
  }

  /// A message on one of the own topics.
  mutating func heard(_ message: Message, at now: Moment) {
    let isStatus = message.topic == plan.presence.status
    guard isStatus || message.topic == plan.presence.presence else { return }
    let sender = isStatus ? OwnMessage(status: message) : OwnMessage(presence: message)
    recognize(sender, isRetained: message.retain, at: now)
    let jitter = SelfHealing.jitter * share()
    if isStatus {
      let isOnline = message.payload == ByteBuffer(string: plan.presence.online)
      watching.healing.saw(isOnline: isOnline, at: now.boot, delay: jitter)
    } else if sender.instance == plan.presence.instance, sender.epoch == ownPresence.epoch {
      if !isPresenceAnswered { watching.conflict.spoke() }
      perform(watching.healing.echoed(at: now.boot, delay: jitter), at: now)
    }
  }

  private mutating func recognize(_ sender: OwnMessage, isRetained: Bool, at now: Moment) {
    // What came until now was for this device.
    listen(at: now)
    guard let instance = sender.instance,
      watching.conflict.saw(instance: instance, epoch: sender.epoch ?? 0, isRetained: isRetained)
    else { return }
    effects.notes.append(.rival(clientIdentifier: plan.connect.clientIdentifier, instance: instance))
    distrust(at: now)
    publishBirth(at: now)
  }

  /// Somebody else may have used the session.
  private mutating func distrust(at now: Moment) {
    guard plan.link.mutation != .rivalsSessionIsBelieved else { return }
    link.handle(.distrust, at: now.boot, into: &linkEffects)
  }

  mutating func watchingIsDue(at now: Moment) {
    if let stableAt = watching.stableAt, stableAt <= now.boot {
      watching.stableAt = nil
      standing.closesInARow = 0
      connectionLasts(at: now)
      if watching.conflict.lasted() {
        effects.notes.append(.conflictIsOver(after: plan.link.reconnect.stableAfter))
        publishBirth(at: now)
      }
    }
    if watching.subscribesAt.map({ $0 <= now.boot }) ?? false { subscribeAfterAll(at: now) }
    if watching.denied.askedAt.map({ $0 <= now.boot }) ?? false { askForDenied(at: now) }
    if watching.healing.deadline.map({ $0 <= now.boot }) ?? false {
      perform(watching.healing.elapsed(at: now.boot), at: now)
    }
  }

  /// A store that could be opened only now names this device's earlier processes: what one of them has left is no rival's.
  mutating func found(instances: Set<String>, at now: Moment) {
    guard watching.conflict.found(instances: instances) else { return }
    effects.notes.append(.rivalWasOwn)
    publishBirth(at: now)
    // The next connection waits for a rival that there is not.
    if standing.connection == nil, !leaving.isLeaving { handle(.retryNow, at: now) }
  }

  private mutating func perform(_ actions: [SelfHealing.Action], at now: Moment) {
    note(actions)
    guard actions.contains(.sayOnline), !leaving.isLeaving else { return }
    tally.corrections += 1
    publishBirth(at: now)
  }

  private mutating func note(_ actions: [SelfHealing.Action]) {
    for action in actions {
      switch action {
      case .sayOnline: if !leaving.isLeaving { effects.notes.append(.correctsStatus(plan.presence.online)) }
      case .reportUnavailable(let reason): effects.notes.append(.cannotHeal(reason))
      case .reportAvailable: effects.notes.append(.canHealAgain)
      }
    }
  }

  // MARK: Ends of connections

  /// Why a connection ended, as far as that changes when and how the next one is made.
  mutating func findReason(
    _ loss: ConnectionLoss, wasConnected: Bool, delay: Duration, at now: Moment
  ) -> (delay: Duration, remark: Remark?) {
    guard wasConnected || loss.isTakeOver else { return (delay, nil) }
    // An end that the device has wished for, to take another configuration, says nothing about anybody else.
    if case .session(.requested) = loss { return (delay, nil) }
    listen(at: now)
    if let wait = watching.conflict.lost(isTakenOver: loss.isTakeOver, share: share()),
      let rival = watching.conflict.rival
    {
      tally.takeOvers += 1
      link.handle(.wait(wait), at: now.boot, into: &linkEffects)
      distrust(at: now)
      return (wait, .rival(rival))
    }
    guard loss.mayBeAboutWhatWasSent else { return (delay, nil) }
    standing.closesInARow += 1
    let oldest = link.oldestUnderWay
    switch watching.closes.closed(oldest: oldest, isSubscribing: watching.isSubscribing) {
    case .nothing: break
    case .beCautious: link.isCautious = true
    case .setOldestAside:
      // Where none of its topic was taken since, it is the topic and not the message.
      if let token = oldest, let stream = sender.outbox.stream(of: token),
        resting.working.remove(stream) == nil, !resting.topics.isResting(plan.streams[stream].topic)
      {
        closesOn(plan.streams[stream].topic, at: now)
      } else {
        setOldestAside(at: now)
      }
    }
    guard standing.closesInARow > 1, let last = link.lastSent else { return (delay, nil) }
    return (delay, .closes(lastSent: last))
  }

  private mutating func setOldestAside(at now: Moment) {
    guard let message = link.setOldestAside(at: now.boot, into: &linkEffects) else { return }
    tally.setAside += 1
    effects.notes.append(.setAside(message.topic))
    wishes.setAside.append(message)
  }

  /// The broker takes messages: it closes on none of them.
  mutating func messageTaken() { if link.isCautious { link.isCautious = false } }
}
