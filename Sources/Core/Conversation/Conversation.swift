import LimpetInstants
import MQTTCore
import Outbox
import Plan
import Presence
import Status

/// What is said to the broker and heard from it, on the agent's own connection.
///
/// It contains the link, and the owners of what is said on it: `OwnPresence` (presence), `Watching` (the own topics, other
/// clients), `Resting` (topics that are refused), `Announcing` (Home Assistant), `Sender` (everything else, in one order)
/// and `Leaving` (both kinds of farewell). `pull` asks them in turn.
struct Conversation: Sendable {
  var plan: DevicePlan
  var link: Link
  var linkEffects = Link.Effects()
  var standing: Standing
  var ownPresence: OwnPresence
  var watching: Watching
  var resting = Resting()
  var announcing: Announcing
  var sender: Sender
  var leaving = Leaving()
  var acting: Acting
  var tally = Tally()
  /// What is asked of the store, and has not been answered.
  var wishes = Wishes()
  var generator: SplitMix64
  var effects = Effects()

  /// What the link wants of the store.
  struct Wishes: Sendable {
    /// Why nothing can be stored at the moment.
    var storageError: String?
    /// A CONNECT, which has an epoch that is stored.
    var connect: (attempt: Link.AttemptNumber, server: ServerAddress, version: ProtocolVersion)?
    var write: (number: Link.WriteNumber, changes: [SessionChange])?
    /// Everything of the session has been written, or cannot be.
    var isFlushed = false
    /// Messages that were set aside.
    var setAside: [Message] = []
    /// The health reading is due.
    var publishesHealth = false
  }

  /// What is counted nowhere else.
  struct Tally: Sendable {
    var delivered: UInt64 = 0
    var corrections: UInt64 = 0
    var takeOvers: UInt64 = 0
    var setAside: UInt64 = 0
    var handedOver: UInt64 = 0
  }

  /// 0...1.
  mutating func share() -> Double { generator.share() }

  /// Nothing is said any more but the farewell that is under way.
  var isSayingFarewell: Bool { leaving.isSayingFarewell }

  /// Something has happened to the transport, or the agent wants something of the link.
  mutating func handle(_ event: consuming Link.Event, at now: Moment) {
    link.handle(event, at: now.boot, into: &linkEffects)
    carryOut(at: now)
  }

  mutating func take(_ order: Link.Order, at now: Moment) {
    switch order {
    case .open(let number, let server, let version): effects.add(.open(.agent, number, server, version))
    case .close(let number, let closing): effects.add(.close(.agent, number, closing))
    case .askConnect(let number, let server, let version): wishes.connect = (number, server, version)
    case .write(let number, let changes): wishes.write = (number, changes)
    case .flushed: wishes.isFlushed = true
    case .probe(let number, let server): effects.add(.probe(.agent, number, server))
    case .report(.firstServerIsBack(let server)): returnToFirst(server, at: now)
    case .report(.connecting(let server, let version)): connecting(to: server, version, at: now)
    case .report(.connected(let connected, let server)): self.connected(connected, to: server, at: now)
    case .report(.lost(let loss, let delay)): lost(loss, retryAfter: delay, at: now)
    // What the store does is known from its own answers.
    case .report(.storing), .report(.stored): break
    }
  }

  /// The CONNECT that was asked for, now that its epoch is on the disk, or cannot be.
  mutating func connect(epoch: UInt64, at now: Moment) {
    guard let asked = wishes.connect else { return }
    wishes.connect = nil
    ownPresence.epoch = epoch
    var connect = plan.connect
    connect.cleanStart = plan.cleanStart
    let flags = ownPresence.wills.flags(for: asked.server, full: plan.presence.willFlags, at: now.boot)
    ownPresence.askedWill = flags
    connect.will = plan.presence.will(epoch: epoch, asked.version, flags: flags)
    ownPresence.connectPresence = plan.presence
    owesFarewell(at: asked.server)
    standing.unanswered += 1
    handle(.connectPacket(asked.attempt, connect), at: now)
  }

  /// A connection to this server is about to be made: it will owe an `offline`.
  mutating func owesFarewell(at server: ServerAddress) {
    ownPresence.owed.prepare(
      OwedFarewells.Debt(plan.presence, on: server, client: plan.connect.clientIdentifier))
  }

  /// When `tick` has something to do.
  var deadline: BootClock.Instant? {
    mutating get {
      earliest(
        link.deadline, ownPresence.deadline, watching.deadline, resting.topics.deadline, announcing.deadline,
        sender.deadline, leaving.deadline, acting.deadline)
    }
  }

  mutating func tick(at now: Moment) {
    if link.deadline.map({ $0 <= now.boot }) ?? false { handle(.tick, at: now) }
    renewLease(at: now)
    watchingIsDue(at: now)
    endRests(at: now)
    announcingIsDue(at: now)
    leavingIsDue(at: now)
    commandsAreDue(at: now)
    carryOut(at: now)
  }

  /// The wall clock was set, or the system was suspended: everything is looked at.
  mutating func clockJumped(at now: Moment) {
    handle(.clockChanged(jitter: .seconds(1) * share()), at: now)
    handle(.tick, at: now)
    if plan.link.mutation != .leaseIgnoresClock { ownPresence.lease.clockJumped(at: now.boot) }
    tick(at: now)
  }
}

/// The earliest of some moments. With as many parameters as anybody has: an array of them would be allocated in every turn.
@inline(__always)
func earliest(
  _ first: BootClock.Instant?, _ second: BootClock.Instant?, _ third: BootClock.Instant? = nil,
  _ fourth: BootClock.Instant? = nil, _ fifth: BootClock.Instant? = nil, _ sixth: BootClock.Instant? = nil,
  _ seventh: BootClock.Instant? = nil, _ eighth: BootClock.Instant? = nil
) -> BootClock.Instant? {
  let left = sooner(sooner(first, second), sooner(third, fourth))
  return sooner(left, sooner(sooner(fifth, sixth), sooner(seventh, eighth)))
}

@inline(__always)
private func sooner(_ one: BootClock.Instant?, _ other: BootClock.Instant?) -> BootClock.Instant? {
  guard let one else { return other }
  guard let other else { return one }
  return min(one, other)
}
