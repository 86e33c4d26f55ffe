import Foundation
import NIOCore
import NIOPosix
import Synchronization
import TestScene
import Testing

@testable import LimpetInstants
@testable import LimpetPlatform
@testable import MQTT
@testable import MQTTCore

/// A mosquitto of a test's own, with every way to reach it, under names that only the test knows.
struct WayBroker {
  let scene: Scene
  let certificates: Certificates
  fileprivate let broker: Mosquitto

  func address(_ transport: ServerAddress.Transport, host: String = "broker.invalid") -> ServerAddress {
    let port: Int? =
      switch transport {
      case .tcp: broker.port
      case .tls: broker.tlsPort
      case .webSocket: broker.webSocketPort
      case .secureWebSocket: broker.secureWebSocketPort
      case .unix: nil
      }
    guard let port else { return ServerAddress(transport: .unix, path: broker.socket) }
    return ServerAddress(transport: transport, host: host, port: port, path: transport.isWebSocket ? "/mqtt" : "")
  }
}

func withWayBroker(_ body: (WayBroker) async throws -> Void) async throws {
  try await withScene { scene in
    let certificates = try await scene.certificates(names: "DNS:broker.invalid,DNS:localhost,IP:127.0.0.1")
    let broker = try await scene.mosquitto(isPersistent: false, tls: certificates)
    try await body(WayBroker(scene: scene, certificates: certificates, broker: broker))
  }
}

/// A client's events, in order. It connects under a name of its own.
final class Life: ClientDelegate {
  private let past = Mutex<[(event: Client.Event, time: BootClock.Instant)]>([])
  private let name = "life-" + UUID().uuidString.prefix(8)

  func connectPacket(for server: ServerAddress, version: MQTTCore.ProtocolVersion) async -> Connect {
    Connect(clientIdentifier: name, cleanStart: true, keepAlive: 60)
  }

  func client(_ client: isolated Client, did event: Client.Event) {
    past.withLock { $0.append((event, .now)) }
  }

  var losses: [(loss: ConnectionLoss, retryAfter: Duration?)] {
    past.withLock(\.self).compactMap { if case .lost(let loss, let delay) = $0.event { (loss, delay) } else { nil } }
  }
  var connecting: [ServerAddress] {
    past.withLock(\.self).compactMap { if case .connecting(let server, _) = $0.event { server } else { nil } }
  }
  var versions: [MQTTCore.ProtocolVersion] {
    past.withLock(\.self).compactMap { if case .connecting(_, let version) = $0.event { version } else { nil } }
  }
  var connected: [ServerAddress] {
    past.withLock(\.self).compactMap { if case .connected(_, let server) = $0.event { server } else { nil } }
  }

  func connection(sourceLocation: SourceLocation = #_sourceLocation) async throws {
    try await until("connected", sourceLocation: sourceLocation) { !connected.isEmpty || !losses.isEmpty }
    try #require(!connected.isEmpty, "\(losses)", sourceLocation: sourceLocation)
  }

  /// The first loss, as its sentence.
  func loss(sourceLocation: SourceLocation = #_sourceLocation) async throws -> ConnectionLoss {
    try await until("a loss", sourceLocation: sourceLocation) { !losses.isEmpty }
    return try #require(losses.first).loss
  }
}

/// Runs a client as long as the body; it is aborted at the end.
func withLife(
  _ configuration: Client.Configuration, _ body: (Client, Life) async throws -> Void
) async throws {
  let life = Life()
  let client = Client(
    configuration, delegate: life, eventLoop: MultiThreadedEventLoopGroup.singleton.next(), logger: .init(label: "test")
  )
  await client.start()
  do { try await body(client, life) } catch {
    await client.abort()
    throw error
  }
  await client.abort()
}

/// Sends a fixed answer to each piece that a client sends, for as long as it has answers; then it says nothing more.
final class ScriptedServer: Sendable {
  struct Visit {
    var received: [UInt8] = []
    var pieces = 0
    var isClosed = false
  }

  let port: Int
  private let channel: any Channel
  private let past: Past

  fileprivate final class Past: Sendable {
    let visits = Mutex<[Visit]>([])
  }

  fileprivate init(_ answers: [[UInt8]], closes: Bool) async throws {
    let past = Past()
    self.past = past
    channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(Handler(past, answers, closes))
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    port = try #require(channel.localAddress?.port)
  }

  var visits: [Visit] { past.visits.withLock(\.self) }

  fileprivate func end() async { try? await channel.close().get() }

  private final class Handler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let past: Past
    private var answers: ArraySlice<[UInt8]>
    private let closes: Bool
    private let index: Int

    init(_ past: Past, _ answers: [[UInt8]], _ closes: Bool) {
      (self.past, self.answers, self.closes) = (past, answers[...], closes)
      index = past.visits.withLock { visits in
        visits.append(Visit())
        return visits.count - 1
      }
    }

    private func change(_ body: (inout Visit) -> Void) { past.visits.withLock { body(&$0[index]) } }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      let bytes = unwrapInboundIn(data)
      change {
        $0.received += Array(bytes.readableBytesView)
        $0.pieces += 1
      }
      if let answer = answers.popFirst() {
        context.writeAndFlush(NIOAny(ByteBuffer(bytes: answer)), promise: nil)
        if answers.isEmpty, closes { context.close(promise: nil) }
      } else if closes {
        context.close(promise: nil)
      }
    }

    func channelInactive(context: ChannelHandlerContext) { change { $0.isClosed = true } }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
  }
}

/// - Parameter closes: after the last answer; without answers, after the first piece.
func withScriptedServer(
  _ answers: [String] = [], closes: Bool = false, _ body: (ScriptedServer) async throws -> Void
) async throws {
  try await withScriptedServer(answers.map { Array($0.utf8) }, closes: closes, body)
}

func withScriptedServer(
  _ answers: [[UInt8]], closes: Bool = false, _ body: (ScriptedServer) async throws -> Void
) async throws {
  let server = try await ScriptedServer(answers, closes: closes)
  do { try await body(server) } catch {
    await server.end()
    throw error
  }
  await server.end()
}

/// The client's ends of TCP connections to a port, by state (`st` of proc_net_tcp); 2 is SYN_SENT, 6 TIME_WAIT.
func sockets(to port: Int) throws -> [Int] {
  let digits = String(port, radix: 16, uppercase: true)
  let mark = ":" + String(repeating: "0", count: 4 - digits.count) + digits
  return try ["tcp", "tcp6"].flatMap { table in
    // There are thousands of lines after other tests, and this is looked at again and again.
    let file = try #require(fopen("/proc/net/\(table)", "r"))
    defer { fclose(file) }
    setvbuf(file, nil, _IOFBF, 1 << 16)
    var line: UnsafeMutablePointer<CChar>?
    var room = 0
    defer { free(line) }
    var states: [Int] = []
    while getline(&line, &room, file) > 0, let line {
      guard strstr(line, mark) != nil else { continue }
      let fields = String(cString: line).split(separator: " ")
      guard fields.count > 3, fields[2].hasSuffix(mark), let state = Int(fields[3], radix: 16) else { continue }
      states.append(state)
    }
    return states
  }
}

/// A port that nothing listens on.
let closedPort = 1
