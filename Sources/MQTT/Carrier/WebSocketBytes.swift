import NIOCore
import NIOWebSocket

/// Binary frames on the socket's side, plain bytes on MQTT's (RFC 6455).
final class WebSocketBytes: ChannelDuplexHandler {
  typealias InboundIn = WebSocketFrame
  typealias InboundOut = ByteBuffer
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = WebSocketFrame

  /// Servers bound the frames that they take, 65,536 bytes often, and close on a larger one: again and again, since what
  /// was in it is sent again. A turn may bring more than that.
  static let largestSentFrame = 1 << 14

  private let closing: (WebSocket.Closure) -> Void
  private var hasSentClose = false
  /// A message has begun, and its last fragment has not come (§5.4).
  private var isFragmented = false

  /// - Parameter closing: called with the reason that the server closes with, before the end of the transport.
  init(_ closing: @escaping (WebSocket.Closure) -> Void) { self.closing = closing }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let frame = unwrapInboundIn(data)
    if let fault = fault(in: frame) {
      // It is closed at once after this: what was read is worth nothing any more.
      sendClose(.protocolError, context, promise: nil)
      return context.fireErrorCaught(WebSocket.Refusal(description: fault))
    }
    switch frame.opcode {
    case .binary, .continuation:
      isFragmented = !frame.fin
      context.fireChannelRead(wrapInboundOut(frame.data))
    case .ping: write(.pong, frame.data, context, promise: nil)
    case .pong: break
    default:
      closing(Self.closure(frame.data))
      if !hasSentClose { sendClose(.normalClosure, context, promise: nil) }
      context.close(promise: nil)
    }
  }

  /// What a server may not send; nil: it may.
  private func fault(in frame: WebSocketFrame) -> String? {
    // §5.1, §5.2: no extension was agreed to that would give these bits a meaning.
    guard frame.maskKey == nil else { return "a WebSocket frame of the server that is masked" }
    guard !frame.rsv1, !frame.rsv2, !frame.rsv3 else { return "a WebSocket frame with reserved bits" }
    switch frame.opcode {
    case .binary where isFragmented: return "a WebSocket message within another one"
    case .continuation where !isFragmented: return "a WebSocket fragment of no message"
    case .binary, .continuation, .ping, .pong, .connectionClose: return nil
    // [MQTT-6.0.0-1]
    default: return "a WebSocket frame that is not binary"
    }
  }

  private static func closure(_ data: ByteBuffer) -> WebSocket.Closure {
    var data = data
    let code = data.readInteger(as: UInt16.self)
    // For people: a server may write anything there.
    let reason = String(buffer: data).unicodeScalars.filter { $0.properties.generalCategory != .control }
    return WebSocket.Closure(code: code, reason: String(String.UnicodeScalarView(reason)))
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    var bytes = unwrapOutboundIn(data)
    while bytes.readableBytes > Self.largestSentFrame, let part = bytes.readSlice(length: Self.largestSentFrame) {
      context.write(frame(.binary, part), promise: nil)
    }
    context.write(frame(.binary, bytes), promise: promise)
  }

  /// Closing the output is a Close frame here; the server answers with its own and closes TCP (§7.1.1).
  func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
    guard mode == .output else { return context.close(mode: mode, promise: promise) }
    sendClose(.normalClosure, context, promise: promise)
  }

  private func sendClose(_ code: WebSocketErrorCode, _ context: ChannelHandlerContext, promise: EventLoopPromise<Void>?)
  {
    hasSentClose = true
    var data = ByteBuffer()
    data.write(webSocketErrorCode: code)
    write(.connectionClose, data, context, promise: promise)
  }

  private func write(
    _ opcode: WebSocketOpcode, _ data: ByteBuffer, _ context: ChannelHandlerContext, promise: EventLoopPromise<Void>?
  ) {
    context.writeAndFlush(frame(opcode, data), promise: promise)
  }

  private func frame(_ opcode: WebSocketOpcode, _ data: ByteBuffer) -> NIOAny {
    wrapOutboundOut(WebSocketFrame(fin: true, opcode: opcode, maskKey: .random(), data: data))
  }
}
