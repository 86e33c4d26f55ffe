import LimpetPlatform
import MQTTCore
import NIOCore
import NIOExtras
import NIOHTTP1
import NIOSOCKS

/// Asks a proxy for the way to a server, as the first thing on a connection that is not open yet.
enum ProxyTunnel {
  /// What a proxy said, or did, in place of opening the way.
  struct Refusal: Error, CustomStringConvertible {
    let description: String
  }

  /// Holds what comes from beyond the proxy; removing it lets that go on.
  static let holder = "limpet.tunnel"
  private static let encoder = "limpet.proxy.encoder"
  private static let decoder = "limpet.proxy.decoder"
  private static let head = "limpet.proxy.head"

  /// Adds the handlers that ask, for a server that was verified. The future succeeds when bytes pass both ways and only
  /// the holder is left of them; it fails with a `Refusal`, or never ends where the channel is closed.
  static func open(
    through proxy: Proxy, to server: ServerAddress, on channel: any Channel, within limit: Duration
  ) throws -> EventLoopFuture<Void> {
    let promise = channel.eventLoop.makePromise(of: Void.self)
    do { try add(proxy, server, channel, limit, promise) } catch {
      promise.fail(error)
      throw error
    }
    return promise.futureResult
  }

  /// Not every address fits what a proxy is asked with.
  static func verify(_ server: ServerAddress, for proxy: Proxy) throws(Refusal) {
    guard UInt16(exactly: server.port) != nil else { throw Refusal(description: "there is no port \(server.port)") }
    let host = server.host.utf8
    let fits =
      switch proxy.kind {
      // Not even a Server Reference can then add lines to the request.
      case .httpConnect: host.allSatisfy { (0x21...0x7E).contains($0) }
      // Its length goes into a byte.
      case .socks5: host.count < 256
      }
    if proxy.kind == .socks5, let credentials = proxy.credentials, !SOCKSLogin.fits(credentials) {
      throw Refusal(description: "a user name and a password for SOCKS have 1 to 255 bytes each")
    }
    guard fits, !host.isEmpty else {
      throw Refusal(description: "the name has characters, or a length, that a proxy of this kind cannot take")
    }
  }

  private static func add(
    _ proxy: Proxy, _ server: ServerAddress, _ channel: any Channel, _ limit: Duration,
    _ promise: EventLoopPromise<Void>
  ) throws {
    let pipeline = channel.pipeline.syncOperations
    switch proxy.kind {
    case .httpConnect:
      try pipeline.addHandler(HTTPRequestEncoder(), name: encoder)
      try pipeline.addHandler(
        ByteToMessageHandler(HTTPResponseDecoder(leftOverBytesStrategy: .forwardBytes)), name: decoder)
      try pipeline.addHandler(ResponseHead(hasCredentials: proxy.credentials != nil, promise), name: head)
      try pipeline.addHandler(connectHandler(proxy, server, channel, limit, promise))
    case .socks5:
      if let credentials = proxy.credentials { try pipeline.addHandler(SOCKSLogin(credentials)) }
      try pipeline.addHandler(SOCKSClientHandler(targetAddress: socksAddress(of: server)))
    }
    try pipeline.addHandler(Holder(promise), name: holder)
  }

  private static func connectHandler(
    _ proxy: Proxy, _ server: ServerAddress, _ channel: any Channel, _ limit: Duration,
    _ promise: EventLoopPromise<Void>
  ) -> NIOHTTP1ProxyConnectHandler {
    var headers: HTTPHeaders = ["Host": server.authority]
    if let credentials = proxy.credentials {
      let text = Base64.encode("\(credentials.userName):\(credentials.password)".utf8)
      headers.add(name: "Proxy-Authorization", value: "Basic \(text)")
    }
    let established = channel.eventLoop.makePromise(of: Void.self)
    established.futureResult.whenComplete { result in
      if case .failure(let error) = result { return promise.fail(refusal(from: error)) }
      let pipeline = channel.pipeline.syncOperations
      for name in [encoder, head] { pipeline.removeHandler(name: name, promise: nil) }
      pipeline.removeHandler(name: decoder).cascade(to: promise)
    }
    return NIOHTTP1ProxyConnectHandler(
      targetHost: server.bracketedHost, targetPort: server.port, headers: headers,
      // The client's own deadline comes first. Some refusals leave this one running, so it is not to be far away.
      deadline: .now() + TimeAmount(limit), promise: established)
  }

  /// A name goes as it is.
  private static func socksAddress(of server: ServerAddress) -> SOCKSAddress {
    let address = try? SocketAddress(ipAddress: server.host, port: server.port)
    return address.map { .address($0) } ?? .domain(server.host, port: server.port)
  }

  fileprivate static func refusal(from error: any Error) -> Refusal {
    switch error {
    case let error as Refusal: error
    case NIOHTTP1ProxyConnectHandler.Error.remoteConnectionClosed() as NIOHTTP1ProxyConnectHandler.Error: .closed
    case HTTPParserError.invalidEOFState as HTTPParserError: .closed
    case is HTTPParserError, is NIOHTTP1ProxyConnectHandler.Error: Refusal(description: "it does not speak HTTP")
    case let error as SOCKSError.ConnectionFailed: Refusal(description: "it answered \(text(error.reply))")
    case let error as SOCKSError.InvalidAuthenticationSelection where error.selection == .noneAcceptable:
      Refusal(
        description:
          "it requires authentication in a way that this client does not offer; most take a user name and password")
    case is SOCKSError.InvalidAuthenticationSelection, is SOCKSError.InvalidProtocolVersion,
      is SOCKSError.InvalidReservedByte, is SOCKSError.InvalidAddressType, is SOCKSError.UnexpectedRead:
      Refusal(description: "it does not speak SOCKS 5")
    default: Refusal(description: ConnectionLoss.detail(error))
    }
  }

  /// RFC 1928 §6.
  private static func text(_ reply: SOCKSServerReply) -> String {
    let texts: [SOCKSServerReply: String] = [
      .serverFailure: "general failure", .notAllowed: "not allowed by its rules",
      .networkUnreachable: "network unreachable", .hostUnreachable: "host unreachable",
      .refused: "connection refused", .ttlExpired: "TTL expired", .commandUnsupported: "command not supported",
      .addressUnsupported: "address type not supported",
    ]
    return "\(texts[reply] ?? "an unknown code") (\(reply.value))"
  }

  /// Takes the answer of an HTTP proxy down, which the handler after this one does not pass on.
  private final class ResponseHead: ChannelInboundHandler, RemovableChannelHandler, Sendable {
    typealias InboundIn = HTTPClientResponsePart

    private let hasCredentials: Bool
    private let promise: EventLoopPromise<Void>

    init(hasCredentials: Bool, _ promise: EventLoopPromise<Void>) {
      self.hasCredentials = hasCredentials
      self.promise = promise
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      if case .head(let head) = unwrapInboundIn(data), !(200..<300).contains(head.status.code) {
        var text = "it answered \(head.status.code) \(head.status.reasonPhrase)"
        if head.status == .proxyAuthenticationRequired {
          text += hasCredentials ? "; the user name or password is wrong" : "; it wants a user name and password"
        }
        promise.fail(Refusal(description: text))
      }
      context.fireChannelRead(data)
    }
  }

  /// The last handler of the pipeline while the proxy opens the way: it learns how that ends, and keeps what a server
  /// sends before the layers above are there.
  private final class Holder: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    private let promise: EventLoopPromise<Void>
    private var held: [ByteBuffer] = []
    private var heldBytes = 0
    /// A server says little before it is spoken to.
    private static let mostHeld = 1 << 16

    init(_ promise: EventLoopPromise<Void>) { self.promise = promise }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      let bytes = unwrapInboundIn(data)
      heldBytes += bytes.readableBytes
      guard heldBytes <= Self.mostHeld else {
        return promise.fail(Refusal(description: "it sent \(heldBytes) bytes before the tunnel was open"))
      }
      held.append(bytes)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
      if event is SOCKSProxyEstablishedEvent { promise.succeed() }
      context.fireUserInboundEventTriggered(event)
    }

    /// What is wrong with TLS the connection puts into words.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
      promise.fail(TLSFault.isMeant(by: error) ? error : ProxyTunnel.refusal(from: error))
    }

    func channelInactive(context: ChannelHandlerContext) {
      promise.fail(Refusal.closed)
      context.fireChannelInactive()
    }

    /// The end of a channel that was never active.
    func handlerRemoved(context: ChannelHandlerContext) { promise.fail(Refusal.closed) }

    func removeHandler(context: ChannelHandlerContext, removalToken: ChannelHandlerContext.RemovalToken) {
      for bytes in held { context.fireChannelRead(NIOAny(bytes)) }
      held = []
      context.leavePipeline(removalToken: removalToken)
    }
  }
}

extension ProxyTunnel.Refusal {
  static let closed = Self(description: "it closed the connection")
}
