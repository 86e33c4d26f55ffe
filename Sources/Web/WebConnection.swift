import LimpetPlatform
import NIOCore
import NIOHTTP1

/// Why there is no request to answer.
enum WebFault: Error {
  case tooLong, tooSlow, method, version, malformed

  /// What a parser's error means.
  init(_ error: HTTPParserError, beginsWithMethod: Bool) {
    switch error {
    case .headerOverflow: self = .tooLong
    case .invalidVersion: self = .version
    case .invalidMethod where beginsWithMethod: self = .method
    default: self = .malformed
    }
  }

  var reply: WebReply {
    var reply =
      switch self {
      case .tooLong:
        WebReply(.requestHeaderFieldsTooLarge, "The request has more than 8 KiB; leave out headers, or shorten them.")
      case .tooSlow: WebReply(.requestTimeout, "The request took too long; send it again.")
      case .method: WebReply(.methodNotAllowed, "This server answers GET and HEAD only.")
      case .version: WebReply(.httpVersionNotSupported, "This server speaks HTTP/1.1; ask in that version.")
      case .malformed: WebReply(.badRequest, "The server cannot read this as a request of HTTP/1.1.")
      }
    if self == .method { reply.headers.add(name: "Allow", value: "GET, HEAD") }
    reply.isServed = false
    return reply
  }
}

/// A request has so many bytes and no more. It has no state but their number and how they begin.
final class RequestLimit: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer

  private var left: Int
  /// What comes is thrown away.
  var isOver = false
  /// The first bytes are a word and a space.
  private(set) var beginsWithMethod = false
  private var isBegun = false

  init(_ limit: Int) { left = limit }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard !isOver else { return }
    let bytes = unwrapInboundIn(data)
    if !isBegun {
      isBegun = true
      let word = bytes.readableBytesView.prefix { (0x21...0x7E).contains($0) }
      beginsWithMethod =
        !word.isEmpty && word.count < bytes.readableBytes && bytes.readableBytesView[word.endIndex] == 0x20
    }
    left -= bytes.readableBytes
    guard left >= 0 else {
      isOver = true
      return context.fireErrorCaught(WebFault.tooLong)
    }
    context.fireChannelRead(data)
  }
}

/// One connection: `reading` –the request's head→ `answering` –the answer is sent, or its time is over→ closed. A stream
/// stays in `answering` until its client goes, or stops reading. Without a head, or with one that the server refuses by
/// itself, the answer is followed by `lingering`: the client is still read for a moment, since unread bytes would take
/// the answer with them when the connection is closed (RFC 9112, section 9.6).
final class WebConnection: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  /// How long the server listens on after an answer of its own.
  private static let lingering = TimeAmount.seconds(2)

  private let bytes: RequestLimit
  private let patience: TimeAmount
  /// Of every answer.
  private let headers: HTTPHeaders
  private let answer: WebServer.Answer
  private var isAnswering = false
  private var isLingering = false
  private var deadline: Scheduled<Void>?
  /// Whether the server has room for one more answer, with a body of so many bytes.
  var takesPlace: (Int) -> Bool = { _ in true }
  /// What the client speaks: HTTP/1.0 has no chunks (RFC 9112, section 6.1), so a long answer ends with the connection.
  private var version = HTTPVersion.http1_1
  /// The rest of the body, which is not written yet; nil: there is no answer, or it is complete.
  private var rest: ByteBuffer?
  private var parts: (() -> ByteBuffer?)?
  private var stream: (any WebStream)?
  private var beats: RepeatedTask?
  /// Beats since the connection took something.
  private var stalled = Duration.zero

  init(_ bytes: RequestLimit, patience: Duration, headers: HTTPHeaders, answer: @escaping WebServer.Answer) {
    self.bytes = bytes
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
    (rest, parts, stream) = (nil, nil, nil)
    context.fireChannelInactive()
  }

  private func arm(_ channel: any Channel) {
    deadline?.cancel()
    let connection = NIOLoopBound(self, eventLoop: channel.eventLoop)
    deadline = channel.eventLoop.scheduleTask(in: patience) { connection.value.isLate(channel) }
  }

  private func isLate(_ channel: any Channel) {
    guard !isAnswering else { return channel.close(promise: nil) }
    refuse(.tooSlow, channel)
  }

  private func refuse(_ fault: WebFault, _ channel: any Channel) {
    (isAnswering, isLingering, bytes.isOver) = (true, true, true)
    send(fault.reply, isHead: false, channel)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    // Bodies are ignored, and a connection has one request.
    guard case .head(let head) = unwrapInboundIn(data), !isAnswering else { return }
    guard head.method == .GET || head.method == .HEAD else { return refuse(.method, context.channel) }
    isAnswering = true
    arm(context.channel)
    let request = WebRequest(head, from: context.remoteAddress?.ipAddress)
    if request.version == .http1_0 { version = .http1_0 }
    var reply = answer(request)
    if reply.isServed, !takesPlace(reply.body.readableBytes) {
      reply = WebReply(.serviceUnavailable, "Too many requests at the moment; try again in a few seconds.")
      reply.headers.add(name: "Retry-After", value: "5")
    }
    send(reply, isHead: head.method == .HEAD, context.channel)
  }

  private func send(_ reply: WebReply, isHead: Bool, _ channel: any Channel) {
    var headers = headers
    headers.add(contentsOf: reply.headers)
    headers.add(name: "Content-Type", value: reply.type)
    if reply.stream == nil, reply.parts == nil {
      headers.add(name: "Content-Length", value: String(reply.body.readableBytes))
    }
    headers.add(name: "X-Content-Type-Options", value: "nosniff")
    headers.add(name: "Cache-Control", value: "no-store")
    headers.add(name: "Connection", value: "close")
    let head = HTTPResponseHead(version: version, status: reply.status, headers: headers)
    channel.write(HTTPServerResponsePart.head(head), promise: nil)
    guard !isHead else { return end(channel) }
    channel.flush()
    (rest, parts) = (reply.body, reply.parts)
    guard let stream = reply.stream else { return pump(channel) }
    deadline?.cancel()
    self.stream = stream
    let beat = TimeAmount(WebServer.beat)
    let connection = NIOLoopBound(self, eventLoop: channel.eventLoop)
    beats = channel.eventLoop.scheduleRepeatedTask(initialDelay: beat, delay: beat) { _ in
      connection.value.beat(channel)
    }
    pump(channel)
  }

  /// Gives the connection what it takes: of its answer, then of its stream.
  func pump(_ channel: any Channel) {
    while rest != nil, channel.isWritable {
      if let part = nextPart() {
        write(part, channel)
        // A client that takes a part has as long for the next.
        if stream == nil { arm(channel) }
      } else if let stream {
        guard let more = stream.next() else { return }
        write(more, channel)
      } else {
        (rest, parts) = (nil, nil)
        end(channel)
      }
    }
  }

  private func nextPart() -> ByteBuffer? {
    if let part = rest?.readSlice(ofAtMost: Self.part), part.readableBytes > 0 { return part }
    return parts?()
  }

  /// Bytes that are written at one time.
  private static let part = 65_536

  private func end(_ channel: any Channel) {
    let isLingering = isLingering
    channel.writeAndFlush(HTTPServerResponsePart.end(nil)).whenComplete { _ in
      channel.close(mode: isLingering ? .output : .all, promise: nil)
    }
    guard isLingering else { return }
    deadline?.cancel()
    deadline = channel.eventLoop.scheduleTask(in: min(patience, Self.lingering)) { channel.close(promise: nil) }
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

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    guard !isLingering else { return }
    let fault =
      error as? WebFault
      ?? (error as? HTTPParserError).map { WebFault($0, beginsWithMethod: bytes.beginsWithMethod) }
    guard let fault, !isAnswering, context.channel.isActive else { return context.close(promise: nil) }
    refuse(fault, context.channel)
  }
}

extension ByteBuffer {
  fileprivate mutating func readSlice(ofAtMost length: Int) -> ByteBuffer? {
    readSlice(length: min(length, readableBytes))
  }
}
