import Instants
import MQTT
import MQTTCore
import NIOCore
import Platform
import Presence
import Text

/// What the agent says about itself, and how it sees to it that this stays true.
extension Daemon {
  // MARK: Saying

  /// - Parameter isRenewed: a new configuration is the reason for this connection.
  package func sayOnline(_ connected: Session.Connected, isRenewed: Bool = false) {
    births += 1
    birthAnswer = .none
    let isFirst = births == 1
    birth = PresenceMessages.Statement(
      event: .birth, reason: isFirst ? start.reason : isRenewed ? "reload" : "reconnected", epoch: epoch,
      since: WallClock.now().time(of: .now), connection: connected, goneFor: isFirst ? start.goneFor : nil,
      transport: transport)
    tellBirth()
  }

  /// Publishes it, and sees to it that it never expires; a server of 3.1.1 forgets nothing, so once is enough there.
  func tellBirth() {
    // After a farewell nothing may say online again, whatever has changed.
    guard var birth, !departure.isLeaving, !farewell.isUnderWay else { return }
    birth.conflict = conflict.rival?.description
    birth.storageError = storageError
    birth.dropped = outbox.dropped + outbox.expired
    if !topics.isResting(plan.presence.status) { publish(plan.presence.status(birth), FirstToken.birthStatus) }
    if !topics.isResting(plan.presence.presence) { publish(plan.presence.presence(birth), FirstToken.birthPresence) }
    lease.told(every: birth.connection.version == .v5 ? plan.presence.lease : .zero, at: .now)
    renewLease()
  }

  /// Publishes the birth again if that is due, and looks again when it will be: timers do not count a suspend, so one
  /// that is late is put right by `clockJumped`.
  func renewLease() {
    leaseTimer?.cancel()
    leaseTimer = nil
    guard birth != nil, !departure.isLeaving, let deadline = lease.deadline else { return }
    let now = BootClock.now
    guard !lease.isDue(at: now) else { return tellBirth() }
    leaseTimer = after(now.duration(to: deadline)) { $0.renewLease() }
  }

  /// The farewell to this connection, by the topics that it was made with.
  ///
  /// - Returns: false: the broker will not get it on this connection.
  func sayOffline(because reason: String, over connected: Session.Connected) -> Bool {
    let statement = PresenceMessages.Statement(
      event: .stop, reason: reason, epoch: epoch, since: WallClock.now().time(of: .now), connection: connected,
      transport: transport)
    // A birth that waits for a place is not true any more.
    waitingPresence = []
    publish(connectPresence.presence(statement), FirstToken.stopPresence)
    return publish(connectPresence.status(statement), FirstToken.stopStatus)
  }

  /// The course of an `offline` on this connection is over; one that is abandoned was lost with it.
  func offlineSettled(_ outcome: Session.Outcome) {
    switch outcome {
    case .delivered:
      spoken = nil
      perform(departure.farewellAcknowledged(at: .now))
      perform(farewell.acknowledged())
    case .refused, .rejected:
      perform(departure.farewellRefused())
      perform(farewell.refused())
    case .abandoned: break
    }
  }

  /// Topics that say online though nobody stands for it, and whose will this connection has deleted.
  func sayOwedOffline() {
    guard let connection, let server = spoken?.server, !departure.isLeaving, !farewell.isUnderWay,
      let messages = owed.next(on: server, status: plan.presence.status)
    else { return }
    let statement = PresenceMessages.Statement(
      event: .stop, reason: "reload", epoch: epoch, since: WallClock.now().time(of: .now), connection: connection)
    if !publish(messages.status(statement), FirstToken.owedStatus) { owed.settled() }
  }

  /// Presence is good for this connection only, and may take the place that is kept free for it. Where that is taken it
  /// waits for the next, in its order and before every reading; false: it cannot be said.
  @discardableResult
  package func publish(_ message: Message, _ token: Session.Token) -> Bool {
    waitingPresence.removeAll { $0.token == token }
    guard waitingPresence.isEmpty, let isSent = send(presence: message, token) else {
      waitingPresence.append((token, message))
      return true
    }
    return isSent
  }

  /// A place has become free.
  func publishWaitingPresence() {
    while let (token, message) = waitingPresence.first, send(presence: message, token) != nil {
      waitingPresence.removeFirst()
    }
  }

  /// nil: no place is free.
  private func send(presence message: Message, _ token: Session.Token) -> Bool? {
    do {
      try client?.assumeIsolated { try $0.publish(message, token: token, transient: true) }
      return true
    } catch Session.Rejection.noRoom {
      return nil
    } catch {
      logger.error("\(message.topic) was not published: \(error)")
      return false
    }
  }

  // MARK: Watching

  /// Before the birth, which does not wait for the answer.
  func watchPresence() {
    guard !departure.isLeaving else { return }
    healing.connected(at: .now)
    isSubscribing = false
    if closeWatch.maySubscribe {
      do {
        let filters = try [plan.presence.status, plan.presence.presence].map {
          Subscription(try TopicFilter($0.description))
        }
        try client?.assumeIsolated { try $0.subscribe(filters, token: FirstToken.subscription) }
        isSubscribing = true
      } catch {
        perform(healing.failed("\(error)"))
      }
    } else {
      perform(healing.failed("the broker closes the connection on SUBSCRIBE"))
    }
    stabilityTimer = after(plan.client.reconnect.stableAfter) { $0.connectionLasted() }
    armHealingTimer()
  }

  func unwatchPresence() {
    healing.disconnected()
    healingTimer?.cancel()
    stabilityTimer?.cancel()
  }

  package func subscribed(_ codes: [ReasonCode]) {
    isSubscribing = false
    closeWatch.subscribed()
    if let code = codes.first(where: \.isError) {
      perform(healing.denied("the broker does not let this device read its own status: \(code)"))
    }
    armHealingTimer()
  }

  /// A message on one of the own topics.
  func heard(_ message: Message) {
    let now = BootClock.now
    let jitter = SelfHealing.jitter * Double.random(in: 0...1)
    if message.topic == plan.presence.status {
      recognize(OwnMessage(status: message), isRetained: message.retain)
      healing.saw(isOnline: message.payload == ByteBuffer(string: plan.presence.online), at: now, delay: jitter)
    } else if message.topic == plan.presence.presence {
      let sender = OwnMessage(presence: message)
      recognize(sender, isRetained: message.retain)
      if sender.instance == plan.presence.instance, sender.epoch == epoch {
        perform(healing.echoed(at: now, delay: jitter))
      }
    }
    armHealingTimer()
  }

  private func recognize(_ sender: OwnMessage, isRetained: Bool) {
    guard let instance = sender.instance,
      conflict.saw(instance: instance, epoch: sender.epoch ?? 0, isRetained: isRetained)
    else { return }
    logger.error(
      """
      another device uses the client id \(plan.connect.clientIdentifier) (instance \(instance)): give one of the two \
      another device.id; until then each waits minutes before it takes the connection from the other
      """)
    client?.assumeIsolated { $0.distrustSession() }
    tellBirth()
  }

  private func connectionLasted() {
    closesInARow = 0
    guard conflict.lasted() else { return }
    logger.notice(
      "nobody has taken the connection over for \(plan.client.reconnect.stableAfter.inWords): the conflict is over")
    tellBirth()
  }

  private func perform(_ actions: [SelfHealing.Action]) {
    for action in actions {
      switch action {
      case .sayOnline:
        guard !departure.isLeaving else { break }
        tally.corrections += 1
        logger.notice("the status was not \(plan.presence.online) though this device is: it is told again")
        tellBirth()
      case .reportUnavailable(let reason):
        logger.warning("self-heal unavailable: \(reason); a wrong status is put right with the next connection")
      case .reportAvailable: logger.notice("self-heal available again")
      }
    }
  }

  private func armHealingTimer() {
    healingTimer?.cancel()
    healingTimer = nil
    guard !departure.isLeaving, let deadline = healing.deadline else { return }
    healingTimer = after(max(.zero, BootClock.now.duration(to: deadline))) { daemon in
      daemon.perform(daemon.healing.elapsed(at: .now))
      daemon.armHealingTimer()
    }
  }

  // MARK: Ends of connections

  /// Why a connection ended, as far as that changes when and how the next one is made.
  func findReason(
    _ loss: ConnectionLoss, wasConnected: Bool, delay: Duration
  ) -> (delay: Duration, remark: String) {
    guard let client, wasConnected || loss.isTakeOver else { return (delay, "") }
    let share = Double.random(in: 0...1)
    if let wait = conflict.lost(isTakenOver: loss.isTakeOver, share: share), let rival = conflict.rival {
      tally.takeOvers += 1
      client.assumeIsolated {
        $0.wait(wait)
        $0.distrustSession()
      }
      return (wait, "; \(rival)")
    }
    guard loss.mayBeAboutWhatWasSent else { return (delay, "") }
    closesInARow += 1
    let oldest = client.assumeIsolated { $0.oldestUnderWay }
    switch closeWatch.closed(oldest: oldest, isSubscribing: isSubscribing) {
    case .nothing: break
    case .beCautious: client.assumeIsolated { $0.isCautious = true }
    case .setOldestAside:
      // Where none of its topic was taken since, it is the topic and not the message.
      if let token = oldest, let stream = outbox.stream(of: token), workingStreams.remove(stream) == nil,
        !topics.isResting(plan.streams[stream].topic)
      {
        closesOn(plan.streams[stream].topic)
      } else {
        setOldestAside(client)
      }
    }
    guard closesInARow > 1, let last = client.assumeIsolated({ $0.lastSent }) else { return (delay, "") }
    return (delay, "; the broker closes on us again and again, last packet sent: \(last)")
  }

  private func setOldestAside(_ client: Client) {
    guard let message = client.assumeIsolated({ $0.setOldestAside() }) else { return }
    tally.setAside += 1
    logger.error("the broker closed the connection on a reading of \(message.topic) three times: it is set aside")
    guard let store else { return }
    let owner = plan.connect.clientIdentifier
    Task {
      do { try await store.setAside(message, of: owner) } catch { logger.error("\(error)") }
    }
  }

  /// The broker takes messages: it closes on none of them.
  func messageTaken() {
    client?.assumeIsolated { if $0.isCautious { $0.isCautious = false } }
  }
}
