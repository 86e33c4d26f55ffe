import Configuration
import LimpetInstants
import LimpetPlatform
import Logging
import MQTT
import MQTTCore
import NIOCore
import Planning

/// Clears the retained messages of simulated devices at a broker: all that it sends below their root, and known topics,
/// for brokers that send no retained messages to wildcards.
///
/// Rounds of: subscribe, collect retained messages until no more come, clear each topic; until a round finds none. So
/// QoS 0 is enough, and no broker's Receive Maximum delays it. Stays on its event loop.
final class RetainedSweep: ClientDelegate, @unchecked Sendable {
  enum Result: Sendable, Equatable {
    /// How many messages were cleared.
    case cleared(Int)
    case failed(String)
  }

  private enum Phase { case connecting, collecting, clearing, over }

  /// After this long without a message there are no more.
  private static let quiet = Duration.milliseconds(500)
  private static let rounds = 5
  /// Topics of one round.
  private static let limit = 1_000_000
  /// For all of it.
  private static let patience = Duration.seconds(120)

  private let configuration: Client.Configuration
  private let connect: Connect
  private let eventLoop: any EventLoop
  private let known: [String]
  private var client: Client?
  private var phase = Phase.connecting
  private var round = 0
  private var found: Set<TopicName> = []
  private var waiting: [TopicName] = []
  private var underWay = 0
  private var cleared = 0
  private var lastHeard = BootClock.now
  private var deadline = BootClock.now
  /// There while it runs.
  private var result: EventLoopPromise<Result>?

  /// - Parameter known: topics that are cleared where the broker shows nothing.
  init(_ configuration: Configuration, _ lookUp: GuardedLookUp, known: [String], eventLoop: any EventLoop) {
    var client = Client.Configuration(configuration.link, tls: configuration.tls)
    client.lookUp = { try await lookUp.addresses($0, $1) }
    client.reconnects = false
    self.configuration = client
    var connect = configuration.connectPacket(device: "")
    connect.clientIdentifier = "sim-sweep"
    connect.cleanStart = true
    connect.properties.sessionExpiryInterval = nil
    self.connect = connect
    self.known = known
    self.eventLoop = eventLoop
  }

  func run() -> EventLoopFuture<Result> {
    let result = eventLoop.makePromise(of: Result.self)
    eventLoop.execute {
      self.result = result
      self.deadline = .now + Self.patience
      let client = Client(
        self.configuration, delegate: self, eventLoop: self.eventLoop, logger: Logger(label: "limpet.simulate"))
      self.client = client
      client.assumeIsolated { $0.start() }
      self.look()
    }
    return result.futureResult
  }

  private func look() {
    guard phase != .over else { return }
    if BootClock.now >= deadline {
      return end(.failed("the broker has not forgotten all of it in \(Self.patience.inWords)"))
    }
    if phase == .collecting, BootClock.now >= lastHeard + Self.quiet { clear() }
    eventLoop.scheduleTask(in: .milliseconds(50)) { self.look() }
  }

  private func end(_ ending: Result) {
    guard phase != .over else { return }
    phase = .over
    result?.succeed(ending)
    result = nil
    guard let client else { return }
    Task { await client.disconnect(within: .seconds(1)) }
  }

  // MARK: Rounds

  private func collect(_ client: isolated Client) {
    phase = .collecting
    round += 1
    found = []
    lastHeard = .now
    do {
      try client.subscribe([Subscription(try TopicFilter("\(DeviceTemplate.root)/#"), qos: .atMostOnce)], token: 1)
    } catch { end(.failed("\(error)")) }
  }

  private func clear() {
    if found.isEmpty, round == 1 { found = Set(known.compactMap { try? TopicName($0) }) }
    guard !found.isEmpty, round <= Self.rounds else { return end(.cleared(cleared)) }
    phase = .clearing
    waiting = Array(found)
    client?.assumeIsolated { publish($0) }
  }

  private func publish(_ client: isolated Client) {
    guard phase == .clearing else { return }
    while client.room(for: .atMostOnce) > 0, let topic = waiting.popLast() {
      let message = Message(topic: topic, payload: ByteBuffer(), qos: .atMostOnce, retain: true)
      do throws(Session.Rejection) {
        try client.publish(message, token: Session.Token(10 + waiting.count))
        underWay += 1
      } catch { return end(.failed("\(error)")) }
    }
  }

  // MARK: ClientDelegate

  func connectPacket(for server: ServerAddress, version: MQTTCore.ProtocolVersion) async -> Connect { connect }

  func client(_ client: isolated Client, did event: Client.Event) {
    switch event {
    case .connected: collect(client)
    case .answered(_, let codes):
      lastHeard = .now
      if let code = codes.first(where: \.isError) { end(.failed("the broker says \(code)")) }
    case .message(let delivery):
      guard phase == .collecting, delivery.message.retain, found.count < Self.limit else { return }
      lastHeard = .now
      found.insert(delivery.message.topic)
    case .settled(_, let outcome):
      underWay -= 1
      switch outcome {
      case .delivered: cleared += 1
      case .refused(let code): return end(.failed("the broker says \(code)"))
      case .abandoned, .rejected: return end(.failed("the connection was lost"))
      }
      if waiting.isEmpty, underWay == 0 { collect(client) } else { publish(client) }
    case .ready: publish(client)
    case .lost(let loss, let delay): if delay == nil { end(.failed("\(loss)")) }
    case .connecting, .remarked, .storing, .stored: break
    }
  }
}
