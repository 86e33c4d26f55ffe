import Glibc
import LimpetInstants
import MQTTCore
import NIOCore
import NIOPosix

/// Opens a byte stream to a server. It reports its socket to the carrier first, and then that MQTT can begin.
struct Transport: Sendable {
  let attempt: Attempt
  /// There exactly where the server's transport uses TLS.
  let tls: TLSLayer?
  let settings: Carrier.Settings

  private var timeout: Duration { settings.connectTimeout }
  private var server: ServerAddress { attempt.server }

  /// The handler next to the socket; closing from there leaves out the good-byes of TLS and WebSocket.
  private static let socketHandler = "limpet.socket"
  /// The layers of TLS: of the server, and of a proxy that is reached over TLS.
  static let tlsHandler = "limpet.tls"
  static let proxyTLSHandler = "limpet.proxy.tls"

  func open(for carrier: Carrier) -> EventLoopFuture<any Channel> {
    let eventLoop = carrier.eventLoop
    var bootstrap = ClientBootstrap(group: eventLoop)
      .resolver(KnownAddresses(addresses: attempt.addresses, eventLoop: eventLoop))
      .connectTimeout(.init(timeout))
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try prepare(channel, carrier) }
      }
    if let size = settings.receiveBuffer {
      bootstrap = bootstrap.channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: size))
    }
    guard server.transport != .unix else { return bootstrap.connect(unixDomainSocketPath: server.path) }
    bootstrap = bootstrap.channelOption(.socketOption(.so_keepalive), value: 1)
    if let address = settings.localAddress(to: attempt.addresses) { bootstrap = bootstrap.bind(to: address) }
    return bootstrap.connect(host: attempt.proxy?.host ?? server.host, port: attempt.proxy?.port ?? server.port)
  }

  private func prepare(_ channel: any Channel, _ carrier: Carrier) throws {
    // An attempt that is over takes none of the addresses that are left.
    guard carrier.isOpening(attempt.number) else { throw ChannelError.ioOnClosedChannel }
    let pipeline = channel.pipeline.syncOperations
    try pipeline.addHandler(SocketHandler(carrier: carrier, attempt: attempt.number), name: Self.socketHandler)
    guard let proxy = attempt.proxy else { return try addLayers(channel, carrier, beginsAt: .active) }
    if let tls = attempt.proxyTLS { try add(tls, to: pipeline, Self.proxyTLSHandler, carrier) }
    try ProxyTunnel.open(through: proxy, to: server, on: channel, within: timeout).whenComplete { result in
      do {
        try result.get()
        carrier.tunnelOpened(attempt.number)
        try addLayers(channel, carrier, beginsAt: .added)
        channel.pipeline.syncOperations.removeHandler(name: ProxyTunnel.holder, promise: nil)
      } catch {
        carrier.transportFailed(error, attempt.number)
      }
    }
  }

  /// - Parameter beginning: of MQTT, where it is the only layer.
  private func addLayers(
    _ channel: any Channel, _ carrier: Carrier, beginsAt beginning: ConnectionHandler.Beginning
  ) throws {
    let pipeline = channel.pipeline.syncOperations
    if let tls, let check = settings.checkCertificates {
      let handler = try tls.makeHandler(asking: { certificates, promise in
        carrier.check(certificates, of: attempt, on: channel, check, promise)
      })
      try pipeline.addHandler(handler, name: Self.tlsHandler)
    } else if let tls {
      try add(tls, to: pipeline, Self.tlsHandler, carrier)
    }
    if server.transport.isWebSocket {
      try WebSocket.upgrade(channel, to: server, headers: attempt.endpoint.webSocketHeaders, carrier, attempt.number)
    } else {
      try pipeline.addHandler(
        ConnectionHandler(carrier: carrier, attempt: attempt.number, beginsAt: tls == nil ? beginning : .tls))
    }
  }

  private func add(
    _ tls: TLSLayer, to pipeline: ChannelPipeline.SynchronousOperations, _ name: String, _ carrier: Carrier
  ) throws {
    try pipeline.addHandler(tls.makeHandler { carrier.transportIsRefused($0, attempt.number) }, name: name)
  }

  /// How long sent data may stay unacknowledged before the kernel gives the connection up (TCP_USER_TIMEOUT of tcp(7)).
  static func setUserTimeout(_ timeout: Duration, of channel: any Channel) {
    guard let address = channel.remoteAddress, address.protocol != .unix else { return }
    channel.setOption(
      .tcpOption(.init(rawValue: CInt(TCP_USER_TIMEOUT))), value: Int(timeout.wholeMilliseconds)
    ).whenComplete { _ in }
  }

  /// Closes the socket at once: what is buffered is thrown away, no layer says good-bye.
  static func abort(_ channel: any Channel) {
    if let options = channel as? any SocketOptionProvider {
      options.setSoLinger(linger(l_onoff: 1, l_linger: 0)).whenComplete { _ in }
    }
    guard let socket = try? channel.pipeline.syncOperations.context(name: socketHandler) else {
      return channel.close(promise: nil)
    }
    socket.close(promise: nil)
  }
}

/// The first in the pipeline: reports the socket to the carrier, before any other layer has anything to say and after all
/// of them are through, and is the place to close it from.
private final class SocketHandler: ChannelInboundHandler, Sendable {
  typealias InboundIn = ByteBuffer

  private let carrier: Carrier
  private let attempt: Link.AttemptNumber

  init(carrier: Carrier, attempt: Link.AttemptNumber) {
    self.carrier = carrier
    self.attempt = attempt
  }

  func handlerAdded(context: ChannelHandlerContext) {
    carrier.transportCreated(context.channel, attempt)
  }

  func channelActive(context: ChannelHandlerContext) {
    carrier.transportOpened(context.channel, attempt)
    context.fireChannelActive()
  }

  func channelInactive(context: ChannelHandlerContext) {
    let channel = context.channel
    context.fireChannelInactive()
    carrier.transportClosed(channel, attempt)
  }
}

extension Carrier.Settings {
  /// Where a connection to these addresses comes from; nil: the kernel's choice. From loopback it connects to no other
  /// machine, and to no address of IPv6.
  func localAddress(to servers: [SocketAddress]) -> SocketAddress? {
    servers.allSatisfy(\.isLoopbackOfIPv4) ? localAddress : nil
  }
}

extension SocketAddress {
  /// 127.0.0.0/8 (RFC 1122, 3.2.1.3).
  fileprivate var isLoopbackOfIPv4: Bool {
    guard case .v4(let address) = self else { return false }
    return UInt32(bigEndian: address.address.sin_addr.s_addr) >> 24 == 127
  }
}
