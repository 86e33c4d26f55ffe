import LimpetInstants
import LimpetPlatform
import MQTT
import MQTTCore
import NIOCore
import NIOPosix
import Synchronization
import Testing

/// A broker that does what a test tells it to, on a port of 127.0.0.1.
package final class FakeBroker: Sendable {
  /// What it does with a packet; it runs on the connection's event loop.
  package typealias Answer = @Sendable (Packet, FakeConnection) -> Void

  package let port: Int
  private let accepted = Mutex<[FakeConnection]>([])
  private let server = Mutex<(any Channel)?>(nil)

  fileprivate init(port: Int) { self.port = port }

  fileprivate func listen(answer: @escaping Answer) async throws {
    let channel = try await ServerBootstrap(group: witnesses)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          let connection = self.accepted.withLock { accepted in
            accepted.append(FakeConnection(channel, number: accepted.count + 1))
            return accepted[accepted.count - 1]
          }
          try channel.pipeline.syncOperations.addHandler(PacketHandler(connection, answer))
        }
      }
      .bind(host: "127.0.0.1", port: port).get()
    server.withLock { $0 = channel }
  }

  package func end() async {
    try? await server.withLock { $0 }?.close().get()
    for connection in connections { connection.close() }
  }

  /// Every connection so far.
  package var connections: [FakeConnection] { accepted.withLock { $0 } }

  /// Waits for a connection by its number, the first is 1.
  package func connection(
    _ number: Int, within limit: Duration = .seconds(15), sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> FakeConnection {
    try await eventually("connection \(number)", within: limit, sourceLocation: sourceLocation) {
      connections.count >= number ? connections[number - 1] : nil
    }
  }

  /// What a broker does: agrees and acknowledges. Nothing is passed on.
  package static let obliging: Answer = { packet, connection in
    switch packet {
    case .connect: connection.send(.connack(ConnAck(sessionPresent: false, reasonCode: .success)))
    case .publish(let publish):
      if let identifier = publish.packetIdentifier { connection.send(.puback(Acknowledgement(identifier))) }
    case .subscribe(let subscribe):
      let codes = subscribe.subscriptions.map { _ in ReasonCode.grantedQoS1 }
      connection.send(.suback(SubscriptionAcknowledgement(subscribe.packetIdentifier, reasonCodes: codes)))
    case .pingreq: connection.send(.pingresp)
    case .disconnect: connection.close()
    default: break
    }
  }
}

/// A client that connected to a fake broker.
package final class FakeConnection: Sendable {
  package struct Arrival: Sendable {
    package let packet: Packet
    package let time: ContinuousClock.Instant
  }

  /// The first is 1.
  package let number: Int
  package let opened = ContinuousClock.now
  private let channel: any Channel
  private struct Past {
    var arrivals: [Arrival] = []
    var version = MQTTCore.ProtocolVersion.v5
    var closed: ContinuousClock.Instant?
  }
  private let past = Mutex(Past())

  fileprivate init(_ channel: any Channel, number: Int) {
    self.channel = channel
    self.number = number
  }

  package var arrivals: [Arrival] { past.withLock(\.arrivals) }
  package var packets: [Packet] { arrivals.map(\.packet) }
  /// When the client closed it, or the broker.
  package var closed: ContinuousClock.Instant? { past.withLock(\.closed) }
  package var version: MQTTCore.ProtocolVersion { past.withLock(\.version) }

  package var connect: Connect? {
    packets.lazy.compactMap { if case .connect(let connect) = $0 { connect } else { nil } }.first
  }
  package var disconnect: Disconnect? {
    packets.lazy.compactMap { if case .disconnect(let disconnect) = $0 { disconnect } else { nil } }.first
  }
  package var publishes: [Publish] {
    packets.compactMap { if case .publish(let publish) = $0 { publish } else { nil } }
  }
  /// Those of one reading's name.
  package func publishes(_ name: String) -> [Publish] {
    publishes.filter { $0.message.topic.description.hasSuffix("/" + name) }
  }

  package func send(_ packet: Packet) {
    var buffer = ByteBuffer()
    packet.encode(into: &buffer, version)
    send(buffer)
  }

  package func send(_ bytes: [UInt8]) { send(ByteBuffer(bytes: bytes)) }

  private func send(_ buffer: ByteBuffer) { channel.writeAndFlush(buffer, promise: nil) }

  package func close() { channel.close(promise: nil) }

  /// What the client sends stays in the sockets from now on.
  package func stopReading() { channel.setOption(.autoRead, value: false).whenComplete { _ in } }

  /// Waits for a packet.
  @discardableResult
  package func arrival(
    _ what: String, within limit: Duration = .seconds(15), sourceLocation: SourceLocation = #_sourceLocation,
    where condition: (Packet) -> Bool
  ) async throws -> Arrival {
    try await eventually("\(what) on connection \(number)", within: limit, sourceLocation: sourceLocation) {
      arrivals.first { condition($0.packet) }
    }
  }

  /// Waits for the end of the connection.
  @discardableResult
  package func end(
    within limit: Duration = .seconds(15), sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> ContinuousClock.Instant {
    try await eventually("connection \(number) ends", within: limit, sourceLocation: sourceLocation) { closed }
  }

  fileprivate func arrived(_ packet: Packet, _ version: MQTTCore.ProtocolVersion) {
    past.withLock { past in
      past.version = version
      past.arrivals.append(Arrival(packet: packet, time: .now))
    }
  }

  fileprivate func ended() { past.withLock { $0.closed = .now } }
}

private final class PacketHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  private let connection: FakeConnection
  private let answer: FakeBroker.Answer
  private var decoder = PacketDecoder(version: .v5, maximumPacketSize: 1 << 24)
  private var waiting = ByteBuffer()

  init(_ connection: FakeConnection, _ answer: @escaping FakeBroker.Answer) {
    self.connection = connection
    self.answer = answer
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    waiting.writeImmutableBuffer(unwrapInboundIn(data))
    do {
      while let packet = try decoder.next(from: &waiting) {
        connection.arrived(packet, decoder.version)
        answer(packet, connection)
      }
    } catch {
      Issue.record("the client sent what is no packet: \(error)")
      context.close(promise: nil)
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    connection.ended()
    context.fireChannelInactive()
  }

  /// A reset is an end like another here; it comes with `channelInactive`.
  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

extension Scene {
  /// A fake broker that listens.
  /// - Parameter port: nil: a free one.
  package func fakeBroker(
    port: Int? = nil, answer: @escaping FakeBroker.Answer = FakeBroker.obliging
  ) async throws -> FakeBroker {
    let broker = FakeBroker(port: try port ?? freePort())
    try await broker.listen(answer: answer)
    atEnd { await broker.end() }
    return broker
  }
}
