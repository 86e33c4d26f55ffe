import Foundation
import Logging
import MQTT
import NIOCore
import NIOPosix
import Synchronization
import Testing

/// Hears what a broker publishes and keeps all of it, on MQTT 5 for the user properties.
final class Subscriber: ClientDelegate {
  struct Record: Sendable {
    let topic: String
    let payload: String
    let qos: QoS
    /// It was kept by the broker before the subscription.
    let isRetained: Bool
    let userProperties: [String: String]
    let received: ContinuousClock.Instant
  }

  private let identifier: String
  private let filter: TopicFilter
  private let isDurable: Bool
  private let heard = Mutex<[Record]>([])
  private let subscriptions = Mutex(0)
  private let client = Mutex<Client?>(nil)

  fileprivate init(_ identifier: String, _ filter: String, isDurable: Bool) throws {
    self.identifier = identifier
    self.filter = try TopicFilter(filter)
    self.isDurable = isDurable
  }

  fileprivate func start(port: Int) async throws {
    var configuration = Client.Configuration(
      servers: [ServerAddress(transport: .tcp, host: "127.0.0.1", port: port)])
    configuration.version = .v5
    configuration.reconnect.minimum = .milliseconds(20)
    configuration.reconnect.maximum = .milliseconds(100)
    let client = Client(
      configuration, delegate: self, eventLoop: MultiThreadedEventLoopGroup.singleton.next(),
      logger: Logger(label: "subscriber") { _ in SwiftLogNoOpLogHandler() })
    self.client.withLock { $0 = client }
    await client.start()
    try await until("the subscriber is subscribed") { subscriptions.withLock { $0 } > 0 }
  }

  func publish(_ payload: String, to topic: String) async throws {
    let client = try #require(client.withLock { $0 })
    try await client.publish(Message(topic: try TopicName(topic), payload: ByteBuffer(string: payload)), token: 2)
  }

  func end() async { await client.withLock { $0 }?.disconnect(within: .seconds(1)) }

  // MARK: What it heard

  /// Everything, in its order.
  var records: [Record] { heard.withLock { $0 } }

  func records(of topic: String) -> [Record] { records.filter { $0.topic == topic } }

  /// Those that were published while it was subscribed.
  func news(of topic: String) -> [Record] { records(of: topic).filter { !$0.isRetained } }

  /// The readings of one name.
  func readings(_ name: String, of device: String = "board") throws -> [Reading] {
    try records(of: "limpet/\(device)/\(name)").map { try Reading(json: $0.payload) }
  }

  /// Waits for a message to a topic.
  @discardableResult
  func record(
    of topic: String, _ what: String = "a message", within limit: Duration = .seconds(15),
    sourceLocation: SourceLocation = #_sourceLocation, where condition: (Record) -> Bool = { _ in true }
  ) async throws -> Record {
    try await eventually("\(what) on \(topic)", within: limit, sourceLocation: sourceLocation) {
      records(of: topic).first(where: condition)
    }
  }

  /// Waits for so many readings of a name.
  @discardableResult
  func readings(
    _ name: String, atLeast count: Int, of device: String = "board", within limit: Duration = .seconds(15),
    sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> [Reading] {
    try await eventually("\(count) readings of \(name)", within: limit, sourceLocation: sourceLocation) {
      let readings = try readings(name, of: device)
      return readings.count >= count ? readings : nil
    }
  }

  /// Waits until the device's status is said to be `text`, in news after the first `skipping`.
  @discardableResult
  func status(
    _ text: String, of device: String = "board", skipping: Int = 0, within limit: Duration = .seconds(15),
    sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> Record {
    try await eventually("status \(text)", within: limit, sourceLocation: sourceLocation) {
      news(of: "limpet/\(device)/status").dropFirst(skipping).first { $0.payload == text }
    }
  }

  /// Waits for a presence message of an event, in news after the first `skipping`.
  func presence(
    _ event: String, of device: String = "board", skipping: Int = 0, sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> Presence {
    try await eventually("presence \(event)", sourceLocation: sourceLocation) {
      try news(of: "limpet/\(device)/presence").dropFirst(skipping).map { try Presence(json: $0.payload) }
        .first { $0.event == event }
    }
  }

  // MARK: ClientDelegate

  func connectPacket(for server: ServerAddress, version: MQTT.ProtocolVersion) async -> Connect {
    var properties = Properties()
    if isDurable { properties.sessionExpiryInterval = .max }
    return Connect(clientIdentifier: identifier, cleanStart: !isDurable, keepAlive: 30, properties: properties)
  }

  func client(_ client: isolated Client, did event: Client.Event) {
    switch event {
    case .connected: try? client.subscribe([Subscription(filter)], token: 1)
    case .answered: subscriptions.withLock { $0 += 1 }
    case .message(let delivery):
      let message = delivery.message
      let record = Record(
        topic: "\(message.topic)", payload: String(buffer: message.payload), qos: message.qos,
        isRetained: message.retain,
        userProperties: Dictionary(message.properties.userProperties.map { ($0.name, $0.value) }) { $1 },
        received: .now)
      heard.withLock { $0.append(record) }
    case .connecting, .settled, .storing, .ready, .lost: break
    }
  }
}

extension Scene {
  /// A subscriber that is subscribed. `isDurable`: the broker keeps for it what it misses.
  func subscriber(
    to broker: Mosquitto, _ filter: String = "limpet/#", isDurable: Bool = false
  ) async throws -> Subscriber {
    let subscriber = try Subscriber("subscriber-\(UUID().uuidString.prefix(8))", filter, isDurable: isDurable)
    atEnd { await subscriber.end() }
    try await subscriber.start(port: broker.port)
    return subscriber
  }

  /// The messages that a broker keeps, by topic.
  func retained(by broker: Mosquitto, _ filter: String = "limpet/#") async throws -> [String: Subscriber.Record] {
    let subscriber = try await subscriber(to: broker, filter)
    // What the broker keeps comes before what is published now.
    try await subscriber.publish("", to: "limpet/marker")
    try await subscriber.record(of: "limpet/marker")
    await subscriber.end()
    return Dictionary(subscriber.records.filter(\.isRetained).map { ($0.topic, $0) }) { $1 }
  }
}

/// A reading's JSON.
struct Reading: Decodable, Sendable, Equatable {
  let time: String
  let value: Double?
  let unit: String?
  let quality: String?
  let error: String?
  let seq: Int
  let restarted: Bool?

  init(json: String) throws { self = try JSONDecoder().decode(Reading.self, from: Data(json.utf8)) }

  var date: Date {
    get throws { try Date.ISO8601FormatStyle(includingFractionalSeconds: true).parse(time) }
  }
}

/// The presence topic's JSON.
struct Presence: Decodable, Sendable {
  let event: String
  let reason: String
  let epoch: Int
  let instance: String
  let since: String
  let version: String
  let sessionPresent: Bool
  let detectWithin: Double

  init(json: String) throws {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    self = try decoder.decode(Presence.self, from: Data(json.utf8))
  }
}
