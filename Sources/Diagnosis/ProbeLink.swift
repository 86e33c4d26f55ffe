import LimpetInstants
import LimpetPlatform
import Logging
import MQTT
import MQTTCore
import Measuring
import NIOCore
import Planning

/// One connection of a probe, as questions that have an answer within a time. It lives on its event loop.
actor ProbeLink: ClientDelegate {
  nonisolated let eventLoop: any EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { eventLoop.executor.asUnownedSerialExecutor() }

  struct Opened: Sendable {
    let server: ServerAddress
    var connected: Session.Connected
    let route: Route?
  }

  /// Messages that are kept.
  private static let limit = 1000

  private let configuration: Client.Configuration
  private let connect: Connect
  private var client: Client?
  private var opened: Opened?
  private(set) var loss: ConnectionLoss?
  private(set) var messages: [Message] = []
  private var outcomes: [Session.Token: Session.Outcome] = [:]
  private var answers: [Session.Token: [ReasonCode]] = [:]
  private var nextToken: Session.Token = 0
  private var sleepers: [CheckedContinuation<Void, Never>] = []

  init(_ configuration: Client.Configuration, _ connect: Connect, eventLoop: any EventLoop) {
    self.configuration = configuration
    self.connect = connect
    self.eventLoop = eventLoop
  }

  /// Connects; nil: `loss` says why not.
  func open() async -> Opened? {
    let client = Client(configuration, delegate: self, eventLoop: eventLoop, logger: Logger(label: "limpet.probe"))
    self.client = client
    await client.start()
    // The client has a time limit of its own, for each version that it tries.
    return await value(within: configuration.connectTimeout * 3) { $0.opened }
  }

  /// What SUBACK said of the topic; nil: nothing in time, or no connection.
  func subscribe(to topic: TopicName, within limit: Duration) async -> ReasonCode? {
    guard let filter = try? TopicFilter("\(topic)") else { return nil }
    return await subscribe(to: filter, within: limit)
  }

  func subscribe(to filter: TopicFilter, within limit: Duration) async -> ReasonCode? {
    nextToken += 1
    let token = nextToken
    guard let client else { return nil }
    do throws(Session.Rejection) { try await client.subscribe([Subscription(filter)], token: token) } catch {
      return nil
    }
    return await value(within: limit) { $0.answers[token]?.first }
  }

  /// What PUBACK said of the message; nil: nothing in time, or no connection.
  func publish(_ message: Message, within limit: Duration) async -> Session.Outcome? {
    nextToken += 1
    let token = nextToken
    guard let client else { return nil }
    do throws(Session.Rejection) {
      try await client.publish(message, token: token, transient: true)
    } catch { return .rejected(error) }
    return await value(within: limit) { $0.outcomes[token] }
  }

  /// Waits for a message, also one that is here already.
  func message(within limit: Duration, where condition: @escaping @Sendable (Message) -> Bool) async -> Message? {
    await value(within: limit) { $0.messages.first(where: condition) }
  }

  func close() async { await client?.disconnect(within: .seconds(2)) }

  func abort() async { await client?.abort() }

  // MARK: Waiting

  private func value<Value: Sendable>(
    within limit: Duration, of ask: @Sendable (isolated ProbeLink) -> Value?
  ) async -> Value? {
    let deadline = BootClock.now + limit
    let timer = eventLoop.scheduleTask(in: TimeAmount(limit)) { self.assumeIsolated { $0.wake() } }
    defer { timer.cancel() }
    while true {
      if let value = ask(self) { return value }
      guard loss == nil, BootClock.now < deadline else { return nil }
      await withCheckedContinuation { sleepers.append($0) }
    }
  }

  private func wake() {
    let woken = sleepers
    sleepers = []
    for sleeper in woken { sleeper.resume() }
  }

  // MARK: ClientDelegate

  func connectPacket(for server: ServerAddress, version: MQTTCore.ProtocolVersion) async -> Connect { connect }

  func client(_ client: isolated Client, did event: Client.Event) {
    let route: Route? = if case .connected = event { client.route } else { nil }
    assumeIsolated { $0.handle(event, route) }
  }

  private func handle(_ event: Client.Event, _ route: Route?) {
    switch event {
    case .connected(let connected, let server):
      opened = Opened(server: server, connected: connected, route: route)
    case .message(let delivery): if messages.count < Self.limit { messages.append(delivery.message) }
    case .settled(let token, let outcome): outcomes[token] = outcome
    case .answered(let token, let codes): answers[token] = codes
    case .lost(let loss, retryAfter: nil): self.loss = loss
    case .connecting, .remarked, .storing, .stored, .ready, .lost: return
    }
    wake()
  }
}
