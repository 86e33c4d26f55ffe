import Discovery
import LimpetInstants
import MQTTCore
import Measuring
import NIOCore
import Plan
import Readings
import Records

/// The Homie device that there is, and the one that follows it once it has said good-bye.
struct Homies: Sendable {
  private(set) var current: Boxed<HomieLink>?
  /// nil: none follows. Where one does, with the last value of each name.
  private var next: (plan: HomiePlan?, values: [(name: String, content: Reading.Content)])?
  /// What the one that has ended left under the topics of the one that follows.
  private var kept: Announcement?
  /// Births of the agent so far.
  private var births = 0
  private var isToStart = false
  /// When it told the agent last that the broker can be reached.
  private var calledAt: BootClock.Instant?
  /// It has reached the broker since, and the agent is not connected yet.
  private var owesCall = false
  private var generator: SplitMix64

  init(_ plan: HomiePlan?, stored: [StoredAnnouncement], seed: UInt64) {
    generator = SplitMix64(seed: seed)
    current = plan.flatMap { plan in
      let stored = stored.first { $0.kind == .homie && $0.topic == plan.device.base }
      return (try? HomieLink(plan, stored: stored.map(Announcement.init), seed: generator.next())).map(Boxed.init)
    }
  }

  var hasEnded: Bool { current?.value.hasEnded ?? true }
  var deadline: BootClock.Instant? {
    let ofDevice = current?.value.hasEnded ?? true ? nil : current?.value.deadline
    guard owesCall, let calledAt else { return ofDevice }
    return min(ofDevice ?? calledAt + Self.callRest, calledAt + Self.callRest)
  }
  /// What brokers may keep of it.
  var announcement: Announcement? { current?.value.announcement }
  var hasUnstored: Bool { current?.value.hasUnstored ?? false }

  /// The Homie device has just reached the broker, which the agent's own connection has not: that is worth an attempt. Not
  /// again soon: of a broker that agrees and closes, again and again, the two would tell each other for ever.
  mutating func callsAgent(isConnected: Bool, at now: BootClock.Instant) -> Bool {
    if current?.value.takeConnected() ?? false { owesCall = true }
    if isConnected { owesCall = false }
    guard owesCall, calledAt.map({ now >= $0 + Self.callRest }) ?? true else { return false }
    (owesCall, calledAt) = (false, now)
    return true
  }

  private static let callRest = Duration.seconds(20)

  mutating func takeUnstored() -> [StoredAnnouncement] {
    guard let unstored = current?.value.takeUnstored() else { return [] }
    return [unstored.stored(.homie)]
  }

  mutating func handle(_ event: consuming Link.Event, at now: Moment, into effects: inout Effects) {
    current?.value.handle(event, at: now, into: &effects)
  }

  mutating func receive(
    _ packet: Packet, _ attempt: Link.AttemptNumber, at now: Moment, into effects: inout Effects
  ) {
    current?.value.receive(packet, attempt, at: now, into: &effects)
  }

  mutating func doubtCommands(at now: Moment, due: BootClock.Instant?) {
    current?.value.doubtCommands(at: now, due: due)
  }

  mutating func takeHeard() -> [HomieCommands.Heard] { current?.value.takeHeard() ?? [] }

  mutating func answered(
    _ delivery: Session.Delivery, at now: Moment, into effects: inout Effects
  ) {
    current?.value.answered(delivery, at: now, into: &effects)
  }

  mutating func accepted(_ name: String, _ bytes: ByteBuffer, _ value: Value) {
    current?.value.accepted(name, bytes, value)
  }

  mutating func refused(_ name: String) { current?.value.refused(name) }

  mutating func setTargets(_ value: (String) -> Value?) { current?.value.setTargets(value) }

  mutating func take(_ content: Reading.Content, of name: String) {
    if current != nil { current?.value.take(content, of: name) }
  }

  /// Its connection is to be made, as soon as the store knows of the device: a will is published by the broker.
  mutating func start() { isToStart = true }

  /// The agent's own connection is there, for the first time or again.
  mutating func startWithBirth(_ births: Int) {
    guard births != self.births else { return }
    self.births = births
    start()
  }

  mutating func tick(at now: Moment, into effects: inout Effects) {
    if current != nil { current?.value.tick(at: now, into: &effects) }
  }

  mutating func clockJumped(jitter: Duration, at now: Moment, into effects: inout Effects) {
    current?.value.handle(.clockChanged(jitter: jitter), at: now, into: &effects)
    current?.value.handle(.tick, at: now, into: &effects)
    tick(at: now, into: &effects)
  }

  mutating func networkChanged(
    _ addresses: Set<String>?, jitter: Duration, at now: Moment, into effects: inout Effects
  ) {
    current?.value.handle(.networkChanged(addresses: addresses, jitter: jitter), at: now, into: &effects)
  }

  mutating func leave(within limit: Duration, at now: Moment, into effects: inout Effects) {
    next = nil
    current?.value.leave(within: limit, at: now, into: &effects)
  }

  mutating func abort(at now: Moment, into effects: inout Effects) {
    next = nil
    if !hasEnded { current?.value.abort(at: now, into: &effects) }
  }

  /// - Parameter isStored: what brokers may keep of it is on the disk, so that a crash forgets nothing of that, or nobody
  ///   waits for the disk.
  mutating func drain(isStored: Bool, at now: Moment, into effects: inout Effects) {
    if isToStart, isStored {
      isToStart = false
      current?.value.start(at: now, into: &effects)
    }
    if current != nil { current?.value.drain(isStored: isStored, at: now, into: &effects) }
  }

  // MARK: Another configuration

  /// - Parameter renewsConnection: how connections are made is another way from now on.
  mutating func adopt(
    _ plan: HomiePlan?, values: [(name: String, content: Reading.Content)], renewsConnection: Bool, limit: Duration,
    at now: Moment, into effects: inout Effects
  ) {
    if let plan, !renewsConnection, current?.value.canAdopt(plan) ?? false {
      current?.value.adopt(plan, values: values, at: now, into: &effects)
    } else if current != nil || plan != nil {
      next = (plan, values)
      current?.value.leave(within: limit, at: now, into: &effects)
    }
  }

  /// The one that was has said good-bye: what is to follow now.
  ///
  /// - Returns: nil: nothing has changed. `gone`: what an earlier device has left under other topics.
  mutating func follow() -> (gone: Announcement?, base: String?)? {
    guard let next, hasEnded else { return nil }
    var earlier = current?.value.announcement
    current = nil
    var gone: Announcement?
    if let left = earlier, left.topic != next.plan?.device.base {
      gone = left
      earlier = nil
    }
    kept = earlier
    return (gone, next.plan?.device.base)
  }

  /// - Parameter released: what was to be cleared of its topics, which is its own affair from now on.
  mutating func begin(released: Announcement?) {
    guard let (plan, values) = next else { return }
    next = nil
    guard let plan else { return }
    current = (try? HomieLink(plan, stored: released ?? kept, seed: generator.next())).map(Boxed.init)
    for value in values { current?.value.take(value.content, of: value.name) }
  }
}
