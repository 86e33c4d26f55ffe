import LimpetPlatform
import NIOCore
import NIOHTTP1

/// A request has so many bytes and no more. It has no state but their number.
final class RequestLimit: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer

  private var left: Int

  init(_ limit: Int) { left = limit }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    left -= unwrapInboundIn(data).readableBytes
    guard left >= 0 else { return context.close(promise: nil) }
    context.fireChannelRead(data)
  }
}

/// One connection: `reading` –the request's head→ `answering` –the answer is sent, or its time is over→ closed. A stream
/// stays in `answering` until its client goes, or stops reading.
final class WebConnection: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  private let patience: TimeAmount
  /// Of every answer.
  private let headers: HTTPHeaders
  private let answer: WebServer.Answer
  private var isAnswering = false
  private var deadline: Scheduled<Void>?
  /// Whether the server has room for one more answer.
  var takesPlace: () -> Bool = { true }
  /// The rest of the answer, which is not written yet.
  private var rest: ByteBuffer?
  private var stream: (any WebStream)?
  private var beats: RepeatedTask?
  /// Beats since the connection took something.
  private var stalled = Duration.zero

  init(patience: Duration, headers: HTTPHeaders, answer: @escaping WebServer.Answer) {
    self.patience = TimeAmount(patience)
    self.headers = headers
    self.answer = answer
  }

  func channelActive(context: ChannelHandlerContext) {
    arm(context.channel)
    context.fireChannelActive()
  }

  func channelInactive(context: ChannelHandlerContext) {
    deadline?.cancel()
    beats?.cancel()
    stream = nil
    context.fireChannelInactive()
  }

  private func arm(_ channel: any Channel) {
    deadline?.cancel()
    deadline = channel.eventLoop.scheduleTask(in: patience) { channel.close(promise: nil) }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    // Bodies are ignored, and a connection has one request.
    guard case .head(let head) = unwrapInboundIn(data), !isAnswering else { return }
    isAnswering = true
    arm(context.channel)
    let request = WebRequest(head, from: context.remoteAddress?.ipAddress)
    var reply: WebReply
    switch head.method {
    case .GET, .HEAD:
      reply = answer(request)
      if reply.isServed, !takesPlace() {
        reply = WebReply(.serviceUnavailable, "Too many requests at the moment; try again in a few seconds.")
        reply.headers.add(name: "Retry-After", value: "5")
      }
    default:
      reply = WebReply(.methodNotAllowed, "This server answers GET and HEAD only.")
      reply.headers.add(name: "Allow", value: "GET, HEAD")
    }
    send(reply, head, context)
  }

  private func send(_ reply: WebReply, _ request: HTTPRequestHead, _ context: ChannelHandlerContext) {
    var headers = headers
    headers.add(contentsOf: reply.headers)
    headers.add(name: "Content-Type", value: reply.type)
    if reply.stream == nil { headers.add(name: "Content-Length", value: String(reply.body.readableBytes)) }
    headers.add(name: "X-Content-Type-Options", value: "nosniff")
    headers.add(name: "Cache-Control", value: "no-store")
    headers.add(name: "Connection", value: "close")
    let head = HTTPResponseHead(version: .http1_1, status: reply.status, headers: headers)
    let channel = context.channel
    guard request.method != .HEAD else {
      context.write(wrapOutboundOut(.head(head)), promise: nil)
      return end(channel)
    }
    context.writeAndFlush(wrapOutboundOut(.head(head)), promise: nil)
    rest = reply.body
    guard let stream = reply.stream else { return pump(channel) }
    deadline?.cancel()
    self.stream = stream
    let beat = TimeAmount(WebServer.beat)
    let connection = NIOLoopBound(self, eventLoop: context.eventLoop)
    beats = context.eventLoop.scheduleRepeatedTask(initialDelay: beat, delay: beat) { _ in
      connection.value.beat(channel)
    }
    pump(channel)
  }

  /// Gives the connection what it takes: of its answer, then of its stream.
  func pump(_ channel: any Channel) {
    while channel.isWritable, rest?.readableBytes ?? 0 > 0, let part = rest?.readSlice(ofAtMost: Self.part) {
      write(part, channel)
      // A client that takes a part has as long for the next.
      if stream == nil { arm(channel) }
    }
    guard rest?.readableBytes == 0 else { return }
    if stream == nil {
      rest = nil
      return end(channel)
    }
    while channel.isWritable, let more = stream?.next() { write(more, channel) }
  }

  /// Bytes that are written at one time.
  private static let part = 65_536

  private func end(_ channel: any Channel) {
    channel.writeAndFlush(HTTPServerResponsePart.end(nil)).whenComplete { _ in channel.close(promise: nil) }
  }

  private func beat(_ channel: any Channel) {
    guard let stream else { return }
    guard channel.isWritable else {
      stalled += WebServer.beat
      if stalled >= WebServer.stall { channel.close(promise: nil) }
      return
    }
    stalled = .zero
    write(stream.beat(), channel)
  }

  /// What the connection does not take now the next beat says.
  func sign(_ channel: any Channel) {
    guard let stream, channel.isWritable else { return }
    write(stream.beat(), channel)
  }

  private func write(_ bytes: ByteBuffer, _ channel: any Channel) {
    channel.writeAndFlush(HTTPServerResponsePart.body(.byteBuffer(bytes)), promise: nil)
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    pump(context.channel)
    context.fireChannelWritabilityChanged()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

extension ByteBuffer {
  fileprivate mutating func readSlice(ofAtMost length: Int) -> ByteBuffer? {
    readSlice(length: min(length, readableBytes))
  }
}
