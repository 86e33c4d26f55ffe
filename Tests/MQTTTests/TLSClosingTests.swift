import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS
import TestScene
import Testing

@testable import MQTT
@testable import MQTTCore

/// Ends of a connection over TLS.
@Suite("The end of TLS", .timed, .timeLimit(.minutes(1 * Patience.factor)))
struct TLSClosingTests {
  /// When the server closes.
  enum Stage: String, CaseIterable, CustomTestStringConvertible {
    case accepted, clientHello, handshake, connect, connack, withinPacket
    var testDescription: String { rawValue }
  }

  /// Next to the socket: what it closes is closed without close_notify.
  private final class Socket: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    static let name = "socket"
    private let stage: Stage

    init(_ stage: Stage) { self.stage = stage }

    func channelActive(context: ChannelHandlerContext) {
      if stage == .accepted { context.close(promise: nil) } else { context.fireChannelActive() }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      if stage == .clientHello { context.close(promise: nil) } else { context.fireChannelRead(data) }
    }
  }

  /// Above TLS: closes the socket, or properly.
  private final class Closing: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    private let stage: Stage
    private let isProper: Bool

    init(_ stage: Stage, isProper: Bool) { (self.stage, self.isProper) = (stage, isProper) }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
      if stage == .handshake, case .handshakeCompleted? = event as? TLSUserEvent { close(context) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      let version: MQTTCore.ProtocolVersion =
        unwrapInboundIn(data).readableBytesView.dropFirst(8).first == 4 ? .v311 : .v5
      let connack = encode(.connack(ConnAck(sessionPresent: false, reasonCode: .success)), version)
      switch stage {
      case .connack: context.write(wrapOutboundOut(ByteBuffer(bytes: connack)), promise: nil)
      case .withinPacket:
        let message = encode(.numbered(1, .atMostOnce, nil), version).dropLast()
        context.write(wrapOutboundOut(ByteBuffer(bytes: connack + message)), promise: nil)
      default: break
      }
      context.flush()
      close(context)
    }

    private func close(_ context: ChannelHandlerContext) {
      if isProper { return context.close(promise: nil) }
      if let socket = try? context.pipeline.syncOperations.context(name: Socket.name) { socket.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {}
  }

  /// A server that closes at this stage, and a client that tries again at once.
  private func withClosing(
    _ stage: Stage, isProper: Bool = false, _ body: (Life) async throws -> Void
  ) async throws {
    try await withScene { scene in
      let certificates = try await scene.certificates(names: "DNS:localhost,IP:127.0.0.1")
      var tls = TLSConfiguration.makeServerConfiguration(
        certificateChain: try NIOSSLCertificate.fromPEMFile(certificates.server).map { .certificate($0) },
        privateKey: .privateKey(try NIOSSLPrivateKey(file: certificates.serverKey, format: .pem)))
      tls.applicationProtocols = ["mqtt"]
      let context = try NIOSSLContext(configuration: tls)
      let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .childChannelInitializer { channel in
          channel.eventLoop.makeCompletedFuture {
            let pipeline = channel.pipeline.syncOperations
            try pipeline.addHandler(Socket(stage), name: Socket.name)
            try pipeline.addHandler(NIOSSLServerHandler(context: context))
            try pipeline.addHandler(Closing(stage, isProper: isProper))
          }
        }
        .bind(host: "127.0.0.1", port: 0).get()
      let port = try #require(server.localAddress?.port)
      var configuration = Client.Configuration(servers: [
        ServerAddress(transport: .tls, host: "127.0.0.1", port: port)
      ])
      configuration.tls.authorities = certificates.authority
      configuration.reconnect.minimum = .milliseconds(1)
      configuration.reconnect.maximum = .milliseconds(2)
      try await withLife(configuration) { _, life in try await body(life) }
      try await server.close()
    }
  }

  @Test(
    "wherever a server ends TLS, with close_notify or without, it is a loss that names the stage, and another attempt follows",
    arguments: Stage.allCases, [false, true])
  func closes(stage: Stage, isProper: Bool) async throws {
    try await withClosing(stage, isProper: isProper) { life in
      try await until("two losses") { life.losses.count >= 2 }
      for loss in life.losses.prefix(2) {
        let isRight =
          switch (stage, loss.loss) {
          case (.accepted, .tls), (.clientHello, .tls), (.handshake, .tls): true
          case (.accepted, .closed(.tls, received: false, _)), (.clientHello, .closed(.tls, received: false, _)): true
          // This side may have been through with the handshake before.
          case (.handshake, .closed(.tls, received: false, _)), (.handshake, .closed(.connect, received: false, _)):
            true
          case (.connect, .closed(.connect, received: false, _)): true
          case (.connack, .closed(.connected, received: true, _)): true
          case (.withinPacket, .closed(.connected, received: true, _)): true
          default: false
          }
        #expect(isRight, "\(loss.loss)")
      }
    }
  }

  @Test("a FIN without close_notify after CONNECT is a close, and 3.1.1 is tried after two of them")
  func closesRaw() async throws {
    try await withClosing(.connect) { life in
      try await until("two losses") { life.losses.count >= 2 }
      for loss in life.losses.prefix(2) {
        guard case .closed(.connect, received: false, _) = loss.loss else {
          Issue.record("\(loss.loss)")
          return
        }
      }
      try await until("it asks by 3.1.1") { life.versions.contains(.v311) }
    }
  }
}
