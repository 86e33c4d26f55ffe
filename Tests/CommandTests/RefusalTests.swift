import Foundation
import MQTT
import MQTTCore
import NIOCore
import TestScene
import Testing

@Suite("A topic that the broker refuses", .showsLogs, .timed)
struct RefusalTests {
  /// Refuses what is published to topics of this end, and closes as some brokers do.
  private static func denying(_ name: String, _ code: ReasonCode = .notAuthorized, closes: Bool) -> FakeBroker.Answer {
    { packet, connection in
      guard case .publish(let publish) = packet, publish.message.topic.description.hasSuffix("/" + name),
        let identifier = publish.packetIdentifier
      else { return FakeBroker.obliging(packet, connection) }
      if connection.version == .v5 { connection.send(.puback(Acknowledgement(identifier, reasonCode: code))) }
      if closes { connection.close() }
    }
  }

  private static let sensors = [
    "{name: load, type: system, value: load1, interval: 50ms}",
    "{name: up, type: system, value: uptime, interval: 50ms}",
  ]

  private func resting(_ scene: Scene) async throws -> [[String: Any]] {
    let status = try await scene.limpet("status", "--json", "--config", "\(scene.folder)/agent.yaml")
    let line = try #require(status.output.first)
    let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    return try #require(object["resting"] as? [[String: Any]])
  }

  @Test(
    "PUBACK 0x87, and a close where the broker closes: the topic rests, at once, and everything else goes on",
    arguments: [true, false])
  func denied(closes: Bool) async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker(answer: Self.denying("load", closes: closes))
      var settings = scene.settings(port: broker.port, version: "5")
      settings.sensors = Self.sensors
      let agent = try scene.agent(settings)
      let last = try await broker.connection(closes ? 2 : 1)
      try await until("the others go on") { last.publishes("up").count > 40 }
      #expect(broker.connections.count == (closes ? 2 : 1))
      if closes { #expect(last.publishes("load").isEmpty) }
      #expect(last.closed == nil)
      let lines = agent.log.filter { $0.contains("the broker refuses limpet/board/load: 0x87 not authorized; ") }
      #expect(lines.count == 1)
      let resting = try await resting(scene)
      #expect(resting.map { $0["topic"] as? String } == ["limpet/board/load"])
      #expect(resting.first?["code"] as? Int == 0x87 && resting.first?["times"] as? Int == 1)
      let text = try await scene.limpet("status", "--config", "\(scene.folder)/agent.yaml")
      #expect(text.output.joined(separator: " ").contains("refuses limpet/board/load"))
      // They wait: nothing was given up.
      let status = try await scene.limpet("status", "--json", "--config", "\(scene.folder)/agent.yaml")
      let counts = try figures(inStatus: try #require(status.output.first))
      #expect(counts["refused_readings"] == 0 && (counts["buffer_readings"] ?? 0) > 20)
      #expect(try await agent.end() == .exited(0))
      #expect(last.disconnect?.reasonCode == .success)
    }
  }

  @Test("what waited for a topic goes out in full by the next process, once the broker takes it")
  func keeps() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker(answer: Self.denying("load", closes: true))
      var settings = scene.settings(port: broker.port, version: "5")
      settings.sensors = Self.sensors
      let agent = try scene.agent(settings)
      let second = try await broker.connection(2)
      try await until("the others go on") { second.publishes("up").count > 20 }
      #expect(try await agent.end() == .exited(0))
      await broker.end()
      let kind = try await scene.fakeBroker()
      settings.url = "mqtt://127.0.0.1:\(kind.port)"
      _ = try scene.agent(settings)
      let connection = try await kind.connection(1)
      try await until("all of them come") { connection.publishes("load").count > 30 }
      let numbers = try connection.publishes("load").map { try Reading(json: String(buffer: $0.message.payload)).seq }
      #expect(Array(numbers.prefix(30)) == Array(1...30))
    }
  }

  @Test("3.1.1, where the broker only closes: three closes find the topic, and it rests")
  func closes() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker(answer: Self.denying("load", closes: true))
      var settings = scene.settings(port: broker.port, version: "3.1.1")
      settings.sensors = Self.sensors
      let agent = try scene.agent(settings)
      let fourth = try await broker.connection(4)
      try await until("the others go on") { fourth.publishes("up").count > 40 }
      #expect(broker.connections.count == 4 && fourth.publishes("load").isEmpty && fourth.closed == nil)
      try await agent.line("the broker refuses limpet/board/load: it closes the connection on each; ")
      let rests = try await resting(scene)
      #expect(rests.first?["code"] is NSNull)
    }
  }

  @Test(
    "a broker that refuses the status, or the presence, and closes: the agent stays connected, and says so",
    arguments: ["status", "presence"])
  func presence(_ name: String) async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker(answer: Self.denying(name, closes: true))
      var settings = scene.settings(port: broker.port, version: "5")
      settings.sensors = Self.sensors
      let agent = try scene.agent(settings)
      let second = try await broker.connection(2)
      try await until("readings go on") { second.publishes("up").count > 40 }
      #expect(broker.connections.count == 2 && second.closed == nil && second.publishes(name).isEmpty)
      let isStatus = name == "status"
      let status = try await scene.limpet("status", "--json", "--config", "\(scene.folder)/agent.yaml")
      let state = isStatus ? "\"refused\",\"refusal\":\"0x87 not authorized\"" : "\"online\""
      #expect(status.output.first?.contains("\"topic\":\"limpet/board/status\",\"state\":" + state) == true)
      let text = try await scene.limpet("status", "--config", "\(scene.folder)/agent.yaml")
      #expect(text.output.contains { $0.hasPrefix("presence    NOT ONLINE: the broker refuses it") } == isStatus)
      try await agent.line(
        "the broker refuses limpet/board/\(name): 0x87 not authorized; limpet cannot publish the presence")
    }
  }

  @Test("a payload that the broker refuses is that message's end, and the next ones go on")
  func payload() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker(answer: Self.denying("load", .payloadFormatInvalid, closes: false))
      var settings = scene.settings(port: broker.port, version: "5")
      settings.sensors = Self.sensors
      let agent = try scene.agent(settings)
      let first = try await broker.connection(1)
      try await until("all are tried") { first.publishes("load").count > 10 }
      #expect(agent.says("the broker refused a reading of limpet/board/load: 0x99"))
      let rests = try await resting(scene)
      #expect(rests.isEmpty)
    }
  }

  @Test("0x83 for ever on one topic: it is tried five times and rests, and no other reading waits")
  func heldForEver() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker(answer: Self.denying("load", .implementationSpecificError, closes: false))
      var settings = scene.settings(port: broker.port, version: "5")
      settings.sensors = [
        "{name: load, type: system, value: load1, interval: 1h}", Self.sensors[1],
      ]
      let agent = try scene.agent(settings)
      let first = try await broker.connection(1)
      try await until("the others go on", within: .seconds(2)) { first.publishes("up").count > 10 }
      #expect(first.publishes("load").count <= 2)
      try await agent.line("the broker refuses limpet/board/load: 0x83 ", within: .seconds(30))
      #expect(first.publishes("load").count == 5)
      let status = try await scene.limpet("status", "--json", "--config", "\(scene.folder)/agent.yaml")
      let counts = try figures(inStatus: try #require(status.output.first))
      #expect(counts["retried_messages"] == 4)
    }
  }
}
