import Foundation
import LimpetInstants
import LimpetPlatform
import Logging
import MQTT
import MQTTCore
import NIOCore
import Synchronization
import Testing

/// Hears what a broker publishes and keeps all of it, on MQTT 5 for the user properties.
package final class Subscriber: ClientDelegate {
  package struct Record: Sendable {
    package let topic: String
    package let payload: String
    package let qos: QoS
    /// It was kept by the broker before the subscription.
    package let isRetained: Bool
    package let userProperties: [String: String]
    /// It is good for this long, as the broker says; nil: for ever.
    package let expiry: Duration?
    package let received: ContinuousClock.Instant
  }

  private let identifier: String
  private let filters: [TopicFilter]
  private let qos: QoS
  private let isDurable: Bool
  private let username: String?
  private let heard = Mutex<[Record]>([])
  private let subscriptions = Mutex(0)
  private let client = Mutex<Client?>(nil)

  /// - Parameters:
  ///   - isDurable: the broker keeps for it what it misses.
  ///   - username: where the broker wants one; any password goes with it.
  ///   - qos: messages come with this at the most.
  package init(
    _ filters: [String], isDurable: Bool = false, username: String? = nil, qos: QoS = .atLeastOnce
  ) throws {
    identifier = "subscriber-\(UUID().uuidString.prefix(8))"
    self.filters = try filters.map { try TopicFilter($0) }
    self.qos = qos
    self.isDurable = isDurable
    self.username = username
  }

  /// Begins to connect.
  package func start(port: Int, version: MQTTCore.ProtocolVersion = .v5) async {
    var configuration = Client.Configuration(
      servers: [ServerAddress(transport: .tcp, host: "127.0.0.1", port: port)])
    configuration.version = version
    configuration.reconnect.minimum = .milliseconds(20)
    configuration.reconnect.maximum = .milliseconds(100)
    let client = Client(
      configuration, delegate: self, eventLoop: witnesses.next(),
      logger: Logger(label: "subscriber") { _ in SwiftLogNoOpLogHandler() })
    self.client.withLock { $0 = client }
    await client.start()
  }

  package var isSubscribed: Bool { subscriptions.withLock { $0 } > 0 }

  package func publish(_ payload: String, to topic: String, retain: Bool = false) async throws {
    let client = try #require(client.withLock { $0 })
    try await client.publish(
      Message(topic: try TopicName(topic), payload: ByteBuffer(string: payload), retain: retain), token: 2)
  }

  package func end() async { await client.withLock { $0 }?.disconnect(within: .seconds(1)) }

  // MARK: What it heard

  /// Everything, in its order.
  package var records: [Record] { heard.withLock { $0 } }

  package func records(of topic: String) -> [Record] { records.filter { $0.topic == topic } }

  /// Those that were published while it was subscribed.
  package func news(of topic: String) -> [Record] { records(of: topic).filter { !$0.isRetained } }

  /// Waits for a message to a topic.
  @discardableResult
  package func record(
    of topic: String, _ what: String = "a message", within limit: Duration = .seconds(15),
    sourceLocation: SourceLocation = #_sourceLocation, where condition: (Record) -> Bool = { _ in true }
  ) async throws -> Record {
    try await eventually("\(what) on \(topic)", within: limit, sourceLocation: sourceLocation) {
      records(of: topic).first(where: condition)
    }
  }

  // MARK: ClientDelegate

  package func connectPacket(for server: ServerAddress, version: MQTTCore.ProtocolVersion) async -> Connect {
    var properties = Properties()
    if isDurable { properties.sessionExpiryInterval = .max }
    return Connect(
      clientIdentifier: identifier, cleanStart: !isDurable, keepAlive: 30, username: username,
      password: username.map { _ in ByteBuffer(string: "anything") }, properties: properties)
  }

  package func client(_ client: isolated Client, did event: Client.Event) {
    switch event {
    case .connected: try? client.subscribe(filters.map { Subscription($0, qos: qos) }, token: 1)
    case .answered: subscriptions.withLock { $0 += 1 }
    case .message(let delivery):
      let message = delivery.message
      let record = Record(
        topic: "\(message.topic)", payload: String(buffer: message.payload), qos: message.qos,
        isRetained: message.retain,
        userProperties: Dictionary(message.properties.userProperties.map { ($0.name, $0.value) }) { $1 },
        expiry: message.properties.messageExpiryInterval.map { .seconds($0) }, received: .now)
      heard.withLock { $0.append(record) }
    case .connecting, .settled, .remarked, .storing, .stored, .ready, .lost: break
    }
  }
}

extension Scene {
  /// A subscriber that is subscribed. `isDurable`: the broker keeps for it what it misses.
  package func subscriber(
    to broker: Mosquitto, _ filters: String..., isDurable: Bool = false, qos: QoS = .atLeastOnce
  ) async throws -> Subscriber {
    let subscriber = try Subscriber(filters.isEmpty ? ["limpet/#"] : filters, isDurable: isDurable, qos: qos)
    atEnd { await subscriber.end() }
    await subscriber.start(port: broker.port)
    try await until("the subscriber is subscribed") { subscriber.isSubscribed }
    return subscriber
  }

  /// The messages that a broker keeps, by topic.
  package func retained(by broker: Mosquitto, _ filter: String = "limpet/#") async throws -> [String: Subscriber.Record]
  {
    let subscriber = try await subscriber(to: broker, filter, "limpet/marker")
    // What the broker keeps comes before what is published now.
    try await subscriber.publish("", to: "limpet/marker")
    try await subscriber.record(of: "limpet/marker")
    await subscriber.end()
    return Dictionary(subscriber.records.filter(\.isRetained).map { ($0.topic, $0) }) { $1 }
  }
}
