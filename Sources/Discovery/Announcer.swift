import DequeModule
import MQTTCore
import NIOCore
import Records

/// Keeps the retained description for Home Assistant up to date at the broker, and clears outdated parts: one message
/// at a time, on the connection that readings use.
///
/// A value that takes events and says what to publish. Every process publishes the description once, and again when the
/// broker may not have it: the session is new there, the broker acknowledged another description last, or Home
/// Assistant has just started.
package struct Announcer {
  package struct Step: Equatable {
    package let topic: TopicName
    package let payload: ByteBuffer
    package let isRetained: Bool
    package var change: Change?
    /// Of taking an entity over.
    var handover: Handover.Part?
  }

  /// A change for the store, once the broker has a message.
  package enum Change: Equatable {
    case keeps(StoredAnnouncement)
    case forgot(StoredAnnouncement.Kind, topic: String)
  }

  /// nil: limpet publishes nothing for Home Assistant.
  package private(set) var wanted: HomeAssistantDevice?
  /// What brokers may keep, by topic.
  private var kept: [String: Announcement]
  /// Topics of Homie devices that are no longer there, by what they begin with.
  private var gone: [String: Announcement]
  private var steps: Deque<Step> = []
  /// The message that is under way to the broker.
  package private(set) var current: Step?
  /// This process has described the device, and the broker has acknowledged it.
  private var hasDescribed = false
  /// Entities that have left since Home Assistant started last: it forgets one only if it was running at that time.
  private var departed: Set<Announcement.Entry> = []
  /// Home Assistant has started again, and may still have some of them.
  private var owesOrphans = false
  private static let departedLimit = 256
  private var handover: Handover

  /// - Parameters:
  ///   - stored: what earlier configurations left.
  ///   - homie: what the topics of the Homie device begin with, if there is one: it clears its own topics.
  package init(wanted: HomeAssistantDevice?, stored: [StoredAnnouncement], homie: String?) {
    self.wanted = wanted
    func announcements(_ kind: StoredAnnouncement.Kind) -> [String: Announcement] {
      Dictionary(stored.filter { $0.kind == kind }.map { ($0.topic, Announcement($0)) }) { first, _ in first }
    }
    kept = announcements(.homeAssistant)
    gone = announcements(.homie).filter { $0.key != homie }
    handover = Handover(wanted.flatMap { announcements(.migrated)["\($0.topic)"] })
    departed = wanted.flatMap { announcements(.departed)["\($0.topic)"]?.entries } ?? []
  }

  /// - Parameter isSessionPresent: a broker that kept the session has kept the retained messages too.
  package mutating func connected(isSessionPresent: Bool) {
    current = nil
    // This broker does not have the description yet, and the connection may end before it does.
    if !isSessionPresent { hasDescribed = false }
    plan(describes: !hasDescribed)
  }

  /// The broker may take now what it refused before.
  package mutating func tryAgain() {
    guard current == nil, steps.isEmpty else { return }
    plan(describes: !hasDescribed)
  }

  /// All that brokers may keep: it has to be on the disk before anything is published.
  ///
  /// - Parameter next: what will be wanted.
  package func everything(next: HomeAssistantDevice? = nil) -> [StoredAnnouncement] {
    var kept = kept
    for announcement in [wanted, next].compactMap({ $0?.announcement }) {
      kept[announcement.topic] = announcement.joined(with: kept[announcement.topic])
    }
    return Self.stored(kept, .homeAssistant) + Self.stored(gone, .homie)
  }

  /// In an order that depends on the announcements alone, unlike that of a dictionary.
  private static func stored(
    _ announcements: [String: Announcement], _ kind: StoredAnnouncement.Kind
  ) -> [StoredAnnouncement] {
    announcements.sorted { $0.key < $1.key }.map { $0.value.stored(kind) }
  }

  // MARK: Another configuration

  /// Changes the description for Home Assistant, or removes it.
  package mutating func adopt(_ next: HomeAssistantDevice?) {
    // The broker may have the description before this one, though it has not acknowledged it.
    if let old = wanted?.announcement { kept[old.topic] = old.joined(with: kept[old.topic]) }
    wanted = next
    replan()
  }

  /// A Homie device of these topics has gone for good.
  package mutating func clear(homie: Announcement) {
    gone[homie.topic] = homie.joined(with: gone[homie.topic])
    replan()
  }

  /// There is a Homie device whose topics begin with `base` again: it clears what an earlier one may have left.
  package mutating func release(homie base: String) -> Announcement? {
    guard let announcement = gone.removeValue(forKey: base) else { return nil }
    replan()
    return announcement
  }

  /// Messages under way go on, and messages that wait stay.
  private mutating func replan() {
    plan(describes: isDescribing)
  }

  private mutating func plan(describes: Bool) {
    steps = []
    for topic in kept.keys.sorted() where topic != wanted.map({ "\($0.topic)" }) {
      clear([topic], then: .forgot(.homeAssistant, topic: topic))
    }
    for (base, announcement) in gone.sorted(by: { $0.key < $1.key }) {
      // The convention: the state first, "the device will cease to exist", then the rest.
      let rest = announcement.entries.map { "\(base)/\($0.name)" }.sorted()
      clear(["\(base)/$state", "\(base)/$description"] + rest, then: .forgot(.homie, topic: base))
    }
    guard let wanted else { return }
    let announcement = wanted.announcement
    let earlier = kept[announcement.topic]
    let removed = earlier?.entries.subtracting(announcement.entries) ?? []
    if !removed.isEmpty {
      let entries = removed.sorted { ($0.name, $0.kind) < ($1.name, $1.kind) }
      for entry in entries where departed.count < Self.departedLimit { departed.insert(entry) }
      let left = Announcement(topic: announcement.topic, digest: "", entries: departed)
      steps.append(
        Step(
          topic: wanted.topic, payload: wanted.removal(of: entries), isRetained: false,
          change: .keeps(left.stored(.departed))))
    }
    departed = departed.filter { entry in !announcement.entries.contains { $0.isPlace(of: entry) } }
    if owesOrphans { removeOrphans() }
    let topics = handover.open(of: wanted)
    steps += topics.map { Step(topic: $0, payload: Handover.request, isRetained: true, handover: .asks) }
    if describes || owesOrphans || !removed.isEmpty || !topics.isEmpty || earlier?.digest != announcement.digest {
      describe()
    }
    steps += topics.map { Step(topic: $0, payload: ByteBuffer(), isRetained: true, handover: .clears) }
  }

  /// The message under way asks Home Assistant to let an entity go, which takes it some time.
  package var isAsking: Bool { current?.handover == .asks }

  /// The entity that limpet has taken over once the message under way is acknowledged.
  package var takesOver: HomeAssistantDevice.Predecessor? {
    guard let current, current.handover == .clears else { return nil }
    return wanted?.handovers.first { $0.topic == current.topic }
  }

  /// `next` is such a request too: it waits for none of the others.
  package var asksNext: Bool { steps.first?.handover == .asks }

  /// Home Assistant has started.
  package mutating func homeAssistantStarted() {
    guard !isDescribing else { return }
    owesOrphans = !departed.isEmpty
    removeOrphans()
    describe()
  }

  /// It is about to be described.
  private var isDescribing: Bool {
    steps.contains { if case .keeps(let stored) = $0.change { stored.kind == .homeAssistant } else { false } }
  }

  /// An entity that left while Home Assistant was down is an orphan there, which only its own device can remove: so
  /// limpet publishes it again for a moment, and then removes it.
  private mutating func removeOrphans() {
    guard let wanted, !departed.isEmpty else { return }
    let entries = departed.sorted { ($0.name, $0.kind) < ($1.name, $1.kind) }
    steps.append(Step(topic: wanted.topic, payload: wanted.revival(of: entries), isRetained: false))
    steps.append(
      Step(
        topic: wanted.topic, payload: wanted.removal(of: entries), isRetained: false,
        change: .forgot(.departed, topic: "\(wanted.topic)")))
  }

  private mutating func describe() {
    guard let wanted else { return }
    steps.append(
      Step(
        topic: wanted.topic, payload: wanted.message, isRetained: true,
        change: .keeps(wanted.announcement.stored(.homeAssistant))))
  }

  private mutating func clear(_ topics: [String], then change: Change) {
    for (index, topic) in topics.enumerated() {
      guard let name = try? TopicName(topic) else { continue }
      steps.append(
        Step(
          topic: name, payload: ByteBuffer(), isRetained: true, change: index == topics.count - 1 ? change : nil))
    }
  }

  /// `next` has something.
  package var hasNext: Bool { current == nil && !steps.isEmpty }

  /// What to publish now; nil: nothing, or the broker has not answered the last message yet.
  package mutating func next() -> Step? {
    guard current == nil, let step = steps.popFirst() else { return nil }
    current = step
    return step
  }

  /// The course of the last message is over. Returns the change for the store.
  package mutating func settled(isDelivered: Bool) -> Change? {
    let step = current
    current = nil
    if !isDelivered, let step { giveUp(step) }
    if isDelivered, step?.handover == .clears, let topic = step?.topic, let wanted {
      return .keeps(handover.finish(topic, of: wanted))
    }
    guard isDelivered, let change = step?.change else { return nil }
    switch change {
    case .keeps(let stored) where stored.kind == .departed || stored.kind == .migrated: break
    case .forgot(.migrated, _): break
    case .forgot(.departed, _): (departed, owesOrphans) = ([], false)
    case .keeps(let stored):
      let announcement = Announcement(stored)
      // If another message has followed, this one does not decide what the broker will have.
      guard announcement == wanted?.announcement else { return nil }
      kept[stored.topic] = announcement
      hasDescribed = true
    case .forgot(.homeAssistant, let topic): kept[topic] = nil
    case .forgot(.homie, let topic): gone[topic] = nil
    }
    return change
  }

  /// What was not asked for, or is not described, would be lost with its topic.
  private mutating func giveUp(_ step: Step) {
    let isDescription = step.topic == wanted?.topic
    steps.removeAll { $0.handover == .clears && (isDescription || $0.topic == step.topic) }
  }
}
