import Foundation
import LimpetInstants
import MQTT
import MQTTCore
import NIOCore
import TestScene
import Testing

/// One line of `limpet watch --json`.
private struct Line: Decodable, Equatable {
  let time: String
  let device: String
  let state: String
  let payload: String?
  let previous: String?
  let since: String?
  let reason: String?
  let ended: String?
  let flapping: Bool
  let conflict: String?
  let epoch: Int?
  let instance: String?
  let retained: Bool
}

@Suite("limpet watch", .showsLogs, .timed)
struct WatchTests {
  private func watch(
    _ scene: Scene, _ broker: Mosquitto, _ arguments: String..., name: String = "watch"
  ) throws -> Child {
    try scene.spawn(name, [Scene.program, "watch", "--url", broker.url()] + arguments)
  }

  private func lines(_ child: Child) throws -> [Line] {
    try child.outputLines.map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
  }

  /// Waits for a line that comes after the first `skipping`.
  private func line(
    _ child: Child, _ what: String, skipping: Int = 0, within limit: Duration = .seconds(15),
    sourceLocation: SourceLocation = #_sourceLocation, where condition: (Line) -> Bool
  ) async throws -> Line {
    try await eventually("a line for \(what)", within: limit, sourceLocation: sourceLocation) {
      try lines(child).dropFirst(skipping).first(where: condition)
    }
  }

  func keep(_ scene: Scene, _ broker: Mosquitto, _ topic: String, _ payload: String) async throws {
    let arguments = ["mosquitto_pub", "-h", "127.0.0.1", "-p", "\(broker.port)", "-r", "-q", "1", "-t", topic]
    let child = try await scene.run(
      "keep\(scene.nextCommand())", arguments + (payload.isEmpty ? ["-n"] : ["-m", payload]))
    try #require(child.ending == .exited(0))
  }

  @Test(
    "an agent that comes, is stopped, comes again and is killed: a line for each, with how it went",
    arguments: [Way.tcp5, .tcp311])
  func comesAndGoes(_ way: Way) async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      var settings = scene.settings(broker, way)
      settings.sensors = []
      let child = try scene.spawn(
        "watch", [Scene.program, "watch", "--json", "--config", try scene.write(settings.text, to: "watch.yaml")])
      try await broker.line("Sending SUBACK to watch")
      let agent = try scene.agent(settings)
      let start = try await line(child, "the birth") { $0.state == "online" }
      #expect(start.previous == nil && !start.retained && start.device == "board")
      #expect(start.reason == (way.version == "5" ? "start" : nil), "on 3.1.1 it follows in presence")
      // Its presence has to be out before it goes.
      _ = try await eventually("the presence") { try await scene.retained(by: broker)["limpet/board/presence"] }
      try await agent.end()
      let stop = try await line(child, "the stop") { $0.state == "offline" }
      #expect(stop.previous == "online" && stop.ended == "clean" && stop.reason == "shutdown")
      #expect(stop.since != nil)

      let again = try scene.agent(settings)
      _ = try await line(child, "the second birth", skipping: 2) { $0.state == "online" }
      _ = try await eventually("the presence") {
        try await scene.retained(by: broker)["limpet/board/presence"]
          .flatMap { try Presence(json: $0.payload).epoch == 2 ? $0 : nil }
      }
      again.process.signal(SIGKILL)
      let lost = try await line(child, "the loss", skipping: 2) { $0.state == "offline" }
      #expect(lost.ended == "lost" && lost.reason == "lost" && lost.previous == "online")
      #expect(lost.epoch == 2 && lost.instance != nil)
      #expect(try lines(child).count == 4, "and nothing else")

      child.signal(SIGTERM)
      #expect(try await child.end() == .exited(0))
      #expect(child.errorLines == [])
      #expect(broker.log.contains { $0.contains("Received DISCONNECT from watch") })
    }
  }

  @Test("it observes only: an identifier of its own, a clean session, no will, no publishing")
  func observes() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker()
      for number in 1...2 {
        let child = try scene.spawn("watch", [Scene.program, "watch", "--url", "mqtt://127.0.0.1:\(broker.port)"])
        let connection = try await broker.connection(number)
        try await until("it subscribes") { connection.packets.count == 2 }
        child.signal(SIGINT)
        #expect(try await child.end() == .exited(0))
        let connect = try #require(connection.connect)
        #expect(connect.cleanStart && connect.will == nil && connect.properties.sessionExpiryInterval == nil)
        #expect(connect.clientIdentifier.hasPrefix("watch") && connect.clientIdentifier.count <= 23)
        #expect(number == 1 || connect.clientIdentifier != broker.connections[0].connect?.clientIdentifier)
        guard case .subscribe(let subscribe) = connection.packets[1] else {
          Issue.record("\(connection.packets[1])")
          continue
        }
        #expect(subscribe.subscriptions.map(\.filter.description) == ["limpet/+/status", "limpet/+/presence"])
        #expect(connection.disconnect != nil)
      }
    }
  }

  @Test("--once prints what is kept, offline first; --expect decides the exit status; --devices asks for exact topics")
  func once() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      for (device, payload) in [("b", "online"), ("a", "online"), ("z", "offline"), ("m", "odd\u{1B}[2J")] {
        try await keep(scene, broker, "limpet/\(device)/status", payload)
      }
      try await keep(
        scene, broker, "limpet/z/presence",
        """
        {"event":"stop","reason":"shutdown","epoch":1,"instance":"i","since":"2026-11-20T12:00:00.000Z","conflict":null}
        """)
      let text = try await scene.limpet("watch", "--url", broker.url(), "--once")
      #expect(
        text.output == [
          "z offline (clean), reason shutdown, since 2026-11-20T12:00:00.000Z", "m \"odd\\u{1b}[2J\"", "a online",
          "b online",
        ])
      #expect(text.ending == .exited(0) && text.errors == [])

      let json = try await scene.limpet("watch", "--url", broker.url(), "--once", "--json")
      let decoded = try json.output.map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
      #expect(decoded.map(\.device) == ["z", "m", "a", "b"])
      #expect(decoded.map(\.state) == ["offline", "other", "online", "online"])
      #expect(decoded.allSatisfy { $0.retained && $0.previous == nil })

      for (count, status) in [(0, 0), (2, 0), (3, 1)] as [(Int, Int32)] {
        let outcome = try await scene.limpet("watch", "--url", broker.url(), "--expect", "\(count)")
        #expect(outcome.ending == .exited(status), "\(count)")
        #expect(outcome.errors == (status == 0 ? [] : ["limpet watch: 2 online, 3 expected"]))
        #expect(outcome.output.count == 4)
      }

      let named = try await scene.limpet("watch", "--url", broker.url(), "--once", "--devices", "nobody,b")
      #expect(named.output == ["nobody unknown", "b online"])
      #expect(broker.log.contains { $0.contains("limpet/nobody/status (QoS 0)") })
    }
  }

  @Test("status topics of other agents, with any pair of payloads")
  func otherAgents() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      try await keep(scene, broker, "tele/plug/LWT", "Online")
      try await keep(scene, broker, "tele/lamp/LWT", "Offline")
      try await keep(scene, broker, "limpet/board/status", "online")
      let outcome = try await scene.limpet(
        "watch", "--url", broker.url(), "--once", "--topic", "tele/+/LWT", "--online", "Online", "--offline",
        "Offline")
      #expect(outcome.output == ["lamp offline", "plug online"])
    }
  }

  @Test("an online that nobody tells again expires here, where no message says so")
  func expiry() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let child = try watch(scene, broker, "--json")
      try await broker.line("Sending SUBACK to watch")
      let publish = try await scene.run(
        "publish",
        [
          "mosquitto_pub", "-V", "5", "-h", "127.0.0.1", "-p", "\(broker.port)", "-r", "-t", "limpet/a/status", "-m",
          "online", "-D", "publish", "message-expiry-interval", "1",
        ])
      try #require(publish.ending == .exited(0))
      let expired = try await line(child, "the expiry") { $0.state == "expired" }
      #expect(expired.previous == "online" && expired.ended == "lost" && expired.device == "a")
    }
  }

  @Test("--exec runs for changes, not for what was kept, and hangs or fails without holding anything up")
  func exec() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      try await keep(scene, broker, "limpet/a/status", "online")
      let file = scene.folder + "/ran"
      let command = """
        echo "$LIMPET_DEVICE $LIMPET_PREVIOUS $LIMPET_STATE $LIMPET_PAYLOAD" >> \(file); echo shown
        [ $LIMPET_DEVICE != hang ] || { echo $$ > \(scene.folder)/hanging; exec sleep 1000; }
        [ $LIMPET_DEVICE != fail ] || exit 7
        """
      let child = try watch(scene, broker, "--json", "--exec", command)
      _ = try await line(child, "what is kept") { $0.device == "a" }
      try await keep(scene, broker, "limpet/hang/status", "online")
      try await keep(scene, broker, "limpet/a/status", "$(touch \(scene.folder)/evil)")
      try await keep(scene, broker, "limpet/fail/status", "offline")
      func ran() -> [String] {
        ((try? String(contentsOfFile: file, encoding: .utf8)) ?? "").split(separator: "\n").map(String.init)
      }
      try await until("three commands ran") { ran().count == 3 }
      #expect(ran().contains("hang  online ") && ran().contains("fail  offline "))
      #expect(ran().contains { $0.hasPrefix("a online other $(touch ") })
      #expect(!FileManager.default.fileExists(atPath: scene.folder + "/evil"))
      try await until("the failure is told") {
        child.errorLines.contains("limpet watch: the command for fail ended with status 7")
      }
      #expect(try lines(child).count == 4, "output of commands is not among the lines")
      #expect(child.errorLines.contains("shown"))
      child.signal(SIGTERM)
      #expect(try await child.end() == .exited(0), "though a command still runs")
      let hanging = try String(contentsOfFile: scene.folder + "/hanging", encoding: .utf8)
      kill(try #require(pid_t(hanging.trimmingCharacters(in: .whitespacesAndNewlines))), SIGKILL)
    }
  }

  @Test("the broker goes and comes back: it says so, and shows what changed meanwhile")
  func brokerRestarts() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      try await keep(scene, broker, "limpet/a/status", "online")
      let settings = scene.settings(broker)
      let child = try scene.spawn(
        "watch", [Scene.program, "watch", "--json", "--config", try scene.write(settings.text, to: "watch.yaml")])
      _ = try await line(child, "what is kept") { $0.state == "online" }
      try await broker.stop()
      try await until("it says so") { child.errorLines.contains { $0.contains("connection lost: ") } }
      #expect(child.errorLines.first?.contains("; next try in ") == true)
      try await broker.start()
      try await until("it is back") { child.errorLines.contains("limpet watch: connected to \(broker.url())") }
      try await keep(scene, broker, "limpet/a/status", "offline")
      let change = try await line(child, "the change") { $0.state == "offline" }
      #expect(change.previous == "online")

      try await keep(scene, broker, "limpet/\(String(repeating: "n", count: 300))/status", "online")
      try await until("it says what it leaves out") {
        child.errorLines.contains { $0.contains("leaves some devices out") }
      }
      #expect(try lines(child).allSatisfy { $0.device == "a" })
    }
  }

  @Test("--once without a broker, and a subscription that is refused: one sentence, exit 1")
  func failures() async throws {
    try await withScene { scene in
      let port = try freePort()
      let nobody = try await scene.limpet("watch", "--url", "mqtt://127.0.0.1:\(port)", "--once")
      #expect(nobody.ending == .exited(1) && nobody.output == [])
      #expect(
        nobody.errors == [
          "limpet watch: mqtt://127.0.0.1:\(port) cannot be reached: Connection refused; nothing listens on port \(port) there: is the broker running, and is the port right?"
        ])

      let broker = try await scene.fakeBroker { packet, connection in
        guard case .subscribe(let subscribe) = packet else { return FakeBroker.obliging(packet, connection) }
        let codes = subscribe.subscriptions.map { _ in ReasonCode.notAuthorized }
        connection.send(.suback(SubscriptionAcknowledgement(subscribe.packetIdentifier, reasonCodes: codes)))
      }
      let refused = try await scene.limpet("watch", "--url", "mqtt://127.0.0.1:\(broker.port)")
      #expect(refused.ending == .exited(1))
      #expect(
        refused.errors == [
          "limpet watch: no subscription to limpet/+/status: the broker says 0x87 not authorized",
          "limpet watch: no subscription to limpet/+/presence: the broker says 0x87 not authorized",
          "limpet watch: there is nothing to watch",
        ])
      for wrong in [
        ["--topic", "limpet/#"], ["--topic", "a/b", "--devices", "c"], ["--expect", "-1"],
        ["--once", "--exec", "true"],
        ["--online", "x", "--offline", "x"], ["--history-days", "3"], ["--http", "unix:page.sock"],
        ["--http", "unix:\(scene.folder)/page.sock"],
        ["--http", "127.0.0.1:1", "--history", "\(scene.folder)/h", "--history-days", "366"],
      ] {
        let child = try await scene.run(
          "wrong\(scene.nextCommand())", [Scene.program, "watch", "--url", "mqtt://127.0.0.1:1"] + wrong)
        #expect(child.ending == .exited(64), "\(wrong)")
      }
    }
  }

  @Test("a server of 3.1.1 alone is no reason for a word; one that keeps nothing is")
  func quiet() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker { packet, connection in
        guard case .connect = packet, connection.version == .v5 else { return FakeBroker.obliging(packet, connection) }
        connection.close()
      }
      let url = "mqtt://127.0.0.1:\(broker.port)"
      let named = try await scene.limpet("watch", "--url", url, "--once", "--devices", "a")
      #expect(named.output == ["a unknown"] && named.errors == [] && named.ending == .exited(0))
      let any = try await scene.limpet("watch", "--url", url, "--once")
      #expect(any.output == [] && any.ending == .exited(0))
      #expect(any.errors.count == 1 && any.errors.first?.contains("--devices") == true)
    }
  }

  @Test("ten thousand devices that the broker keeps are there in seconds")
  func many() async throws {
    try await withScene { scene in
      let count = 10_000
      var kept: [UInt8] = []
      for number in 0..<count {
        kept += retained("limpet/device\(number)/status", "online")
        kept += retained("limpet/device\(number)/presence", #"{"event":"birth","reason":"start","epoch":1}"#)
      }
      let broker = try await scene.fakeBroker { [kept] packet, connection in
        FakeBroker.obliging(packet, connection)
        if case .subscribe = packet { connection.send(kept) }
      }
      let started = ContinuousClock.now
      let outcome = try await scene.limpet(
        "watch", "--url", "mqtt://127.0.0.1:\(broker.port)", "--json", "--expect", "\(count)", within: .seconds(60))
      #expect(outcome.ending == .exited(0))
      #expect(outcome.output.count == count)
      #expect(outcome.output.allSatisfy { $0.contains(#""reason":"start""#) })
      // A release build needs about a second of this.
      #expect(ContinuousClock.now - started < .seconds(30) * Patience.factor)
    }
  }

  /// PUBLISH of MQTT 5 with QoS 0, RETAIN and less than 128 bytes.
  private func retained(_ topic: String, _ payload: String) -> [UInt8] {
    let body = [0, UInt8(topic.utf8.count)] + Array(topic.utf8) + [0] + Array(payload.utf8)
    return [0x31, UInt8(body.count)] + body
  }
}
