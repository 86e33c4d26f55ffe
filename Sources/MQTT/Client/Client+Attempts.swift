import Instants
import MQTTCore
import NIOCore
import Platform

/// Attempts at a connection: how they begin, how they end, and when the next one follows.
extension Client {
  /// What `Configuration.prepareEndpoint` threw.
  struct EndpointFailure: Error, CustomStringConvertible {
    let description: String
  }

  /// Look-ups, and calls of `prepareEndpoint`, that may be under way.
  private static let lookUpLimit = 4

  func isCurrent(_ number: UInt64) -> Bool {
    switch state {
    case .preparing(let attempt), .opening(let attempt, _): attempt.number == number
    case .open(let connection): connection.attempt.number == number
    case .idle, .waiting, .stopped: false
    }
  }

  func isOpening(_ number: UInt64) -> Bool {
    if case .opening(let attempt, _) = state { attempt.number == number } else { false }
  }

  func prepare() {
    attempts += 1
    let number = attempts
    let server = referredServer ?? configuration.servers[serverIndex % configuration.servers.count]
    let version = configuration.version ?? versions.version(for: server, at: .now)
    let limit = configuration.connectTimeout
    let deadline = after(limit) { $0.connectTimedOut(number, limit) }
    let attempt = Attempt(
      number: number, server: server, version: version,
      purpose: mustClearSession && version == .v311 ? .clearSession : .use, deadline: deadline,
      endpoint: Endpoint(address: server, webSocketHeaders: configuration.webSocketHeaders),
      stage: configuration.prepareEndpoint == nil ? .name : .endpoint)
    state = .preparing(attempt)
    logger.debug("connecting to \(server), MQTT \(version)")
    delegate?.client(self, did: .connecting(server, version))
    // The delegate may have ended it.
    guard isCurrent(number) else { return }
    preparation = Task { await open(attempt) }
  }

  private func open(_ attempt: Attempt) async {
    let number = attempt.number
    var attempt = attempt
    let tls: TLSLayer?
    do {
      if let prepareEndpoint = configuration.prepareEndpoint {
        attempt.endpoint = try await endpoint(attempt, prepareEndpoint)
        guard isCurrent(number) else { return }
        attempt.stage = .name
        state = .preparing(attempt)
      }
      let server = attempt.endpoint.address
      if server.transport != .unix, let proxy = configuration.proxy {
        attempt.proxy = proxy
        try ProxyTunnel.verify(server, for: proxy)
      }
      attempt.addresses = try await lookUp(server, attempt.proxy)
      tls = server.transport.usesTLS ? try await tlsLayer(for: server) : nil
    } catch {
      if isCurrent(number) { finish(ConnectionLoss.opening(attempt, error)) }
      return
    }
    guard isCurrent(number) else { return }
    attempt.stage = attempt.proxy == nil ? .transport : .proxy
    state = .opening(attempt, [])
    let transport = Transport(
      endpoint: attempt.endpoint, proxy: attempt.proxy, addresses: attempt.addresses, tls: tls,
      timeout: configuration.connectTimeout)
    transport.open(for: self, attempt: number).whenFailure { [attempt] error in
      self.assumeIsolated { if $0.isCurrent(number) { $0.finish(.opening(attempt, error)) } }
    }
  }

  /// Calls that go on though they were cancelled are left to end by themselves, but not without a bound.
  private func endpoint(
    _ attempt: Attempt, _ prepareEndpoint: @Sendable (Endpoint) async throws -> Endpoint
  ) async throws(EndpointFailure) -> Endpoint {
    guard endpointRequests < Self.lookUpLimit else {
      throw EndpointFailure(description: "\(endpointRequests) earlier calls have not ended yet")
    }
    endpointRequests += 1
    defer { endpointRequests -= 1 }
    do { return try await prepareEndpoint(attempt.endpoint) } catch { throw EndpointFailure(description: "\(error)") }
  }

  private func tlsLayer(for server: ServerAddress) async throws -> TLSLayer {
    let settings = configuration.tls
    return try await BlockingWork.run("tls-files") { try settings.makeLayer(for: server) }
  }

  /// Look-ups that outlast their attempts are left to end by themselves, but not without a bound. With a proxy it is
  /// the proxy's name that is looked up, and no other.
  private func lookUp(_ server: ServerAddress, _ proxy: Proxy?) async throws -> [SocketAddress] {
    guard server.transport != .unix else { return [] }
    let (host, port) = (proxy?.host ?? server.host, proxy?.port ?? server.port)
    guard lookUps < Self.lookUpLimit else {
      throw NameLookup.Failure(host: host, description: "\(lookUps) look-ups have not ended yet")
    }
    lookUps += 1
    defer { lookUps -= 1 }
    return try await configuration.lookUp(host, port)
  }

  /// The proxy has opened the way to the server.
  func tunnelOpened(_ number: UInt64) {
    guard isCurrent(number), case .open(let connection) = state else { return }
    connection.stage = connection.attempt.endpoint.address.transport.firstStage
  }

  /// A layer has found what is wrong; the failure that follows says it less well.
  func transportIsRefused(_ error: any Error, _ number: UInt64) {
    guard isCurrent(number), case .open(let connection) = state else { return }
    connection.ending = connection.ending ?? .tls(connection.attempt.endpoint.address, "\(error)")
  }

  func connectTimedOut(_ number: UInt64, _ limit: Duration) {
    guard isCurrent(number) else { return }
    switch state {
    case .preparing(let attempt): finish(.timeout(attempt.endpoint.address, attempt.stage, after: limit))
    case .opening(let attempt, let channels):
      finish(.timeout(attempt.endpoint.address, attempt.stage, after: limit))
      for channel in channels { Transport.abort(channel) }
    case .open(let connection):
      guard connection.stage != .connected else { return }
      connection.ending = .timeout(connection.attempt.endpoint.address, connection.stage, after: limit)
      Transport.abort(connection.channel)
    case .idle, .waiting, .stopped: break
    }
  }

  /// Only now is the delegate asked: a counter of CONNECTs is not to be stored while there is no server to hear it.
  func connect(_ attempt: Attempt) async {
    guard let delegate else { return abort() }
    var packet = await delegate.connectPacket(for: attempt.server, version: attempt.version)
    guard isCurrent(attempt.number), case .open(let connection) = state, connection.ending == nil else { return }
    if attempt.version == .v5 {
      packet.properties.maximumPacketSize = UInt32(clamping: configuration.maximumPacketSize)
    }
    if mustClearSession { packet.cleanStart = true }
    if let owner, owner.server == attempt.server.description, packet.clientIdentifier.isEmpty, !packet.cleanStart {
      // The server has given this client a name (§3.2.2.3.7).
      packet.clientIdentifier = owner.clientIdentifier
    }
    if owner?.server != attempt.server.description && !configuration.believesAnySession { session.distrust() }
    if attempt.purpose == .clearSession { packet.will = nil }
    guard await beginAuthentication(&packet, attempt), isCurrent(attempt.number), connection.ending == nil else {
      return
    }
    guard packet.isEncodable(attempt.version) else {
      connection.ending = .notEncodable
      return Transport.abort(connection.channel)
    }
    connection.stage = .connect
    session.connect(
      packet, version: attempt.version, isVisit: attempt.purpose == .clearSession, into: &actions)
    perform()
    endTurn()
  }

  // MARK: Ends

  /// The attempt is over: another one follows, or none.
  func finish(_ loss: ConnectionLoss) {
    guard let attempt = endAttempt() else { return }
    let now = BootClock.now
    if case .aborted = loss { return stop(loss) }
    let delay = retryDelay(after: loss, attempt, at: now)
    guard !isStopping, configuration.reconnects || delay == .zero else { return stop(loss) }
    waitToTryAgain(delay, after: loss.failure)
    logger.debug("\(loss); the next attempt begins after \(delay)")
    delegate?.client(self, did: .lost(loss, retryAfter: delay))
  }

  /// Nothing happens until the next attempt but that time passes.
  func waitToTryAgain(_ delay: Duration, after failure: ReconnectSchedule.Failure) {
    waits += 1
    let number = waits
    // A task that is cancelled in the turn in which it is due runs all the same.
    let task = self.after(delay) { client in
      if case .waiting(let wait) = client.state, wait.number == number { client.prepare() }
    }
    state = .waiting(Wait(number: number, task: task, failure: failure))
  }

  private func retryDelay(after loss: ConnectionLoss, _ attempt: Attempt, at now: BootClock.Instant) -> Duration {
    switch loss {
    case .session(.unknownSession):
      mustClearSession = true
      return .zero
    // A connection that was made to clear a session has done so.
    case .session(.requested): return .zero
    case .session(.refused(.unsupportedProtocolVersion, _, _)) where attempt.version == .v5:
      guard configuration.version == nil else { break }
      versions.refused(by: attempt.server, at: now)
      return .zero
    case .closed(.connect, received: false, _) where attempt.version == .v5 && configuration.version == nil:
      // A client for one connection has no later attempt to learn from this.
      versions.closedSilently(by: attempt.server, at: now)
      if !configuration.reconnects { return .zero }
    default: break
    }
    if let server = loss.referredServer(from: attempt.server), configuration.followsServerReferences,
      server != attempt.server
    {
      // With a delay as after any failure: two servers that name each other must not make a loop.
      referredServer = server
    } else if referredServer != nil {
      referredServer = nil
    } else {
      serverIndex += 1
    }
    return schedule.failed(loss.failure, at: now, using: &generator)
  }

  private func endAttempt() -> Attempt? {
    timer?.task.cancel()
    timer = nil
    preparation?.cancel()
    switch state {
    case .preparing(let attempt), .opening(let attempt, _):
      attempt.deadline.cancel()
      return attempt
    case .open(let connection):
      connection.attempt.deadline.cancel()
      lastPacket = connection.lastSent
      return connection.attempt
    case .idle, .waiting, .stopped: return nil
    }
  }

  func stop(_ loss: ConnectionLoss) {
    state = .stopped
    preparation?.cancel()
    delegate?.client(self, did: .lost(loss, retryAfter: nil))
    for waiter in closeWaiters { waiter.give(()) }
    closeWaiters = []
  }

  /// Waits until it has stopped.
  func ended() async {
    if case .stopped = state { return }
    let end = Awaited<Void>()
    closeWaiters.append(end)
    await end.value
  }

  func after(
    _ delay: Duration, _ body: @escaping @Sendable (isolated Client) -> Void
  ) -> Scheduled<Void> {
    eventLoop.scheduleTask(in: TimeAmount(delay)) { self.assumeIsolated { body($0) } }
  }
}
