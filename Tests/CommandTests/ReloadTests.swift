import Foundation
import LimpetInstants
import TestScene
import Testing

@Suite("limpet reload", .showsLogs, .timed)
struct ReloadTests {
  /// Writes the configuration and asks for it.
  private func reload(_ scene: Scene, _ settings: Settings) async throws -> Scene.Outcome {
    try await reload(scene, text: settings.text)
  }

  private func reload(_ scene: Scene, text: String) async throws -> Scene.Outcome {
    let file = try scene.write(text, to: "agent.yaml")
    return try await scene.limpet("reload", "--config", file)
  }

  private func numbers(_ subscriber: Subscriber, _ name: String) throws -> [Int] {
    // Without the empty message that clears a retained reading.
    try subscriber.records(of: "limpet/board/\(name)").filter { !$0.payload.isEmpty }.map {
      try Reading(json: $0.payload).seq
    }
  }

  @Test("a new sensor starts, a removed one is cleared, one that is the same goes on; the connection stays")
  func readings() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      var settings = scene.settings(broker)
      let load = settings.sensors
      settings.sensors += ["{name: old, type: system, value: load5, interval: 50ms, retain: true}"]
      settings.inputs = ["{name: door, line: nowhere}"]
      let agent = try scene.agent(settings)
      try await subscriber.readings("old", atLeast: 2)
      try await subscriber.readings("door", atLeast: 1)
      #expect(try await scene.retained(by: broker)["limpet/board/old"] != nil)

      settings.inputs = []
      settings.sensors = ["{name: new, type: system, value: load15, interval: 50ms}"] + load
      let outcome = try await reload(scene, settings)
      #expect(outcome.errors == [])
      #expect(outcome.output == ["new: new", "removed: door, old"])
      #expect(outcome.ending == .exited(0))
      try await subscriber.readings("new", atLeast: 2)
      try await until("the retained readings are gone") {
        let retained = try await scene.retained(by: broker)
        return retained["limpet/board/old"] == nil && retained["limpet/board/door"] == nil
      }
      let before = try numbers(subscriber, "load").count
      try await subscriber.readings("load", atLeast: before + 3)
      #expect(try numbers(subscriber, "load") == Array(1...(try numbers(subscriber, "load").count)))
      #expect(try numbers(subscriber, "new").first == 1)
      #expect(broker.count(" as board (") == 1)
      try await agent.line("the configuration was reloaded: new: new; removed: door, old")

      // A name that comes back goes on where it was.
      settings.sensors = load + ["{name: old, type: system, value: load5, interval: 50ms}"]
      let last = try #require(try numbers(subscriber, "old").last)
      _ = try await reload(scene, settings)
      try await until("it goes on") { try numbers(subscriber, "old").contains(last + 1) }
      #expect(try await reload(scene, settings).output == ["nothing has changed"])
      _ = try await agent.end()
    }
  }

  @Test("1-Wire sensors from before and after a reload share the conversions of their bus")
  func thermometers() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      let board = try BoardTree(scene)
      let master = "/sys/devices/w1_bus_master1"
      try board.write("0\n", to: master + "/therm_bulk_read")
      for number in 1...2 {
        let id = "28-00000000000\(number)"
        try board.write("2\(number)000\n", to: "\(master)/\(id)/temperature")
        try board.link("/sys/bus/w1/devices/" + id, to: "../../../..\(master)/\(id)")
      }
      func bulk() throws -> String {
        try String(contentsOfFile: board.path + master + "/therm_bulk_read", encoding: .utf8)
      }
      var settings = scene.settings(broker)
      settings.sensors = ["{name: first, type: w1, id: 28-000000000001, interval: 100ms}"]
      let agent = try scene.agent(settings, board: board)
      try await subscriber.readings("first", atLeast: 3)
      #expect(try bulk() == "0\n", "one sensor converts by itself")
      settings.sensors.append("{name: second, type: w1, id: 28-000000000002, interval: 100ms}")
      #expect(try await reload(scene, settings).ending == .exited(0))
      try await until("the master converts for both") { try bulk().hasPrefix("trigger\n") }
      try await until("both are read") {
        try subscriber.readings("first").last?.value == 21 && subscriber.readings("second").last?.value == 22
      }
      _ = try await agent.end()
    }
  }

  @Test("a configuration that is wrong: its errors go to whoever asked and to the log, exit 78, and the old one stays")
  func wrong() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      let settings = scene.settings(broker)
      let agent = try scene.agent(settings)
      try await subscriber.readings("load", atLeast: 1)
      let outcome = try await reload(scene, text: settings.text + "colour: red\nqos: 7\n")
      #expect(outcome.ending == .exited(78))
      #expect(outcome.output == [])
      #expect(outcome.errors.count == 3)
      #expect(outcome.errors.first?.contains("agent.yaml:") == true)
      #expect(outcome.errors.first?.contains("colour: unknown key") == true)
      #expect(outcome.errors.last?.contains("2 errors; limpet keeps the running configuration") == true)
      try await agent.line("colour: unknown key")
      let seen = try numbers(subscriber, "load").count
      try await subscriber.readings("load", atLeast: seen + 3)
      #expect(try numbers(subscriber, "load") == Array(1...(try numbers(subscriber, "load").count)))
    }
  }

  @Test("what takes a restart is named, exit 1, and nothing changes")
  func restart() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      var settings = scene.settings(broker)
      _ = try scene.agent(settings)
      try await subscriber.readings("load", atLeast: 1)
      settings.device = "other"
      settings.sensors = []
      let outcome = try await reload(scene, settings)
      #expect(outcome.ending == .exited(1))
      #expect(outcome.errors.first?.contains("device.id has changed, which needs a restart") == true)
      let seen = try numbers(subscriber, "load").count
      try await subscriber.readings("load", atLeast: seen + 2)
    }
  }

  @Test("where the connection's own keys change: offline with the reason reload, and a new connection; no reading lost")
  func connection() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      var settings = scene.settings(broker)
      let agent = try scene.agent(settings)
      try await subscriber.readings("load", atLeast: 3)
      settings.broker.append("keepalive: 17s")
      let outcome = try await reload(scene, settings)
      #expect(outcome.output == ["the connection"])
      let stop = try await subscriber.presence("stop")
      #expect(stop.reason == "reload")
      let birth = try await subscriber.presence("birth", skipping: 2)
      #expect(birth.reason == "reload")
      #expect(birth.epoch == 2)
      #expect(birth.detectWithin == 31.5)
      #expect(subscriber.news(of: "limpet/board/status").map(\.payload) == ["online", "offline", "online"])
      #expect(broker.log.contains { $0.contains("Received DISCONNECT from board") })
      let seen = try numbers(subscriber, "load").count
      try await subscriber.readings("load", atLeast: seen + 3)
      let numbers = Set(try numbers(subscriber, "load"))
      #expect(numbers == Set(1...(numbers.max() ?? 0)))
      _ = try await agent.end()
    }
  }

  @Test("another broker is connected to while the old one is away, and gets what waited")
  func otherBroker() async throws {
    try await withScene { scene in
      let first = try await scene.mosquitto()
      let second = try await scene.mosquitto("second")
      let subscriber = try await scene.subscriber(to: second)
      var settings = scene.settings(first)
      settings.broker = ["reconnect: {min: 60s, max: 10m}"]
      let agent = try scene.agent(settings)
      try await agent.line("connected to \(first.url(.tcp5))")
      try await first.stop()
      try await agent.line("connection lost")
      settings.url = second.url(.tcp5)
      _ = try await reload(scene, settings)
      try await subscriber.status("online")
      let readings = try await subscriber.readings("load", atLeast: 5)
      #expect(readings.map(\.seq) == Array(readings[0].seq..<readings[0].seq + readings.count))
      _ = try await agent.end()
    }
  }

  @Test("SIGHUP does the same")
  func signal() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      var settings = scene.settings(broker)
      let agent = try scene.agent(settings)
      try await subscriber.readings("load", atLeast: 1)
      settings.sensors.append("{name: new, type: system, value: load5, interval: 50ms}")
      try scene.write(settings.text, to: "agent.yaml")
      agent.process.signal(SIGHUP)
      try await subscriber.readings("new", atLeast: 1)
      try await agent.line("the configuration was reloaded: new: new")
      _ = try await agent.end()
    }
  }

  @Test("of signals that follow each other quickly the last one counts: what was written before it is taken")
  func signals() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      var settings = scene.settings(broker)
      let agent = try scene.agent(settings)
      try await subscriber.readings("load", atLeast: 1)
      let sensors = settings.sensors
      for round in 0..<20 {
        settings.sensors = sensors + ["{name: new\(round), type: system, value: load5, interval: 50ms}"]
        try scene.write(settings.text, to: "agent.yaml")
        agent.process.signal(SIGHUP)
      }
      try await subscriber.readings("new19", atLeast: 1)
      _ = try await agent.end()
    }
  }

  @Test("reloads under load, right and wrong ones: no reading lost, no descriptor or thread leaked, memory flat")
  func storm() async throws {
    let rounds = Selection.isWhole ? 1000 : 30
    try await withScene { scene in
      let broker = try await scene.mosquitto(
        logs: ["error", "warning", "notice", "information"], lines: ["max_queued_messages 0"])
      let subscriber = try await scene.subscriber(to: broker)
      var generator = SplitMix64(seed: 1)
      var settings = scene.settings(broker)
      settings.sensors = ["{name: load, type: system, value: load1, interval: 20ms}"]
      let agent = try scene.agent(settings)
      try await subscriber.readings("load", atLeast: 3)
      var baseline: (descriptors: Int, threads: Int, memory: Int)?
      for round in 0..<rounds {
        let isWrong = Int.random(in: 0..<4, using: &generator) == 0
        settings.sensors = ["{name: load, type: system, value: load1, interval: 20ms}"]
        for name in 0..<10 where Bool.random(using: &generator) {
          let interval = Int.random(in: 1...5, using: &generator) * 10
          let retain = Bool.random(using: &generator)
          settings.sensors.append(
            "{name: s\(name), type: system, value: load5, interval: \(interval)ms, retain: \(retain)}")
        }
        settings.inputs = (0..<4).filter { _ in Bool.random(using: &generator) }.map {
          "{name: i\($0), line: none\($0), mode: \(["state", "counter"].randomElement(using: &generator) ?? "state")}"
        }
        settings.broker = ["reconnect: {min: 50ms, max: 400ms}"]
        if Int.random(in: 0..<10, using: &generator) == 0 { settings.broker.append("keepalive: \(10 + round % 20)s") }
        let text = settings.text + (isWrong ? "sensor: []\n" : "")
        let outcome = try await reload(scene, text: text)
        #expect(outcome.ending == .exited(isWrong ? 78 : 0), "\(outcome.errors)")
        if round == rounds / 5 { baseline = try usage(agent) }
      }
      // The last one has nothing but what was there from the start.
      settings.sensors = ["{name: load, type: system, value: load1, interval: 20ms}"]
      settings.inputs = []
      #expect(try await reload(scene, settings).ending == .exited(0))
      let seen = try numbers(subscriber, "load").count
      try await subscriber.readings("load", atLeast: seen + 5)
      let before = try #require(baseline)
      try await until("descriptors and threads are given back") {
        let now = try usage(agent)
        return now.descriptors <= before.descriptors + 1 && now.threads <= before.threads + 1
      }
      if Selection.isWhole { #expect(try usage(agent).memory - before.memory < 4_000_000) }
      let ending = try await agent.end()
      #expect(ending == .exited(0))
      for name in ["load"] + (0..<10).map({ "s\($0)" }) {
        // A connection that is made anew may repeat what was under way.
        let numbers = Set(try numbers(subscriber, name))
        #expect(numbers == Set(1..<(numbers.max() ?? 0) + 1), "\(name)")
      }
      let retained = try await scene.retained(by: broker)
      #expect(Set(retained.keys) == ["limpet/board/status", "limpet/board/presence"])
    }
  }

  @Test("a storage that cannot be used refuses no reload: another broker, and a new sensor")
  func noStorage() async throws {
    try await withScene { scene in
      let first = try await scene.mosquitto()
      let second = try await scene.mosquitto("second")
      let subscriber = try await scene.subscriber(to: second)
      var settings = scene.settings(first)
      settings.storage = "/proc/limpet, sync: always"
      settings.lines = ["control: \(scene.folder)/limpet.sock"]
      let agent = try scene.agent(settings)
      try await agent.line("connected to \(first.url(.tcp5))")
      settings.url = second.url(.tcp5)
      settings.sensors.append("{name: new, type: system, value: load5, interval: 50ms}")
      #expect(try await reload(scene, settings).ending == .exited(0))
      try await subscriber.readings("load", atLeast: 2)
      try await subscriber.readings("new", atLeast: 2)
      _ = try await agent.end()
    }
  }

  @Test("readings of a name that came with a reload are in the storage, and the next process sends them")
  func newNameIsStored() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      var settings = scene.settings(broker)
      settings.storage += ", sync: always"
      let agent = try scene.agent(settings)
      try await subscriber.readings("load", atLeast: 2)
      try await broker.stop()
      settings.sensors = ["{name: new, type: system, value: load5, interval: 50ms}"]
      #expect(try await reload(scene, settings).ending == .exited(0))
      try await until("some wait on the disk") {
        let outcome = try await scene.limpet("status", "--json", "--config", scene.folder + "/agent.yaml")
        return try ControlStatus(json: outcome.output.joined()).buffer.stored >= 5
      }
      try await agent.end(SIGKILL)
      try await broker.start()
      let next = try scene.agent(settings)
      try await subscriber.readings("new", atLeast: 5)
      #expect(try numbers(subscriber, "new").prefix(5) == [1, 2, 3, 4, 5])
      _ = try await next.end()
    }
  }

  @Test("a storage that is begun anew after a reload keeps the random id of the device")
  func identity() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      var settings = scene.settings(broker)
      settings.device = nil
      settings.storage += ", sync: always"
      let agent = try scene.agent(settings)
      func statuses() -> [String] {
        subscriber.records.filter { $0.topic.hasSuffix("/status") && $0.payload == "online" }.map(\.topic)
      }
      try await until("it is online") { statuses().count == 1 }
      settings.sensors.append("{name: new, type: system, value: load5, interval: 50ms}")
      _ = try await reload(scene, settings)
      try FileManager.default.removeItem(atPath: scene.folder + "/storage/session.db")
      try await agent.line("the storage can be written again")
      _ = try await agent.end()
      let before = statuses().count
      let next = try scene.agent(settings)
      try await until("it is online again") { statuses().count > before }
      #expect(Set(statuses()).count == 1)
      _ = try await next.end()
    }
  }

  private func usage(_ agent: Agent) throws -> (descriptors: Int, threads: Int, memory: Int) {
    let folder = "/proc/\(agent.process.pid)"
    return (
      try FileManager.default.contentsOfDirectory(atPath: folder + "/fd").count,
      try FileManager.default.contentsOfDirectory(atPath: folder + "/task").count, try agent.residentBytes
    )
  }
}
