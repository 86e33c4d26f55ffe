import NIOCore
import NIOPosix
import NIOSSL
import TestScene
import Testing

@testable import MQTT
@testable import MQTTCore

/// Ends of a connection over TLS.
@Suite("The end of TLS", .timed, .timeLimit(.minutes(1 * Patience.factor)))
struct TLSClosingTests {
  /// Next to the socket: what it closes is closed without close_notify.
  private final class Socket: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer
    static let name = "socket"
  }

  /// Closes the raw socket on the first bytes of MQTT.
  private final class Closing: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      if let socket = try? context.pipeline.syncOperations.context(name: Socket.name) { socket.close(promise: nil) }
    }
    func errorCaught(context: ChannelHandlerContext, error: any Error) {}
  }

  @Test("a FIN without close_notify after CONNECT is a close, and 3.1.1 is tried after two of them")
  func closesRaw() async throws {
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
            try pipeline.addHandler(Socket(), name: Socket.name)
            try pipeline.addHandler(NIOSSLServerHandler(context: context))
            try pipeline.addHandler(Closing())
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
      try await withLife(configuration) { _, life in
        try await until("two losses") { life.losses.count >= 2 }
        for loss in life.losses.prefix(2) {
          guard case .closed(.connect, received: false, _) = loss.loss else {
            Issue.record("\(loss.loss)")
            return
          }
        }
        try await until("it asks by 3.1.1") { life.versions.contains(.v311) }
      }
      try await server.close()
    }
  }
}
