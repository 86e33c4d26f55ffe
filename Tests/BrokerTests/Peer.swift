import Foundation
import LimpetInstants
import LimpetPlatform
import Logging
import MQTT
import MQTTCore
import NIOCore
import Synchronization
import TestScene
import Testing

/// An `MQTTClient`, and all that has happened to it.
final class Peer: Sendable {
  struct Arrival: Sendable {
    let message: Message
    let time: ContinuousClock.Instant

    var topic: String { "\(message.topic)" }
    var payload: String { String(buffer: message.payload) }
  }

  struct Happening: Sendable {
    let event: ConnectionEvent
    let time: ContinuousClock.Instant
  }

  private struct Past {
    var arrivals: [Arrival] = []
    var happenings: [Happening] = []
    var tasks: [Task<Void, Never>] = []
  }

  let client: MQTTClient
  private let past = Mutex(Past())

  init(_ configuration: MQTTClient.Configuration) {
    client = MQTTClient(configuration, logger: Logger(label: "peer") { _ in SwiftLogNoOpLogHandler() })
  }

  /// Keeps it connected from now on.
  func start() {
    let events = client.events.makeAsyncIterator()
    keep(
      Task {
        var events = events
        while let event = await events.next() {
          past.withLock { $0.happenings.append(Happening(event: event, time: .now)) }
        }
      })
    keep(Task { try? await client.run() })
  }

  private func keep(_ task: Task<Void, Never>) { past.withLock { $0.tasks.append(task) } }

  /// What the server answered. Its messages are kept from now on.
  @discardableResult
  func subscribe(_ filters: String..., qos: QoS = .exactlyOnce) async throws -> [ReasonCode] {
    let stream = try await client.subscribe(try filters.map { Subscription(try TopicFilter($0), qos: qos) })
    keep(stream)
    return stream.reasonCodes
  }

  /// Before it is started: a message of an old session can come right after CONNACK.
  func expect(_ filter: String) async throws {
    let subscription = Subscription(try TopicFilter(filter))
    keep(Task { if let stream = try? await client.subscribe([subscription]) { keep(stream) } })
    while await client.counts.subscriptions == 0 { await Task.yield() }
  }

  private func keep(_ stream: MessageStream) {
    keep(
      Task {
        do {
          for try await message in stream {
            past.withLock { $0.arrivals.append(Arrival(message: message.message, time: .now)) }
          }
        } catch { Issue.record("\(error)") }
      })
  }

  @discardableResult
  func publish(
    _ payload: String, to topic: String, qos: QoS = .atLeastOnce, retain: Bool = false,
    properties: Properties = Properties()
  ) async throws -> PublishResult {
    try await client.publish(
      Message(
        topic: try TopicName(topic), payload: ByteBuffer(string: payload), qos: qos, retain: retain,
        properties: properties))
  }

  /// At once, without DISCONNECT.
  func abort() async { await client.abort() }

  func end() async {
    await client.abort()
    for task in past.withLock(\.tasks) { await task.value }
  }

  // MARK: What has happened

  var arrivals: [Arrival] { past.withLock(\.arrivals) }
  func payloads(of topic: String) -> [String] { arrivals.filter { $0.topic == topic }.map(\.payload) }

  var happenings: [Happening] { past.withLock(\.happenings) }
  var connections: [Session.Connected] {
    happenings.compactMap { if case .connected(_, let connected) = $0.event { connected } else { nil } }
  }
  /// The servers that it was connected to, in their order.
  var servers: [ServerAddress] {
    happenings.compactMap { if case .connected(let server, _) = $0.event { server } else { nil } }
  }
  /// The ends of connections and of attempts at them.
  var losses: [ConnectionLoss] {
    happenings.compactMap {
      switch $0.event {
      case .lost(let loss, _), .ended(let loss): loss
      case .connecting, .connected, .remarked, .storing, .unpublished, .willTakenBack: nil
      }
    }
  }

  /// Waits for a connection; the first is 1.
  @discardableResult
  func connection(
    _ number: Int, within limit: Duration = .seconds(20), sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> Session.Connected {
    try await eventually("connection \(number)", within: limit, sourceLocation: sourceLocation) {
      connections.count >= number ? connections[number - 1] : nil
    }
  }

  @discardableResult
  func loss(
    _ number: Int = 1, within limit: Duration = .seconds(20), sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> ConnectionLoss {
    try await eventually("loss \(number)", within: limit, sourceLocation: sourceLocation) {
      losses.count >= number ? losses[number - 1] : nil
    }
  }

  /// Waits for a message to a topic.
  @discardableResult
  func arrival(
    of payload: String? = nil, to topic: String, within limit: Duration = .seconds(20),
    sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> Arrival {
    try await eventually(
      "\(payload ?? "a message") on \(topic)", within: limit, sourceLocation: sourceLocation
    ) { arrivals.first { $0.topic == topic && (payload == nil || $0.payload == payload) } }
  }

  /// Waits for as many messages to a topic.
  @discardableResult
  func payloads(
    of topic: String, count: Int, within limit: Duration = .seconds(20),
    sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> [String] {
    try await eventually("\(count) messages on \(topic)", within: limit, sourceLocation: sourceLocation) {
      let payloads = payloads(of: topic)
      return payloads.count >= count ? payloads : nil
    }
  }
}
