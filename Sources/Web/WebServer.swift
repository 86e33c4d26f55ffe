internal import Glibc
import LimpetPlatform
import LimpetText
import NIOCore
import NIOHTTP1
import NIOPosix

/// A request.
package struct WebRequest: Sendable {
  package let method: HTTPMethod
  /// Without the query.
  package let path: String
  package let query: String?
  package let headers: HTTPHeaders
  /// The address that it came from; nil: unknown.
  package let remote: String?

  init(_ head: HTTPRequestHead, from remote: String?) {
    self.remote = remote
    method = head.method
    let parts = head.uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    path = parts.first.map(String.init) ?? ""
    query = parts.count > 1 ? String(parts[1]) : nil
    headers = head.headers
  }
}

/// An answer.
package struct WebReply: Sendable {
  package var status: HTTPResponseStatus
  /// The media type of the body.
  package var type: String
  package var body: ByteBuffer
  package var headers: HTTPHeaders
  /// A stream that follows the body for as long as the client reads.
  package var stream: (any WebStream)?
  /// Whether the answer counts among those served at one time; false for a refusal.
  package var isServed = true

  package init(
    _ body: ByteBuffer, type: String, status: HTTPResponseStatus = .ok, headers: HTTPHeaders = HTTPHeaders(),
    stream: (any WebStream)? = nil
  ) {
    self.status = status
    self.type = type
    self.body = body
    self.headers = headers
    self.stream = stream
  }

  /// A sentence as the answer, for a page that does not exist.
  package init(_ status: HTTPResponseStatus, _ sentence: String) {
    self.init(ByteBuffer(string: sentence + "\n"), type: "text/plain; charset=utf-8", status: status)
  }
}

/// An answer without an end. The server asks it for more when it is woken, and as long as the connection takes more.
package protocol WebStream: AnyObject, Sendable {
  /// The bytes since the last call; nil: none.
  func next() -> ByteBuffer?
  /// Sent every `WebServer.beat`, so that both sides notice an end, and whenever the server is told to.
  func beat() -> ByteBuffer
}

/// Where a server listens.
package enum WebPlace: Sendable, CustomStringConvertible {
  case network(ListenAddress)
  /// It is bound already.
  case socket(SocketFile)

  package var description: String {
    switch self {
    case .network(let address): "\(address)"
    case .socket(let file): "unix:\(file.path)"
    }
  }
}

/// Answers GET and HEAD of HTTP/1.1 (RFC 9112) at one place, on an event loop.
///
/// No client can harm the process: connections are bounded, and so are the bytes of a request, its time, and the time
/// in which a client takes nothing of its answer. Each connection has one request. Silent clients keep nobody out: when
/// too many connections have no request yet, the server closes the oldest of them.
package actor WebServer {
  package nonisolated let eventLoop: any EventLoop
  package nonisolated var unownedExecutor: UnownedSerialExecutor { eventLoop.executor.asUnownedSerialExecutor() }

  package typealias Answer = @Sendable (WebRequest) -> WebReply

  /// A report about the address: the first failure, and each success.
  package enum Notice: Sendable {
    case listens(WebPlace)
    /// It is tried again every minute, but for a socket that was bound before.
    case failed(String)
  }

  /// Between two signs of life of a stream.
  package static let beat = Duration.seconds(2)
  /// How long a client may read nothing of a stream.
  static let stall = Duration.seconds(30)

  /// Bytes of a request.
  static let requestLimit = 8192
  /// How long until the server tries an address again that it could not listen at.
  private static let pause = Duration.seconds(60)

  private let place: WebPlace
  /// Answers at one time, and requests that are not there yet.
  private let limit: Int
  /// How long a request may take, and how long a client may take nothing of its answer.
  private let patience: Duration
  /// Of every answer, whatever it is.
  private let headers: HTTPHeaders
  private let answer: Answer
  private let notice: @Sendable (Notice) -> Void
  private var listener: (any Channel)?
  private var retry: Scheduled<Void>?
  private var hasStopped = false
  private var hasFailed = false
  private struct Connection {
    let channel: any Channel
    let handler: NIOLoopBound<WebConnection>
    /// Its place in the order in which they came.
    let number: UInt64
    var isServed = false
  }

  private var connections: [ObjectIdentifier: Connection] = [:]
  private var accepted: UInt64 = 0

  /// - Parameters:
  ///   - headers: of every answer, also of those that the server gives by itself.
  ///   - notice: called on the event loop, as is `answer`.
  package init(
    _ place: WebPlace, limit: Int = 16, eventLoop: any EventLoop, patience: Duration = .seconds(10),
    headers: HTTPHeaders = HTTPHeaders(), notice: @escaping @Sendable (Notice) -> Void, answer: @escaping Answer
  ) {
    self.place = place
    self.limit = limit
    self.eventLoop = eventLoop
    self.notice = notice
    self.patience = patience
    self.headers = headers
    self.answer = answer
  }

  /// Listens; if that fails it reports it once, and tries again every minute.
  package func start() {
    guard !hasStopped else { return }
    let (answer, patience, headers) = (answer, patience, headers)
    let bootstrap = ServerBootstrap(group: eventLoop)
      .childChannelOption(.maxMessagesPerRead, value: 1)
      .childChannelInitializer { [weak self] channel in
        channel.eventLoop.makeCompletedFuture {
          guard let self else { throw ChannelError.ioOnClosedChannel }
          let connection = WebConnection(patience: patience, headers: headers, answer: answer)
          let bound = NIOLoopBound(connection, eventLoop: channel.eventLoop)
          try self.assumeIsolated { try $0.accept(bound, on: channel) }
          let pipeline = channel.pipeline.syncOperations
          try pipeline.addHandler(RequestLimit(Self.requestLimit))
          try pipeline.addHandler(HTTPResponseEncoder())
          try pipeline.addHandler(ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes)))
          try pipeline.addHandler(connection)
        }
      }
    let listener =
      switch place {
      case .network(let address):
        bootstrap.serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
          .bind(host: address.host, port: address.port)
      case .socket(let file): bootstrap.withBoundSocket(file.descriptor)
      }
    listener.hop(to: eventLoop).whenComplete { result in self.assumeIsolated { $0.listens(result) } }
  }

  private func listens(_ result: Result<any Channel, any Error>) {
    switch result {
    case .success(let channel) where hasStopped: channel.close(promise: nil)
    case .success(let channel):
      listener = channel
      notice(.listens(place))
      hasFailed = false
    case .failure(let error):
      let reason = (error as? IOError).map { String(cString: strerror($0.errnoCode)) } ?? "\(error)"
      if !hasFailed { notice(.failed("limpet cannot listen on \(place) (\(reason)); write another address or port")) }
      hasFailed = true
      guard case .network = place else { return }
      retry = eventLoop.scheduleTask(in: TimeAmount(Self.pause)) { [weak self] in
        self?.assumeIsolated { $0.start() }
      }
    }
  }

  private func accept(_ connection: NIOLoopBound<WebConnection>, on channel: any Channel) throws {
    guard !hasStopped else { throw ChannelError.ioOnClosedChannel }
    let silent = connections.filter { !$0.value.isServed }
    if silent.count >= limit, let oldest = silent.min(by: { $0.value.number < $1.value.number }) {
      connections[oldest.key] = nil
      oldest.value.channel.close(promise: nil)
    }
    let id = ObjectIdentifier(channel)
    accepted += 1
    connections[id] = Connection(channel: channel, handler: connection, number: accepted)
    connection.value.takesPlace = { [weak self] in self?.assumeIsolated { $0.serves(id) } ?? false }
    channel.closeFuture.whenComplete { [weak self] _ in self?.assumeIsolated { $0.connections[id] = nil } }
  }

  /// False: so many are served already.
  private func serves(_ id: ObjectIdentifier) -> Bool {
    guard connections.values.count(where: \.isServed) < limit else { return false }
    connections[id]?.isServed = true
    return true
  }

  /// Closes all connections, and gives the address up.
  package func stop() {
    hasStopped = true
    retry?.cancel()
    listener?.close(promise: nil)
    listener = nil
    for connection in connections.values { connection.channel.close(promise: nil) }
  }

  /// Every stream has its sign of life now, beside those of each beat.
  package func sign() {
    for connection in connections.values { connection.handler.value.sign(connection.channel) }
  }

  /// Streams have more to say.
  package func wake() {
    for connection in connections.values { connection.handler.value.pump(connection.channel) }
  }
}

/// A request has so many bytes and no more. It has no state but their number.
private final class RequestLimit: ChannelInboundHandler {
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
private final class WebConnection: ChannelInboundHandler {
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
