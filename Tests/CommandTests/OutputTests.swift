import Foundation
import Glibc
import TestScene
import Testing

/// Outputs on the real binary and a real broker; what is driven is an LED's file in a made-up tree.
@Suite("outputs", .showsLogs, .timed)
struct OutputTests {
  private struct State: Decodable, Equatable {
    let value: Double?
    let cause: String?
    let seq: UInt64
    let quality: String?
  }

  private let topic = "limpet/board/lamp"

  private func tree(_ scene: Scene) throws -> BoardTree {
    let tree = try BoardTree(scene, "root")
    try tree.write("0\n", to: "/sys/class/leds/lamp/brightness")
    try tree.write("255\n", to: "/sys/class/leds/lamp/max_brightness")
    try tree.write("[none] timer\n", to: "/sys/class/leds/lamp/trigger")
    return tree
  }

  private func brightness(_ tree: BoardTree) -> String {
    ((try? String(contentsOfFile: tree.path + "/sys/class/leds/lamp/brightness", encoding: .utf8)) ?? "")
      .trimmingCharacters(in: .whitespacesAndNewlines)
  }

  private func states(_ subscriber: Subscriber) throws -> [State] {
    try subscriber.news(of: topic).map { try JSONDecoder().decode(State.self, from: Data($0.payload.utf8)) }
  }

  private func state(_ subscriber: Subscriber, _ value: Double, _ cause: String) async throws {
    try await eventually("\(value) by \(cause)") {
      try states(subscriber).last.flatMap { $0.value == value && $0.cause == cause ? $0 : nil }
    }
  }

  private func settings(_ scene: Scene, _ broker: Mosquitto, _ rules: String = "") -> Settings {
    var settings = scene.settings(broker)
    settings.sensors = []
    settings.lines = ["outputs:", "  - {name: lamp, type: led, led: lamp\(rules)}"]
    return settings
  }

  @Test("a command drives it, the state is retained with its cause, and a stop switches it off")
  func drives() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      let tree = try tree(scene)
      let agent = try scene.agent(settings(scene, broker), board: tree)
      try await subscriber.status("online")
      try await state(subscriber, 0, "start")
      try await subscriber.publish("on", to: "\(topic)/set")
      try await state(subscriber, 100, "command")
      #expect(brightness(tree) == "255")
      try await subscriber.publish(#"{"value":40,"for":"300ms"}"#, to: "\(topic)/set")
      try await state(subscriber, 40, "command")
      try await state(subscriber, 0, "for")
      try await subscriber.publish("on", to: "\(topic)/set")
      try await state(subscriber, 100, "command")
      #expect(try await agent.end() == .exited(0))
      #expect(brightness(tree) == "0")
      try await state(subscriber, 0, "stop")
      let kept = try await scene.retained(by: broker)
      #expect(kept[topic]?.payload.contains("\"cause\":\"stop\"") == true)
      let numbers = try states(subscriber).map(\.seq)
      #expect(numbers == Array(1...UInt64(numbers.count)))
    }
  }

  @Test("a retained command switches nothing, and one that waited while it was away does not either")
  func refuses() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      let tree = try tree(scene)
      try await subscriber.publish("on", to: "\(topic)/set", retain: true)
      let agent = try scene.agent(settings(scene, broker), board: tree)
      try await agent.line("is retained")
      try await state(subscriber, 0, "start")
      #expect(try await agent.end() == .exited(0))
      try await subscriber.publish("", to: "\(topic)/set", retain: true)
      // The session keeps this one.
      try await subscriber.publish("on", to: "\(topic)/set")
      let before = subscriber.news(of: "limpet/board/status").count
      let next = try scene.agent(settings(scene, broker), board: tree)
      try await subscriber.status("online", skipping: before)
      try await next.line("it waited while this device was away")
      #expect(brightness(tree) == "0")
      // The fence lets what comes now through.
      try await eventually("it is switched on") {
        try await subscriber.publish("on", to: "\(topic)/set")
        return brightness(tree) == "255" ? true : nil
      }
    }
  }

  @Test("limpet set goes by the same rules, and says what came of it")
  func set() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      let tree = try tree(scene)
      _ = try scene.agent(settings(scene, broker, ", min_off: 1h, start: on"), board: tree)
      try await subscriber.status("online")
      try await state(subscriber, 0, "start")
      let config = "\(scene.folder)/agent.yaml"
      let refused = try await scene.limpet("set", "lamp", "on", "--config", config)
      #expect(refused.ending == .exited(1))
      #expect(refused.errors.first?.contains("min_off") == true)
      let done = try await scene.limpet("set", "lamp", "off", "--config", config)
      #expect(done.ending == .exited(0))
      #expect(done.output == [#"{"ok":true,"value":0}"#])
      let unknown = try await scene.limpet("set", "lmap", "on", "--config", config)
      #expect(unknown.errors.first?.contains("lmap") == true)
    }
  }

  @Test("limpet outputs --safe has a daemon make its outputs safe past max_age and min_on, and tells of one it cannot")
  func safe() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      let tree = try tree(scene)
      var settings = settings(scene, broker, ", max_age: 30s, min_on: 1h, start: on")
      settings.lines.append("control: \(scene.folder)/limpet.sock")
      let agent = try scene.agent(settings, board: tree)
      try await subscriber.status("online")
      try await state(subscriber, 100, "start")
      let done = try await scene.limpet("outputs", "--safe", "--directory", scene.folder)
      #expect(done.ending == .exited(0))
      #expect(done.output == ["lamp: 0.0"])
      try await state(subscriber, 0, "stop")
      #expect(brightness(tree) == "0")
      settings.lines[1] = "  - {name: lamp, type: led, led: no-such-led}"
      _ = try scene.write(settings.text, to: "agent.yaml")
      _ = try await scene.limpet("reload", "--config", "\(scene.folder)/agent.yaml")
      try await agent.line("cannot be driven")
      let failed = try await scene.limpet("outputs", "--safe", "--directory", scene.folder)
      #expect(failed.ending == .exited(1))
      #expect(failed.errors.first?.contains("lamp") == true)
    }
  }

  @Test("limpet set is answered when the kernel does not return from driving it", .enabled(if: HangingFile.isPossible))
  func hangs() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      let tree = try tree(scene)
      _ = try scene.agent(settings(scene, broker), board: tree)
      try await state(subscriber, 0, "start")
      try HangingFile.mount(on: tree.path + "/sys/class/leds/lamp/brightness", scene)
      let refused = try await scene.limpet("set", "lamp", "on", "--config", "\(scene.folder)/agent.yaml")
      #expect(refused.ending == .exited(1))
      #expect(refused.errors.first?.contains("its driver does not answer") == true, "\(refused.errors)")
    }
  }

  @Test("what cannot be written down for limpet outputs --safe is said")
  func record() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let tree = try tree(scene)
      let agent = try scene.agent(settings(scene, broker), board: tree)
      try await agent.line("there is no runtime folder")
      #expect(try await agent.end() == .exited(0))
      let other = try scene.agent(
        settings(scene, broker), board: tree, under: ["env", "RUNTIME_DIRECTORY=\(scene.folder)/missing:/run/other"])
      try await other.line("\(scene.folder)/missing/outputs.new")
    }
  }

  @Test("Homie sets a value and presses, and is told what comes of it")
  func homie() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker, "homie/#")
      let tree = try tree(scene)
      for (name, text) in [("brightness", "0\n"), ("max_brightness", "1\n"), ("trigger", "[none]\n")] {
        try tree.write(text, to: "/sys/class/leds/bell/\(name)")
      }
      var settings = settings(scene, broker, ", min_on: 1s")
      settings.lines += ["  - {name: bell, type: led, led: bell, pulse: 100ms}", "homie: {enabled: true}"]
      let agent = try scene.agent(settings, board: tree)
      let base = "homie/5/board"
      try await subscriber.record(of: "\(base)/$state") { $0.payload == "ready" }
      let description = try #require(subscriber.records(of: "\(base)/$description").last?.payload)
      #expect(description.contains(#""settable":true"#) && description.contains(#""format":"press","retained":false"#))
      try await subscriber.record(of: "\(base)/lamp/value/$target") { $0.payload == "0" }
      try await subscriber.publish("40.0", to: "\(base)/lamp/value/set")
      try await subscriber.record(of: "\(base)/lamp/value/$target", "byte for byte") { $0.payload == "40.0" }
      try await subscriber.record(of: "\(base)/lamp/value") { $0.payload == "40" }
      #expect(brightness(tree) == "102")
      try await subscriber.publish("0", to: "\(base)/lamp/value/set")
      try await subscriber.record(of: "\(base)/lamp/value", "after min_on") { $0.payload == "0" && !$0.isRetained }
      try await eventually("off") { brightness(tree) == "0" ? true : nil }
      try await subscriber.publish("press", to: "\(base)/bell/value/set")
      try await subscriber.record(of: "\(base)/bell/value") { $0.payload == "press" }
      #expect(try await agent.end() == .exited(0))
      let kept = try await scene.retained(by: broker, "homie/#")
      #expect(kept["\(base)/bell/value"] == nil)
      #expect(kept["\(base)/lamp/value/$target"]?.payload == "0")
    }
  }

  @Test("with commands: off nothing is subscribed to")
  func off() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      let tree = try tree(scene)
      var settings = settings(scene, broker)
      settings.lines.append("commands: off")
      _ = try scene.agent(settings, board: tree)
      try await subscriber.status("online")
      try await state(subscriber, 0, "start")
      try await subscriber.publish("on", to: "\(topic)/set")
      let done = try await scene.limpet("set", "lamp", "on", "--config", "\(scene.folder)/agent.yaml")
      #expect(done.ending == .exited(0))
      try await state(subscriber, 100, "command")
      #expect(try states(subscriber).count == 2)
    }
  }
}
