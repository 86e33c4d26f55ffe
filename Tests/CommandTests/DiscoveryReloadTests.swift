import Foundation
import TestScene
import Testing

@Suite("Home Assistant and Homie follow a reload", .showsLogs, .timed)
struct DiscoveryReloadTests {
  private static let topic = "homeassistant/device/limpet_board/config"
  private static let base = "homie/5/board"

  private func reload(_ scene: Scene, _ settings: Settings) async throws -> [String] {
    let file = try scene.write(settings.text, to: "agent.yaml")
    let outcome = try await scene.limpet("reload", "--config", file)
    #expect(outcome.errors == [])
    #expect(outcome.ending == .exited(0))
    return outcome.output
  }

  @Test("Home Assistant: what left is taken away, what is new is described; off clears it, on describes it again")
  func homeAssistant() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      var settings = scene.settings(of: broker, telling: "homeassistant: {enabled: true}")
      let subscriber = try await scene.subscriber(to: broker, "homeassistant/#", "ha/#")
      let agent = try scene.agent(settings, board: scene.thermalBoard())
      try await subscriber.record(of: Self.topic)
      settings.sensors[1] = "{name: fan, type: hwmon, chip: pwmfan, channel: fan1}"
      #expect(try await reload(scene, settings) == ["new: fan", "removed: cpu_temperature"])
      try await until("it is described anew") { subscriber.news(of: Self.topic).count == 3 }
      let news = subscriber.news(of: Self.topic).map(\.payload)
      #expect(news[1].hasSuffix(#""cmps":{"cpu_temperature":{"p":"sensor"}}}"#))
      #expect(news[2].contains("cpu_temperature") == false && news[2].contains(#""fan":{"p":"sensor""#))
      for payload in news { #expect(HomeAssistantSchema.problems(topic: Self.topic, payload: payload) == []) }
      #expect(try await reload(scene, settings) == ["nothing has changed"])

      settings.device = "board, name: Shed"
      #expect(try await reload(scene, settings) == ["homeassistant"])
      try await until("it has a name") {
        subscriber.news(of: Self.topic).last?.payload.contains(#""name":"Shed""#) == true
      }

      settings.lines = ["homeassistant: {enabled: false}"]
      #expect(try await reload(scene, settings) == ["homeassistant"])
      try await until("it is cleared") { subscriber.news(of: Self.topic).last?.payload == "" }
      try await broker.line("Received UNSUBSCRIBE from board")
      // The reload that changed nothing told nothing.
      #expect(subscriber.news(of: Self.topic).count == 5)

      settings.lines = ["homeassistant: {enabled: true, prefix: ha}"]
      #expect(try await reload(scene, settings) == ["homeassistant"])
      let moved = "ha/device/limpet_board/config"
      try await subscriber.record(of: moved)
      try await broker.line("ha/status (QoS")
      try await subscriber.publish("online", to: "ha/status")
      // Once or twice: what left while nobody listened comes back for a moment, to be taken away.
      try await until("it is told again") { subscriber.news(of: moved).count >= 2 }
      #expect(try await agent.end() == .exited(0))
      #expect(try await scene.retained(by: broker, "homeassistant/#").isEmpty)
    }
  }

  private func states(_ subscriber: Subscriber) -> [String] {
    subscriber.news(of: "\(Self.base)/$state").map(\.payload)
  }

  @Test("Homie: init, another description, ready, over the same connection; a property that left is cleared")
  func homie() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      var settings = scene.settings(of: broker, telling: "homie: {enabled: true}")
      settings.inputs = []
      // Said once, and not again by itself.
      settings.sensors[0] = "{name: load, type: system, value: load1, interval: 50ms, change: 1000000}"
      let subscriber = try await scene.subscriber(to: broker, "homie/#", qos: .exactlyOnce)
      let agent = try scene.agent(settings, board: scene.thermalBoard())
      try await until("it is ready") { states(subscriber) == ["init", "ready"] }
      settings.sensors[1] = "{name: load15, type: system, value: load15, interval: 50ms}"
      _ = try await reload(scene, settings)
      try await until("it is ready again") { states(subscriber) == ["init", "ready", "init", "ready"] }
      let heard = subscriber.records.map {
        HomieRules.Heard(topic: $0.topic, payload: $0.payload, qos: $0.qos)
      }
      #expect(HomieRules.problems(base: Self.base, heard: heard) == [])
      let kept = try await scene.retained(by: broker, "homie/#")
      #expect(
        kept.keys.sorted()
          == ["$description", "$state", "load/value", "load15/value"].map { "\(Self.base)/\($0)" })
      #expect(kept["\(Self.base)/$description"]?.payload.contains("load15") == true)
      #expect(broker.count(" as board-homie ") == 1)
      #expect(try await agent.end() == .exited(0))
      try await until("it says good-bye") { states(subscriber).last == "disconnected" }
    }
  }

  @Test(
    "Homie off: the device ceases to exist, in the convention's order; on again: it is there; another connection: it is made anew"
  )
  func homieSwitched() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      var settings = scene.settings(of: broker, telling: "homie: {enabled: true}")
      let subscriber = try await scene.subscriber(to: broker, "homie/#", qos: .exactlyOnce)
      let agent = try scene.agent(settings, board: scene.thermalBoard())
      try await until("it is ready") { states(subscriber) == ["init", "ready"] }
      settings.lines = []
      #expect(try await reload(scene, settings) == ["homie"])
      try await until("it is gone") { try await scene.retained(by: broker, "homie/#").isEmpty }
      #expect(states(subscriber) == ["init", "ready", "disconnected", ""])
      settings.lines = ["homie: {enabled: true}"]
      #expect(try await reload(scene, settings) == ["homie"])
      try await until("it is ready again") { states(subscriber).suffix(2) == ["init", "ready"] }
      settings.broker.append("keepalive: 17s")
      #expect(try await reload(scene, settings) == ["the connection"])
      try await until("it is there by the new connection") {
        states(subscriber).suffix(3) == ["disconnected", "init", "ready"]
      }
      #expect(broker.count(" as board-homie ") == 3)
      #expect(try await agent.end() == .exited(0))
      #expect(states(subscriber).contains("lost") == false)
    }
  }
}
