import Glibc
import MQTTCore
import NIOCore
import NIOPosix
import NIOTLS

/// Opens a byte stream to a server. The client hears of its socket first and, once MQTT can begin, of that.
struct Transport: Sendable {
  let endpoint: Client.Endpoint
  /// On the way to it; nil: none.
  let proxy: Proxy?
  /// Of the proxy or else of the server; empty for a Unix socket.
  let addresses: [SocketAddress]
  /// There exactly where the server's transport uses TLS.
  let tls: TLSLayer?
  let timeout: Duration

  private var server: ServerAddress { endpoint.address }

  /// The handler next to the socket; closing from there leaves out the good-byes of TLS and WebSocket.
  private static let socketHandler = "limpet.socket"

  func open(for client: Client, attempt: UInt64) -> EventLoopFuture<any Channel> {
    let eventLoop = client.eventLoop
    var bootstrap = ClientBootstrap(group: eventLoop)
      .resolver(KnownAddresses(addresses: addresses, eventLoop: eventLoop))
      .connectTimeout(.init(timeout))
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try prepare(channel, client, attempt) }
      }
    guard server.transport != .unix else { return bootstrap.connect(unixDomainSocketPath: server.path) }
    bootstrap = bootstrap.channelOption(.socketOption(.so_keepalive), value: 1)
    return bootstrap.connect(host: proxy?.host ?? server.host, port: proxy?.port ?? server.port)
  }

  private func prepare(_ channel: any Channel, _ client: Client, _ attempt: UInt64) throws {
    // An attempt that is over takes none of the addresses that are left.
    guard client.assumeIsolated({ $0.link.isOpening(attempt) }) else { throw ChannelError.ioOnClosedChannel }
    let pipeline = channel.pipeline.syncOperations
    try pipeline.addHandler(SocketHandler(client: client, attempt: attempt), name: Self.socketHandler)
    guard let proxy else { return try addLayers(channel, client, attempt, beginsAt: .active) }
    try ProxyTunnel.open(through: proxy, to: server, on: channel, within: timeout).whenComplete { result in
      do {
        try result.get()
        client.assumeIsolated { $0.tunnelOpened(attempt) }
        try addLayers(channel, client, attempt, beginsAt: .added)
        channel.pipeline.syncOperations.removeHandler(name: ProxyTunnel.holder, promise: nil)
      } catch {
        client.assumeIsolated { $0.transportFailed(error, attempt) }
      }
    }
  }

  /// - Parameter beginning: of MQTT, where it is the only layer.
  private func addLayers(
    _ channel: any Channel, _ client: Client, _ attempt: UInt64, beginsAt beginning: ConnectionHandler.Beginning
  ) throws {
    let pipeline = channel.pipeline.syncOperations
    if let tls {
      try pipeline.addHandler(
        tls.makeHandler { error in client.assumeIsolated { $0.transportIsRefused(error, attempt) } })
    }
    if server.transport.isWebSocket {
      try WebSocket.upgrade(channel, to: server, headers: endpoint.webSocketHeaders, client, attempt)
    } else {
      try pipeline.addHandler(
        ConnectionHandler(client: client, attempt: attempt, beginsAt: tls == nil ? beginning : .tls))
    }
  }

  /// How long sent data may stay unacknowledged before the kernel gives the connection up (TCP_USER_TIMEOUT of tcp(7)).
  static func setUserTimeout(_ timeout: Duration, of channel: any Channel) {
    guard let address = channel.remoteAddress, address.protocol != .unix else { return }
    channel.setOption(
      .tcpOption(.init(rawValue: CInt(TCP_USER_TIMEOUT))), value: Int(timeout.components.seconds) * 1000
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

/// The first in the pipeline: tells the client of the socket, before any other layer has anything to say and after all
/// of them are through, and is the place to close it from.
private final class SocketHandler: ChannelInboundHandler, Sendable {
  typealias InboundIn = ByteBuffer

  private let client: Client
  private let attempt: UInt64

  init(client: Client, attempt: UInt64) {
    self.client = client
    self.attempt = attempt
  }

  func handlerAdded(context: ChannelHandlerContext) {
    let channel = context.channel
    client.assumeIsolated { $0.transportCreated(channel, attempt) }
  }

  func channelActive(context: ChannelHandlerContext) {
    let channel = context.channel
    client.assumeIsolated { $0.transportOpened(channel, attempt) }
    context.fireChannelActive()
  }

  func channelInactive(context: ChannelHandlerContext) {
    let channel = context.channel
    context.fireChannelInactive()
    client.assumeIsolated { $0.transportClosed(channel, attempt) }
  }
}

/// The last in the pipeline: hands bytes to the client, on its event loop, and takes the client's.
final class ConnectionHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  /// After which event MQTT can begin.
  enum Beginning { case active, tls, added }

  private let client: Client
  private let attempt: UInt64
  private let beginning: Beginning
  private var context: ChannelHandlerContext?
  /// What was read last: it is handed over together with the end of the reading.
  private var unread: ByteBuffer?

  init(client: Client, attempt: UInt64, beginsAt beginning: Beginning) {
    self.client = client
    self.attempt = attempt
    self.beginning = beginning
  }

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    if beginning == .added { begin(context) }
  }

  func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

  func channelActive(context: ChannelHandlerContext) {
    if beginning == .active { begin(context) }
    context.fireChannelActive()
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case .handshakeCompleted? = event as? TLSUserEvent, beginning == .tls { begin(context) }
    context.fireUserInboundEventTriggered(event)
  }

  private func begin(_ context: ChannelHandlerContext) {
    let writer = NIOLoopBound(self, eventLoop: context.eventLoop)
    client.assumeIsolated { [attempt] in $0.transportReady(writer, attempt) }
  }

  /// From here and not from the channel: that would ask, for each message, what kind of value it is given.
  func write(_ bytes: ByteBuffer) { context?.writeAndFlush(wrapOutboundOut(bytes), promise: nil) }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let earlier = unread
    unread = unwrapInboundIn(data)
    if let earlier { client.assumeIsolated { [attempt] in $0.received(earlier, attempt) } }
  }

  func channelReadComplete(context: ChannelHandlerContext) { endTurn() }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    let isWritable = context.channel.isWritable
    client.assumeIsolated { [attempt] in $0.writabilityChanged(isWritable, attempt) }
  }

  func channelInactive(context: ChannelHandlerContext) {
    if unread != nil { endTurn() }
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    let bytes = takeUnread()
    client.assumeIsolated { [attempt] client in
      if let bytes { client.received(bytes, attempt) }
      client.endTurn()
      client.transportFailed(error, attempt)
    }
  }

  private func endTurn() {
    let bytes = takeUnread()
    client.assumeIsolated { [attempt] client in
      if let bytes { client.received(bytes, attempt) }
      client.endTurn()
    }
  }

  private func takeUnread() -> ByteBuffer? {
    defer { unread = nil }
    return unread
  }
}
