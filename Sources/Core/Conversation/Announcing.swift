import Discovery
import LimpetInstants
import MQTTCore
import Presence
import Records

/// What limpet publishes to Home Assistant about this device, beside its readings.
struct Announcing: Sendable {
  var announcer: Announcer
  /// Home Assistant has started, and is answered then.
  var answerAt: BootClock.Instant?
  /// It has a description, and will have subscribed to what that names by then: limpet publishes the newest values again.
  private var remindAt: BootClock.Instant?
  /// And once more, since a busy one subscribes later.
  private var remindsAgain = false
  /// Home Assistant lets entities go of which another program told it: it is described anew then.
  var describeAt: BootClock.Instant?
  /// What has to be in the store before anything is published, so that a crash forgets nothing that a broker may keep.
  private var unstored: [StoredAnnouncement] = []
  /// It is being written.
  var isStoring = false
  /// What brokers have acknowledged, to be stored when there is time.
  var acknowledged: [StoredAnnouncement] = []
  /// What brokers do not keep any more.
  var forgotten: [StoredAnnouncement] = []
  /// A description of a device that is not known to be there helps nobody: it begins with the birth.
  var hasBegun = false

  /// It subscribes to a home's devices all at once: they do not answer all at once.
  static let answerSpread = Duration.seconds(1)
  /// How long it takes to subscribe to what a description names, up to as much again.
  static let remindDelay = Duration.seconds(1)
  /// How long it takes where many devices are described at once, or the machine is slow, up to as much again.
  static let slowRemindDelay = Duration.seconds(10)

  /// How long it takes to let an entity go.
  static let handoverDelay = Duration.seconds(2)

  init(_ announcer: Announcer) { self.announcer = announcer }

  var deadline: BootClock.Instant? { earliest(answerAt, remindAt, describeAt) }
  var hasUnstored: Bool { !unstored.isEmpty || !acknowledged.isEmpty || !forgotten.isEmpty }
  /// Nothing may be published yet.
  var waitsForStore: Bool { isStoring || !unstored.isEmpty }

  mutating func remind(at moment: BootClock.Instant) { (remindAt, remindsAgain) = (moment, true) }

  /// The connection is lost: whoever it was for is described anew on the next.
  mutating func forgetReminder() { remindAt = nil }

  /// The newest values are due again.
  func isReminderDue(at now: BootClock.Instant) -> Bool { remindAt.map { $0 <= now } ?? false }

  /// - Parameter share: from 0 to 1, so that a home's devices do not publish all at once.
  mutating func takeReminder(at now: BootClock.Instant, share: Double) {
    remindAt = remindsAgain ? now + Self.slowRemindDelay * (1 + share) : nil
    remindsAgain = false
  }

  mutating func mustStore(_ announcements: [StoredAnnouncement]) { unstored = announcements }

  /// Nobody waits for a store that takes nothing.
  mutating func storeIsOfNoUse() {
    acknowledged += unstored
    unstored = []
    isStoring = false
  }

  mutating func takeUnstored() -> [StoredAnnouncement] {
    defer { unstored = [] }
    isStoring = !unstored.isEmpty
    return unstored
  }

  mutating func takeAcknowledged() -> [StoredAnnouncement] {
    defer { acknowledged = [] }
    return acknowledged
  }
}

extension Conversation {
  /// - Parameter isNew: the broker may have lost everything.
  mutating func beginAnnouncing(isNew: Bool, at now: Moment) {
    announcing.hasBegun = true
    announcing.announcer.connected(isSessionPresent: !isNew)
    // It may have started while nobody here could hear so. Descriptions that are published anew bring this themselves.
    if plan.homeAssistant != nil, !isNew { announcing.remind(at: now.boot + Announcing.remindDelay * 3 / 2) }
    watchHomeAssistant(at: now)
  }

  mutating func watchHomeAssistant(at now: Moment) {
    guard let homeAssistant = plan.homeAssistant, watching.closes.maySubscribe else { return }
    do {
      let filters = try homeAssistant.births.map { Subscription(try TopicFilter("\($0)")) }
      try link.subscribe(filters, token: Request.homeAssistant.token, at: now.boot, into: &linkEffects)
    } catch {
      effects.notes.append(.homeAssistantIsNotWatched(homeAssistant.births[0], "\(error)"))
    }
  }

  /// The session would keep that subscription; where the broker cannot be asked to end it, messages go on coming.
  mutating func unwatchHomeAssistant(_ old: HomeAssistantDevice?, at now: Moment) {
    guard let old, let filters = try? old.births.map({ try TopicFilter("\($0)") }) else { return }
    try? link.unsubscribe(filters, token: Request.unwatching.token, at: now.boot, into: &linkEffects)
  }

  mutating func watchesHomeAssistant(_ codes: [ReasonCode], at now: Moment) {
    guard let code = codes.first(where: \.isError), let homeAssistant = plan.homeAssistant else { return }
    watching.denied.add(.homeAssistant, at: now.boot)
    effects.notes.append(.homeAssistantIsDenied(homeAssistant.births[0], code))
  }

  /// One that was kept says nothing of now.
  mutating func heardHomeAssistant(_ message: Message, at now: Moment) {
    guard let homeAssistant = plan.homeAssistant, homeAssistant.births.contains(message.topic), !message.retain,
      message.payload == HomeAssistantDevice.online, announcing.answerAt == nil
    else { return }
    announcing.answerAt = now.boot + Announcing.answerSpread * share()
  }

  mutating func announcingIsDue(at now: Moment) {
    if let describeAt = announcing.describeAt, describeAt <= now.boot { announcing.describeAt = nil }
    guard let answerAt = announcing.answerAt, answerAt <= now.boot else { return }
    announcing.answerAt = nil
    announcing.announcer.homeAssistantStarted()
  }

  /// Publishes what is next: one message at a time.
  mutating func announce(_ limits: PublishLimits, at now: Moment) {
    while announcing.announcer.hasNext, announcing.hasBegun, !announcing.waitsForStore,
      announcing.describeAt == nil || announcing.announcer.asksNext, !leaving.isLeaving,
      link.room(for: .atLeastOnce) > 0, let step = announcing.announcer.next()
    {
      guard !resting.topics.isResting(step.topic) else {
        _ = announcing.announcer.settled(isDelivered: false)
        continue
      }
      let message = Message(topic: step.topic, payload: step.payload, qos: .atLeastOnce, retain: step.isRetained)
      do throws(Session.Rejection) {
        try link.publish(
          message.adapted(to: limits), token: Request.announcement.token, transient: true, at: now.boot,
          into: &linkEffects)
      } catch {
        effects.notes.append(.notPublished(step.topic, error))
        _ = announcing.announcer.settled(isDelivered: false)
      }
    }
  }

  mutating func announced(_ outcome: Session.Outcome, at now: Moment) {
    if let topic = announcing.announcer.current?.topic {
      switch outcome {
      case .refused(let code): refuses(topic, code, at: now)
      case .delivered: takes(topic)
      case .abandoned, .rejected: break
      }
    }
    if announcing.announcer.isAsking, outcome == .delivered {
      announcing.describeAt = now.boot + Announcing.handoverDelay
    }
    if outcome == .delivered, let entity = announcing.announcer.takesOver {
      effects.notes.append(.tookOver(entity.name, from: entity.topic))
    }
    switch announcing.announcer.settled(isDelivered: outcome == .delivered) {
    case .keeps(let announcement):
      announcing.acknowledged.append(announcement)
      if announcement.kind == .homeAssistant {
        announcing.remind(at: now.boot + Announcing.remindDelay * (1 + share()))
      }
    case .forgot(let kind, let topic):
      announcing.forgotten.append(StoredAnnouncement(kind: kind, topic: topic, content: ""))
    case nil: break
    }
  }
}
