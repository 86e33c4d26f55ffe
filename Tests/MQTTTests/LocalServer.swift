import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket

@testable import MQTT
@testable import MQTTCore

/// A server in this process that does what a test tells it, and tells what it sees.
struct LocalServer {
  enum Event: Sendable {
    case request(HTTPRequestHead)
    case frame(WebSocketOpcode, isMasked: Bool)
    case packet(Packet)
    case closed
  }

  /// What the server does about a packet.
  typealias Answer = @Sendable (Packet, _ write: @escaping @Sendable (WebSocketOpcode, Bool, [UInt8]) -> Void) -> Void

  let port: Int
  let events: AsyncStream<Event>
  private let channel: any Channel

  private init(
    _ events: AsyncStream<Event>, _ accept: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
  ) async throws {
    self.events = events
    channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelInitializer(accept)
      .bind(host: "127.0.0.1", port: 0).get()
    port = channel.localAddress?.port ?? 0
  }

  func close() async throws { try await channel.close() }

  /// Takes each connection and closes it at once.
  static func closing() async throws -> LocalServer {
    let (events, told) = AsyncStream.makeStream(of: Event.self)
    return try await LocalServer(events) { channel in
      told.yield(.closed)
      channel.close(promise: nil)
      return channel.eventLoop.makeSucceededVoidFuture()
    }
  }

  /// MQTT over WebSocket.
  ///
  /// - Parameters:
  ///   - subprotocol: what it agrees to; nil: it names none.
  ///   - dribbles: each byte is a segment of its own.
  static func webSocket(
    subprotocol: String? = "mqtt", _ version: ProtocolVersion = .v5, dribbles: Bool = false, _ answer: @escaping Answer
  ) async throws -> LocalServer {
    let (events, told) = AsyncStream.makeStream(of: Event.self)
    return try await LocalServer(events) { channel in
      if dribbles { try? channel.pipeline.syncOperations.addHandler(Dribbling()) }
      let upgrader = NIOWebSocketServerUpgrader(
        shouldUpgrade: { channel, head in
          told.yield(.request(head))
          let headers = HTTPHeaders(subprotocol.map { [("Sec-WebSocket-Protocol", $0)] } ?? [])
          return channel.eventLoop.makeSucceededFuture(headers)
        },
        upgradePipelineHandler: { channel, _ in
          channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(Frames(version, told, answer))
          }
        })
      return channel.pipeline.configureHTTPServerPipeline(
        withServerUpgrade: (upgraders: [upgrader], completionHandler: { _ in }))
    }
  }

  /// Sends each byte alone (sockets of NIO have TCP_NODELAY).
  private final class Dribbling: ChannelOutboundHandler, Sendable {
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
      for byte in unwrapOutboundIn(data).readableBytesView {
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(integer: byte)), promise: nil)
      }
      promise?.succeed()
    }
  }

  /// Reads packets from frames wherever they are cut. A Close frame is not answered: a client must not depend on it.
  private final class Frames: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame
    typealias OutboundOut = WebSocketFrame

    private let told: AsyncStream<Event>.Continuation
    private let answer: Answer
    private var decoder: PacketDecoder
    private var bytes = ByteBuffer()

    init(_ version: ProtocolVersion, _ told: AsyncStream<Event>.Continuation, _ answer: @escaping Answer) {
      self.told = told
      self.answer = answer
      decoder = PacketDecoder(version: version, maximumPacketSize: 1 << 20)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      let frame = unwrapInboundIn(data)
      told.yield(.frame(frame.opcode, isMasked: frame.maskKey != nil))
      guard frame.opcode == .binary else { return }
      bytes.writeImmutableBuffer(frame.unmaskedData)
      let channel = context.channel
      while let packet = try? decoder.next(from: &bytes) {
        told.yield(.packet(packet))
        answer(packet) { opcode, isLast, bytes in
          channel.writeAndFlush(
            WebSocketFrame(fin: isLast, opcode: opcode, data: ByteBuffer(bytes: bytes)), promise: nil)
        }
      }
    }

    func channelInactive(context: ChannelHandlerContext) {
      told.yield(.closed)
      context.fireChannelInactive()
    }
  }
}
