import LimpetInstants
import MQTTCore
import Presence

/// Both kinds of farewell: to a connection that another one replaces, and to the broker at the end.
struct Leaving: Sendable {
  /// Why another connection replaces the one that there is.
  enum Move: Sendable {
    case reload
    case firstServer(ServerAddress)

    /// What presence says of it.
    var reason: String {
      switch self {
      case .reload: "reload"
      case .firstServer: "first_server"
      }
    }

    /// A connection to this server is the one that it was for.
    func leads(to server: ServerAddress) -> Bool {
      switch self {
      case .reload: true
      case .firstServer(let first): server == first
      }
    }
  }

  var departure = Departure()
  var farewell = Farewell()
  var reason = StopReason.shutdown
  /// Of the farewell that is under way, or the last one.
  var move = Move.reload
  /// Who stops the service is being asked why, until then.
  private(set) var askingUntil: BootClock.Instant?
  /// How it ended; what is left to be done is the store's.
  private(set) var ending: Bool?

  /// How long an answer may take: the clean shutdown begins with it.
  static let patience = Duration.milliseconds(500)

  var isLeaving: Bool { departure.isLeaving }
  var isSayingFarewell: Bool { farewell.isUnderWay || departure.hasSaidFarewell }
  var hasEnded: Bool { ending != nil }

  var deadline: BootClock.Instant? {
    guard !hasEnded else { return nil }
    return earliest(askingUntil, farewell.deadline, departure.isLeaving ? departure.nextDeadline : nil)
  }

  mutating func ask(at now: Moment) { askingUntil = now.boot + Self.patience }
  mutating func isAnswered() { askingUntil = nil }
  mutating func finish(isClean: Bool) {
    ending = ending ?? isClean
    askingUntil = nil
  }
}

extension Conversation {
  /// The clean shutdown: readings that wait, then `offline`, then DISCONNECT, all within `shutdown_timeout`.
  ///
  /// - Parameter reason: nil: nobody has said, and is asked.
  mutating func stop(because reason: StopReason?, isIdle: Bool, at now: Moment) {
    guard !leaving.isLeaving else { return }
    guard let reason else {
      guard leaving.askingUntil == nil else { return }
      leaving.ask(at: now)
      return effects.orders.append(.findStopReason)
    }
    leaving.isAnswered()
    leaving.reason = reason
    effects.notes.append(.stops(reason))
    let isConnected = standing.connection != nil && !leaving.farewell.isLeaving
    let isSaying = isConnected && leaving.farewell.isUnderWay
    leaving.farewell.end()
    standing.due = nil
    perform(
      leaving.departure.begin(
        within: plan.shutdownTimeout, at: now.boot, isConnected: isConnected,
        // Who takes a connection to say offline would say it of the other device too.
        mayConnect: watching.conflict.rival == nil, isSaying: isSaying, isIdle: isIdle), at: now)
    carryOut(at: now)
  }

  /// At once: the connection is cut, so that the broker publishes the will.
  mutating func abort(at now: Moment) {
    guard !leaving.hasEnded else { return }
    effects.notes.append(.aborted)
    leaving.departure.abandon()
    leaving.finish(isClean: false)
    handle(.abort, at: now)
  }

  mutating func leavingIsDue(at now: Moment) {
    guard leaving.deadline.map({ $0 <= now.boot }) ?? false else { return }
    if leaving.askingUntil.map({ $0 <= now.boot }) ?? false { stop(because: .shutdown, isIdle: false, at: now) }
    perform(leaving.farewell.elapsed(at: now.boot), at: now)
    if leaving.isLeaving {
      perform(leaving.departure.elapsed(at: now.boot, isConnected: standing.connection != nil), at: now)
    }
  }

  mutating func perform(_ actions: [Departure.Action], at now: Moment) {
    for action in actions {
      switch action {
      case .connect: link.handle(.retryNow, at: now.boot, into: &linkEffects)
      case .sayFarewell:
        guard standing.connection != nil else { break }
        if !sayOffline(because: leaving.reason.rawValue, at: now) {
          perform(leaving.departure.farewellRefused(), at: now)
        }
      case .disconnect(let limit):
        link.handle(.disconnect(.success, within: limit), at: now.boot, into: &linkEffects)
      case .abort:
        effects.notes.append(.stopTookTooLong)
        abort(at: now)
      case .finish:
        // Not this process's failure: the broker is away, and has said offline by the will or will do so.
        effects.notes.append(.leavesToWill(hasConnected: standing.record.connections > 0))
        leaving.finish(isClean: true)
        link.handle(.abort, at: now.boot, into: &linkEffects)
      }
    }
  }

  // MARK: Another connection

  /// The server that comes first in the list can be used again. The one that is left keeps no `online` that nobody stands
  /// for: it is said good-bye to as before another configuration's connection.
  mutating func returnToFirst(_ server: ServerAddress, at now: Moment) {
    guard !leaving.isLeaving, !leaving.hasEnded, !leaving.farewell.isUnderWay, standing.connection != nil else {
      return
    }
    effects.notes.append(.returnsToFirst(server))
    renewConnection(because: .firstServer(server), at: now)
  }

  /// CONNECT, its will or the way to the broker is another one from now on.
  mutating func renewConnection(because move: Leaving.Move = .reload, at now: Moment) {
    leaving.move = move
    watching.disconnected()
    ownPresence.lease.end()
    perform(leaving.farewell.begin(at: now.boot, isConnected: standing.connection != nil), at: now)
  }

  mutating func perform(_ actions: [Farewell.Action], at now: Moment) {
    for action in actions {
      switch action {
      case .say:
        guard standing.connection != nil else { break }
        if !sayOffline(because: leaving.move.reason, at: now) { perform(leaving.farewell.refused(), at: now) }
      case .leave(let isUnheard):
        let isAborted = isUnheard && plan.link.mutation != .reloadDisconnectsUnheard
        if isAborted { effects.notes.append(.cutsToRenew) }
        switch leaving.move {
        case .reload: reconfigure(reconnecting: true, isAborted: isAborted, at: now)
        case .firstServer:
          // The servers are the same, so what was learned of them holds.
          link.handle(.returnToFirst(isAborted: isAborted), at: now.boot, into: &linkEffects)
        }
      case .adopt: reconfigure(reconnecting: false, at: now)
      }
    }
  }

  mutating func reconfigure(reconnecting: Bool, isAborted: Bool = false, at now: Moment) {
    if reconnecting {
      ownPresence.wills = WillFallback()
      forgetRests()
    }
    link.handle(
      .reconfigure(plan.link, reconnecting: reconnecting, isAborted: isAborted), at: now.boot, into: &linkEffects)
    // That is no matter of configuration.
    if plan.link.mutation != .reloadAcknowledgesOnArrival { link.acknowledgesByHand() }
    // Whether it leads back to the first server may be another answer from now on.
    if standing.connection != nil, let server = standing.lastServer {
      standing.record.stays(because: choice(of: server))
    }
  }
}
