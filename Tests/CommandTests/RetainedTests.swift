import Foundation
import MQTT
import NIOCore
import TestScene
import Testing

@Suite("What the broker retains of the readings", .showsLogs, .timed)
struct RetainedTests {
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
      try await agent.line("the broker refuses to forget the retained reading of limpet/board/old0: 0x87")
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
