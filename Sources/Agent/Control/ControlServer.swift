import Control
import DequeModule
internal import Glibc
import LimpetPlatform
import Logging
import NIOCore
import NIOPosix

/// Answers on the control socket, on the agent's event loop (`ControlRequest` has the protocol).
///
/// Nobody who connects can harm the agent: connections are bounded, with places that only root and the agent's own user
/// get; so are lines, the requests that are carried out in a second, and the connections that are taken in a second.
/// A client has one request under way, and is not read meanwhile; who says nothing, or does not read its answer, is cut
/// off.
package actor ControlServer {
  package nonisolated let eventLoop: any EventLoop
  package nonisolated var unownedExecutor: UnownedSerialExecutor { eventLoop.executor.asUnownedSerialExecutor() }

  /// One line, without its end. Isolated: another one would begin on the global executor.
  package typealias Answer = @Sendable (isolated ControlServer, ControlRequest) async -> ByteBuffer

  /// What there is to count.
  package struct Counts: Sendable, Equatable {
    package var connections = 0
    package var requests: UInt64 = 0
    /// Connections that found no place, and requests that were wrong or not allowed.
    package var refusals: UInt64 = 0
    /// Connections that were cut off for saying nothing, or for not reading.
    var stalls: UInt64 = 0

    package init(connections: Int = 0, requests: UInt64 = 0, refusals: UInt64 = 0, stalls: UInt64 = 0) {
      self.connections = connections
      self.requests = requests
      self.refusals = refusals
      self.stalls = stalls
    }
  }

  private struct Peer {
    enum State {
      case listening
      case queued(ByteBuffer)
      case answering, writing
    }

    let channel: any Channel
    let isTrusted: Bool
    var state = State.listening
    var lines = LineBuffer()
    var deadline: Scheduled<Void>?
    /// It has said all it has to say.
    var hasEnded = false
  }

  /// Connections, and how many of them may be anybody's.
  package static let limit = 16
  static let strangerLimit = 12
  /// How long a client may take for a request, or for reading an answer.
  private let patience: Duration
  /// Between two requests that are carried out.
  private static let pause = Duration.milliseconds(5)

  /// The path may be on a disk that takes its time.
  private static let thread = "limpet-control"

  private let answer: Answer
  private let trusts: @Sendable (uid_t) -> Bool
  private let logger: Logger
  private var socket: SocketFile?
  private var channel: (any Channel)?
  private var hasStopped = false
  private var peers: [UInt64: Peer] = [:]
  private var nextPeer: UInt64 = 0
  /// Who waits for a turn; whoever may do more comes first.
  private var trusted: Deque<UInt64> = []
  private var strangers: Deque<UInt64> = []
  private var pauseTimer: Scheduled<Void>?
  package private(set) var counts = Counts()

  /// - Parameter trusts: whether a user may do everything.
  package init(
    eventLoop: any EventLoop, logger: Logger, patience: Duration = .seconds(10),
    trusts: @escaping @Sendable (uid_t) -> Bool = { $0 == 0 || $0 == geteuid() }, answer: @escaping Answer
  ) {
    self.trusts = trusts
    self.eventLoop = eventLoop
    self.logger = logger
    self.patience = patience
    self.answer = answer
  }

  /// Listens at a path; where that cannot be, it says so and the agent does without.
  package func start(_ path: String) async {
    do {
      let socket = try await blocking(Self.thread, within: .seconds(3), on: eventLoop) { try ControlSocket.bind(path) }
      self.socket = socket
      listen(on: socket)
      logger.info("the control socket is \(path)")
    } catch {
      refuse(error)
    }
  }

  private func refuse(_ error: any Error) {
    logger.warning("\(error); limpet status, set, reload, log-level and abort do not work (SIGHUP reloads)")
  }

  /// Whoever connects waits in the kernel's queue until it does.
  private func listen(on socket: SocketFile) {
    ServerBootstrap(group: eventLoop)
      // A connection for each time it is asked: see `AcceptPace`.
      .serverChannelOption(.autoRead, value: false)
      .serverChannelOption(.maxMessagesPerRead, value: 1)
      .serverChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(AcceptPace()) }
      }
      .childChannelOption(.autoRead, value: false)
      .childChannelOption(.allowRemoteHalfClosure, value: true)
      .childChannelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: LineBuffer.limit))
      .childChannelInitializer { [weak self] channel in
        channel.eventLoop.makeCompletedFuture {
          guard let self else { throw ChannelError.ioOnClosedChannel }
          try self.assumeIsolated { try $0.accept(channel) }
        }
      }
      .withBoundSocket(socket.descriptor)
      .whenComplete { result in self.assumeIsolated { $0.listens(result, at: socket.path) } }
  }

  private func listens(_ result: Result<any Channel, any Error>, at path: String) {
    switch result {
    case .success(let channel) where hasStopped: channel.close(promise: nil)
    case .success(let channel): self.channel = channel
    case .failure(let error): refuse(ControlSocket.Failure.path(path, "\(error)"))
    }
  }

  /// Cuts everybody off and takes the socket away.
  package func stop() async {
    hasStopped = true
    // As long as it is open its inode is no other file's.
    if let socket {
      self.socket = nil
      try? await blocking(Self.thread, within: .seconds(2), on: eventLoop) { socket.remove() }
    }
    pauseTimer?.cancel()
    for peer in peers.values { peer.channel.close(promise: nil) }
    channel?.close(promise: nil)
    channel = nil
  }

  // MARK: Connections

  private func accept(_ channel: any Channel) throws {
    nextPeer += 1
    let id = nextPeer
    let isTrusted = PeerCredentials.of(channel).map { trusts($0.user) } ?? false
    try channel.pipeline.syncOperations.addHandler(ControlHandler(server: self, peer: id))
    guard peers.count < (isTrusted ? Self.limit : Self.strangerLimit) else { return }
    peers[id] = Peer(channel: channel, isTrusted: isTrusted)
    counts.connections = peers.count
    armDeadline(id)
  }

  fileprivate func opened(_ channel: any Channel, _ id: UInt64) {
    guard peers[id] == nil else { return channel.read() }
    counts.refusals += 1
    close(channel, with: .tooManyConnections)
  }

  fileprivate func received(_ bytes: ByteBuffer, _ id: UInt64) {
    guard let isRoom = peers[id]?.lines.append(bytes) else { return }
    guard isRoom else { return cutOff(id) }
    advance(id)
  }

  /// The client has closed its side: what it asked for before is still answered.
  fileprivate func ended(_ id: UInt64) {
    peers[id]?.hasEnded = true
    advance(id)
  }

  fileprivate func closed(_ id: UInt64) {
    guard let peer = peers.removeValue(forKey: id) else { return }
    counts.connections = peers.count
    peer.deadline?.cancel()
    trusted.removeAll { $0 == id }
    strangers.removeAll { $0 == id }
  }

  private func cutOff(_ id: UInt64) {
    counts.stalls += 1
    peers[id]?.channel.close(promise: nil)
  }

  private func armDeadline(_ id: UInt64) {
    peers[id]?.deadline?.cancel()
    peers[id]?.deadline = eventLoop.scheduleTask(in: TimeAmount(patience)) { [weak self] in
      self?.assumeIsolated { $0.cutOff(id) }
    }
  }

  // MARK: Requests

  /// Goes on with what a client has sent.
  private func advance(_ id: UInt64) {
    guard let peer = peers[id], case .listening = peer.state else { return }
    do throws(ControlError) {
      if let line = try peers[id]?.lines.next() {
        peer.deadline?.cancel()
        peers[id]?.state = .queued(line)
        if peer.isTrusted { trusted.append(id) } else { strangers.append(id) }
        return takeTurn()
      }
    } catch {
      counts.refusals += 1
      peers[id]?.state = .writing
      return close(peer.channel, with: error)
    }
    let channel = peer.channel
    guard !peer.hasEnded else { return channel.close(promise: nil) }
    // Whoever sends a line byte by byte costs no more than others.
    eventLoop.scheduleTask(in: TimeAmount(Self.pause)) { channel.read() }
  }

  private func close(_ channel: any Channel, with error: ControlError) {
    channel.writeAndFlush(ControlReply.failure(error)).whenComplete { _ in channel.close(promise: nil) }
  }

  /// One request now, the next one after a pause.
  private func takeTurn() {
    guard pauseTimer == nil, let id = trusted.popFirst() ?? strangers.popFirst() else { return }
    pauseTimer = eventLoop.scheduleTask(in: TimeAmount(Self.pause)) { [weak self] in
      self?.assumeIsolated {
        $0.pauseTimer = nil
        $0.takeTurn()
      }
    }
    guard let peer = peers[id], case .queued(let line) = peer.state else { return }
    peers[id]?.state = .answering
    counts.requests += 1
    do throws(ControlError) {
      let request = try ControlRequest(line.readableBytesView)
      guard request.isForEverybody || peer.isTrusted else { throw .notAllowed }
      Task { self.reply(await self.answer(self, request), to: id) }
    } catch {
      counts.refusals += 1
      reply(ControlReply.failure(error), to: id)
    }
  }

  private func reply(_ reply: ByteBuffer, to id: UInt64) {
    guard let peer = peers[id] else { return }
    peers[id]?.state = .writing
    armDeadline(id)
    peer.channel.writeAndFlush(reply).whenSuccess { [weak self] in
      self?.assumeIsolated { $0.replied(to: id) }
    }
  }

  private func replied(to id: UInt64) {
    guard peers[id] != nil else { return }
    peers[id]?.state = .listening
    armDeadline(id)
    advance(id)
  }
}

/// Hands what happens on a connection to the server. It has no state of its own.
private final class ControlHandler: ChannelInboundHandler, Sendable {
  typealias InboundIn = ByteBuffer

  private let server: ControlServer
  private let peer: UInt64

  init(server: ControlServer, peer: UInt64) {
    self.server = server
    self.peer = peer
  }

  func channelActive(context: ChannelHandlerContext) {
    let channel = context.channel
    server.assumeIsolated { $0.opened(channel, peer) }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let bytes = unwrapInboundIn(data)
    server.assumeIsolated { $0.received(bytes, peer) }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case .inputClosed? = event as? ChannelEvent { server.assumeIsolated { $0.ended(peer) } }
  }

  func channelInactive(context: ChannelHandlerContext) { server.assumeIsolated { $0.closed(peer) } }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

/// Takes 500 connections a second at most, so that nobody keeps the event loop busy with connecting alone; and goes on
/// after an error, such as a process without a free descriptor.
private final class AcceptPace: ChannelInboundHandler, Sendable {
  typealias InboundIn = any Channel

  func channelActive(context: ChannelHandlerContext) {
    context.read()
    context.fireChannelActive()
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    readAgain(context.channel, after: .milliseconds(2))
    context.fireChannelReadComplete()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { readAgain(context.channel, after: .seconds(1)) }

  private func readAgain(_ channel: any Channel, after delay: TimeAmount) {
    channel.eventLoop.scheduleTask(in: delay) { channel.read() }
  }
}

/// Who is at the other end of a Unix socket (SO_PEERCRED of unix(7)): `struct ucred`, which Swift does not see.
private struct PeerCredentials: Sendable {
  let process: pid_t
  let user: uid_t
  let group: gid_t

  static func of(_ channel: any Channel) -> PeerCredentials? {
    var credentials: PeerCredentials?
    // On its own event loop a channel answers at once.
    (channel as? any SocketOptionProvider)?
      .unsafeGetSocketOption(level: .socket, name: NIOBSDSocket.Option(rawValue: SO_PEERCRED))
      .assumeIsolated().whenSuccess { (found: PeerCredentials) in credentials = found }
    return credentials
  }
}
