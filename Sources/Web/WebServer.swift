internal import Glibc
import LimpetPlatform
import LimpetText
import NIOCore
import NIOHTTP1
import NIOPosix

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
/// in which a client takes nothing of its answer. What is no request has an answer that says so. Each connection has one
/// request. Silent clients keep nobody out: when too many connections have no request yet, the server closes the oldest
/// of them.
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
  /// Bytes of the bodies of those answers together; one alone may have more.
  private let memory: Int
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
    /// Bytes of the answer's body while it is served; nil: it is not served yet.
    var body: Int?
    var isServed: Bool { body != nil }
  }

  private var connections: [ObjectIdentifier: Connection] = [:]
  private var accepted: UInt64 = 0

  /// - Parameters:
  ///   - memory: bytes of bodies that may wait for clients at one time.
  ///   - headers: of every answer, also of those that the server gives by itself.
  ///   - notice: called on the event loop, as is `answer`.
  package init(
    _ place: WebPlace, limit: Int = 16, memory: Int = 64 << 20, eventLoop: any EventLoop,
    patience: Duration = .seconds(10), headers: HTTPHeaders = HTTPHeaders(),
    notice: @escaping @Sendable (Notice) -> Void, answer: @escaping Answer
  ) {
    self.place = place
    self.limit = limit
    self.memory = memory
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
          let bytes = RequestLimit(Self.requestLimit)
          let connection = WebConnection(bytes, patience: patience, headers: headers, answer: answer)
          let bound = NIOLoopBound(connection, eventLoop: channel.eventLoop)
          try self.assumeIsolated { try $0.accept(bound, on: channel) }
          let pipeline = channel.pipeline.syncOperations
          try pipeline.addHandler(bytes)
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
    connection.value.takesPlace = { [weak self] body in self?.assumeIsolated { $0.serves(id, body) } ?? false }
    channel.closeFuture.whenComplete { [weak self] _ in self?.assumeIsolated { $0.connections[id] = nil } }
  }

  /// False: so many are served already, or what waits for them takes so much memory.
  private func serves(_ id: ObjectIdentifier, _ body: Int) -> Bool {
    let bodies = connections.values.compactMap(\.body)
    let held = bodies.reduce(0, +)
    guard bodies.count < limit, held == 0 || held + body <= memory else { return false }
    connections[id]?.body = body
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
