import Foundation
import NIOCore
import NIOPosix
import Synchronization
import TestScene
import Testing

@testable import MQTT
@testable import MQTTCore

/// How connections begin, and that nothing is left of those that do not.
@Suite("Connecting", .timed, .timeLimit(.minutes(2 * Patience.factor)))
struct ClientConnectingTests {
  /// A place where a connection can hang.
  enum Silence: String, CaseIterable, CustomTestStringConvertible {
    case endpoint, name, network, networkOfProxy, httpProxy, socksProxy, socksProxyGreeted, tls, tlsBeyondProxy
    case webSocket, webSocketBeyondProxy, connect, connectBeyondProxy

    var testDescription: String { rawValue }

    var stage: ConnectionStage {
      switch self {
      case .endpoint: .endpoint
      case .name: .name
      case .network: .transport
      case .networkOfProxy, .httpProxy, .socksProxy, .socksProxyGreeted: .proxy
      case .tls, .tlsBeyondProxy: .tls
      case .webSocket, .webSocketBeyondProxy: .upgrade
      case .connect, .connectBeyondProxy: .connect
      }
    }

    var transport: ServerAddress.Transport {
      switch self {
      case .tls, .tlsBeyondProxy: .tls
      case .webSocket, .webSocketBeyondProxy: .webSocket
      default: .tcp
      }
    }

    func proxy(_ port: Int) -> MQTT.Proxy? {
      switch self {
      case .networkOfProxy, .httpProxy, .tlsBeyondProxy, .webSocketBeyondProxy:
        .httpConnect(host: "127.0.0.1", port: port)
      case .socksProxy, .socksProxyGreeted, .connectBeyondProxy: .socks5(host: "127.0.0.1", port: port)
      default: nil
      }
    }

    /// What the server says before it says nothing more.
    var answers: [[UInt8]] {
      switch self {
      case .socksProxyGreeted: [[5, 0]]
      case .tlsBeyondProxy, .webSocketBeyondProxy: [Array("HTTP/1.1 200 OK\r\n\r\n".utf8)]
      case .connectBeyondProxy: [[5, 0], [5, 0, 0, 1, 0, 0, 0, 0, 0, 0]]
      default: []
      }
    }
  }

  @Test(
    "aborted while nothing answers: the socket is closed at once, and nothing comes after", arguments: Silence.allCases)
  func isAborted(silence: Silence) async throws {
    try await withSilence(silence, timeout: .seconds(30)) { scene, client, life in
      try await until("it hangs") { try scene.hangs(1) }
      await client.abort()
      try await until("nothing is left", within: atOnce) { try scene.isClosed }
      let losses = life.losses
      guard losses.count == 1, case (.aborted, nil) = losses[0] else {
        Issue.record("\(losses)")
        return
      }
      #expect(life.connecting.count == 1)
    }
  }

  @Test(
    "past the limit: the stage is told, the socket is closed, and another attempt follows", arguments: Silence.allCases)
  func timesOut(silence: Silence) async throws {
    let limit = Duration.milliseconds(400)
    try await withSilence(silence, timeout: limit) { scene, client, life in
      // On a busy machine an attempt may not even come as far as the stage.
      func isExpected(_ loss: ConnectionLoss, _ delay: Duration?) -> Bool {
        if case .timeout(_, silence.stage, limit) = loss { delay != nil } else { false }
      }
      try await until("two attempts have ended so") { life.losses.count { isExpected($0.loss, $0.retryAfter) } >= 2 }
      try await until("another hangs") { try scene.hangs(3) }
      try await until("those before are closed", within: atOnce) { try scene.open <= 1 }
      await client.abort()
      try await until("nothing is left", within: atOnce) { try scene.isClosed }
    }
  }

  @Test("an abort before the socket is made makes none")
  func isAbortedInFlight() async throws {
    try await withScriptedServer { server in
      var configuration = Client.Configuration(servers: [
        ServerAddress(transport: .tcp, host: "127.0.0.1", port: server.port)
      ])
      let hold = Gate()
      configuration.lookUp = { host, port in
        // Whoever goes on in spite of the abort would connect.
        await hold.wait()
        return [try SocketAddress(ipAddress: host, port: port)]
      }
      try await withLife(configuration) { client, life in
        try await until("it looks up") { hold.arrivals == 1 }
        await client.abort()
        hold.open()
        try await until("the look-up has ended") { await client.carrier.preparation.lookUps == 0 }
        try await expectNoVisit(to: server, by: client)
        #expect(life.losses.count == 1)
      }
    }
  }

  @Test("look-ups that do not end are not added to without bound")
  func boundsLookUps() async throws {
    var configuration = Client.Configuration(servers: [ServerAddress(transport: .tcp, host: "a", port: 1)])
    configuration.connectTimeout = .milliseconds(50)
    configuration.reconnect.minimum = .milliseconds(1)
    configuration.reconnect.maximum = .milliseconds(1)
    let hold = Gate()
    defer { hold.open() }
    configuration.lookUp = { _, _ in
      await hold.wait()
      return []
    }
    try await withLife(configuration) { _, life in
      try await until("it is refused") {
        life.losses.contains {
          if case .nameNotFound("a", "4 look-ups have not ended yet") = $0.loss { true } else { false }
        }
      }
      #expect(hold.arrivals == 4)
    }
  }

  @Test(
    "a name with addresses of both families, where only one listens", arguments: [AddressFamily.v4, .v6],
    [false, true])
  func takesTheAddressThatListens(listening: AddressFamily, isSilent: Bool) async throws {
    let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Agreeing()) }
      }
      .bind(host: listening.loopback, port: 0).get()
    let port = try #require(server.localAddress?.port)
    // Where nothing listens connecting is refused; where a queue is full there is no answer at all.
    let silent = isSilent ? try SilentListener(listening.other, port: port) : nil
    defer { silent?.end() }
    var configuration = Client.Configuration(servers: [ServerAddress(transport: .tcp, host: "both.invalid", port: port)]
    )
    configuration.lookUp = { _, port in
      try [SocketAddress(ipAddress: "::1", port: port), SocketAddress(ipAddress: "127.0.0.1", port: port)]
    }
    try await withLife(configuration) { client, life in
      try await life.connection()
      let reached = try #require(await client.openChannel?.remoteAddress)
      #expect(reached.ipAddress == listening.loopback)
      // The one that lost has been given up, too.
      try await until("one socket is left") {
        try sockets(to: port).filter { $0 != 6 }.count == 1 + (silent?.fillers ?? 0)
      }
    }
    try await server.close()
  }

  @Test("an abort between two addresses takes the second no more")
  func isAbortedBetweenAddresses() async throws {
    try await withScriptedServer { server in
      let silent = try SilentListener(.v6, port: server.port)
      defer { silent.end() }
      var configuration = Client.Configuration(servers: [
        ServerAddress(transport: .tcp, host: "both.invalid", port: server.port)
      ])
      configuration.lookUp = { _, port in
        try [SocketAddress(ipAddress: "::1", port: port), SocketAddress(ipAddress: "127.0.0.1", port: port)]
      }
      try await withLife(configuration) { client, life in
        // From the loop itself: NIO goes on to the second address 250 ms after the first (RFC 8305 §8).
        await client.abortWhenOpening()
        try await until("it is aborted") { life.losses.count == 1 }
        try await until("nothing is left", within: atOnce) {
          try sockets(to: server.port).filter { $0 != 6 }.count == silent.fillers
        }
        try await expectNoVisit(to: server, by: client)
      }
    }
  }

  /// Visits are accepted in their order: one that the client made would come before this one.
  private func expectNoVisit(to server: ScriptedServer, by client: Client) async throws {
    for _ in 0..<10 { try await client.eventLoop.submit {}.get() }
    let channel = try await ClientBootstrap(group: client.eventLoop).connect(host: "127.0.0.1", port: server.port).get()
    try await channel.writeAndFlush(ByteBuffer(string: "test"))
    try await until("the test's own visit") { server.visits.contains { $0.received == Array("test".utf8) } }
    #expect(server.visits.count == 1)
    try await channel.close()
  }

  @Test("small packets leave at once (TCP_NODELAY), and a dead peer is noticed (SO_KEEPALIVE, TCP_USER_TIMEOUT)")
  func setsSocketOptions() async throws {
    try await withWayBroker { broker in
      try await withLife(.init(servers: [broker.address(.tcp, host: "127.0.0.1")])) { client, life in
        try await life.connection()
        let channel = try #require(await client.openChannel)
        #expect(try await channel.getOption(.tcpOption(.tcp_nodelay)).get() == 1)
        #expect(try await channel.getOption(.socketOption(.so_keepalive)).get() == 1)
        try await until("the timeout is set") {
          try await channel.getOption(.tcpOption(.init(rawValue: CInt(TCP_USER_TIMEOUT)))).get() == 90_000
        }
      }
    }
  }

  // MARK: What hangs

  /// Where a client hangs, and what of it can be seen from outside.
  private struct Scene {
    let port: Int
    let fillers: Int
    let hangs: (Int) throws -> Bool
    let isGone: () -> Bool

    /// Sockets of the client.
    var open: Int { get throws { try sockets(to: port).filter { $0 != 6 }.count - fillers } }
    var isClosed: Bool { get throws { try open == 0 && isGone() } }
  }

  private func withSilence(
    _ silence: Silence, timeout: Duration, _ body: (Scene, Client, Life) async throws -> Void
  ) async throws {
    func configuration(_ port: Int) -> Client.Configuration {
      let proxy = silence.proxy(port)
      var configuration = Client.Configuration(servers: [
        ServerAddress(
          transport: silence.transport, host: proxy == nil ? "127.0.0.1" : "broker.invalid",
          port: proxy == nil ? port : 1883)
      ])
      configuration.proxy = proxy
      configuration.tls.isInsecure = true
      configuration.connectTimeout = timeout
      configuration.reconnect.minimum = .milliseconds(10)
      configuration.reconnect.maximum = .milliseconds(20)
      return configuration
    }
    switch silence {
    case .endpoint, .name:
      let gate = Gate(endsByCancelling: silence == .endpoint)
      defer { gate.open() }
      var configuration = configuration(1)
      if silence == .name {
        configuration.lookUp = { _, _ in
          await gate.wait()
          return []
        }
      } else {
        configuration.prepareEndpoint = { endpoint in
          await gate.wait()
          return endpoint
        }
      }
      try await withLife(configuration) { client, life in
        // A look-up cannot be cancelled, and need not be waited for.
        let isGone = { silence == .name ? !life.losses.isEmpty : gate.waiting == 0 }
        try await body(Scene(port: 1, fillers: 0, hangs: { gate.arrivals >= $0 }, isGone: isGone), client, life)
      }
    case .network, .networkOfProxy:
      let listener = try SilentListener(.v4)
      defer { listener.end() }
      try await withLife(configuration(listener.port)) { client, life in
        let hangs = { (count: Int) in try life.connecting.count >= count && sockets(to: listener.port).contains(2) }
        try await body(
          Scene(port: listener.port, fillers: listener.fillers, hangs: hangs, isGone: { true }), client, life)
      }
    default:
      try await withScriptedServer(silence.answers) { server in
        try await withLife(configuration(server.port)) { client, life in
          let hangs = { (count: Int) in
            server.visits.count >= count && (server.visits.last?.pieces ?? 0) > silence.answers.count
          }
          let isGone = { server.visits.allSatisfy(\.isClosed) }
          try await body(Scene(port: server.port, fillers: 0, hangs: hangs, isGone: isGone), client, life)
        }
      }
    }
  }
}

/// A few milliseconds; as much more as a busy machine needs to look, and well before any limit of connecting passes.
private let atOnce = Duration.seconds(5)

enum AddressFamily: CaseIterable {
  case v4, v6
  var loopback: String { self == .v4 ? "127.0.0.1" : "::1" }
  var other: AddressFamily { self == .v4 ? .v6 : .v4 }
}

/// Listens with a queue that is full: the kernel answers no SYN to it.
private final class SilentListener {
  let port: Int
  let fillers = 1
  private let descriptors: [Int32]

  init(_ family: AddressFamily, port: Int = 0) throws {
    let listener = try SilentListener.socket(family)
    let own = try SocketAddress(ipAddress: family.loopback, port: port)
    try #require(own.withSockAddr { bind(listener, $0, socklen_t($1)) } == 0)
    try #require(listen(listener, 0) == 0)
    let bound = try SilentListener.port(listener)
    let filler = try SilentListener.socket(family)
    let address = try SocketAddress(ipAddress: family.loopback, port: bound)
    try #require(address.withSockAddr { connect(filler, $0, socklen_t($1)) } == 0)
    self.port = bound
    descriptors = [filler, listener]
  }

  func end() { for descriptor in descriptors { close(descriptor) } }

  private static func socket(_ family: AddressFamily) throws -> Int32 {
    let descriptor = Glibc.socket(family == .v4 ? AF_INET : AF_INET6, Int32(SOCK_STREAM.rawValue), 0)
    try #require(descriptor >= 0)
    return descriptor
  }

  private static func port(_ descriptor: Int32) throws -> Int {
    var address = sockaddr_in6()
    var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
    try withUnsafeMutablePointer(to: &address) { pointer in
      try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
        try #require(getsockname(descriptor, pointer, &length) == 0)
      }
    }
    // At the same place in both families.
    return Int(UInt16(bigEndian: address.sin6_port))
  }
}

/// A wait that ends when it is opened, or when the task is cancelled where that is told.
final class Gate: Sendable {
  private let endsByCancelling: Bool
  private struct Waiters {
    var isOpen = false
    var arrivals = 0
    var continuations: [Int: CheckedContinuation<Void, Never>] = [:]
  }
  private let waiters = Mutex(Waiters())

  init(endsByCancelling: Bool = false) { self.endsByCancelling = endsByCancelling }

  var arrivals: Int { waiters.withLock(\.arrivals) }
  var waiting: Int { waiters.withLock(\.continuations.count) }

  func wait() async {
    let number = waiters.withLock { waiters in
      waiters.arrivals += 1
      return waiters.arrivals
    }
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isOver = waiters.withLock { waiters in
          if !waiters.isOpen, !(endsByCancelling && Task.isCancelled) { waiters.continuations[number] = continuation }
          return waiters.continuations[number] == nil
        }
        if isOver { continuation.resume() }
      }
    } onCancel: {
      guard endsByCancelling else { return }
      waiters.withLock { $0.continuations.removeValue(forKey: number) }?.resume()
    }
  }

  func open() {
    let all = waiters.withLock { waiters in
      waiters.isOpen = true
      defer { waiters.continuations = [:] }
      return waiters.continuations.values
    }
    for continuation in all { continuation.resume() }
  }
}

/// Answers every CONNECT of MQTT 5 with success.
private final class Agreeing: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    context.writeAndFlush(NIOAny(ByteBuffer(bytes: [0x20, 3, 0, 0, 0])), promise: nil)
  }
}

extension Client {
  /// As soon as there is a socket.
  func abortWhenOpening() {
    if let opening = carrier.opening, !opening.channels.isEmpty { return abort() }
    eventLoop.execute { self.assumeIsolated { $0.abortWhenOpening() } }
  }

  var openChannel: (any Channel)? { carrier.connection?.channel }
}
