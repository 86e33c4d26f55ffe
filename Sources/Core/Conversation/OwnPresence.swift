import LimpetInstants
import MQTTCore
import Presence
import Readings

/// What the agent says about itself, and for how long that holds.
struct OwnPresence: Sendable {
  /// Of the last CONNECT.
  var epoch: UInt64
  /// Why the agent started, and how many seconds it was gone, for the first birth.
  let start: Beginning.Reason
  var births = 0
  /// What the last birth said, for as long as it holds.
  var birth: PresenceMessages.Statement?
  /// What the broker said of the last online on this connection.
  var answer = BirthAnswer.none
  var lease = Lease()
  /// What is to be said as soon as the server takes another message: of each kind the latest.
  var waiting: [(request: Request, message: Message)] = []
  var wills = WillFallback()
  /// Of the last CONNECT.
  var askedWill: WillFlags?
  /// What the CONNECT under way, or the last one, was made with.
  var connectPresence: PresenceMessages
  /// The brokers at which `offline` is still to be published.
  var owed = OwedFarewells()
  /// What the farewell that follows what is owed is said because of.
  var farewellBecause: String?
  /// When the connection will have lasted for a while, and `owedAt`, when an owed one that rests may be said again.
  var provenAt: BootClock.Instant?
  var owedAt: BootClock.Instant?

  init(epoch: UInt64, start: Beginning.Reason, _ presence: PresenceMessages) {
    self.epoch = epoch
    self.start = start
    connectPresence = presence
  }

  var deadline: BootClock.Instant? { birth == nil ? nil : earliest(lease.deadline, provenAt, owedAt) }

  mutating func lost(at now: BootClock.Instant) {
    birth = nil
    (provenAt, owedAt) = (nil, nil)
    lease.end()
    answer = .none
    waiting = []
    farewellBecause = nil
    owed.lost(at: now)
  }
}

extension Conversation {
  /// - Parameter move: why this connection replaces another one, if that is the reason for it.
  mutating func sayOnline(_ connected: Session.Connected, because move: Leaving.Move?, at now: Moment) {
    ownPresence.births += 1
    ownPresence.answer = .none
    ownPresence.provenAt = now.boot + OwedFarewells.proof
    let isFirst = ownPresence.births == 1
    ownPresence.birth = PresenceMessages.Statement(
      event: .birth, reason: isFirst ? ownPresence.start.word : move?.reason ?? "reconnected",
      epoch: ownPresence.epoch,
      since: now.timestamp, connection: connected, goneFor: isFirst ? ownPresence.start.goneFor : nil,
      transport: standing.transport)
    publishBirth(at: now)
  }

  /// Publishes it, and sees to it that it never expires; a server of 3.1.1 forgets nothing, so once is enough there.
  mutating func publishBirth(at now: Moment) {
    // After a farewell nothing may say online again, whatever has changed.
    guard var birth = ownPresence.birth, maySayOnline else { return }
    birth.conflict = watching.conflict.rival?.description
    birth.storageError = wishes.storageError
    birth.dropped = sender.outbox.dropped + sender.outbox.expired
    let presence = plan.presence
    if !resting.topics.isResting(presence.status) { say(presence.status(birth), .birthStatus, at: now) }
    if !resting.topics.isResting(presence.presence) { say(presence.presence(birth), .birthPresence, at: now) }
    ownPresence.lease.published(every: birth.connection.version == .v5 ? presence.lease : .zero, at: now.boot)
  }

  private var maySayOnline: Bool {
    !leaving.isLeaving && !leaving.farewell.isUnderWay || plan.link.mutation == .birthFollowsFarewell
  }

  mutating func renewLease(at now: Moment) {
    owedIsDue(at: now)
    guard ownPresence.birth != nil, ownPresence.lease.isDue(at: now.boot) else { return }
    guard !leaving.isLeaving, !leaving.farewell.isUnderWay else { return ownPresence.lease.end() }
    publishBirth(at: now)
  }

  /// The farewell to this connection, by the topics that it was made with, behind what is owed to others: a DISCONNECT
  /// follows it, and leaves no `online` behind.
  ///
  /// - Returns: false: the broker will not get it on this connection.
  mutating func sayOffline(because reason: String, at now: Moment) -> Bool {
    ownPresence.lease.end()
    // A birth that waits for a place is not true any more.
    ownPresence.waiting.removeAll { $0.request != .owedStatus }
    ownPresence.farewellBecause = reason
    return goOnWithFarewell(at: now)
  }

  private mutating func goOnWithFarewell(at now: Moment) -> Bool {
    sayNextOwed(at: now)
    guard ownPresence.owed.underWay == nil, let reason = ownPresence.farewellBecause,
      let connection = standing.connection
    else { return true }
    ownPresence.farewellBecause = nil
    let statement = statement(because: reason, over: connection, at: now)
    say(ownPresence.connectPresence.presence(statement), .stopPresence, at: now)
    return say(ownPresence.connectPresence.status(statement), .stopStatus, at: now)
  }

  private func statement(
    because reason: String, over connection: Session.Connected, at now: Moment
  ) -> PresenceMessages.Statement {
    PresenceMessages.Statement(
      event: .stop, reason: reason, epoch: ownPresence.epoch, since: now.timestamp, connection: connection,
      transport: standing.transport)
  }

  /// Topics that say online though nobody stands for it: while nothing else is about to be said, or before a farewell.
  mutating func sayOwedOffline(at now: Moment) {
    guard !leaving.isLeaving, !leaving.farewell.isUnderWay else { return }
    sayNextOwed(at: now)
    ownPresence.owedAt = standing.lastServer.flatMap { ownPresence.owed.deadline(on: $0, after: now.boot) }
  }

  /// The connection has lasted for a while, or what rested may be said.
  mutating func owedIsDue(at now: Moment) {
    guard let due = earliest(ownPresence.provenAt, ownPresence.owedAt), due <= now.boot else { return }
    if ownPresence.provenAt.map({ $0 <= now.boot }) ?? false { ownPresence.provenAt = nil }
    ownPresence.owedAt = nil
    sayOwedOffline(at: now)
  }

  /// One at a time.
  private mutating func sayNextOwed(at now: Moment) {
    let isProven = ownPresence.provenAt == nil && ownPresence.answer == .acknowledged
    while let connection = standing.connection, let server = standing.lastServer,
      let debt = ownPresence.owed.next(
        on: server, isProven: isProven, isLast: ownPresence.farewellBecause != nil, at: now.boot)
    {
      let statement = statement(because: "reload", over: connection, at: now)
      if say(plan.presence.offline(to: debt, statement), .owedStatus, at: now) { return }
      ownPresence.owed.settled()
    }
  }

  /// Presence is good for this connection only, and may take the place that is kept free for it. Where that is taken it
  /// waits for the next, in its order and before every reading; false: it cannot be said.
  @discardableResult
  mutating func say(_ message: Message, _ request: Request, at now: Moment) -> Bool {
    ownPresence.waiting.removeAll { $0.request == request }
    guard ownPresence.waiting.isEmpty, let isSent = send(presence: message, request, at: now) else {
      ownPresence.waiting.append((request, message))
      return true
    }
    return isSent
  }

  /// Where a place has become free.
  mutating func sayWaiting(at now: Moment) {
    while let (request, message) = ownPresence.waiting.first, send(presence: message, request, at: now) != nil {
      ownPresence.waiting.removeFirst()
    }
  }

  /// nil: no place is free.
  private mutating func send(presence message: Message, _ request: Request, at now: Moment) -> Bool? {
    do throws(Session.Rejection) {
      let isTransient = plan.link.mutation != .presenceOutlivesConnection
      try link.publish(message, token: request.token, transient: isTransient, at: now.boot, into: &linkEffects)
      return true
    } catch {
      if error == .noRoom { return nil }
      effects.notes.append(.notPublished(message.topic, error))
      return false
    }
  }

  /// At QoS 0 it is sent, no more: that the broker has the presence shows when it comes back.
  var isPresenceAnswered: Bool {
    plan.presence.qos != .atMostOnce && standing.connection.map { $0.limits.maximumQoS != .atMostOnce } ?? false
  }

  /// The course of a message about the presence is over.
  mutating func presenceSettled(_ request: Request, _ outcome: Session.Outcome, at now: Moment) {
    switch (request, outcome) {
    case (.birthStatus, .delivered):
      ownPresence.answer = .acknowledged
      takes(plan.presence.status)
      sayOwedOffline(at: now)
    case (.birthStatus, .refused(let code)):
      ownPresence.answer = plan.link.mutation == .refusedBirthIsOnline ? .acknowledged : .refused(code)
      refuses(plan.presence.status, code, at: now)
    case (.birthPresence, .delivered):
      if isPresenceAnswered { watching.conflict.spoke() }
      takes(plan.presence.presence)
    case (.birthPresence, .refused(let code)): refuses(plan.presence.presence, code, at: now)
    case (_, .refused(let code)): effects.notes.append(.presenceRefused(code))
    default: break
    }
    if request == .stopStatus { offlineSettled(outcome, at: now) }
    if request == .owedStatus, outcome != .abandoned { owedSettled(outcome, at: now) }
  }

  private mutating func owedSettled(_ outcome: Session.Outcome, at now: Moment) {
    if case .refused = outcome { ownPresence.owed.refused(at: now.boot) } else { ownPresence.owed.settled() }
    guard ownPresence.farewellBecause != nil else { return sayOwedOffline(at: now) }
    if !goOnWithFarewell(at: now) { offlineSettled(.rejected(.notConnected), at: now) }
  }

  /// The course of an `offline` on this connection is over; one that is abandoned was lost with it.
  private mutating func offlineSettled(_ outcome: Session.Outcome, at now: Moment) {
    switch outcome {
    case .delivered:
      // At QoS 0 that says no more than that it was sent, and one that is not retained leaves an earlier `online` there: the
      // next connection says it again where it speaks of another topic.
      if let limits = standing.connection?.limits, limits.retainAvailable,
        min(ownPresence.connectPresence.qos, limits.maximumQoS) > .atMostOnce
      {
        ownPresence.owed.saidOffline()
      }
      perform(leaving.departure.farewellAcknowledged(at: now.boot), at: now)
      perform(leaving.farewell.acknowledged(), at: now)
    case .refused, .rejected:
      perform(leaving.departure.farewellRefused(), at: now)
      perform(leaving.farewell.refused(), at: now)
    case .abandoned: break
    }
  }
}
