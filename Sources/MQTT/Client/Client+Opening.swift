import MQTTCore
import NIOCore
import Platform

/// Opens transports as the link wants them, and tells it how far they have come.
extension Client {
  /// The transport of an attempt, until there is one.
  struct Opening {
    let number: UInt64
    let version: ProtocolVersion
    var endpoint: Endpoint
    var proxy: Proxy?
    /// What the name was looked up to: the proxy's, where there is one.
    var addresses: [SocketAddress] = []
    var task: Task<Void, Never>?
    /// Sockets that have been made so far: a name may have several addresses.
    var channels: [any Channel] = []
  }

  /// What `Configuration.prepareEndpoint` threw.
  struct EndpointFailure: Error, CustomStringConvertible {
    let description: String
  }

  /// Look-ups, and calls of `prepareEndpoint`, that may be under way.
  private static let lookUpLimit = 4

  func open(_ number: UInt64, _ server: ServerAddress, _ version: ProtocolVersion) {
    // The delegate may have ended it.
    guard link.isOpening(number) else { return }
    let endpoint = Endpoint(address: server, webSocketHeaders: configuration.webSocketHeaders)
    var opening = Opening(number: number, version: version, endpoint: endpoint)
    handle(.progress(number, configuration.prepareEndpoint == nil ? .name : .endpoint, server))
    opening.task = Task { [opening] in await prepare(opening) }
    self.opening = opening
  }

  private func prepare(_ begun: Opening) async {
    var opening = begun
    let number = opening.number
    let tls: TLSLayer?
    do {
      if let prepareEndpoint = configuration.prepareEndpoint {
        opening.endpoint = try await endpoint(opening.endpoint, prepareEndpoint)
        handle(.progress(number, .name, opening.endpoint.address))
      }
      guard link.isOpening(number) else { return }
      let server = opening.endpoint.address
      if server.transport != .unix, let proxy = configuration.proxy {
        opening.proxy = proxy
        try ProxyTunnel.verify(server, for: proxy)
      }
      opening.addresses = try await lookUp(server, opening.proxy)
      tls = server.transport.usesTLS ? try await tlsLayer(for: server) : nil
    } catch { return handle(.failed(number, .opening(opening, error))) }
    guard link.isOpening(number) else { return }
    self.opening = opening
    handle(.progress(number, opening.proxy == nil ? .transport : .proxy, opening.endpoint.address))
    let transport = Transport(
      endpoint: opening.endpoint, proxy: opening.proxy, addresses: opening.addresses, tls: tls,
      timeout: configuration.connectTimeout)
    transport.open(for: self, attempt: number).whenFailure { [opening] error in
      self.assumeIsolated { if $0.link.isCurrent(number) { $0.handle(.failed(number, .opening(opening, error))) } }
    }
  }

  /// Calls that go on though they were cancelled are left to end by themselves, but not without a bound.
  private func endpoint(
    _ endpoint: Endpoint, _ prepareEndpoint: @Sendable (Endpoint) async throws -> Endpoint
  ) async throws(EndpointFailure) -> Endpoint {
    guard endpointRequests < Self.lookUpLimit else {
      throw EndpointFailure(description: "\(endpointRequests) earlier calls have not ended yet")
    }
    endpointRequests += 1
    defer { endpointRequests -= 1 }
    do { return try await prepareEndpoint(endpoint) } catch { throw EndpointFailure(description: "\(error)") }
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

  /// The attempt has a transport no more, or never gets one.
  func close(_ number: UInt64, _ closing: Link.Closing) {
    if let opening, opening.number == number {
      self.opening = nil
      opening.task?.cancel()
      for channel in opening.channels { Transport.abort(channel) }
    }
    guard let connection, connection.number == number else { return }
    let channel = connection.channel
    guard closing == .afterSending else { return Transport.abort(channel) }
    connection.flush()
    channel.close(mode: .output).whenFailure { _ in Transport.abort(channel) }
  }

  // MARK: What the transport tells

  /// A socket was made; there may be several before one is connected.
  func transportCreated(_ channel: any Channel, _ number: UInt64) {
    if opening?.number == number { opening?.channels.append(channel) }
  }

  func transportOpened(_ channel: any Channel, _ number: UInt64) {
    guard link.isOpening(number), let opening, opening.number == number else { return Transport.abort(channel) }
    self.opening = nil
    connection = Connection(opening, channel: channel, maximumPacketSize: configuration.maximumPacketSize)
    let address = opening.endpoint.address
    handle(.opened(number, from: channel.localAddress?.ipAddress))
    handle(.progress(number, opening.proxy == nil ? address.transport.firstStage : .proxy, address))
  }

  /// The proxy has opened the way to the server.
  func tunnelOpened(_ number: UInt64) {
    guard let connection, connection.number == number else { return }
    let address = connection.endpoint.address
    handle(.progress(number, address.transport.firstStage, address))
  }

  /// Every layer below MQTT is up.
  func transportReady(_ writer: NIOLoopBound<ConnectionHandler>, _ number: UInt64) {
    guard let connection, connection.number == number else { return }
    connection.writer = writer
    handle(.ready(number))
  }

  /// What was read; `endTurn` follows.
  func received(_ bytes: ByteBuffer, _ number: UInt64) {
    guard let connection, connection.number == number else { return }
    openTurn()
    connection.append(bytes)
    guard link.isListening else {
      return handle(.malformed(number, .protocolError("bytes before CONNECT")))
    }
    let now = Link.Instant.now
    do throws(PacketError) {
      while link.isListening, let packet = try connection.nextPacket() {
        link.receive(packet, number, at: now, into: &effects)
        perform()
      }
    } catch { handle(.malformed(number, error)) }
  }

  func writabilityChanged(_ isWritable: Bool, _ number: UInt64) {
    link.handle(.writable(number, isWritable), at: .now, into: &effects)
    endTurn()
  }

  /// A layer has found what is wrong; the failure that follows says it less well.
  func transportIsRefused(_ error: any Error, _ number: UInt64) {
    guard let connection, connection.number == number else { return }
    connection.refusal = connection.refusal ?? .tls(connection.endpoint.address, "\(error)")
  }

  func transportFailed(_ error: any Error, _ number: UInt64) {
    guard let connection, connection.number == number else { return }
    handle(.failed(number, connection.loss(from: error, at: link.stage)))
  }

  func transportClosed(_ channel: any Channel, _ number: UInt64) {
    guard let connection, connection.channel === channel else { return }
    self.connection = nil
    if let loss = connection.lossByClosing(at: link.stage) { handle(.failed(number, loss)) }
    handle(.closed(number, received: connection.hasReceived))
  }
}
