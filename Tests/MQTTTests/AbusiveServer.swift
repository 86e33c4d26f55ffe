import NIOCore
import NIOPosix
import Synchronization
import TestScene
import Testing

@testable import LimpetInstants
@testable import LimpetPlatform
@testable import MQTT
@testable import MQTTCore

/// A server of MQTT over TCP that does to each visit what a test's script says, down to single bytes and resets.
final class AbusiveServer: Sendable {
  /// What a script is told, on the visit's event loop.
  enum Occurrence: Sendable {
    case opened
    /// So many bytes have been read by now.
    case bytes(Int)
    case packet(Packet)
  }

  typealias Script = @Sendable (Visit, Occurrence) -> Void

  let port: Int
  /// Of this test: heaps of packets would hold up others that look at the clock. The second loop is the client's.
  private let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
  let clientLoop: any EventLoop
  private let channel: any Channel
  private let past: Past

  private final class Past: Sendable {
    let visits = Mutex<[Visit]>([])
  }

  /// - Parameter readSize: bytes that are taken from the socket at a time.
  fileprivate init(_ version: MQTTCore.ProtocolVersion, readSize: Int?, script: @escaping Script) async throws {
    let past = Past()
    self.past = past
    let loop = group.next()
    clientLoop = group.next()
    var bootstrap = ServerBootstrap(group: loop)
      .childChannelInitializer { channel in
        let visit = past.visits.withLock { visits in
          visits.append(Visit(channel, number: visits.count + 1, version))
          return visits[visits.count - 1]
        }
        return channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(Handler(visit, script))
        }
      }
    if let readSize {
      bootstrap =
        bootstrap
        .childChannelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: readSize))
        .childChannelOption(.maxMessagesPerRead, value: 1)
    }
    channel = try await bootstrap.bind(host: "127.0.0.1", port: 0).get()
    port = try #require(channel.localAddress?.port)
  }

  var visits: [Visit] { past.visits.withLock(\.self) }

  /// The first is 1.
  func visit(_ number: Int, sourceLocation: SourceLocation = #_sourceLocation) async throws -> Visit {
    try await until("visit \(number)", within: patience, sourceLocation: sourceLocation) { visits.count >= number }
    return visits[number - 1]
  }

  fileprivate func end() async {
    try? await channel.close().get()
    for visit in visits { visit.close() }
    try? await group.shutdownGracefully()
  }

  /// A connection that a client made.
  final class Visit: Sendable {
    let number: Int
    fileprivate let version: MQTTCore.ProtocolVersion
    private let channel: any Channel
    private struct Seen {
      var packets: [Packet] = []
      var isClosed = false
    }
    private let seen = Mutex(Seen())

    fileprivate init(_ channel: any Channel, number: Int, _ version: MQTTCore.ProtocolVersion) {
      self.channel = channel
      self.number = number
      self.version = version
    }

    var packets: [Packet] { seen.withLock(\.packets) }
    var isClosed: Bool { seen.withLock(\.isClosed) }
    func count(_ type: PacketType) -> Int { seen.withLock { $0.packets.count { $0.type == type } } }
    var disconnect: Disconnect? {
      for case .disconnect(let disconnect) in packets { return disconnect }
      return nil
    }
    var publishes: [Publish] { packets.compactMap { if case .publish(let publish) = $0 { publish } else { nil } } }

    fileprivate func add(_ packet: Packet) { seen.withLock { $0.packets.append(packet) } }
    fileprivate func ended() { seen.withLock { $0.isClosed = true } }

    /// All of them in one write.
    func send(_ packets: Packet...) { send(packets.flatMap { encode($0, version) }) }
    func send(_ bytes: [UInt8]) { channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil) }

    /// Each byte in a segment of its own (sockets of NIO have TCP_NODELAY).
    func dribble(_ packets: Packet...) {
      for byte in packets.flatMap({ encode($0, version) }) { send([byte]) }
    }

    func close() { channel.close(promise: nil) }
    /// FIN; what the client still has to say is read.
    func closeOutput() { channel.close(mode: .output, promise: nil) }
    func reset() { Transport.abort(channel) }
    func after(_ time: TimeAmount, _ body: @escaping @Sendable (Visit) -> Void) {
      channel.eventLoop.scheduleTask(in: time) { body(self) }
    }

    /// Reads no more for a while.
    func pause(for time: TimeAmount) {
      channel.setOption(.autoRead, value: false).whenComplete { _ in }
      channel.eventLoop.scheduleTask(in: time) { self.channel.setOption(.autoRead, value: true).whenComplete { _ in } }
    }
    func readAgain() { channel.setOption(.autoRead, value: true).whenComplete { _ in } }
    func stopReading() { channel.setOption(.autoRead, value: false).whenComplete { _ in } }

    /// What a server does that means well.
    func oblige(_ packet: Packet, sessionPresent: Bool = false, granting granted: Properties = Properties()) {
      guard let answer = Self.answer(to: packet, sessionPresent, version == .v5 ? granted : Properties()) else {
        if case .disconnect = packet { close() }
        return
      }
      send(answer)
    }

    static func answer(to packet: Packet, _ sessionPresent: Bool = false, _ granted: Properties = .init()) -> Packet? {
      switch packet {
      case .connect: .connack(ConnAck(sessionPresent: sessionPresent, reasonCode: .success, properties: granted))
      case .publish(let publish):
        switch (publish.message.qos, publish.packetIdentifier) {
        case (.atLeastOnce, let identifier?): .puback(Acknowledgement(identifier))
        case (.exactlyOnce, let identifier?): .pubrec(Acknowledgement(identifier))
        default: nil
        }
      case .pubrec(let received): .pubrel(Acknowledgement(received.packetIdentifier))
      case .pubrel(let release): .pubcomp(Acknowledgement(release.packetIdentifier))
      case .subscribe(let subscribe):
        .suback(
          SubscriptionAcknowledgement(
            subscribe.packetIdentifier,
            reasonCodes: subscribe.subscriptions.map { ReasonCode(rawValue: $0.qos.rawValue) }
          ))
      case .pingreq: .pingresp
      default: nil
      }
    }
  }

  private final class Handler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let visit: Visit
    private let script: Script
    private var decoder: PacketDecoder
    private var bytes = ByteBuffer()
    private var count = 0

    init(_ visit: Visit, _ script: @escaping Script) {
      self.visit = visit
      self.script = script
      decoder = PacketDecoder(version: visit.version, maximumPacketSize: 1 << 20)
    }

    func channelActive(context: ChannelHandlerContext) { script(visit, .opened) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      let part = unwrapInboundIn(data)
      count += part.readableBytes
      bytes.discardReadBytes()
      bytes.writeImmutableBuffer(part)
      script(visit, .bytes(count))
      while let packet = try? decoder.next(from: &bytes) {
        visit.add(packet)
        script(visit, .packet(packet))
      }
    }

    func channelInactive(context: ChannelHandlerContext) { visit.ended() }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
  }
}

/// More than anything here takes on a machine that does much else.
let patience = Duration.seconds(60)

/// Stands above a client that is abused, and remembers what it heard.
final class Witness: ClientDelegate {
  struct Past {
    var deliveries: [Session.Delivery] = []
    var settled: [(token: Session.Token, outcome: Session.Outcome)] = []
    var answered: [Session.Token: [ReasonCode]] = [:]
    var losses: [(loss: ConnectionLoss, time: BootClock.Instant)] = []
    var connected: [(version: MQTTCore.ProtocolVersion, time: BootClock.Instant)] = []
  }

  private let past = Mutex(Past())
  private let packet: Connect
  /// Before CONNECT.
  private let prepare: @Sendable () async -> Void

  fileprivate init(_ packet: Connect, _ prepare: @escaping @Sendable () async -> Void) {
    self.packet = packet
    self.prepare = prepare
  }

  func connectPacket(for server: ServerAddress, version: MQTTCore.ProtocolVersion) async -> Connect {
    await prepare()
    return packet
  }

  func client(_ client: isolated Client, did event: Client.Event) {
    past.withLock { past in
      switch event {
      case .message(let delivery): past.deliveries.append(delivery)
      case .settled(let token, let outcome): past.settled.append((token, outcome))
      case .answered(let token, let codes): past.answered[token] = codes
      case .lost(let loss, _): past.losses.append((loss, .now))
      case .connected(let connected, _): past.connected.append((connected.version, .now))
      case .connecting, .remarked, .storing, .stored, .ready: break
      }
    }
  }

  var deliveries: [Session.Delivery] { past.withLock(\.deliveries) }
  var numbers: [UInt64?] { deliveries.map(\.message.number) }
  var settled: [(token: Session.Token, outcome: Session.Outcome)] { past.withLock(\.settled) }
  var answered: [Session.Token: [ReasonCode]] { past.withLock(\.answered) }
  var losses: [(loss: ConnectionLoss, time: BootClock.Instant)] { past.withLock(\.losses) }
  var connected: [(version: MQTTCore.ProtocolVersion, time: BootClock.Instant)] { past.withLock(\.connected) }

  func outcomes(_ token: Session.Token) -> [Session.Outcome] { settled.filter { $0.token == token }.map(\.outcome) }

  /// Waits for so many connections in all.
  func connections(_ count: Int, sourceLocation: SourceLocation = #_sourceLocation) async throws {
    try await until("connection \(count)", within: patience, sourceLocation: sourceLocation) {
      connected.count >= count
    }
  }

  /// The first loss.
  func loss(sourceLocation: SourceLocation = #_sourceLocation) async throws -> ConnectionLoss {
    try await until("a loss", within: patience, sourceLocation: sourceLocation) { !losses.isEmpty }
    return try #require(losses.first).loss
  }
}

/// How an abuse is set up.
struct Abuse: Sendable {
  var version = MQTTCore.ProtocolVersion.v5
  var keepAlive: UInt16 = 0
  var inFlightLimit = 100
  /// Bytes that the server, or the client, takes from its socket at a time.
  var serverReadSize: Int?
  var clientReadSize: Int?
  /// What the kernel takes of the client's bytes that the server does not read.
  var clientSendBuffer: Int?
  /// The client's CONNECT waits for this.
  var gate: Gate?

  init(_ version: MQTTCore.ProtocolVersion = .v5) { self.version = version }

  var connect: Connect {
    var connect = Connect(clientIdentifier: "abused", cleanStart: false, keepAlive: keepAlive)
    if version == .v5 { connect.properties.sessionExpiryInterval = 3600 }
    return connect
  }

  /// Tries again at once. No test here may end by running into the time limit of connecting.
  func configuration(port: Int) -> Client.Configuration {
    var configuration = Client.Configuration(servers: [
      ServerAddress(transport: .tcp, host: "127.0.0.1", port: port)
    ])
    configuration.version = version
    configuration.inFlightLimit = inFlightLimit
    configuration.connectTimeout = .seconds(3600)
    configuration.reconnect.minimum = .milliseconds(1)
    configuration.reconnect.maximum = .milliseconds(2)
    return configuration
  }

  /// A server as long as the body runs.
  func withServer(_ script: @escaping AbusiveServer.Script, _ body: (AbusiveServer) async throws -> Void) async throws {
    let server = try await AbusiveServer(version, readSize: serverReadSize, script: script)
    do { try await body(server) } catch {
      await server.end()
      throw error
    }
    await server.end()
  }

  /// A client on it too; that nothing is left of it in the end is part of every test.
  func run(
    _ script: @escaping AbusiveServer.Script, _ body: (AbusiveServer, Client, Witness) async throws -> Void
  ) async throws {
    try await withServer(script) { server in
      let (gate, clientReadSize, clientSendBuffer) = (gate, clientReadSize, clientSendBuffer)
      let holder = Holder()
      let witness = Witness(connect) {
        await gate?.wait()
        if let clientSendBuffer { await holder.client.withLock(\.self)?.sendsAtMost(clientSendBuffer) }
        if let clientReadSize { await holder.client.withLock(\.self)?.readsAtMost(clientReadSize) }
      }
      let client = Client(
        configuration(port: server.port), delegate: witness,
        eventLoop: server.clientLoop, logger: .init(label: "test"))
      holder.client.withLock { $0 = client }
      await client.start()
      do { try await body(server, client, witness) } catch {
        await client.abort()
        throw error
      }
      await client.abort()
      try await until("nothing is left") { try sockets(to: server.port).allSatisfy { $0 == 6 } }
    }
  }

  private final class Holder: Sendable {
    let client = Mutex<Client?>(nil)
  }
}

extension Client {
  fileprivate func readsAtMost(_ size: Int) async {
    try? await openChannel?.setOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: size)).get()
  }

  fileprivate func sendsAtMost(_ size: Int) async {
    try? await openChannel?.setOption(.socketOption(.so_sndbuf), value: .init(size)).get()
  }

  /// Messages whose payload and token are the numbers.
  func publish(_ numbers: ClosedRange<UInt64>, _ qos: QoS) throws {
    for number in numbers { try publish(.numbered(number, qos), token: number) }
  }

  /// The same message, with the numbers as its tokens.
  func publish(_ tokens: ClosedRange<UInt64>, _ message: Message) throws {
    for token in tokens { try publish(message, token: token) }
  }

  var isReadingPaused: Bool { carrier.connection?.isReadingPaused ?? false }

  /// Bytes that the buffer takes whose packets are not whole yet.
  var inboundCapacity: Int? { carrier.connection?.inbound.capacity }
}

extension ConnectionLoss {
  var violation: ReasonCode? {
    if case .session(.violation(let error)) = self { error.reasonCode } else { nil }
  }
}

extension AbusiveServer.Visit {
  var subscribeIdentifier: PacketIdentifier? {
    for case .subscribe(let subscribe) in packets { return subscribe.packetIdentifier }
    return nil
  }
}
