import NIOCore
import NIOPosix
import NIOSSL
import Synchronization
import TestScene
import Testing

@testable import MQTT

/// A proxy that carries connections: whatever name it is asked for, it goes to 127.0.0.1.
final class TestProxy: Sendable {
  /// What it was asked, an entry a connection.
  struct Request: Sendable {
    /// `host:port`; an address of SOCKS in brackets.
    var target = ""
    /// Of HTTP, without the first.
    var lines: [String] = []
  }

  let port: Int
  private let channel: any Channel
  private let past: Past

  fileprivate final class Past: Sendable {
    let requests = Mutex<[Request]>([])
  }

  /// What a proxy may want.
  struct Demands: Sendable {
    /// Of SOCKS: the bytes that log in (RFC 1929).
    var login: [UInt8]?
    /// It is reached over TLS, with the server's certificate of these.
    var certificates: Certificates?

    init(login: [UInt8]? = nil, certificates: Certificates? = nil) {
      (self.login, self.certificates) = (login, certificates)
    }
  }

  fileprivate init(_ kind: MQTT.Proxy.Kind, _ demands: Demands) async throws {
    let past = Past()
    let tls = try demands.certificates.map { files in
      try NIOSSLContext(
        configuration: .makeServerConfiguration(
          certificateChain: NIOSSLCertificate.fromPEMFile(files.server).map { .certificate($0) },
          privateKey: .privateKey(NIOSSLPrivateKey(file: files.serverKey, format: .pem))))
    }
    self.past = past
    channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          if let tls { try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls)) }
          try channel.pipeline.syncOperations.addHandler(ProxyHandler(kind, demands.login, past))
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    port = try #require(channel.localAddress?.port)
  }

  var requests: [Request] { past.requests.withLock(\.self) }

  fileprivate func end() async { try? await channel.close().get() }

  private final class ProxyHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let kind: MQTT.Proxy.Kind
    private let past: Past
    private var bytes = ByteBuffer()
    private let login: [UInt8]?
    private var isGreeted = false
    private var isLoggedIn = false
    private var isConnecting = false
    private var server: (any Channel)?

    init(_ kind: MQTT.Proxy.Kind, _ login: [UInt8]?, _ past: Past) {
      (self.kind, self.login, self.past) = (kind, login, past)
      isLoggedIn = login == nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      if let server { return server.writeAndFlush(unwrapInboundIn(data), promise: nil) }
      bytes.writeImmutableBuffer(unwrapInboundIn(data))
      guard !isConnecting else { return }
      switch kind {
      case .httpConnect: readHTTP(context)
      case .socks5: readSOCKS(context)
      }
    }

    func channelInactive(context: ChannelHandlerContext) { server?.close(promise: nil) }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func readHTTP(_ context: ChannelHandlerContext) {
      let text = String(buffer: bytes)
      guard text.hasSuffix("\r\n\r\n") else { return }
      bytes.clear()
      let lines = text.split(separator: "\r\n").map(String.init)
      let words = lines[0].split(separator: " ").map(String.init)
      guard words.count == 3, words[0] == "CONNECT", words[2] == "HTTP/1.1" else {
        return context.close(promise: nil)
      }
      connect(
        Request(target: words[1], lines: Array(lines.dropFirst())), context,
        answer: Array("HTTP/1.1 200 Connection established\r\nServer: test\r\n\r\n".utf8))
    }

    private func readSOCKS(_ context: ChannelHandlerContext) {
      if !isGreeted {
        guard Array(bytes.readableBytesView) == (login == nil ? [5, 1, 0] : [5, 2, 0, 2]) else { return }
        bytes.clear()
        isGreeted = true
        context.writeAndFlush(NIOAny(ByteBuffer(bytes: [5, login == nil ? 0 : 2])), promise: nil)
        return
      }
      if !isLoggedIn {
        guard bytes.readableBytes >= login?.count ?? 0 else { return }
        isLoggedIn = Array(bytes.readableBytesView) == login
        bytes.clear()
        // In pieces, as TCP may bring them.
        context.writeAndFlush(NIOAny(ByteBuffer(bytes: [1])), promise: nil)
        context.writeAndFlush(NIOAny(ByteBuffer(bytes: [isLoggedIn ? 0 : 1])), promise: nil)
        return
      }
      let view = Array(bytes.readableBytesView)
      guard view.count > 4, Array(view[0..<3]) == [5, 1, 0] else { return }
      let size = [1: 4, 3: Int(view[4]) + 1, 4: 16][Int(view[3])] ?? 0
      guard view.count == 4 + size + 2 else { return }
      bytes.clear()
      let port = Int(view[4 + size]) << 8 | Int(view[5 + size])
      let host =
        view[3] == 3 ? String(decoding: view[5..<(4 + size)], as: UTF8.self) : "\(Array(view[4..<(4 + size)]))"
      connect(Request(target: "\(host):\(port)"), context, answer: [5, 0, 0, 1, 0, 0, 0, 0, 0, 0])
    }

    private func connect(_ request: Request, _ context: ChannelHandlerContext, answer: [UInt8]) {
      isConnecting = true
      past.requests.withLock { $0.append(request) }
      let client = context.channel
      ClientBootstrap(group: context.eventLoop)
        .channelInitializer { channel in
          channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(BackHandler(client))
          }
        }
        .connect(host: "127.0.0.1", port: Int(request.target.split(separator: ":").last ?? "") ?? 0)
        .assumeIsolated().whenComplete { result in
          guard case .success(let server) = result else { return client.close(promise: nil) }
          self.server = server
          client.writeAndFlush(ByteBuffer(bytes: answer), promise: nil)
          if self.bytes.readableBytes > 0 { server.writeAndFlush(self.bytes, promise: nil) }
        }
    }
  }

  private final class BackHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let client: any Channel

    init(_ client: any Channel) { self.client = client }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      client.writeAndFlush(unwrapInboundIn(data), promise: nil)
    }
    func channelInactive(context: ChannelHandlerContext) { client.close(promise: nil) }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
  }
}

func withTestProxy(
  _ kind: MQTT.Proxy.Kind, _ demands: TestProxy.Demands = .init(), _ body: (TestProxy) async throws -> Void
) async throws {
  let proxy = try await TestProxy(kind, demands)
  do { try await body(proxy) } catch {
    await proxy.end()
    throw error
  }
  await proxy.end()
}
