import Foundation
import MQTT
import TestScene
import Testing

@Suite("Home Assistant and Homie", .showsLogs, .timed)
struct DiscoveryTests {
  private static let topic = "homeassistant/device/limpet_board/config"

  // MARK: Home Assistant

  @Test("one retained message after the birth, as the schema has it; again when Home Assistant starts")
  func homeAssistant() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker, "#")
      let agent = try scene.agent(
        scene.settings(of: broker, telling: "homeassistant: {enabled: true}"), board: scene.thermalBoard())
      let record = try await subscriber.record(of: Self.topic)
      #expect(HomeAssistantSchema.problems(topic: record.topic, payload: record.payload) == [])
      #expect(record.payload.contains(#""mdl":"Raspberry Pi 4 Model B""#))
      let topics = subscriber.records.map(\.topic)
      let birth = try #require(topics.firstIndex(of: "limpet/board/status"))
      #expect(birth < (try #require(topics.firstIndex(of: Self.topic))))
      let kept = try await scene.retained(by: broker, "#")
      #expect(kept[Self.topic]?.payload == record.payload)
      try await broker.line("homeassistant/status (QoS")
      // Whoever starts with another word has not started.
      try await subscriber.publish("offline", to: "homeassistant/status")
      try await subscriber.publish("online", to: "homeassistant/status")
      try await until("it is told again") { subscriber.news(of: Self.topic).count == 2 }
      #expect(try await agent.end() == .exited(0))
      #expect(subscriber.news(of: Self.topic).count == 2)
    }
  }

  @Test("a new process tells it again, a connection that comes back to its session does not, a new session does")
  func restarts() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto(isPersistent: false)
      let settings = scene.settings(of: broker, telling: "homeassistant: {enabled: true}")
      let board = try scene.thermalBoard()
      var subscriber = try await scene.subscriber(to: broker, "#")
      let first = try scene.agent(settings, board: board)
      try await subscriber.record(of: Self.topic)
      #expect(try await first.end() == .exited(0))
      let second = try scene.agent(settings, board: board)
      try await until("a new process tells it") { subscriber.news(of: Self.topic).count == 2 }
      await subscriber.end()
      try await broker.stop()
      try await broker.start()
      subscriber = try await scene.subscriber(to: broker, "#")
      try await subscriber.record(of: Self.topic, within: .seconds(20))
      #expect(try await second.end() == .exited(0))
    }
  }

  @Test("what leaves the configuration leaves Home Assistant, and everything does when it is switched off")
  func removal() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let board = try scene.thermalBoard()
      var settings = scene.settings(of: broker, telling: "homeassistant: {enabled: true}")
      let subscriber = try await scene.subscriber(to: broker, "homeassistant/#")
      let first = try scene.agent(settings, board: board)
      try await subscriber.record(of: Self.topic)
      // A crash must not make it forget either.
      try await first.end(SIGKILL)
      settings.sensors.removeLast()
      let second = try scene.agent(settings, board: board)
      try await until("it is described without") { subscriber.news(of: Self.topic).count >= 3 }
      let news = subscriber.news(of: Self.topic)
      #expect(news[1].payload.hasSuffix(#""cmps":{"cpu_temperature":{"p":"sensor"}}}"#))
      #expect(!news[2].payload.contains("cpu_temperature"))
      #expect(try await second.end() == .exited(0))
      settings.lines = []
      let third = try scene.agent(settings, board: board)
      try await until("it is cleared") { subscriber.news(of: Self.topic).last?.payload.isEmpty == true }
      #expect(try await third.end() == .exited(0))
      #expect(try await scene.retained(by: broker, "homeassistant/#").isEmpty)
    }
  }

  // MARK: Homie

  private func heard(_ subscriber: Subscriber) -> [HomieRules.Heard] {
    subscriber.records.map { .init(topic: $0.topic, payload: $0.payload, qos: $0.qos) }
  }

  private static let base = "homie/5/board"

  @Test("a Homie device keeps the convention's rules from init to disconnected, and is retained", arguments: Way.homie)
  func homie(_ way: Way) async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      var settings = scene.settings(of: broker, telling: "homie: {enabled: true}")
      settings.version = way.version
      let subscriber = try await scene.subscriber(to: broker, "homie/#", qos: .exactlyOnce)
      let board = try scene.thermalBoard()
      let agent = try scene.agent(settings, board: board)
      try await subscriber.record(of: "\(Self.base)/$state") { $0.payload == "ready" }
      try board.thermalZone(0, type: "cpu-thermal", temperature: 41_500)
      try await subscriber.record(of: "\(Self.base)/cpu-temperature/value") { $0.payload == "41.5" }
      let alert = try await subscriber.record(of: "\(Self.base)/$alert/door")
      #expect(alert.payload.hasPrefix("there is no GPIO chip"))
      let kept = try await scene.retained(by: broker, "homie/#")
      #expect(kept["\(Self.base)/cpu-temperature/value"]?.payload == "41.5")
      #expect(kept["\(Self.base)/$state"]?.payload == "ready")
      #expect(kept["\(Self.base)/$description"] != nil)
      #expect(broker.count(" as board-homie ") == 1)
      #expect(try await agent.end() == .exited(0))
      try await subscriber.record(of: "\(Self.base)/$state") { $0.payload == "disconnected" }
      // The door has never been read, so it has no value: everything else has.
      let problems = HomieRules.problems(base: Self.base, heard: heard(subscriber))
      #expect(problems.filter { $0 != "ready without [\"door/value\"]" } == [])
    }
  }

  @Test("a device that is killed is lost; it comes back ready")
  func lost() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let settings = scene.settings(of: broker, telling: "homie: {enabled: true}")
      let subscriber = try await scene.subscriber(to: broker, "homie/#", qos: .exactlyOnce)
      let board = try scene.thermalBoard()
      let first = try scene.agent(settings, board: board)
      try await subscriber.record(of: "\(Self.base)/$state") { $0.payload == "ready" }
      try await first.end(SIGKILL)
      try await subscriber.record(of: "\(Self.base)/$state") { $0.payload == "lost" }
      let second = try scene.agent(settings, board: board)
      try await until("it is ready again") {
        subscriber.news(of: "\(Self.base)/$state").map(\.payload) == ["init", "ready", "lost", "init", "ready"]
      }
      #expect(try await second.end() == .exited(0))
    }
  }

  @Test("what leaves the configuration leaves Homie, and everything does when it is switched off")
  func homieRemoval() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let board = try scene.thermalBoard()
      var settings = scene.settings(of: broker, telling: "homie: {enabled: true}")
      let subscriber = try await scene.subscriber(to: broker, "homie/#", qos: .exactlyOnce)
      let first = try scene.agent(settings, board: board)
      try await subscriber.record(of: "\(Self.base)/$state") { $0.payload == "ready" }
      #expect(try await first.end() == .exited(0))
      settings.sensors.removeLast()
      settings.inputs = []
      let second = try scene.agent(settings, board: board)
      try await until("it is ready again") { subscriber.news(of: "\(Self.base)/$state").last?.payload == "ready" }
      var kept = try await scene.retained(by: broker, "homie/#")
      #expect(
        kept.keys.sorted() == ["$description", "$state", "load/value"].map { "\(Self.base)/\($0)" })
      #expect(try await second.end() == .exited(0))
      settings.lines = []
      let third = try scene.agent(settings, board: board)
      try await until("it is gone") { subscriber.news(of: "\(Self.base)/load/value").last?.payload == "" }
      kept = try await scene.retained(by: broker, "homie/#")
      #expect(kept.isEmpty)
      #expect(try await third.end() == .exited(0))
    }
  }

  // MARK: check

  @Test("check says what home automation is told")
  func check() async throws {
    try await withScene { scene in
      let file = try scene.write(
        """
        device: {id: shed.1}
        broker: {url: mqtt://localhost}
        homeassistant: {enabled: true, prefix: ha}
        homie: {enabled: true, domain: farm}
        sensors: [{name: air, type: hwmon, chip: sht3x, channels: [temp1, humidity1]}]

        """, to: "c.yaml")
      let outcome = try await scene.limpet("check", "--config", file, "--root", scene.folder)
      #expect(outcome.ending == .exited(0))
      #expect(
        outcome.output.filter { $0.hasPrefix("discovery ") } == [
          "discovery Home Assistant: ha/device/limpet_shed_1_a21c32/config, 3 entities, retained; again when ha/status or homeassistant/status says online",
          "discovery Homie 5: farm/5/shed-1, 1 node, over a second connection with the client id shed.1-homie",
        ])
    }
  }
}

extension Way {
  fileprivate static let homie: [Way] = [.tcp5, .tcp311]
}

extension Scene {
  /// An agent with two sensors and a line that does not exist.
  func settings(of broker: Mosquitto, telling line: String) -> Settings {
    var settings = settings(broker)
    settings.lines = [line]
    settings.sensors = [
      "{name: load, type: system, value: load1, interval: 50ms}",
      "{name: cpu_temperature, type: thermal, zone: cpu-thermal, interval: 50ms}",
    ]
    settings.inputs = ["{name: door, line: GPIO17}"]
    return settings
  }

  func thermalBoard() throws -> BoardTree {
    let board = try BoardTree(self)
    try board.thermalZone(0, type: "cpu-thermal", temperature: 40_000)
    try board.write("Raspberry Pi 4 Model B\0", to: "/proc/device-tree/model")
    return board
  }
}
