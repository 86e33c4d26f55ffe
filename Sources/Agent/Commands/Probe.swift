internal import Glibc
import Logging
import MQTT
import NIOCore
import NIOPosix
import Sensing
import Storage

/// Connects once, as the agent would, and says what the server answered.
public struct Probe: Sendable {
  /// What came of it.
  public enum Answer: Sendable {
    case connected(server: ServerAddress, Session.Connected)
    case failed(ConnectionLoss)

    /// The CONNACK in one line; nil where there was none.
    public var connack: String? {
      switch self {
      case .connected(_, let connected): "reason code: 0, session present: \(connected.sessionPresent)"
      case .failed(.session(.refused(let code, _, _))): "reason code: \(code.rawValue), session present: false"
      case .failed: nil
      }
    }
  }

  private let configuration: Configuration
  private let client: Client.Configuration
  private let clientIdentifier: String?

  /// - Parameter clientIdentifier: in place of the configuration's.
  public init(_ configuration: Configuration, clientIdentifier: String?) {
    var client = configuration.clientConfiguration()
    client.servers = Array(client.servers.prefix(1))
    client.reconnects = false
    // It only looks: whatever state the server has is as it should be.
    client.believesAnySession = true
    self.configuration = configuration
    self.client = client
    self.clientIdentifier = clientIdentifier
  }

  /// Blocks its thread until the server answered, or did not.
  public func run() -> Answer {
    signal(SIGPIPE, SIG_IGN)
    let eventLoop = MultiThreadedEventLoopGroup(numberOfThreads: 1).next()
    let answer = eventLoop.makePromise(of: Answer.self)
    let visit = Visit(self, answer: answer, eventLoop: eventLoop)
    eventLoop.execute { visit.assumeIsolated { $0.start() } }
    do { return try answer.futureResult.wait() } catch { return .failed(.aborted) }
  }

  /// CONNECT as the daemon would send it, but for its will: a probe that is cut off says nothing about the device.
  private func connectPacket() async -> Connect {
    var connect = configuration.connectPacket(device: await device())
    if let clientIdentifier { connect.clientIdentifier = clientIdentifier }
    return connect
  }

  /// The daemon's identity: as stored, where that can be read (a daemon that runs holds it), else by the board.
  private func device() async -> String {
    if case .given(let id) = configuration.device.id { return id }
    var stored: StoredIdentity?
    if access(configuration.storage.path + "/session.db", R_OK | W_OK) == 0,
      let store = try? await StateStore.open(folder: configuration.storage.path)
    {
      stored = try? await store.identity()
      await store.close()
    }
    var generator = SystemRandomNumberGenerator()
    return DeviceIdentity.decide(stored: stored, board: BoardIdentity.read(), using: &generator).0.id
  }

  /// The one connection.
  private actor Visit: ClientDelegate {
    nonisolated let eventLoop: any EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { eventLoop.executor.asUnownedSerialExecutor() }
    private let probe: Probe
    private let answer: EventLoopPromise<Answer>
    private var waiter: CheckedContinuation<Answer, Never>?

    init(_ probe: Probe, answer: EventLoopPromise<Answer>, eventLoop: any EventLoop) {
      self.probe = probe
      self.answer = answer
      self.eventLoop = eventLoop
    }

    func start() { Task { await run() } }

    private func run() async {
      let client = Client(probe.client, delegate: self, eventLoop: eventLoop, logger: Logger(label: "limpet.probe"))
      await client.start()
      let found = await withCheckedContinuation { waiter = $0 }
      await client.disconnect(within: probe.client.connectTimeout)
      answer.succeed(found)
    }

    func connectPacket(for server: ServerAddress, version: MQTT.ProtocolVersion) async -> Connect {
      await probe.connectPacket()
    }

    func client(_ client: isolated Client, did event: Client.Event) {
      switch event {
      case .connected(let connected, let server):
        assumeIsolated { $0.found(.connected(server: server, connected)) }
      case .lost(let loss, retryAfter: nil): assumeIsolated { $0.found(.failed(loss)) }
      case .connecting, .message, .settled, .answered, .storing, .stored, .ready, .lost: break
      }
    }

    private func found(_ answer: Answer) {
      waiter?.resume(returning: answer)
      waiter = nil
    }
  }
}
