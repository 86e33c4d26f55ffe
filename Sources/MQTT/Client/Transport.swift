import NIOCore
import NIOPosix
import NIOSSL

/// Opens a byte stream to a server. The last handler of its pipeline is the caller's.
enum Transport {
  /// The handler next to the socket; closing from there leaves out TLS's good-byes.
  static let socketHandler = "limpet.socket"

  static func open(
    _ server: ServerAddress, at addresses: [SocketAddress], tls: NIOSSLContext?, serverName: String?, timeout: Duration,
    userTimeout: Duration?,
    on eventLoop: any EventLoop, handler: ConnectionHandler
  ) -> EventLoopFuture<any Channel> {
    var bootstrap = ClientBootstrap(group: eventLoop)
      .resolver(KnownAddresses(addresses: addresses, eventLoop: eventLoop))
      .connectTimeout(.init(timeout))
      .channelOption(.socketOption(.so_keepalive), value: 1)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          let pipeline = channel.pipeline.syncOperations
          try pipeline.addHandler(SocketHandler(), name: socketHandler)
          if let tls {
            let name = serverName ?? server.host
            // A literal address is no server name (RFC 6066 §3); the certificate is then checked against the address.
            let isAddress = (try? SocketAddress(ipAddress: name, port: 0)) != nil
            try pipeline.addHandler(NIOSSLClientHandler(context: tls, serverHostname: isAddress ? nil : name))
          }
          try pipeline.addHandler(handler)
        }
      }
    if let userTimeout {
      // How long sent data may stay unacknowledged before the kernel gives the connection up (tcp(7)).
      bootstrap = bootstrap.channelOption(
        .tcpOption(.init(rawValue: CInt(TCP_USER_TIMEOUT))), value: Int(userTimeout.components.seconds) * 1000)
    }
    return bootstrap.connect(host: server.host, port: server.port)
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

/// Nothing but a place in the pipeline from which to close the socket itself.
private final class SocketHandler: ChannelInboundHandler, Sendable {
  typealias InboundIn = ByteBuffer
}
