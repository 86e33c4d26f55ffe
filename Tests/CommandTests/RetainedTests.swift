import Foundation
import MQTT
import MQTTCore
import NIOCore
import TestScene
import Testing

@Suite("What the broker retains of the readings", .showsLogs, .timed)
struct RetainedTests {
  private static func sensors(_ count: Int) -> [String] {
    (0..<count).map { "{name: kept\($0), type: system, value: uptime, interval: 1h, retain: true}" }
  }

  @Test(
    "a broker that has lost all of it gets the newest readings again, as they were", arguments: [Way.tcp5, .tcp311])
  func broker(_ way: Way) async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto(isPersistent: false)
      var settings = scene.settings(broker, way)
      let count = 60
      settings.sensors += Self.sensors(count)
      let agent = try scene.agent(settings)
      func kept() async throws -> [String: String] {
        try await scene.retained(by: broker).mapValues(\.payload).filter { $0.key.contains("/kept") }
      }
      let before = try await eventually("all are retained") {
        let kept = try await kept()
        return kept.count == count ? kept : nil
      }
      try await broker.stop()
      try await agent.line("connection lost")
      try await broker.start()
      let subscriber = try await scene.subscriber(to: broker)
      try await subscriber.record(of: "limpet/board/status") { $0.payload == "online" }
      try await until("all are retained again", within: .seconds(3)) { try await kept() == before }
      let ending = try await agent.end()
      #expect(ending == .exited(0))
    }
  }

  @Test("a new session gets them after the birth and before the backlog, one that is present does not")
  func order() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker { packet, connection in
        guard case .connect = packet else { return FakeBroker.obliging(packet, connection) }
        connection.send(.connack(ConnAck(sessionPresent: connection.number == 2, reasonCode: .success)))
      }
      var settings = scene.settings(port: broker.port)
      settings.sensors += Self.sensors(1)
      let agent = try scene.agent(settings)
      let first = try await broker.connection(1)
      try await until("readings come") { first.publishes("load").count > 2 && first.publishes("kept0").count == 1 }
      first.close()
      let second = try await broker.connection(2)
      try await until("readings come") { second.publishes("load").count > 5 }
      #expect(second.publishes("kept0").isEmpty)
      second.close()
      let third = try await broker.connection(3)
      try await until("readings come") { third.publishes("load").count > 5 }
      #expect(third.publishes("kept0").map(\.message.payload) == first.publishes("kept0").map(\.message.payload))
      #expect(third.publishes("kept0").allSatisfy { $0.message.retain && !$0.duplicate })
      let topics = third.publishes.filter { !$0.duplicate }.map { "\($0.message.topic)".split(separator: "/").last }
      #expect(topics.prefix(2) == ["status", "presence"])
      let place = try #require(topics.firstIndex(of: "kept0"))
      #expect(place < topics.count - 4)
      _ = try await agent.end()
    }
  }

  @Test("a name that left while the broker was away is cleared by the next process")
  func clearing() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      var settings = scene.settings(broker)
      let load = settings.sensors
      settings.sensors += ["{name: old, type: system, value: load5, interval: 50ms, retain: true}"]
      let agent = try scene.agent(settings)
      try await until("it is retained") { try await scene.retained(by: broker)["limpet/board/old"] != nil }
      try await broker.stop()
      try await agent.line("connection lost")
      settings.sensors = load
      let file = try scene.write(settings.text, to: "agent.yaml")
      #expect(try await scene.limpet("reload", "--config", file).ending == .exited(0))
      try await agent.end()
      try await broker.start()
      #expect(try await scene.retained(by: broker)["limpet/board/old"] != nil)
      let next = try scene.agent(settings)
      try await until("it is gone") { try await scene.retained(by: broker)["limpet/board/old"] == nil }
      _ = try await next.end()
    }
  }

  @Test("a clearing that the broker refuses is no refused reading, and one that it takes is no delivered one")
  func refusedClearing() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker { packet, connection in
        if case .publish(let publish) = packet, publish.message.payload.readableBytes == 0,
          publish.message.topic.description.hasSuffix("/old0"), let identifier = publish.packetIdentifier
        {
          return connection.send(.puback(Acknowledgement(identifier, reasonCode: .notAuthorized)))
        }
        FakeBroker.obliging(packet, connection)
      }
      var settings = scene.settings(port: broker.port)
      settings.sensors = (0..<2).map { "{name: old\($0), type: system, value: load5, interval: 1h, retain: true}" }
      let agent = try scene.agent(settings)
      let first = try await broker.connection(1)
      try await until("readings come") { !first.publishes("old0").isEmpty && !first.publishes("old1").isEmpty }
      settings.sensors = ["{name: new, type: system, value: load1, interval: 1h}"]
      let file = try scene.write(settings.text, to: "agent.yaml")
      #expect(try await scene.limpet("reload", "--config", file).ending == .exited(0))
      try await agent.line("the broker refuses to clear the retained reading of limpet/board/old0: 0x87")
      let told = try await eventually("the new reading is delivered") { () -> [String: Double]? in
        let outcome = try await scene.limpet("status", "--json", "--config", file)
        let told = try figures(inStatus: outcome.output.joined())
        return told["under_way_messages"] == 0 && told["cleared_readings"] == 1 ? told : nil
      }
      #expect(told["delivered_readings"] == 3)
      #expect(told["refused_readings"] == 0)
      #expect(told["failed_clearings"] == 1)
      _ = try await agent.end()
    }
  }
}
