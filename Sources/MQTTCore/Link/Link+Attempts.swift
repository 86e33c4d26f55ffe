import LimpetInstants

/// Attempts at a connection: how they begin, how they end, and when the next one follows.
extension Link {
  mutating func begin(at now: Instant, into effects: inout Effects) {
    let server = referredServer ?? settings.servers[serverIndex % settings.servers.count]
    let version = settings.version ?? versions.version(for: settings.versionKey(of: server), at: now)
    attempt = Attempt(
      number: attempt.number + 1, server: server, version: version,
      purpose: mustClearSession && version == .v311 ? .clearSession : .use, limit: settings.connectTimeout,
      deadline: now + settings.connectTimeout, dialled: server)
    phase = .opening
    effects.orders.append(.report(.connecting(server, version)))
    effects.orders.append(.open(attempt.number, server, version))
  }

  // MARK: On the way to CONNACK

  mutating func progress(_ number: AttemptNumber, _ stage: ConnectionStage, _ address: ServerAddress) {
    // What only `connect` and CONNACK bring is not the transport's to say.
    guard isCurrent(number), !isListening, attempt.ending == nil else { return }
    attempt.stage = stage
    attempt.dialled = address
  }

  mutating func opened(_ number: AttemptNumber, from address: String?) {
    guard isOpening(number) else { return }
    phase = .open
    attempt.localAddress = address
    isWritable = true
    forgetLastSent()
  }

  /// CONNECT, as its owner wants it and as it has to be here.
  mutating func connect(
    _ packet: consuming Connect, _ number: AttemptNumber, at now: Instant, into effects: inout Effects
  ) {
    guard isCurrent(number), phase == .open, !isListening, attempt.ending == nil else { return }
    var packet = consume packet
    if attempt.version == .v5, settings.announcesMaximumPacketSize {
      packet.properties.maximumPacketSize = UInt32(clamping: settings.maximumPacketSize)
    }
    if mustClearSession { packet.cleanStart = true }
    if let owner, hasSession, packet.clientIdentifier.isEmpty, !packet.cleanStart {
      // The server has given this client a name (§3.2.2.3.7).
      packet.clientIdentifier = owner.clientIdentifier
    }
    if !hasSession && !settings.believesAnySession { session.distrust() }
    if attempt.purpose == .clearSession { packet.will = nil }
    guard packet.isEncodable(attempt.version) else { return cut(.notEncodable, into: &effects) }
    attempt.stage = .connect
    isListening = true
    session.usesTopicAliases = settings.usesTopicAliases
    session.connect(
      packet, version: attempt.version, isVisit: attempt.purpose == .clearSession, into: &effects.actions)
    carryOut(at: now, into: &effects)
  }

  /// The session may be at the attempt's server: it is the one that had it last or, where servers share their sessions,
  /// one of those.
  private var hasSession: Bool {
    guard let owner else { return false }
    if owner.server == attempt.server.description { return true }
    guard settings.sharesSessions else { return false }
    return settings.servers.contains { $0.description == owner.server }
      && settings.servers.contains { $0.description == attempt.server.description }
  }

  mutating func connected(_ connected: MQTTSession.Connected, at now: Instant, into effects: inout Effects) {
    attempt.deadline = nil
    attempt.stage = .connected
    attempt.connectedSince = now
    versions.accepted(attempt.version, by: settings.versionKey(of: attempt.server))
    mustClearSession = false
    guard attempt.purpose == .use else { return session.disconnect(into: &effects.actions) }
    let owner = SessionOwner(
      server: attempt.server.description, clientIdentifier: connected.limits.clientIdentifier)
    own(owner, at: now, into: &effects)
    schedule.connected(at: now)
    isReturning = false
    watchFirstServer(at: now)
    effects.orders.append(.report(.connected(connected, attempt.server)))
  }

  // MARK: Ends

  mutating func malformed(
    _ error: PacketError, _ number: AttemptNumber, at now: Instant, into effects: inout Effects
  ) {
    guard isCurrent(number), phase == .open, attempt.ending == nil else { return }
    guard isListening else {
      // The client speaks first: the session would drop this, and the server never say it again.
      return cut(.session(.violation(error)), into: &effects)
    }
    session.received(error, into: &effects.actions)
    carryOut(at: now, into: &effects)
  }

  mutating func failed(_ loss: ConnectionLoss, _ number: AttemptNumber, at now: Instant, into effects: inout Effects) {
    guard isCurrent(number) else { return }
    guard phase == .opening else { return cut(loss, into: &effects) }
    effects.orders.append(.close(number, .atOnce))
    finish(loss, at: now, into: &effects)
  }

  mutating func closed(_ number: AttemptNumber, received: Bool, at now: Instant, into effects: inout Effects) {
    guard isCurrent(number), phase == .open else { return }
    session.transportClosed(into: &effects.actions)
    carryOut(at: now, into: &effects)
    finish(attempt.ending ?? .closed(attempt.stage, received: received, detail: nil), at: now, into: &effects)
  }

  /// The session's last word on a connection.
  mutating func close(_ ending: MQTTSession.Ending, at now: Instant, into effects: inout Effects) {
    if case .disconnectedByServer(.sessionTakenOver, _, _) = ending { sessionIsTakenOver(at: now, into: &effects) }
    guard !ending.isAbort else { return cut(.session(ending), into: &effects) }
    attempt.ending = attempt.ending ?? .session(ending)
    isListening = false
    // The server closes when it has read the DISCONNECT; closing both ways first could reset the connection under it.
    // A DISCONNECT that does not get through has the server publish the will ([MQTT-3.1.2-8]): it has its time.
    attempt.deadline = now + (disconnectLimit ?? Self.sendingLimit)
    effects.orders.append(.close(attempt.number, .afterSending))
  }

  /// A packet behind the decision to end the connection: the server may have given the session away before it knew.
  mutating func receiveLate(_ packet: Packet, at now: Instant, into effects: inout Effects) {
    guard takesPackets, attempt.connectedSince != nil, attempt.version == .v5,
      case .disconnect(let disconnect) = packet, disconnect.reasonCode == .sessionTakenOver
    else { return }
    sessionIsTakenOver(at: now, into: &effects)
  }

  /// What the server's session has from now on is another client's.
  private mutating func sessionIsTakenOver(at now: Instant, into effects: inout Effects) {
    guard !settings.believesAnySession, settings.mutation != .rivalsSessionIsBelieved else { return }
    distrust(at: now, into: &effects)
  }

  /// Everything has left.
  mutating func outputClosed(_ number: AttemptNumber, at now: Instant) {
    guard isCurrent(number), phase == .open, attempt.ending != nil, let deadline = attempt.deadline else { return }
    attempt.deadline = min(deadline, now + Self.lingerLimit)
  }

  /// An open transport is closed at once; `closed` follows.
  mutating func cut(_ loss: ConnectionLoss, into effects: inout Effects) {
    attempt.ending = attempt.ending ?? loss
    attempt.deadline = nil
    isListening = false
    // Until `closed` the session is connected: what it took now, at QoS 0, would be lost and count as delivered.
    isWritable = false
    effects.orders.append(.close(attempt.number, .atOnce))
  }

  /// The attempt has had its time, or the server its own to close.
  mutating func attemptIsDue(at now: Instant, into effects: inout Effects) {
    let loss = ConnectionLoss.timeout(attempt.dialled, attempt.stage, after: attempt.limit)
    switch phase {
    case .opening:
      effects.orders.append(.close(attempt.number, .atOnce))
      finish(loss, at: now, into: &effects)
    case .open: cut(loss, into: &effects)
    case .idle, .waiting, .stopped: break
    }
  }

  /// The attempt is over: another one follows, or none.
  private mutating func finish(_ loss: ConnectionLoss, at now: Instant, into effects: inout Effects) {
    attempt.deadline = nil
    isListening = false
    isWritable = false
    if case .aborted = loss { return stop(loss, into: &effects) }
    let next = next(after: loss, at: now)
    guard !isStopping, settings.reconnects || next.isOwed else { return stop(loss, into: &effects) }
    wait = Wait(until: now + next.delay, failure: loss.failure)
    phase = .waiting
    effects.orders.append(.report(.lost(loss, retryAfter: next.delay)))
  }

  mutating func stop(_ loss: ConnectionLoss, into effects: inout Effects) {
    phase = .stopped
    attempt.deadline = nil
    isListening = false
    isWritable = false
    effects.orders.append(.report(.lost(loss, retryAfter: nil)))
  }

  /// The same server once more after a connection, for it has the session; then the next one, and the next one after an
  /// attempt that led to none. Only a connection that lasted counts as another chance: a server that agrees and closes,
  /// for ever, is left.
  private mutating func chooseServer(at now: Instant) {
    let isStable = attempt.connectedSince.map { now >= $0 + settings.reconnect.stableAfter } ?? false
    if isStable {
      isRetryingServer = false
      returnIsOver()
    }
    guard attempt.connectedSince != nil, !isRetryingServer else {
      isRetryingServer = false
      serverIndex += 1
      return
    }
    isRetryingServer = true
  }

  /// When to try again, and where.
  ///
  /// - Returns: `isOwed`: the loss is a step on the way to a connection, so the attempt that follows belongs to it.
  private mutating func next(after loss: ConnectionLoss, at now: Instant) -> (delay: Duration, isOwed: Bool) {
    switch loss {
    case .session(.unknownSession):
      mustClearSession = true
      return (.zero, true)
    // A connection that was made to clear a session has done so.
    case .session(.requested): return (.zero, true)
    case .session(.refused(.unsupportedProtocolVersion, _, _)) where attempt.version == .v5:
      guard settings.version == nil else { break }
      versions.refused(by: settings.versionKey(of: attempt.server), at: now)
      return (.zero, true)
    case .closed(.connect, received: false, _) where attempt.version == .v5 && settings.version == nil:
      // A link for one connection has no later attempt to learn from this.
      versions.closedSilently(by: settings.versionKey(of: attempt.server), at: now)
      if !settings.reconnects { return (.zero, true) }
    default: break
    }
    if let server = loss.referredServer(from: attempt.server), settings.followsServerReferences,
      server != attempt.server
    {
      // With a delay as after any failure: two servers that name each other must not make a loop.
      referredServer = server
    } else if referredServer != nil {
      referredServer = nil
    } else {
      chooseServer(at: now)
    }
    // The server that was left works: whatever the first one said, the way back is short.
    let failure = isReturning ? .ordinary : loss.failure
    isReturning = false
    return (schedule.failed(failure, at: now, using: &generator), false)
  }
}

extension Link.Settings {
  /// Where it is remembered which versions a server speaks: the nodes of a cluster speak the same.
  fileprivate func versionKey(of server: ServerAddress) -> ServerAddress {
    sharesSessions ? servers.first ?? server : server
  }
}
