import MQTT
import NIOCore
import Storage

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
    case .message(let delivery): heard(delivery.message)
    case .answered(let token, let codes): if token == FirstToken.subscription { subscribed(codes) }
    case .settled(let token, let outcome): settled(token, outcome)
    case .storing(let error as StorageError): storageFails(error)
    case .storing: storageWorks()
    case .stored: break
    case .ready: pump()
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
    if departure.isLeaving {
      perform(departure.connected(isIdle: isIdle))
    } else {
      sayOnline(connected)
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
    unwatchPresence()
    let wait = delay.map { findReason(loss, wasConnected: wasConnected, delay: $0) }
    record.lost(loss, retryAfter: wait?.delay, at: .now)
    if case .session(.unknownSession) = loss {
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

  /// Sends waiting readings while the session has room.
  func pump() {
    guard let client, !departure.hasSaidFarewell else { return }
    let room = client.assumeIsolated { $0.room }
    guard room > 0, !outbox.isEmpty || !leftOver.isEmpty, let connection else { return }
    let clock = WallClock.now()
    for _ in 0..<room {
      let message: Message
      if let stored = leftOver.first {
        message = stored.message.adapted(to: connection.limits)
      } else if let reading = outbox.oldest {
        message = plan.streams[reading.stream].message(reading, clock, connection.version)
          .adapted(to: connection.limits)
      } else {
        return
      }
      guard client.assumeIsolated({ $0.room(for: message.qos) }) > 0 else { return }
      if let stored = leftOver.popFirst() {
        send(message, stored.token, client)
      } else {
        _ = outbox.popFirst()
        send(message, nextToken, client)
        nextToken += 1
      }
    }
  }

  private func send(_ message: Message, _ token: Session.Token, _ client: Client) {
    underWay += 1
    do { try client.assumeIsolated { try $0.publish(message, token: token) } } catch {
      underWay -= 1
      refused += 1
      logger.error("a reading of \(message.topic) cannot be sent and was given up: \(error)")
      if departure.isLeaving { perform(departure.settled(isIdle: isIdle)) }
    }
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
    guard token >= FirstToken.readings else { return }
    underWay -= 1
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

  // MARK: Storage

  func storageFails(_ error: StorageError) {
    guard !isStorageFailing else { return }
    isStorageFailing = true
    logger.error("\(error); the agent goes on in memory: a restart may repeat or skip sequence numbers")
  }

  func storageWorks() {
    guard isStorageFailing else { return }
    isStorageFailing = false
    logger.notice("the storage can be written again")
  }
}
