import LimpetPlatform
import MQTTCore
import NIOCore
import NIOPosix

/// Where one attempt at a connection goes.
struct Attempt: Sendable {
  let number: Link.AttemptNumber
  let version: ProtocolVersion
  var endpoint: MQTTSessionDriver.Endpoint
  var proxy: Proxy?
  /// There exactly where the proxy is reached over TLS.
  var proxyTLS: TLSLayer?
  /// What the name was looked up to: the proxy's, where there is one; empty for a Unix socket.
  var addresses: [SocketAddress] = []

  var server: ServerAddress { endpoint.address }
}

extension Proxy {
  /// As a server: it is HTTP that TLS carries to a proxy.
  fileprivate var address: ServerAddress { ServerAddress(transport: .secureWebSocket, host: host, port: port) }
}

/// Finds out what an attempt needs before it has a socket: where it goes, which addresses that has, which files TLS is
/// made with.
///
/// All of that waits for others; it is an actor so that no step of it leaves the event loop.
actor Preparation {
  nonisolated let eventLoop: any EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { eventLoop.executor.asUnownedSerialExecutor() }

  /// What `Carrier.Settings.prepareEndpoint` threw.
  struct EndpointFailure: Error, CustomStringConvertible {
    let description: String
  }

  /// Look-ups, and calls of `prepareEndpoint` and `checkCertificates`, that may be under way.
  static let lookUpLimit = 4

  private(set) var lookUps = 0
  private var endpointRequests = 0
  var certificateChecks = 0

  init(eventLoop: any EventLoop) { self.eventLoop = eventLoop }

  func begin(_ attempt: Attempt, for carrier: Carrier) -> Task<Void, Never> {
    Task { await prepare(attempt, for: carrier) }
  }

  private func prepare(_ begun: Attempt, for carrier: Carrier) async {
    guard carrier.isOpening(begun.number) else { return }
    var attempt = begun
    let tls: TLSLayer?
    do {
      if let prepareEndpoint = carrier.settings.prepareEndpoint {
        attempt.endpoint = try await endpoint(attempt.endpoint, prepareEndpoint)
        carrier.endpointPrepared(attempt)
      }
      guard carrier.isOpening(attempt.number) else { return }
      let server = attempt.server
      if server.transport != .unix, let proxy = carrier.settings.proxy {
        attempt.proxy = proxy
        try ProxyTunnel.verify(server, for: proxy)
        if let settings = proxy.tls { attempt.proxyTLS = try await tlsLayer(for: proxy.address, settings) }
      }
      attempt.addresses = try await addresses(for: attempt, carrier.settings.lookUp)
      let settings = carrier.settings
      tls =
        server.transport.usesTLS
        ? try await tlsLayer(for: server, settings.tls, asksApplication: settings.checkCertificates != nil) : nil
    } catch { return carrier.openingFailed(error, attempt) }
    carrier.prepared(attempt, tls)
  }

  /// Calls that go on though they were cancelled are left to end by themselves, but not without a bound.
  private func endpoint(
    _ endpoint: MQTTSessionDriver.Endpoint,
    _ prepareEndpoint: @Sendable (MQTTSessionDriver.Endpoint) async throws -> MQTTSessionDriver.Endpoint
  ) async throws(EndpointFailure) -> MQTTSessionDriver.Endpoint {
    guard endpointRequests < Self.lookUpLimit else {
      throw EndpointFailure(description: "\(endpointRequests) earlier calls have not ended yet")
    }
    endpointRequests += 1
    defer { endpointRequests -= 1 }
    do { return try await prepareEndpoint(endpoint) } catch { throw EndpointFailure(description: "\(error)") }
  }

  /// Look-ups that outlast their attempts are left to end by themselves, but not without a bound. With a proxy it is
  /// the proxy's name that is looked up, and no other.
  private func addresses(
    for attempt: Attempt, _ lookUp: @Sendable (String, Int) async throws -> [SocketAddress]
  ) async throws -> [SocketAddress] {
    let server = attempt.server
    guard server.transport != .unix else { return [] }
    let (host, port) = (attempt.proxy?.host ?? server.host, attempt.proxy?.port ?? server.port)
    guard lookUps < Self.lookUpLimit else {
      throw NameLookup.Failure(host: host, description: "\(lookUps) look-ups have not ended yet")
    }
    lookUps += 1
    defer { lookUps -= 1 }
    return try await lookUp(host, port)
  }

  /// Connects, and closes again. While another look-up has not ended it looks nothing up: attempts need their places.
  func isReachable(_ server: ServerAddress, _ settings: Carrier.Settings) async -> Bool {
    guard settings.proxy == nil else { return false }
    let bootstrap = ClientBootstrap(group: eventLoop).connectTimeout(TimeAmount(settings.connectTimeout))
    do {
      let channel: any Channel
      if server.transport == .unix {
        channel = try await bootstrap.connect(unixDomainSocketPath: server.path).get()
      } else {
        guard lookUps == 0 else { return false }
        lookUps += 1
        defer { lookUps -= 1 }
        let addresses = try await settings.lookUp(server.host, server.port)
        channel =
          try await bootstrap.resolver(KnownAddresses(addresses: addresses, eventLoop: eventLoop))
          .connect(host: server.host, port: server.port).get()
      }
      channel.close(promise: nil)
      return true
    } catch { return false }
  }

  /// Reads files, on a thread that may wait for them.
  private func tlsLayer(
    for server: ServerAddress, _ settings: TLSSettings, asksApplication: Bool = false
  ) async throws -> TLSLayer {
    try await BlockingWork.run("tls-files") {
      try settings.makeLayer(for: server, asksApplication: asksApplication)
    }
  }
}
