import Foundation
import LimpetInstants
import MQTT
import TestScene
import Testing

@Suite("The presence topic tells the truth", .showsLogs, .timed)
struct PresenceTests {
  /// A broker, somebody who watches it, and an agent that is online.
  private struct Stage {
    let broker: Mosquitto
    let subscriber: Subscriber
    let settings: Settings
    let agent: Agent
  }

  private func stage(
    _ scene: Scene, _ way: Way, isDurable: Bool = false, _ change: (inout Settings) -> Void = { _ in }
  ) async throws -> Stage {
    let certificates = way.isTLS ? try await scene.certificates() : nil
    let broker = try await scene.mosquitto(tls: certificates)
    let subscriber = try await scene.subscriber(to: broker, isDurable: isDurable)
    var settings = scene.settings(broker, way, certificates)
    change(&settings)
    let agent = try scene.agent(settings)
    try await subscriber.status("online")
    return Stage(broker: broker, subscriber: subscriber, settings: settings, agent: agent)
  }

  @Test(
    """
    over every transport, the birth: status online, then a presence that describes it, both retained \
    [MQTT-4.2.0-1] [MQTT-7.1.2-1 v3.1.1]
    """, arguments: Way.allCases)
  func birth(_ way: Way) async throws {
    try await withScene { scene in
      let started = Date()
      let stage = try await stage(scene, way) { $0.broker.append("keepalive: 20s") }
      let presence = try await stage.subscriber.presence("birth")
      #expect(presence.reason == "start")
      #expect(presence.epoch == 1)
      #expect(!presence.instance.isEmpty)
      #expect(presence.version == "0.1.0")
      #expect(presence.sessionPresent == false)
      #expect(presence.detectWithin == (way.isTLS && way.isWebSocket ? 41 : 36))
      let since = try Date.ISO8601FormatStyle(includingFractionalSeconds: true).parse(presence.since)
      #expect(started.addingTimeInterval(-0.1)...Date() ~= since)
      #expect(
        try #require(stage.subscriber.records(of: "limpet/board/presence").first)
          .payload.contains("\"conflict\":null"))

      let records = stage.subscriber.records.map(\.topic)
      #expect(Array(records.prefix(2)) == ["limpet/board/status", "limpet/board/presence"], "in this order, first")
      let status = try await stage.subscriber.status("online")
      let expected = ["epoch": "1", "instance": presence.instance, "reason": "start"]
      #expect(status.userProperties == (way.version == "5" ? expected : [:]))

      let retained = try await scene.retained(by: stage.broker)
      #expect(Set(retained.keys) == ["limpet/board/status", "limpet/board/presence"])
      #expect(retained["limpet/board/status"]?.payload == "online")
      // As in "Will message specified (7 bytes) (r1, q1)."
      #expect(stage.broker.log.contains { $0.hasSuffix("Will message specified (7 bytes) (r1, q1).") })
    }
  }

  @Test(
    "SIGTERM and SIGINT: presence says stop, status says offline, then DISCONNECT and exit 0",
    arguments: Way.allCases, [SIGTERM, SIGINT])
  func cleanStop(_ way: Way, _ signal: Int32) async throws {
    try await withScene { scene in
      let stage = try await stage(scene, way)
      try await stage.subscriber.readings("load", atLeast: 2)
      let asked = ContinuousClock.now
      let ending = try await stage.agent.end(signal)
      #expect(ending == .exited(0))
      #expect(ContinuousClock.now - asked < .seconds(2), "well under shutdown_timeout")
      try await stage.subscriber.status("offline")

      let stop = try await stage.subscriber.presence("stop")
      #expect(stop.reason == "shutdown" && stop.epoch == 1)
      let topics = stage.subscriber.records.map(\.topic)
      #expect(topics.suffix(2) == ["limpet/board/presence", "limpet/board/status"], "the last, in this order")
      let offline = try #require(stage.subscriber.records.last)
      #expect(offline.userProperties["reason"] == (way.version == "5" ? "shutdown" : nil))
      #expect(offline.userProperties["instance"] == (way.version == "5" ? stop.instance : nil))
      #expect(stage.broker.log.contains { $0.contains("Received DISCONNECT from board") })
      #expect(!stage.broker.log.contains { $0.contains("board closed its connection") })
      #expect(try await scene.retained(by: stage.broker)["limpet/board/status"]?.payload == "offline")

      let readings = try stage.subscriber.readings("load")
      #expect(readings.map(\.seq) == Array(1...readings.count))
      #expect(stage.agent.says("stopping"))
      #expect(!stage.agent.says("warning:") && !stage.agent.says("error:"))
    }
  }

  @Test("SIGKILL: the will says offline within half a second", arguments: Way.allCases)
  func killed(_ way: Way) async throws {
    try await withScene { scene in
      let stage = try await stage(scene, way)
      let killed = ContinuousClock.now
      stage.agent.process.signal(SIGKILL)
      let offline = try await stage.subscriber.status("offline")
      #expect(offline.received - killed < .milliseconds(500) * Patience.factor)
      #expect(offline.userProperties["reason"] == (way.version == "5" ? "lost" : nil))
      #expect(offline.userProperties["epoch"] == (way.version == "5" ? "1" : nil))
      let retained = try await scene.retained(by: stage.broker)
      #expect(retained["limpet/board/status"]?.payload == "offline")
      #expect(try Presence(json: #require(retained["limpet/board/presence"]).payload).event == "birth")
    }
  }

  @Test(
    "the broker stops and comes back: online again, no reading lost, in order",
    arguments: Way.allCases, [SIGTERM, SIGKILL])
  func brokerRestarts(_ way: Way, _ signal: Int32) async throws {
    try await withScene { scene in
      let stage = try await stage(scene, way, isDurable: true)
      try await stage.subscriber.readings("load", atLeast: 5)
      try await stage.broker.stop(signal)
      let stopped = ContinuousClock.now
      try await stage.agent.line("connection lost: ")
      let statuses = stage.subscriber.news(of: "limpet/board/status").count
      let presences = stage.subscriber.news(of: "limpet/board/presence").count
      try await until("the broker was away for 2 s, and was missed") {
        ContinuousClock.now - stopped > .seconds(2) && stage.agent.log.count { $0.contains("not connected: ") } >= 3
      }
      let cpu = try stage.agent.processorSeconds
      let before = try #require(try stage.subscriber.readings("load").last).seq
      try await stage.broker.start()
      try await stage.subscriber.status("online", skipping: statuses)
      // A broker that was killed may tell what it had saved before: the birth that counts comes after it.
      let again = try await eventually("the presence tells of the reconnection") {
        try stage.subscriber.news(of: "limpet/board/presence").dropFirst(presences)
          .map { try Presence(json: $0.payload) }.first { $0.reason == "reconnected" }
      }
      try await until("readings from before, from the gap and from after it have come") {
        try #require(try stage.subscriber.readings("load").last).seq > before + 50
      }
      let numbers = try stage.subscriber.readings("load").map(\.seq)
      let first = numbers.firstArrivals
      #expect(first == Array(1...first.count), "each number, in its order")
      #expect(numbers.count - first.count <= 100, "no more repeats than may have been under way")
      #expect(cpu < 2 * Double(Patience.factor), "no busy loop")
      let refused = stage.agent.log.filter { $0.contains("not connected: ") }
      // A broker that is closing down may take a connection once more, CONNECT with it, and end or reset it.
      let taken = ["the broker closed the connection while ", "Connection reset by peer; "]
      let met = refused.count { line in taken.contains { line.contains($0) } }
      #expect(
        (2...2 + met).contains(again.epoch), "one for each CONNECT, none for an attempt that found no server")
      let reasons = ["Connection refused; ", "No such file or directory; "] + taken
      let others = refused.filter { line in
        !reasons.contains { line.contains($0) } || !line.contains("next try in ")
      }
      #expect(others.isEmpty)

      let ending = try await stage.agent.end()
      #expect(ending == .exited(0))
      #expect(try await scene.retained(by: stage.broker)["limpet/board/status"]?.payload == "offline")
    }
  }

  @Test("presence.topic, online, offline, qos and will_delay are as configured")
  func configured() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker, "#")
      var settings = scene.settings(broker)
      settings.lines = [
        "presence: {topic: \"fleet/{device}/here\", online: \"ON\", offline: \"OFF\", qos: 0, will_delay: 1s}"
      ]
      let agent = try scene.agent(settings)
      let online = try await subscriber.record(of: "fleet/board/here")
      #expect(online.payload == "ON" && online.qos == .atMostOnce)
      let presence = try await eventually("a presence") { subscriber.records(of: "limpet/board/presence").first }
      #expect(try Presence(json: presence.payload).detectWithin == 52, "30 s × 1.5 + 6 s + 1 s")
      let killed = ContinuousClock.now
      agent.process.signal(SIGKILL)
      let offline = try await subscriber.record(of: "fleet/board/here") { $0.payload == "OFF" }
      #expect((.milliseconds(900)...(.seconds(4) * Patience.factor)).contains(offline.received - killed))
    }
  }

  @Test("a server that takes one message at a time is told all of it, in its order")
  func narrow() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto(lines: ["max_inflight_messages 1"])
      let subscriber = try await scene.subscriber(to: broker)
      var settings = scene.settings(broker)
      settings.sensors = ["{name: load, type: system, value: load1, interval: 20ms}"]
      let agent = try scene.agent(settings)
      try await subscriber.readings("load", atLeast: 20)
      let ending = try await agent.end()
      #expect(ending == .exited(0))
      #expect(agent.log.allSatisfy { !$0.contains(" error: ") })
      let said = subscriber.records.filter { $0.topic != "limpet/board/load" }
      #expect(said.map { $0.topic.dropFirst("limpet/board/".count) } == ["status", "presence", "presence", "status"])
    }
  }

  @Test("a second SIGTERM aborts: exit 1 at once, the transport closed without DISCONNECT", arguments: ["5", "3.1.1"])
  func secondSignal(_ version: String) async throws {
    try await withScene { scene in
      // It agrees, and never acknowledges: the clean stop hangs.
      let broker = try await scene.fakeBroker { packet, connection in
        if case .connect = packet { FakeBroker.obliging(packet, connection) }
      }
      var settings = scene.settings(port: broker.port, version: version)
      settings.broker.append("shutdown_timeout: 60s")
      let agent = try scene.agent(settings)
      let connection = try await broker.connection(1)
      try await until("a reading is under way") { !connection.publishes("load").isEmpty }
      agent.process.signal(SIGTERM)
      try await agent.line("stopping")
      let asked = ContinuousClock.now
      agent.process.signal(SIGTERM)
      let closed = try await connection.end()
      #expect(closed - asked < .milliseconds(500) * Patience.factor)
      #expect(connection.disconnect == nil)
      // What is left is the store's end, on a disk that others use too.
      let ending = try await agent.process.end()
      #expect(ending == .exited(1))
      #expect(ContinuousClock.now - asked < .seconds(5))
      #expect(agent.says("aborted"))
    }
  }

  @Test(
    """
    a stop that nobody acknowledges ends at shutdown_timeout, by an abort, having said offline at half of it, \
    however many readings are under way, where the server takes more
    """,
    // With the two of the birth, 97 are all that the session takes but for one.
    arguments: [1, 97])
  func unansweredStop(underWay: Int) async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker { packet, connection in
        if case .connect = packet { FakeBroker.obliging(packet, connection) }
      }
      var settings = scene.settings(port: broker.port)
      settings.broker.append("shutdown_timeout: 4s")
      let agent = try scene.agent(settings)
      let connection = try await broker.connection(1)
      try await until("readings are under way") { connection.publishes("load").count >= underWay }
      let asked = ContinuousClock.now
      let ending = try await agent.end(SIGTERM)
      #expect(ending == .exited(1))
      #expect(Duration.seen(.seconds(4)).contains(ContinuousClock.now - asked))
      let offline = try await connection.arrival("offline") { packet in
        if case .publish(let publish) = packet { String(buffer: publish.message.payload) == "offline" } else { false }
      }
      #expect(Duration.seen(.seconds(2)).contains(offline.time - asked))
      try await connection.end()
      #expect(connection.disconnect == nil)
    }
  }

  @Test("SIGTERM while the broker is away ends within shutdown_timeout, and says what was not said")
  func stopWithoutBroker() async throws {
    try await withScene { scene in
      var settings = scene.settings(port: try freePort())
      settings.broker.append("shutdown_timeout: 1500ms")
      let agent = try scene.agent(settings)
      try await until("attempts were made") { agent.log.count { $0.contains("not connected: ") } >= 4 }
      try await until("a reading was taken") {
        let status = try await scene.limpet("status", "--json", "--config", "\(scene.folder)/agent.yaml")
        return try status.output.first.map { try ControlStatus(json: $0).buffer.readings > 0 } ?? false
      }
      guard case .exited = try await agent.end(SIGTERM) else { return #expect(Bool(false), "it exits") }
      #expect(try agent.time(from: "stopping (", to: "notice: stopped") < 3.5 * Double(Patience.factor))
      #expect(agent.log.contains { $0.contains("in the storage for the next start") })
      #expect(agent.says("no broker knows this process"))
    }
  }

  @Test(
    """
    SIGTERM while the broker takes connections and never answers ends at shutdown_timeout, by an abort \
    [behaviour 12]
    """)
  func stopWithMuteBroker() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker { _, _ in }
      var settings = scene.settings(port: broker.port)
      settings.broker.append("shutdown_timeout: 1500ms")
      let agent = try scene.agent(settings)
      try await broker.connection(1).arrival("CONNECT") { if case .connect = $0 { true } else { false } }
      let ending = try await agent.end(SIGTERM)
      #expect(ending == .exited(1))
      #expect(try agent.time(from: "stopping (", to: "notice: stopped") < 3.5 * Double(Patience.factor))
      #expect(agent.log.contains { $0.contains("in the storage for the next start") })
    }
  }

  @Test("SIGTERM in a back-off, with the broker back: it connects once, sends what waits, and says offline")
  func stopInBackOff() async throws {
    try await withScene { scene in
      let stage = try await stage(scene, .tcp5, isDurable: true) { settings in
        settings.broker = ["reconnect: {min: 4h, max: 4h}"]
      }
      try await stage.subscriber.readings("load", atLeast: 3)
      try await stage.broker.stop()
      try await stage.agent.line("connection lost: ")
      let stopped = stage.subscriber.news(of: "limpet/board/status").count
      try await stage.broker.start()
      let ending = try await stage.agent.end()
      #expect(ending == .exited(0))
      try await stage.subscriber.status("offline", skipping: stopped)
      let stop = try await stage.subscriber.presence("stop")
      #expect(stop.epoch == 2)
      let numbers = try stage.subscriber.readings("load").map(\.seq).firstArrivals
      #expect(numbers == Array(1...numbers.count))
      #expect(stage.broker.log.contains { $0.contains("Received DISCONNECT from board") })
    }
  }
}
