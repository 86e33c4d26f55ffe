import Instants
import MQTTCore
import Presence
import Readings

/// What the agent says about itself, and for how long that holds.
struct Telling: Sendable {
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
  /// What the last connection was made with and where to, until the broker has acknowledged its `offline`.
  var spoken: (presence: PresenceMessages, server: ServerAddress)?
  var owed = OwedFarewells()

  init(epoch: UInt64, start: Beginning.Reason, _ presence: PresenceMessages) {
    self.epoch = epoch
    self.start = start
    connectPresence = presence
  }

  var deadline: BootClock.Instant? { birth == nil ? nil : lease.deadline }

  mutating func connected(to server: ServerAddress) {
    if let spoken { owed.add(spoken.presence, on: spoken.server) }
    spoken = (connectPresence, server)
  }

  mutating func lost() {
    birth = nil
    lease.end()
    answer = .none
    waiting = []
    owed.lost()
  }
}

extension Conversation {
  /// - Parameter isRenewed: a new configuration is the reason for this connection.
  mutating func sayOnline(_ connected: Session.Connected, isRenewed: Bool, at now: Moment) {
    telling.births += 1
    telling.answer = .none
    let isFirst = telling.births == 1
    telling.birth = PresenceMessages.Statement(
      event: .birth, reason: isFirst ? telling.start.word : isRenewed ? "reload" : "reconnected", epoch: telling.epoch,
      since: now.timestamp, connection: connected, goneFor: isFirst ? telling.start.goneFor : nil,
      transport: standing.transport)
    tellBirth(at: now)
  }

  /// Publishes it, and sees to it that it never expires; a server of 3.1.1 forgets nothing, so once is enough there.
  mutating func tellBirth(at now: Moment) {
    // After a farewell nothing may say online again, whatever has changed.
    guard var birth = telling.birth, maySayOnline else { return }
    birth.conflict = watching.conflict.rival?.description
    birth.storageError = storageError
    birth.dropped = sender.outbox.dropped + sender.outbox.expired
    let presence = plan.presence
    if !resting.topics.isResting(presence.status) { say(presence.status(birth), .birthStatus, at: now) }
    if !resting.topics.isResting(presence.presence) { say(presence.presence(birth), .birthPresence, at: now) }
    telling.lease.told(every: birth.connection.version == .v5 ? presence.lease : .zero, at: now.boot)
  }

  private var maySayOnline: Bool {
    !leaving.isLeaving && !leaving.farewell.isUnderWay || plan.link.mutation == .birthFollowsFarewell
  }

  mutating func renewLease(at now: Moment) {
    guard telling.birth != nil, telling.lease.isDue(at: now.boot) else { return }
    guard !leaving.isLeaving, !leaving.farewell.isUnderWay else { return telling.lease.end() }
    tellBirth(at: now)
  }

  /// The farewell to this connection, by the topics that it was made with.
  ///
  /// - Returns: false: the broker will not get it on this connection.
  mutating func sayOffline(because reason: String, over connected: Session.Connected, at now: Moment) -> Bool {
    let statement = PresenceMessages.Statement(
      event: .stop, reason: reason, epoch: telling.epoch, since: now.timestamp, connection: connected,
      transport: standing.transport)
    telling.lease.end()
    // A birth that waits for a place is not true any more.
    telling.waiting = []
    say(telling.connectPresence.presence(statement), .stopPresence, at: now)
    return say(telling.connectPresence.status(statement), .stopStatus, at: now)
  }

  /// Topics that say online though nobody stands for it, and whose will this connection has deleted.
  mutating func sayOwedOffline(at now: Moment) {
    guard let connection = standing.connection, let server = telling.spoken?.server, !leaving.isLeaving,
      !leaving.farewell.isUnderWay, let messages = telling.owed.next(on: server, status: plan.presence.status)
    else { return }
    let statement = PresenceMessages.Statement(
      event: .stop, reason: "reload", epoch: telling.epoch, since: now.timestamp, connection: connection)
    if !say(messages.status(statement), .owedStatus, at: now) { telling.owed.settled() }
  }

  /// Presence is good for this connection only, and may take the place that is kept free for it. Where that is taken it
  /// waits for the next, in its order and before every reading; false: it cannot be said.
  @discardableResult
  mutating func say(_ message: Message, _ request: Request, at now: Moment) -> Bool {
    telling.waiting.removeAll { $0.request == request }
    guard telling.waiting.isEmpty, let isSent = send(presence: message, request, at: now) else {
      telling.waiting.append((request, message))
      return true
    }
    return isSent
  }

  /// A place has become free.
  mutating func sayWaiting(at now: Moment) {
    while let (request, message) = telling.waiting.first, send(presence: message, request, at: now) != nil {
      telling.waiting.removeFirst()
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

  /// The course of a message about the presence is over.
  mutating func presenceSettled(_ request: Request, _ outcome: Session.Outcome, at now: Moment) {
    switch (request, outcome) {
    case (.birthStatus, .delivered):
      telling.answer = .acknowledged
      takes(plan.presence.status)
    case (.birthStatus, .refused(let code)):
      telling.answer = plan.link.mutation == .refusedBirthIsOnline ? .acknowledged : .refused(code)
      refuses(plan.presence.status, code, at: now)
    case (.birthPresence, .delivered):
      watching.conflict.spoke()
      takes(plan.presence.presence)
    case (.birthPresence, .refused(let code)): refuses(plan.presence.presence, code, at: now)
    case (_, .refused(let code)): effects.notes.append(.presenceRefused(code))
    default: break
    }
    if request == .stopStatus { offlineSettled(outcome, at: now) }
    if request == .owedStatus, outcome != .abandoned {
      telling.owed.settled()
      sayOwedOffline(at: now)
    }
  }

  /// The course of an `offline` on this connection is over; one that is abandoned was lost with it.
  private mutating func offlineSettled(_ outcome: Session.Outcome, at now: Moment) {
    switch outcome {
    case .delivered:
      telling.spoken = nil
      perform(leaving.departure.farewellAcknowledged(at: now.boot), at: now)
      perform(leaving.farewell.acknowledged(), at: now)
    case .refused, .rejected:
      perform(leaving.departure.farewellRefused(), at: now)
      perform(leaving.farewell.refused(), at: now)
    case .abandoned: break
    }
  }
}
