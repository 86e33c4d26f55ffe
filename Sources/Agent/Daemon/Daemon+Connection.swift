import Instants
import MQTT
import MQTTCore
import NIOCore
import Platform
import Presence
import Records
import Text

extension Daemon: ClientDelegate {
  package func connectPacket(for server: ServerAddress, version: ProtocolVersion) async -> Connect {
    epoch = await nextEpoch()
    var connect = plan.connect
    connect.cleanStart = plan.cleanStart
    let flags = wills.flags(for: server, full: plan.presence.willFlags, at: .now)
    askedWill = flags
    connect.will = plan.presence.will(epoch: epoch, version, flags: flags)
    connectPresence = plan.presence
    return connect
  }

  /// One more than in every CONNECT before, across restarts as long as it can be stored.
  /// A disk that hangs keeps no device offline: what has not been answered in time goes on unsaved.
  private func nextEpoch() async -> UInt64 {
    guard let store else { return epoch + 1 }
    let answer = Awaited<StoreAnswer>()
    Task {
      do throws(StorageError) {
        let next = try await store.nextEpoch()
        answer.give(.epoch(next))
        storageWorks()
      } catch {
        answer.give(.failed)
        storageFails(error)
      }
    }
    let patience = after(StoreIsLate.patience) { _ in answer.give(.late) }
    defer { patience.cancel() }
    switch await answer.value {
    case .epoch(let next): return max(next, epoch + 1)
    case .late: storageIsLate(StoreIsLate())
    case .failed: break
    }
    return epoch + 1
  }

  private enum StoreAnswer {
    case epoch(UInt64)
    case failed, late
  }

  package func client(_ client: isolated Client, did event: Client.Event) {
    assumeIsolated { $0.handle(event) }
  }

  private func handle(_ event: Client.Event) {
    reportConnection(event)
    switch event {
    case .connected(let connected, let server): self.connected(connected, to: server)
    case .connecting(let server, let version): record.connecting(server, version, at: .now)
    case .message(let delivery):
      heard(delivery.message)
      heardHomeAssistant(delivery.message)
    case .answered(FirstToken.homeAssistant, let codes): watchesHomeAssistant(codes)
    case .settled(FirstToken.announcement, let outcome): announced(outcome)
    case .answered(let token, let codes): if token == FirstToken.subscription { subscribed(codes) }
    case .settled(let token, let outcome):
      publishWaitingPresence()
      settled(token, outcome)
    case .storing(let error as StorageError): storageFails(error)
    case .storing(let error?): storageIsLate(error)
    case .storing(nil): storageWorks()
    case .stored: break
    case .ready:
      announce()
      pump()
    case .lost(let loss, let delay): lost(loss, retryAfter: delay)
    }
  }

  private func connected(_ granted: Session.Connected, to server: ServerAddress) {
    wills.accepted(askedWill ?? plan.presence.willFlags, full: plan.presence.willFlags, by: server)
    let connected = granted.limited(by: wills.reduction(for: server))
    connection = connected
    if let spoken { owed.add(spoken.presence, on: spoken.server) }
    spoken = (connectPresence, server)
    if let lastServer, lastServer != server { forgetRests() }
    lastServer = server
    transport = server.transport
    let away = record.connected(connected, server, at: .now).map { ", after \($0.inWords) without" } ?? ""
    logger.notice(
      """
      connected to \(server), MQTT \(connected.version), session present: \(connected.sessionPresent), \
      keepalive \(connected.limits.keepAlive) s\(away); \(unsent) readings to send
      """)
    warn(of: connected, server)
    watchPresence()
    outbox.connected(at: .now)
    retained.connected(isNew: !connected.sessionPresent && connected.limits.retainAvailable, at: .now)
    if departure.isLeaving {
      perform(departure.connected(isIdle: isIdle))
    } else {
      let isRenewed = farewell.isUnderWay
      farewell.end()
      sayOnline(connected, isRenewed: isRenewed)
      sayOwedOffline()
      tellHealth()
      beginAnnouncing(connected)
    }
  }

  /// What this server does not do of what was asked for.
  private func warn(of connected: Session.Connected, _ server: ServerAddress) {
    let limits = connected.limits
    if let reduction = wills.reduction(for: server) {
      logger.warning("\(server) does not take the whole will: \(reduction.sentence)")
    } else if !limits.retainAvailable {
      logger.warning("\(server) keeps no retained messages: who subscribes later does not see the status")
    }
    if connected.version == .v311 && plan.presence.lease > .zero {
      logger.info("MQTT 3.1.1 has no expiry: presence.lease is not guaranteed here")
    }
    if connected.version == .v311 && plan.presence.willDelay > .zero {
      logger.warning("MQTT 3.1.1 has no will delay: presence.will_delay is not kept here")
    } else if plan.presence.effectiveWillDelay(limits) < plan.presence.willDelay {
      logger.warning(
        """
        \(server) keeps the session for \(limits.sessionExpiry) s only, and says offline when it ends: \
        presence.will_delay is cut to that
        """)
    }
  }

  private func lost(_ loss: ConnectionLoss, retryAfter delay: Duration?) {
    let wasConnected = connection != nil
    learnWill(from: loss)
    connection = nil
    birth = nil
    lease.end()
    leaseTimer?.cancel()
    birthAnswer = .none
    waitingPresence = []
    owed.lost()
    retained.disconnected()
    outbox.disconnected(at: .now)
    unwatchPresence()
    let wait = delay.map { findReason(loss, wasConnected: wasConnected, delay: $0) }
    if !topics.topics.isEmpty { withdrawResting() }
    record.lost(loss, retryAfter: wait?.delay, at: .now)
    if farewell.isUnderWay, wasConnected, delay != nil {
      // Whatever ended it: the next one is made by the new configuration.
      logger.notice("disconnected, to connect by the new configuration")
      perform(farewell.lost())
    } else if case .session(.unknownSession) = loss {
      logger.notice("\(loss); it is begun anew")
    } else if let wait {
      logger.warning(
        "\(wasConnected ? "connection lost" : "not connected"): \(loss)\(wait.remark); next try in \(wait.delay.inWords)"
      )
    } else if case .session(.requested) = loss {
      logger.notice("disconnected")
    } else if !departure.isLeaving {
      logger.error("disconnected: \(loss)")
    }
    if delay == nil && !departure.isLeaving { return finish(clean: false) }
    reportLoss(loss, retryAfter: wait?.delay ?? delay)
    perform(departure.lost(willRetry: delay != nil))
  }

  /// What the end of an attempt says about the will that its CONNECT had.
  private func learnWill(from loss: ConnectionLoss) {
    guard case .connecting(let server, let version) = record.state, let asked = askedWill else { return }
    let full = plan.presence.willFlags
    let isSmaller =
      switch loss {
      case .session(.refused(let code, _, _)): wills.refused(code, asked, full: full, by: server, at: .now)
      case .closed(.connect, received: false, _) where version == .v311:
        wills.closedSilently(full: full, by: server, at: .now)
      default: false
      }
    guard isSmaller, let reduction = wills.reduction(for: server) else { return }
    logger.notice("\(server): a will of \(reduction.flags) is tried next")
  }

  // MARK: Readings

  /// Sends waiting readings while the session has room, and keeps those that it has none for.
  package func pump() {
    sendReadings()
    keepReadings()
  }

  private func sendReadings() {
    guard !farewell.isUnderWay, waitingPresence.isEmpty, !departure.hasSaidFarewell else { return }
    // Behind what an earlier process has published to the same topics.
    if clearings.hasNext, leftOver.isEmpty { sendClearing() }
    if retained.hasNext, leftOver.isEmpty { sendRetained() }
    guard !outbox.isEmpty || !leftOver.isEmpty, let client, let (limits, version) = granted else { return }
    let qos = min(plan.qos, limits.maximumQoS)
    // One reading that nothing waits before is sent without asking for room first: of what a message costs here, each
    // question to the client is a part.
    let isAlone = outbox.count == 1 && leftOver.isEmpty
    var room = isAlone ? 1 : client.assumeIsolated { $0.beginTurn(for: qos) }
    defer { if !isAlone { client.assumeIsolated { $0.flush() } } }
    if !leftOver.isEmpty {
      guard sendLeftOver(client, limits) else { return }
      room = client.assumeIsolated { $0.room(for: qos) }
    }
    guard room > 0 else { return }
    let now = BootClock.now
    while room > 0, let taken = outbox.take(at: now) {
      let label = sentLabels.label(of: taken.reading) { wallClock(at: now) }
      var message = plan.streams[taken.reading.stream]
        .message(taken.reading, label, isNewest: taken.isNewest, version)
      if let expiry = plan.outbox.expiry, version == .v5 {
        // What is left of it when the server has the message, never nothing.
        let left = expiry - taken.reading.age(at: now)
        message.properties.messageExpiryInterval = UInt32(clamping: max(1, left.components.seconds))
      }
      room -= 1
      let isLast = room == 0 || outbox.isEmpty
      // Before it goes out: at QoS 0 that is the end of its course.
      if message.retain { retained.sent(message, of: taken.reading.stream, taken.token, at: now) }
      guard send(message.adapted(to: limits), taken.token, client, endsTurn: isLast) else {
        retained.settled(taken.token, isDelivered: false)
        return outbox.giveBack(taken)
      }
    }
    if room > 0, let deadline = outbox.drainDeadline(at: now) { armDrainTimer(deadline) }
  }

  /// What an earlier process had published and no server has seen goes before all else; false: there is no room for it.
  private func sendLeftOver(_ client: Client, _ limits: PublishLimits) -> Bool {
    while let stored = leftOver.first {
      let message = stored.message.adapted(to: limits)
      guard client.assumeIsolated({ $0.room(for: message.qos) }) > 0, send(message, stored.token, client) else {
        return false
      }
      leftOver.removeFirst()
    }
    return true
  }

  /// False: there is no room for it now.
  package func send(_ message: Message, _ token: Session.Token, _ client: Client, endsTurn: Bool = false) -> Bool {
    underWay += 1
    do { try client.assumeIsolated { try $0.publish(message, token: token, endsTurn: endsTurn) } } catch {
      underWay -= 1
      if let rejection = error as? Session.Rejection, rejection == .noRoom || rejection == .notConnected {
        return false
      }
      refused += 1
      outbox.settled(token, at: .now)
      retained.settled(token, isDelivered: false)
      if lateMessages.remove(token) != nil { outbox.disk.endMessage(token, at: .now) }
      logger.error("a reading of \(message.topic) cannot be sent and was given up: \(error)")
      if departure.isLeaving { perform(departure.settled(isIdle: isIdle)) }
    }
    serviceState.handedOver += 1
    return true
  }

  private func settled(_ token: Session.Token, _ outcome: Session.Outcome) {
    if token == FirstToken.clearing { return clearingSettled(outcome) }
    if token == FirstToken.birthPresence, case .delivered = outcome { conflict.spoke() }
    switch (token, outcome) {
    case (FirstToken.birthStatus, .delivered):
      birthAnswer = .acknowledged
      takes(plan.presence.status)
    case (FirstToken.birthStatus, .refused(let code)):
      birthAnswer = .refused(code)
      refuses(plan.presence.status, code)
    case (FirstToken.birthPresence, .delivered): takes(plan.presence.presence)
    case (FirstToken.birthPresence, .refused(let code)): refuses(plan.presence.presence, code)
    default: break
    }
    if case .refused(let code) = outcome, token < FirstToken.readings {
      if token > FirstToken.birthPresence {
        logger.error("the server refused a message about the presence: \(code)")
      }
    }
    if token == FirstToken.stopStatus { offlineSettled(outcome) }
    if token == FirstToken.owedStatus, outcome != .abandoned {
      owed.settled()
      sayOwedOffline()
    }
    guard token >= FirstToken.readings else { return }
    if token >= FirstToken.retained { return retainedSettled(token, outcome) }
    underWay -= 1
    let stream = outbox.stream(of: token)
    if let stream, waitsAgain(token, plan.streams[stream].topic, outcome) { return }
    outbox.settled(token, at: .now)
    retained.settled(token, isDelivered: outcome == .delivered)
    if lateMessages.remove(token) != nil { outbox.disk.endMessage(token, at: .now) }
    switch outcome {
    case .delivered:
      tally.delivered += 1
      messageTaken()
      if let stream {
        workingStreams.insert(stream)
        takes(plan.streams[stream].topic)
      }
    case .abandoned: break
    case .refused(let code):
      refused += 1
      logger.error("the server refused a reading: \(code); \(refused) were refused since the start")
    case .rejected(let rejection):
      refused += 1
      logger.error("a reading was given up: \(rejection); \(refused) since the start")
    }
    if departure.isLeaving { perform(departure.settled(isIdle: isIdle)) }
  }

  /// The broker takes nothing on the reading's topic: it waits in the outbox again. False: its course is over.
  private func waitsAgain(_ token: Session.Token, _ topic: TopicName, _ outcome: Session.Outcome) -> Bool {
    switch outcome {
    case .refused(let code):
      guard !RestingTopics.concernsMessage(code) else { return false }
      refuses(topic, code)
    case .abandoned: break
    case .delivered, .rejected: return false
    }
    guard outbox.putBack(token, .now(), at: .now) else { return false }
    keepReadings()
    if departure.isLeaving { perform(departure.settled(isIdle: isIdle)) }
    return true
  }

  /// Nothing waits that may go, nothing is under way, nothing is being read, and the broker has forgotten what it should.
  package var isIdle: Bool {
    unsent == outbox.restingCount && !sampling.isReading && monitor == nil && clearings.count == 0
  }
}
