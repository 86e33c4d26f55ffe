import LimpetInstants

/// For an owner that knows more than the connection: when to end, when to try again, and with what.
extension Link {
  mutating func disconnect(
    _ reasonCode: ReasonCode, _ properties: Properties, within limit: Duration, at now: Instant,
    into effects: inout Effects
  ) {
    guard phase == .open, session.isConnected else { return abort(into: &effects) }
    isStopping = true
    disconnectLimit = limit
    session.disconnect(reasonCode: reasonCode, properties: properties, into: &effects.actions)
    carryOut(at: now, into: &effects)
  }

  mutating func abort(into effects: inout Effects) {
    isStopping = true
    switch phase {
    case .opening:
      effects.orders.append(.close(attempt.number, .atOnce))
      stop(.aborted, into: &effects)
    case .open: cut(.aborted, into: &effects)
    case .idle, .waiting: stop(.aborted, into: &effects)
    case .stopped: break
    }
  }

  mutating func retryNow(at now: Instant, into effects: inout Effects) {
    guard phase == .waiting else { return }
    schedule.reset()
    begin(at: now, into: &effects)
  }

  mutating func networkChanged(
    _ addresses: Set<String>?, _ jitter: Duration, at now: Instant, into effects: inout Effects
  ) {
    switch phase {
    case .waiting: endWait(on: .network, jitter, at: now)
    case .open:
      guard let addresses, let address = attempt.localAddress, !addresses.contains(address) else { return }
      cut(.addressLost(address), into: &effects)
    case .idle, .opening, .stopped: break
    }
  }

  /// A certificate that was not valid yet may be so now.
  mutating func clockChanged(_ jitter: Duration, at now: Instant) {
    if phase == .waiting { endWait(on: .clock, jitter, at: now) }
  }

  private mutating func endWait(on change: ReconnectSchedule.Change, _ jitter: Duration, at now: Instant) {
    guard wait.failure.ends(on: change) else { return }
    wait.until = min(wait.until, now + jitter)
  }

  /// Another process learns so from the store.
  mutating func distrust(at now: Instant, into effects: inout Effects) {
    if let owner { own(.nobody(clientIdentifier: owner.clientIdentifier), at: now, into: &effects) }
    session.distrust()
  }

  mutating func reconfigure(
    _ settings: Settings, reconnecting: Bool, isAborted: Bool, at now: Instant, into effects: inout Effects
  ) {
    precondition(!settings.servers.isEmpty, "a link needs a server")
    var settings = settings
    // These belong to the session.
    settings.isStored = self.settings.isStored
    settings.storeDelay = self.settings.storeDelay
    settings.inFlightLimit = self.settings.inFlightLimit
    settings.keepsPlace = self.settings.keepsPlace
    let isPreferred = self.settings.prefersFirst == settings.prefersFirst
    // What is known of one server says nothing about another.
    if self.settings.servers[0] != settings.servers[0] { vainReturns = 0 }
    self.settings = settings
    schedule = ReconnectSchedule(settings.reconnect, servers: settings.servers.count)
    if isConnected {
      schedule.connected(at: now)
      if !isPreferred { watchFirstServer(at: now) }
    }
    guard reconnecting, !isStopping else { return }
    versions = VersionChoice()
    isReturning = false
    connectToFirst(isAborted: isAborted, at: now, into: &effects)
  }

  /// Nothing is forgotten: a first server that takes less than it was asked for is asked for less the next time.
  mutating func returnToFirst(isAborted: Bool, at now: Instant, into effects: inout Effects) {
    guard !isStopping else { return }
    isReturning = true
    connectToFirst(isAborted: isAborted, at: now, into: &effects)
  }

  private mutating func connectToFirst(isAborted: Bool, at now: Instant, into effects: inout Effects) {
    serverIndex = 0
    isRetryingServer = false
    referredServer = nil
    switch phase {
    case .idle, .stopped: break
    case .waiting: begin(at: now, into: &effects)
    case .opening:
      effects.orders.append(.close(attempt.number, .atOnce))
      begin(at: now, into: &effects)
    case .open:
      guard session.isConnected, !isAborted else { return cut(.session(.requested), into: &effects) }
      session.disconnect(into: &effects.actions)
      carryOut(at: now, into: &effects)
    }
  }

  /// The oldest message under way, except those that are for one connection only.
  public var oldestUnderWay: MQTTSession.Token? { session.oldestUnderWay }

  /// Messages go one at a time from the next connection on, so that it is certain on which message a server closes.
  public var isCautious: Bool {
    get { session.isCautious }
    set { session.isCautious = newValue }
  }

  /// Gives up every message to a topic for now: see `MQTTSession.withdraw`. Call it only without a connection.
  public mutating func withdraw(
    _ topic: TopicName, where condition: (MQTTSession.Token) -> Bool, at now: Instant, into effects: inout Effects
  ) {
    session.withdraw(topic, where: condition, into: &effects.actions)
    carryOut(at: now, into: &effects)
  }

  /// Messages that the server had no room for and that the session will send again, and how often that happened.
  public var held: (now: Int, retries: UInt64) { (session.heldCount, session.retries) }

  /// Gives up the oldest message under way for good, and returns it: it ends as `rejected(.setAside)`.
  public mutating func setOldestAside(at now: Instant, into effects: inout Effects) -> Message? {
    let message = session.setOldestAside(into: &effects.actions)
    carryOut(at: now, into: &effects)
    return message
  }
}
