import MQTTCore
import NIOCore
import NIOHTTP1
import NIOTLS
import NIOWebSocket

/// MQTT in WebSocket (MQTT 5.0 §6, RFC 6455): the upgrade, and bytes in and out of binary frames.
enum WebSocket {
  /// The server answered the upgrade with something else.
  struct Refusal: Error, CustomStringConvertible {
    let description: String
  }

  /// The largest frame taken; packets may be cut into frames anywhere ([MQTT-6.0.0-2]), so it bounds no packet.
  private static let largestFrame = 1 << 24

  /// Adds the handlers of the upgrade; those of MQTT follow once the server has agreed.
  static func upgrade(
    _ channel: any Channel, to server: ServerAddress, headers: [(name: String, value: String)], _ carrier: Carrier,
    _ attempt: Link.AttemptNumber
  ) throws {
    var request = HTTPRequestHead(version: .http1_1, method: .GET, uri: server.path.isEmpty ? "/" : server.path)
    request.headers.add(name: "Host", value: server.authority)
    request.headers.add(name: "Sec-WebSocket-Protocol", value: "mqtt")  // [MQTT-6.0.0-3]
    for header in headers { request.headers.add(name: header.name, value: header.value) }
    let upgrader = NIOTypedWebSocketClientUpgrader<Void>(maxFrameSize: largestFrame) { channel, response in
      channel.eventLoop.makeCompletedFuture {
        guard response.headers["Sec-WebSocket-Protocol"].map({ $0.lowercased() }) == ["mqtt"] else {
          throw Refusal(description: "the server did not agree to the sub-protocol mqtt")  // [MQTT-6.0.0-4]
        }
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(WebSocketBytes())
        try pipeline.addHandler(ConnectionHandler(carrier: carrier, attempt: attempt, beginsAt: .added))
      }
    }
    let negotiation = try channel.pipeline.syncOperations.configureUpgradableHTTPClientPipeline(
      configuration: .init(
        upgradeConfiguration: .init(upgradeRequestHead: request, upgraders: [upgrader]) { channel in
          channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(RefusalHandler(carrier: carrier, attempt: attempt))
          }
        }))
    negotiation.whenFailure { error in carrier.transportFailed(error, attempt) }
  }

  /// Reads what the server said in place of the upgrade.
  private final class RefusalHandler: ChannelInboundHandler, Sendable {
    typealias InboundIn = HTTPClientResponsePart

    private let carrier: Carrier
    private let attempt: Link.AttemptNumber

    init(carrier: Carrier, attempt: Link.AttemptNumber) {
      self.carrier = carrier
      self.attempt = attempt
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      guard case .head(let head) = unwrapInboundIn(data) else { return }
      let refusal = Refusal(description: "the server answered \(head.status.code) \(head.status.reasonPhrase)")
      carrier.transportFailed(refusal, attempt)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
      carrier.transportFailed(error, attempt)
    }
  }
}

/// Binary frames on the socket's side, plain bytes on MQTT's.
private final class WebSocketBytes: ChannelDuplexHandler {
  typealias InboundIn = WebSocketFrame
  typealias InboundOut = ByteBuffer
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = WebSocketFrame

  private var hasSentClose = false

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let frame = unwrapInboundIn(data)
    switch frame.opcode {
    case .binary, .continuation: context.fireChannelRead(wrapInboundOut(frame.unmaskedData))
    case .ping: write(.pong, frame.unmaskedData, context, flush: true)
    case .pong: break
    case .connectionClose:
      if !hasSentClose { sendClose(context) }
      context.close(promise: nil)
    default:
      // [MQTT-6.0.0-1]: any other type of frame ends the connection.
      context.fireErrorCaught(WebSocket.Refusal(description: "a WebSocket frame that is not binary"))
    }
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    let frame = WebSocketFrame(fin: true, opcode: .binary, maskKey: .random(), data: unwrapOutboundIn(data))
    context.write(wrapOutboundOut(frame), promise: promise)
  }

  /// Closing the output is a Close frame here; the server answers with its own and closes TCP (RFC 6455 §7.1.1).
  func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
    guard mode == .output else { return context.close(mode: mode, promise: promise) }
    sendClose(context)
    promise?.succeed()
  }

  private func sendClose(_ context: ChannelHandlerContext) {
    hasSentClose = true
    write(.connectionClose, ByteBuffer(integer: UInt16(1000)), context, flush: true)
  }

  private func write(_ opcode: WebSocketOpcode, _ data: ByteBuffer, _ context: ChannelHandlerContext, flush: Bool) {
    context.write(
      wrapOutboundOut(WebSocketFrame(fin: true, opcode: opcode, maskKey: .random(), data: data)), promise: nil)
    if flush { context.flush() }
  }
}
