internal import CLimpetLinux
import Configuration
internal import Glibc
import Logging
import MQTT
import MQTTCore
import NIOCore
import NIOPosix
import Planning
import Synchronization

/// The connection of a watch: subscribes, and leaves what it hears where the main thread takes it.
///
/// It only observes: a client identifier of its own, a session that ends with the connection, no will. QoS 0 is as good
/// as 1 then, and a broker does not queue it behind acknowledgements (mosquitto drops what its queue of 1,000 cannot
/// hold, which retained messages of a large fleet are at QoS 1).
final class WatchFeed: ClientDelegate {
  enum Event: Sendable {
    case connected(ServerAddress)
    /// Every SUBACK is here, with what was refused.
    case subscribed([Refusal])
    case message(FleetView.Report)
    /// nil: no other attempt follows.
    case lost(ConnectionLoss, retryAfter: Duration?)
  }

  struct Refusal: Sendable {
    let filter: TopicFilter
    let reason: String
  }

  /// Events that may wait for the main thread.
  private static let limit = 200_000
  /// Filters of one SUBSCRIBE.
  private static let batch = 100

  /// Readable while events wait (eventfd(2)).
  let bell = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))

  private let configuration: Client.Configuration
  private let connect: Connect
  private let topics: WatchedTopics
  private let payloadLimit: Int
  private let eventLoop: any EventLoop
  private let client = Mutex<Client?>(nil)

  private struct Waiting {
    var events: [Event] = []
    var lost = 0
  }
  private let waiting = Mutex(Waiting())

  /// What the answers to SUBSCRIBE said so far.
  private struct Answers {
    var open = 0
    var refusals: [Refusal] = []
  }
  private let answers = Mutex(Answers())
  /// For whom readings are subscribed to beside the filters.
  private let readings: ReadingsDesk?
  private let asked = Mutex((last: Session.Token(0), filters: [Session.Token: [TopicFilter]]()))
  /// Of the tokens of those subscriptions, which are beside the filters' own.
  private static let readingsToken: Session.Token = 1 << 32

  /// - Parameter payloadLimit: bytes of a payload that are kept.
  init(
    _ configuration: Configuration, topics: WatchedTopics, payloadLimit: Int, reconnects: Bool,
    readings: ReadingsDesk? = nil, hasPage: Bool = false
  ) {
    var client = Client.Configuration(configuration.link, tls: configuration.tls)
    client.reconnects = reconnects
    self.configuration = client
    var generator = SystemRandomNumberGenerator()
    var connect = configuration.connectPacket(device: "")
    // Up to 23 letters and digits, which every server of 3.1.1 takes ([MQTT-3.1.3-5]).
    connect.clientIdentifier = "watch" + String(generator.next() as UInt64, radix: 16)
    connect.cleanStart = true
    connect.properties.sessionExpiryInterval = nil
    // A watch that does not notice that it is cut off would show what was. A page says so within 5 s: a broker that
    // hangs is known after this time and half of it, and the rest is for a slow machine.
    connect.keepAlive = hasPage ? 2 : 30
    self.connect = connect
    self.topics = topics
    self.payloadLimit = payloadLimit
    eventLoop = MultiThreadedEventLoopGroup(numberOfThreads: 1).next()
    self.readings = readings
    readings?.onWish { [weak self] wish in self?.wishes(wish) }
  }

  deinit { close(bell) }

  func start() {
    let client = Client(configuration, delegate: self, eventLoop: eventLoop, logger: Logger(label: "limpet.watch"))
    self.client.withLock { $0 = client }
    eventLoop.execute { client.assumeIsolated { $0.start() } }
  }

  /// Says good-bye, within half a second; blocks its thread.
  func stop() {
    guard let client = client.withLock({ $0 }) else { return }
    let done = eventLoop.makePromise(of: Void.self)
    done.completeWithTask { await client.disconnect(within: .milliseconds(500)) }
    try? done.futureResult.wait()
  }

  /// What came since the last call, and how many events there was no room for.
  func take() -> (events: [Event], lost: Int) {
    var count: UInt64 = 0
    _ = read(bell, &count, MemoryLayout<UInt64>.size)
    return waiting.withLock { waiting in
      defer { waiting = Waiting() }
      return (waiting.events, waiting.lost)
    }
  }

  private func put(_ event: Event) {
    let isFirst = waiting.withLock { waiting in
      guard waiting.events.count < Self.limit else {
        waiting.lost += 1
        return false
      }
      waiting.events.append(event)
      return waiting.events.count == 1
    }
    guard isFirst else { return }
    var one: UInt64 = 1
    _ = write(bell, &one, MemoryLayout<UInt64>.size)
  }

  // MARK: ClientDelegate

  func connectPacket(for server: ServerAddress, version: MQTTCore.ProtocolVersion) async -> Connect { connect }

  func client(_ client: isolated Client, did event: Client.Event) {
    switch event {
    case .connected(_, let server):
      put(.connected(server))
      subscribe(client)
      if let filters = readings?.filters, !filters.isEmpty { wishes(.subscribe(filters), client) }
    case .message(let delivery): receive(delivery.message)
    case .answered(let token, let codes) where token < Self.readingsToken: answered(token, codes)
    case .answered(let token, let codes): readingsAnswered(token, codes)
    case .lost(let loss, let delay): put(.lost(loss, retryAfter: delay))
    case .connecting, .settled, .remarked, .storing, .stored, .ready: break
    }
  }

  /// A reading of a device that somebody looks at is none of the main thread's business.
  func receive(_ message: Message) {
    let topic = "\(message.topic)"
    readings?.take(topic, message)
    guard topics.device(of: topic) != nil else { return }
    put(.message(report(message, topic)))
  }

  private func subscribe(_ client: isolated Client) {
    let filters = topics.filters
    let batches = stride(from: 0, to: filters.count, by: Self.batch)
    answers.withLock { $0 = Answers(open: batches.underestimatedCount) }
    for start in batches {
      let batch = filters[start...].prefix(Self.batch)
      do throws(Session.Rejection) {
        try client.subscribe(batch.map { Subscription($0, qos: .atMostOnce) }, token: Session.Token(start))
      } catch {
        answered(batch.map { Refusal(filter: $0, reason: "\(error)") })
      }
    }
  }

  private func answered(_ token: Session.Token, _ codes: [ReasonCode]) {
    let batch = topics.filters[Int(token)...].prefix(Self.batch)
    answered(
      zip(batch, codes).filter { $1.isError }.map { Refusal(filter: $0, reason: "the broker says \($1)") })
  }

  private func answered(_ refusals: [Refusal]) {
    let all = answers.withLock { answers -> [Refusal]? in
      answers.refusals += refusals
      answers.open -= 1
      return answers.open == 0 ? answers.refusals : nil
    }
    if let all { put(.subscribed(all)) }
  }

  // MARK: Readings

  private func wishes(_ wish: ReadingsDesk.Wish) {
    guard let client = client.withLock({ $0 }) else { return }
    eventLoop.execute { client.assumeIsolated { self.wishes(wish, $0) } }
  }

  /// Without a connection nothing is lost: the next one subscribes to all that is looked at.
  private func wishes(_ wish: ReadingsDesk.Wish, _ client: isolated Client) {
    do throws(Session.Rejection) {
      switch wish {
      case .subscribe(let filters):
        let token = asked.withLock { asked -> Session.Token in
          asked.last += 1
          asked.filters[Self.readingsToken + asked.last] = filters
          return Self.readingsToken + asked.last
        }
        try client.subscribe(filters.map { Subscription($0, qos: .atMostOnce) }, token: token)
      case .unsubscribe(let filters): try client.unsubscribe(filters, token: Self.readingsToken)
      }
    } catch {
      guard error != .notConnected, case .subscribe(let filters) = wish else { return }
      for filter in filters { readings?.refused(filter, "\(error)") }
    }
  }

  private func readingsAnswered(_ token: Session.Token, _ codes: [ReasonCode]) {
    let filters = asked.withLock { $0.filters.removeValue(forKey: token) } ?? []
    for (filter, code) in zip(filters, codes) where code.isError {
      readings?.refused(filter, "the broker refuses the subscription to \(filter): \(code)")
    }
  }

  private func report(_ message: Message, _ topic: String) -> FleetView.Report {
    var report = FleetView.Report(
      topic: topic, payload: Array(message.payload.readableBytesView.prefix(payloadLimit)),
      isRetained: message.retain)
    guard !message.properties.isEmpty else { return report }
    report.expiry = message.properties.messageExpiryInterval.map { .seconds(Int64($0)) }
    for (name, value) in message.properties.userProperties {
      switch name {
      case "reason": report.reason = String(value.prefix(FleetView.nameLimit))
      case "epoch": report.epoch = UInt64(value)
      case "instance": report.instance = String(value.prefix(FleetView.nameLimit))
      default: break
      }
    }
    return report
  }
}
