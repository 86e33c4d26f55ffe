import LimpetInstants
import MQTTCore
import Status

/// How it stands with the connection.
struct Standing: Sendable {
  var record: ConnectionRecord
  /// nil: there is none.
  var connection: Session.Connected?
  /// Of the last connection.
  var transport = ServerAddress.Transport.tcp
  var lastServer: ServerAddress?
  /// Connections that the server closed without a word about why, since one that lasted.
  var closesInARow = 0
  /// CONNECTs since the last connection that were not answered, the present one included: a server that has forgotten
  /// everything may have begun a session with one of them.
  var unanswered = 0
  /// Since the last connection that lasted; nil: there is one.
  var outage: Outage?
  /// When something else has to have happened to the connection, awake; nil: there is one, or none is wanted.
  var due: Duration?

  init(at now: Moment) {
    record = ConnectionRecord(at: now.boot)
    outage = Outage(since: now.boot)
  }

  /// Which server it is about.
  var server: ServerAddress? {
    switch record.state {
    case .connecting(let server, _), .connected(let server, _): server
    case .idle, .waiting, .ended: nil
    }
  }
}

/// Beginnings and ends of connections.
extension Conversation {
  mutating func connecting(to server: ServerAddress, _ version: ProtocolVersion, at now: Moment) {
    standing.record.connecting(server, version, at: now.boot)
    effects.notes.append(.connecting(server, version))
    // After a failure its reason says more.
    if standing.due == nil { effects.orders.append(.notify(.status("connecting to \(server)"))) }
    standing.due = now.awake + plan.link.connectTimeout
  }

  mutating func connected(_ granted: Session.Connected, to server: ServerAddress, at now: Moment) {
    standing.due = nil
    effects.orders.append(.notify(.status("connected to \(server), MQTT \(granted.version)")))
    effects.add(.agreed(.agent, granted.limits))
    let full = plan.presence.willFlags
    ownPresence.wills.accepted(
      ownPresence.askedWill ?? full, full: full, by: server, isCluster: plan.link.sharesSessions)
    let connected = granted.limited(by: ownPresence.wills.reduction(for: server))
    let isNew = !connected.sessionPresent || standing.unanswered > 1
    standing.unanswered = 0
    standing.connection = connected
    if plan.link.mutation == .owedOfflineIsForgotten { ownPresence.owed.forgetAll() }
    ownPresence.owed.connected()
    if let last = standing.lastServer, last != server {
      changeRests(from: last, to: server, at: now)
      if !plan.link.sharesSessions { watching.conflict.moves() }
    }
    standing.lastServer = server
    standing.transport = server.transport
    let away = standing.record.connected(connected, server, because: choice(of: server), at: now.boot)
    let isNews = standing.outage?.connected() ?? true
    effects.notes.append(.connected(server, connected, away: away, unsent: sender.unsent, isNews: isNews))
    if isNews { warn(of: connected, server) }
    watchPresence(at: now)
    watchCommands(sessionPresent: connected.sessionPresent, at: now)
    // A loss is over before the first command comes.
    listen(at: now)
    sender.connected(isNew: isNew && connected.limits.retainAvailable, at: now.boot)
    guard !leaving.isLeaving else {
      return perform(leaving.departure.connected(isIdle: false), at: now)
    }
    // A return that has failed ends where it began.
    let move = leaving.farewell.isUnderWay && leaving.move.leads(to: server) ? leaving.move : nil
    leaving.farewell.end()
    sayOnline(connected, because: move, at: now)
    sayOwedOffline(at: now)
    wishes.publishesHealth = true
    beginAnnouncing(isNew: isNew, at: now)
  }

  /// nil: it is the first of the list.
  func choice(of server: ServerAddress) -> ConnectionRecord.Choice? {
    guard let first = plan.link.servers.first, server != first else { return nil }
    guard plan.link.servers.contains(server), !link.isReferred else { return .sentThere }
    return .firstFailed(first, returnsAfter: link.returnsAfter)
  }

  /// What this server does not do of what was asked for.
  private mutating func warn(of connected: Session.Connected, _ server: ServerAddress) {
    let limits = connected.limits
    if let reduction = ownPresence.wills.reduction(for: server) {
      effects.notes.append(.takesLessOfWill(server, reduction))
    } else if !limits.retainAvailable {
      effects.notes.append(.keepsNothing(server))
    }
    if connected.version == .v311 && plan.presence.lease > .zero { effects.notes.append(.hasNoExpiry) }
    if connected.version == .v311 && plan.presence.willDelay > .zero {
      effects.notes.append(.hasNoWillDelay)
    } else if plan.presence.effectiveWillDelay(limits) < plan.presence.willDelay {
      effects.notes.append(.cutsWillDelay(server, limits.sessionExpiry))
    }
  }

  mutating func lost(_ loss: ConnectionLoss, retryAfter delay: Duration?, at now: Moment) {
    let wasConnected = standing.connection != nil
    let server = standing.server
    learnWill(from: loss, at: now)
    if case .session(.refused) = loss { standing.unanswered = max(0, standing.unanswered - 1) }
    standing.connection = nil
    wishes.connect = nil
    ownPresence.lost(at: now.boot)
    announcing.forgetReminder()
    announcing.describeAt = nil
    sender.disconnected(at: now.boot)
    watching.disconnected()
    acting.commanding.disconnected()
    let wait = delay.map { findReason(loss, wasConnected: wasConnected, delay: $0, at: now) }
    withdrawResting(at: now)
    standing.record.lost(loss, retryAfter: wait?.delay, at: now.boot)
    note(loss, of: server, wasConnected: wasConnected, wait, willRetry: delay != nil, at: now)
    if leaving.farewell.isUnderWay, wasConnected, delay != nil { perform(leaving.farewell.lost(), at: now) }
    if delay == nil && !leaving.isLeaving { return finish(isClean: false) }
    reportLoss(loss, of: server, retryAfter: wait?.delay ?? delay, at: now)
    if leaving.departure.state == .disconnecting && delay == nil { finish(isClean: true) }
    perform(leaving.departure.lost(willRetry: delay != nil, isStep: delay == .zero), at: now)
  }

  private mutating func note(
    _ loss: ConnectionLoss, of server: ServerAddress?, wasConnected: Bool,
    _ wait: (delay: Duration, remark: Remark?)?, willRetry: Bool, at now: Moment
  ) {
    if leaving.farewell.isUnderWay, wasConnected, willRetry {
      // Whatever ended it: the next one is made for the reason that it was left for.
      switch leaving.move {
      case .reload: effects.notes.append(.disconnectedToRenew)
      case .firstServer(let first): effects.notes.append(.disconnectedForFirst(first))
      }
    } else if case .session(.unknownSession) = loss {
      effects.notes.append(.beginsSessionAnew)
    } else if case .session(.requested) = loss, !wasConnected, willRetry {
      // On 3.1.1 it takes a connection of its own.
      effects.notes.append(.clearedSession)
    } else if let wait {
      if standing.outage == nil { standing.outage = Outage(since: now.boot) }
      // The remark may count.
      let reason = "\(wasConnected) \(loss) \(wait.remark.map { $0.kind } ?? "")"
      let worth = standing.outage?.failed(reason, at: now.boot) ?? .news
      effects.notes.append(
        .lost(
          loss, wasConnected: wasConnected, wait.remark, retryAfter: leaving.isLeaving ? nil : wait.delay, server, worth
        ))
    } else if case .session(.requested) = loss {
      effects.notes.append(.disconnected)
    } else if !leaving.isLeaving {
      effects.notes.append(.disconnectedForGood(loss))
    }
  }

  private mutating func reportLoss(
    _ loss: ConnectionLoss, of server: ServerAddress?, retryAfter delay: Duration?, at now: Moment
  ) {
    guard !leaving.isLeaving else { return }
    standing.due = delay.map { now.awake + $0 }
    guard let delay else { return }
    let next = now.wall.time(of: now.boot + delay).description.dropFirst(11).prefix(8)
    // Who has never reached a broker has perhaps never said which.
    let advice = ownPresence.births == 0 ? "; broker.url in the configuration says where the broker is" : ""
    effects.orders.append(.notify(.status("not connected: \(loss.advised(server)); next try at \(next) UTC\(advice)")))
  }

  /// The outage is over; who has heard of its last connections nothing hears that.
  mutating func connectionLasts(at now: Moment) {
    if let outage = standing.outage, outage.isQuiet, let server = standing.server {
      effects.notes.append(
        .connectionLasts(server, outage: outage.age(at: now.boot), attempts: outage.attempts))
    }
    standing.outage = nil
  }

  /// What the end of an attempt says about the will that its CONNECT had.
  private mutating func learnWill(from loss: ConnectionLoss, at now: Moment) {
    guard plan.link.mutation != .willStaysFull, case .connecting(let server, let version) = standing.record.state,
      let asked = ownPresence.askedWill
    else {
      return
    }
    let full = plan.presence.willFlags
    let isSmaller =
      switch loss {
      case .session(.refused(let code, _, _)):
        ownPresence.wills.refused(code, asked, full: full, by: server, at: now.boot)
      case .closed(.connect, received: false, _) where version == .v311:
        ownPresence.wills.closedSilently(full: full, by: server, at: now.boot)
      default: false
      }
    guard isSmaller, let reduction = ownPresence.wills.reduction(for: server) else { return }
    effects.notes.append(.triesSmallerWill(server, reduction))
  }

  /// Everything that has to do with the broker is over; what is left is the store's.
  mutating func finish(isClean: Bool) { leaving.finish(isClean: isClean) }
}
