import Time

/// For an owner that knows more than the connection: when to end, when to try again, and with what.
extension Link {
  mutating func disconnect(
    _ reasonCode: ReasonCode, within limit: Duration, at now: Instant, into effects: inout Effects
  ) {
    guard phase == .open, session.isConnected else { return abort(into: &effects) }
    isStopping = true
    disconnectLimit = limit
    session.disconnect(reasonCode: reasonCode, into: &effects.actions)
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
    _ addresses: Set<String>, _ jitter: Duration, at now: Instant, into effects: inout Effects
  ) {
    switch phase {
    case .waiting where !wait.isFixed: wait.until = min(wait.until, now + jitter)
    case .open:
      guard let address = attempt.localAddress, !addresses.contains(address) else { return }
      cut(.addressLost(address), into: &effects)
    case .idle, .opening, .waiting, .stopped: break
    }
  }

  /// A certificate that was not valid yet may be so now.
  mutating func clockChanged(at now: Instant, into effects: inout Effects) {
    guard phase == .waiting, !wait.isFixed, wait.isForTLS else { return }
    retryNow(at: now, into: &effects)
  }

  mutating func distrust() {
    owner = nil
    session.distrust()
  }

  mutating func reconfigure(
    _ settings: Settings, reconnecting: Bool, at now: Instant, into effects: inout Effects
  ) {
    precondition(!settings.servers.isEmpty, "a link needs a server")
    var settings = settings
    // These belong to the session.
    settings.isStored = self.settings.isStored
    settings.storeDelay = self.settings.storeDelay
    settings.inFlightLimit = self.settings.inFlightLimit
    self.settings = settings
    schedule = ReconnectSchedule(settings.reconnect, servers: settings.servers.count)
    if isConnected { schedule.connected(at: now) }
    guard reconnecting, !isStopping else { return }
    serverIndex = 0
    referredServer = nil
    versions = VersionChoice()
    switch phase {
    case .idle, .stopped: break
    case .waiting: begin(at: now, into: &effects)
    case .opening:
      effects.orders.append(.close(attempt.number, .atOnce))
      begin(at: now, into: &effects)
    case .open:
      guard session.isConnected else { return cut(.session(.requested), into: &effects) }
      session.disconnect(into: &effects.actions)
      carryOut(at: now, into: &effects)
    }
  }

  /// The oldest message under way, beside those that are good for one connection only.
  public var oldestUnderWay: Session.Token? { session.oldestUnderWay }

  /// Messages go one at a time from the next connection on, so that what a server closes on can be told.
  public var isCautious: Bool {
    get { session.isCautious }
    set { session.isCautious = newValue }
  }

  /// Gives the oldest message under way up, for good, and returns it: its course ends as `rejected(.setAside)`.
  public mutating func setOldestAside(at now: Instant, into effects: inout Effects) -> Message? {
    let message = session.setOldestAside(into: &effects.actions)
    carryOut(at: now, into: &effects)
    return message
  }
}
