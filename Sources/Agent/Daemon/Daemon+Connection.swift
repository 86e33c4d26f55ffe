import MQTT
import NIOCore
import Storage
import Time

extension Daemon: ClientDelegate {
  func connectPacket(for server: ServerAddress, version: ProtocolVersion) async -> Connect {
    epoch = await nextEpoch()
    var connect = plan.connect
    connect.cleanStart = plan.cleanStart
    connect.will = plan.presence.will(epoch: epoch, version)
    return connect
  }

  /// One more than in every CONNECT before, across restarts as long as it can be stored.
  private func nextEpoch() async -> UInt64 {
    guard let store else { return epoch + 1 }
    do {
      let next = try await store.nextEpoch()
      storageWorks()
      return max(next, epoch + 1)
    } catch {
      storageFails(error)
      return epoch + 1
    }
  }

  func client(_ client: isolated Client, did event: Client.Event) {
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

  private func connected(_ connected: Session.Connected, to server: ServerAddress) {
    connection = connected
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
    if departure.isLeaving {
      perform(departure.connected(isIdle: isIdle))
    } else {
      sayOnline(connected, isRenewed: renewal != nil)
      renewal = nil
      tellHealth()
      beginAnnouncing(connected)
    }
  }

  /// What this server does not do of what was asked for.
  private func warn(of connected: Session.Connected, _ server: ServerAddress) {
    let limits = connected.limits
    if !limits.retainAvailable {
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
    connection = nil
    birth = nil
    waitingPresence = []
    outbox.disconnected(at: .now)
    unwatchPresence()
    let wait = delay.map { findReason(loss, wasConnected: wasConnected, delay: $0) }
    record.lost(loss, retryAfter: wait?.delay, at: .now)
    if renewal != nil, wasConnected, delay != nil {
      // Whatever ended it: the next one is made by the new configuration.
      logger.notice("disconnected, to connect by the new configuration")
      handOver()
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

  // MARK: Readings

  /// Sends waiting readings while the session has room, and keeps those that it has none for.
  func pump() {
    sendReadings()
    keepReadings()
  }

  private func sendReadings() {
    guard renewal == nil, waitingPresence.isEmpty, !departure.hasSaidFarewell else { return }
    if !clearings.isEmpty { sendClearings() }
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
      guard send(message.adapted(to: limits), taken.token, client, endsTurn: isLast) else {
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
  func send(_ message: Message, _ token: Session.Token, _ client: Client, endsTurn: Bool = false) -> Bool {
    underWay += 1
    do { try client.assumeIsolated { try $0.publish(message, token: token, endsTurn: endsTurn) } } catch {
      underWay -= 1
      if let rejection = error as? Session.Rejection, rejection == .noRoom || rejection == .notConnected {
        return false
      }
      refused += 1
      outbox.settled(token, at: .now)
      logger.error("a reading of \(message.topic) cannot be sent and was given up: \(error)")
      if departure.isLeaving { perform(departure.settled(isIdle: isIdle)) }
    }
    serviceState.handedOver += 1
    return true
  }

  private func settled(_ token: Session.Token, _ outcome: Session.Outcome) {
    if token == FirstToken.birthPresence, case .delivered = outcome { conflict.spoke() }
    if token == FirstToken.stopStatus, case .delivered = outcome {
      perform(departure.farewellAcknowledged(at: .now))
    }
    if case .refused(let code) = outcome, token < FirstToken.readings {
      logger.error("the server refused a message about the presence: \(code)")
      if token == FirstToken.stopStatus { perform(departure.farewellRefused()) }
    }
    if token == FirstToken.stopStatus { handOver() }
    guard token >= FirstToken.readings else { return }
    underWay -= 1
    outbox.settled(token, at: .now)
    switch outcome {
    case .delivered:
      tally.delivered += 1
      messageTaken()
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

  /// Nothing waits, nothing is under way, nothing is being read.
  var isIdle: Bool { unsent == 0 && reading.isEmpty && inputs.monitor == nil }
}
