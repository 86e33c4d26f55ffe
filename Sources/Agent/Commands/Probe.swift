internal import Glibc
import Logging
import MQTT
import NIOCore
import NIOPosix
import Sensing

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

  private let client: Client.Configuration
  private let connect: Connect

  /// - Parameters:
  ///   - url: in place of the configuration's.
  ///   - clientIdentifier: in place of the configuration's.
  public init(_ configuration: Configuration, url: BrokerURL?, clientIdentifier: String?) throws(PlanError) {
    var configuration = configuration
    if let url { configuration.broker.urls = [url] }
    var generator = SystemRandomNumberGenerator()
    let (identity, _) = DeviceIdentity.decide(stored: nil, board: BoardIdentity.read(), using: &generator)
    let device = if case .given(let id) = configuration.device.id { id } else { identity.id }
    var client = try configuration.clientConfiguration()
    client.servers = Array(client.servers.prefix(1))
    client.reconnects = false
    // It only looks: whatever state the server has is as it should be.
    client.knownSession = client.servers.first
    self.client = client
    var connect = configuration.connectPacket(device: device)
    if let clientIdentifier { connect.clientIdentifier = clientIdentifier }
    self.connect = connect
  }

  /// Blocks its thread until the server answered, or did not.
  public func run() -> Answer {
    signal(SIGPIPE, SIG_IGN)
    let eventLoop = MultiThreadedEventLoopGroup(numberOfThreads: 1).next()
    let answer = eventLoop.makePromise(of: Answer.self)
    let visit = Visit(connect, answer: answer, eventLoop: eventLoop)
    let client = self.client
    eventLoop.execute { visit.assumeIsolated { $0.start(client) } }
    do { return try answer.futureResult.wait() } catch { return .failed(.aborted) }
  }

  /// The one connection.
  private actor Visit: ClientDelegate {
    nonisolated let eventLoop: any EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { eventLoop.executor.asUnownedSerialExecutor() }
    private let connect: Connect
    private let answer: EventLoopPromise<Answer>
    private var waiter: CheckedContinuation<Answer, Never>?

    init(_ connect: Connect, answer: EventLoopPromise<Answer>, eventLoop: any EventLoop) {
      self.connect = connect
      self.answer = answer
      self.eventLoop = eventLoop
    }

    func start(_ configuration: Client.Configuration) { Task { await run(configuration) } }

    private func run(_ configuration: Client.Configuration) async {
      let client = Client(configuration, delegate: self, eventLoop: eventLoop, logger: Logger(label: "limpet.probe"))
      await client.start()
      let found = await withCheckedContinuation { waiter = $0 }
      await client.disconnect(within: configuration.connectTimeout)
      answer.succeed(found)
    }

    func connectPacket(for server: ServerAddress, version: MQTT.ProtocolVersion) async -> Connect { connect }

    func client(_ client: isolated Client, did event: Client.Event) {
      switch event {
      case .connected(let connected, let server):
        assumeIsolated { $0.found(.connected(server: server, connected)) }
      case .lost(let loss, retryAfter: nil): assumeIsolated { $0.found(.failed(loss)) }
      case .connecting, .message, .settled, .answered, .ready, .lost: break
      }
    }

    private func found(_ answer: Answer) {
      waiter?.resume(returning: answer)
      waiter = nil
    }
  }
}
