import CoreMetrics
import MQTT
import Synchronization
import TestScene
import Testing

/// What a client tells swift-metrics.
@Suite("Metrics of MQTTClient", .timed, .timeLimit(.minutes(Patience.factor)))
struct MetricsTests {
  @Test("connections, messages, bytes and failures are counted under their labels")
  func counts() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker { packet, connection in
        guard case .publish(let publish) = packet, publish.message.text == "no",
          let identifier = publish.packetIdentifier
        else { return FakeBroker.obliging(packet, connection) }
        connection.send(.puback(Acknowledgement(identifier, reasonCode: .notAuthorized)))
      }
      let factory = CountingFactory()
      var configuration = settings(broker)
      configuration.metrics = MQTTMetrics(factory: factory, dimensions: [("client", "a")])
      try await MQTTClient.withClient(configuration) { client in
        let stream = try await client.subscribe(to: "t")
        try await client.publish("1", to: "t")
        await #expect(throws: PublishError.self) { try await client.publish("no", to: "t") }
        let first = try await broker.connection(1)
        first.publish("x", qos: .atMostOnce, 0)
        for try await _ in stream { break }
        first.close()
        _ = try await broker.connection(2)
        try await client.publish("2", to: "t")
      }
      #expect(factory.value("mqtt_connections") == 2)
      #expect(factory.value("mqtt_connections_lost") == 1)
      #expect(factory.value("mqtt_messages_published") == 3)
      #expect(factory.value("mqtt_messages_received") == 1)
      #expect(factory.value("mqtt_publish_failures") == 1)
      #expect(factory.value("mqtt_bytes_sent") > 40 && factory.value("mqtt_bytes_received") > 20)
      #expect(factory.value("mqtt_messages_in_flight") == 0)
    }
  }
}

/// Keeps what it is told by label.
private final class CountingFactory: MetricsFactory {
  private let values = Mutex<[String: Int64]>([:])

  func value(_ label: String) -> Int64 { values.withLock { $0[label] ?? 0 } }

  private func change(_ label: String, _ change: (Int64) -> Int64) {
    values.withLock { $0[label] = change($0[label] ?? 0) }
  }

  private final class Handler: CounterHandler, RecorderHandler, TimerHandler {
    let factory: CountingFactory
    let label: String

    init(factory: CountingFactory, label: String) {
      self.factory = factory
      self.label = label
    }

    func increment(by amount: Int64) { factory.change(label) { $0 + amount } }
    func reset() {}
    func record(_ value: Int64) { factory.change(label) { _ in value } }
    func record(_ value: Double) { factory.change(label) { _ in Int64(value) } }
    func recordNanoseconds(_ duration: Int64) {}
  }

  func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
    Handler(factory: self, label: label)
  }
  func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
    Handler(factory: self, label: label)
  }
  func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
    Handler(factory: self, label: label)
  }
  func destroyCounter(_ handler: any CounterHandler) {}
  func destroyRecorder(_ handler: any RecorderHandler) {}
  func destroyTimer(_ handler: any TimerHandler) {}
}
