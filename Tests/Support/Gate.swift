import Foundation
import NIOCore
import NIOPosix
import Synchronization

/// Stands between agents and a broker, and carries what they say, or does not.
package final class Gate: Sendable {
  package enum Mode: Sendable {
    case carries
    /// What is said goes nowhere; an end of a connection is passed on.
    case swallows
    /// Ends every connection by a reset on both sides, and carries those that come after.
    case resets
    /// The same on the agents' side only: the broker goes on with connections that nobody uses.
    case resetsClients
    /// Ends every connection, and takes none.
    case refuses
  }

  private struct Pair {
    let client: any Channel
    let server: any Channel
  }

  package let port: Int
  private let target: Int
  private let mode = Mutex(Mode.carries)
  private let pairs = Mutex<[Pair]>([])
  private let listener = Mutex<(any Channel)?>(nil)
  private let count = Mutex(0)
  private let listening: (@Sendable (_ connection: Int, ByteBuffer) -> Void)?

  /// - Parameter listening: hears what the broker says on each connection, before it is carried.
  package init(to target: Int, listening: (@Sendable (_ connection: Int, ByteBuffer) -> Void)? = nil) throws {
    self.target = target
    self.listening = listening
    port = try freePort()
  }

  package func open() async throws {
    let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.autoRead, value: false)
      .childChannelInitializer { client in self.accept(client) }
      .bind(host: "0.0.0.0", port: port).get()
    listener.withLock { $0 = channel }
  }

  package func set(_ mode: Mode) {
    self.mode.withLock { $0 = mode }
    let pairs = pairs.withLock { $0 }
    switch mode {
    case .carries, .swallows: break
    case .resets, .refuses:
      for pair in pairs { for channel in [pair.client, pair.server] { Self.reset(channel) } }
    case .resetsClients:
      for pair in pairs {
        // What the broker says to nobody is not an end that it should hear of.
        pair.client.pipeline.removeHandler(name: Self.carrier).and(
          pair.server.pipeline.removeHandler(name: Self.carrier)
        )
        .whenComplete { _ in Self.reset(pair.client) }
      }
    }
  }

  package func end() async {
    try? await listener.withLock { $0 }?.close().get()
    for pair in pairs.withLock({ $0 }) {
      pair.client.close(promise: nil)
      pair.server.close(promise: nil)
    }
  }

  private static func reset(_ channel: any Channel) {
    let set = (channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
    (set ?? channel.eventLoop.makeSucceededVoidFuture()).whenComplete { _ in channel.close(promise: nil) }
  }

  private func accept(_ client: any Channel) -> EventLoopFuture<Void> {
    if case .refuses = mode.withLock({ $0 }) { return client.close() }
    return ClientBootstrap(group: client.eventLoop)
      .channelOption(.autoRead, value: false)
      .connect(host: "127.0.0.1", port: target)
      .flatMap { server in
        self.pairs.withLock { $0.append(Pair(client: client, server: server)) }
        let number = self.count.withLock { count in
          count += 1
          return count
        }
        return client.eventLoop.makeCompletedFuture {
          try client.pipeline.syncOperations.addHandler(Carrier(to: server, self, heardAs: nil), name: Self.carrier)
          try server.pipeline.syncOperations.addHandler(Carrier(to: client, self, heardAs: number), name: Self.carrier)
        }
        .and(client.setOption(.autoRead, value: true)).and(server.setOption(.autoRead, value: true)).map { _ in }
      }
  }

  private static let carrier = "carrier"

  private final class Carrier: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    private let other: any Channel
    private let gate: Gate
    /// nil: nobody listens to this side.
    private let connection: Int?

    init(to other: any Channel, _ gate: Gate, heardAs connection: Int?) {
      (self.other, self.gate, self.connection) = (other, gate, connection)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      if case .swallows = gate.mode.withLock({ $0 }) { return }
      let bytes = unwrapInboundIn(data)
      if let connection { gate.listening?(connection, bytes) }
      other.writeAndFlush(bytes, promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) { other.close(promise: nil) }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
  }
}
