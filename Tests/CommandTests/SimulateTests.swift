import Foundation
import TestScene
import Testing

/// The last line of `limpet simulate --json`, as far as it is looked at.
private struct End: Decodable {
  struct Spread: Decodable {
    let count: Int
    let p50: Double
    let max: Double
  }
  struct Ended: Decodable {
    let kind: String
    let count: Int
    let offlineSeenSeconds: Spread?
  }
  struct Storm: Decodable {
    let lost: Int
    let allReturnedSeconds: Double?
  }

  let devices: Int
  let allOnlineSeconds: Double?
  let messagesPerSecond: Double
  let bytesPerSecond: Double
  let acknowledgedSeconds: Spread?
  let ends: [Ended]
  let storms: [Storm]
  let wrongStates: Int
  let statesLeft: Int
  let readings: Int
  let lostReadings: Int
  let excusedReadings: Int
  let retainedTopics: Int?
  let faults: [String]
}

/// The output of `limpet plan --json`, as far as it is compared.
private struct Paper: Decodable {
  let messagesPerSecond: Double
  let bytesPerSecond: Double
  let retainedTopics: Double
}

@Suite("limpet simulate", .showsLogs, .timed)
struct SimulateTests {
  private static var decoder: JSONDecoder {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return decoder
  }

  private static let queues = ["max_queued_messages 100000"]

  private func simulate(_ scene: Scene, _ arguments: String...) throws -> Child {
    try scene.spawn("simulate\(scene.nextCommand())", [Scene.program, "simulate"] + arguments)
  }

  private func end(_ child: Child) throws -> End {
    let line = try #require(child.outputLines.last, "\(child.errorLines)")
    return try Self.decoder.decode(End.self, from: Data(line.utf8))
  }

  private func configuration(_ scene: Scene, _ broker: Mosquitto, _ lines: String) throws -> String {
    try scene.write("broker:\n  url: \(broker.url())\n  reconnect: {min: 50ms, max: 400ms}\n\(lines)", to: "fleet.yaml")
  }

  @Test("devices that crash, stop and hang are seen offline in time, come back, and lose nothing")
  func churn() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto(savesAtOnce: false, lines: Self.queues)
      let file = try configuration(scene, broker, "  keepalive: 2s\n")
      let child = try simulate(
        scene, "--devices", "20", "--config", file, "--ramp", "1s", "--duration", "20s", "--readings", "1/s", "--churn",
        "crash=1/s,stop=1/s,half-open=1/s", "--json")
      #expect(try await child.end(within: .seconds(120)) == .exited(0))
      let end = try end(child)
      #expect(end.faults == [] && end.wrongStates == 0 && end.statesLeft == 0 && end.lostReadings == 0)
      #expect(try #require(end.allOnlineSeconds) < 20)
      #expect(end.readings > 100 && end.excusedReadings == 0)
      #expect(end.ends.map(\.kind) == ["crash", "stop", "half-open"])
      for kind in end.ends {
        let seen = try #require(kind.offlineSeenSeconds, "\(kind.kind)")
        #expect(seen.count > 3 && seen.max < (kind.kind == "half-open" ? 30 : 15), "\(kind)")
      }
      // 1.5 keepalives, and what the broker takes.
      #expect(try #require(end.ends.last?.offlineSeenSeconds).p50 > 2)
      #expect(end.retainedTopics == 40)
      #expect(try await scene.retained(by: broker, "limpet-sim/#").isEmpty)
    }
  }

  @Test("after a restart of the broker every device is online again, and no acknowledged reading is missing")
  func restart() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto(savesAtOnce: false, lines: Self.queues)
      let file = try configuration(scene, broker, "")
      let child = try simulate(
        scene, "--devices", "20", "--config", file, "--ramp", "1s", "--duration", "15s", "--readings", "1/s", "--json")
      try await until("all are online") { child.outputLines.contains { $0.contains(#""online":20,"#) } }
      try await broker.stop()
      try await broker.start()
      #expect(try await child.end(within: .seconds(120)) == .exited(0))
      let end = try end(child)
      #expect(end.faults == [])
      #expect(end.lostReadings == 0 && end.excusedReadings == 0 && end.wrongStates == 0)
      #expect(end.storms.count == 1 && end.storms.first?.lost == 20)
      #expect(try #require(end.storms.first?.allReturnedSeconds) < 20)
    }
  }

  @Test("SIGTERM ends it properly: devices say offline, and the broker forgets them")
  func signals() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let child = try simulate(
        scene, "--devices", "10", "--url", broker.url(), "--ramp", "0s", "--duration", "1h", "--json")
      try await until("all are online") { child.outputLines.contains { $0.contains(#""online":10,"#) } }
      child.signal(SIGTERM)
      #expect(try await child.end(within: .seconds(30)) == .exited(0))
      let end = try end(child)
      #expect(end.ends.first?.kind == "stop" && end.ends.first?.offlineSeenSeconds?.count == 10)
      #expect(try await scene.retained(by: broker, "limpet-sim/#").isEmpty)
    }
  }

  @Test("--clean has the broker forget what a rehearsal that was killed has left, and nothing else")
  func clean() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      try await scene.run(
        "keep",
        ["mosquitto_pub", "-h", "127.0.0.1", "-p", "\(broker.port)", "-r", "-t", "limpet/board/status", "-m", "online"])
      let child = try simulate(scene, "--devices", "10", "--url", broker.url(), "--ramp", "0s", "--json")
      try await until("all are online") { child.outputLines.contains { $0.contains(#""online":10,"#) } }
      child.signal(SIGKILL)
      await child.reap()
      let cleaner = try simulate(scene, "--clean", "--url", broker.url(), "--json")
      #expect(try await cleaner.end(within: .seconds(30)) == .exited(0))
      #expect(cleaner.outputLines == [#"{"event":"clean","retained_topics":20}"#])
      #expect(try await scene.retained(by: broker, "limpet-sim/#").isEmpty)
      #expect(try await scene.retained(by: broker)["limpet/board/status"] != nil)
    }
  }

  @Test("what it measures is what plan has on paper")
  func paper() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto(savesAtOnce: false, lines: Self.queues)
      let file = try configuration(
        scene, broker,
        """
        presence: {lease: 5s}
        sensors:
          - {name: load, type: system, value: load1, interval: 1s, retain: true, unit: °C}
          - {name: heat, type: thermal, zone: cpu, interval: 500ms, change: 0.01}

        """)
      let child = try simulate(
        scene, "--devices", "40", "--config", file, "--ramp", "1s", "--duration", "21s", "--json")
      #expect(try await child.end(within: .seconds(60)) == .exited(0))
      let end = try end(child)
      let plan = try await scene.run("plan", [Scene.program, "plan", "--devices", "40", "--config", file, "--json"])
      let paper = try Self.decoder.decode(Paper.self, from: Data(try #require(plan.outputLines.last).utf8))
      let rates = end.messagesPerSecond / paper.messagesPerSecond
      #expect((0.93...1.07).contains(rates), "\(end.messagesPerSecond) and \(paper.messagesPerSecond)")
      // Simulated devices have shorter ids than real ones, 5 and 22 characters behind a longer root, and mosquitto takes
      // topic aliases, which are not on the paper.
      let bytes = (end.bytesPerSecond + end.messagesPerSecond * 13) / paper.bytesPerSecond
      #expect((0.8...1.02).contains(bytes), "\(end.bytesPerSecond) and \(paper.bytesPerSecond)")
      #expect(end.retainedTopics.map(Double.init) == paper.retainedTopics)
    }
  }

  @Test("wrong uses say what to do")
  func wrongUses() async throws {
    try await withScene { scene in
      let url = "mqtt://127.0.0.1:1"
      let cases: [(arguments: [String], says: String)] = [
        (["--url", url], "--devices is missing; write how many devices there are, such as --devices 1000."),
        (["--url", url, "--devices", "0"], "--devices: write a number from 1 to 100000."),
        (["--url", url, "--devices", "9", "--ramp", "10"], "--ramp: \"10\" has no unit; write 10s."),
        (["--url", url, "--devices", "9", "--duration", "soon"], "--duration: \"soon\" is not a duration"),
        (["--url", url, "--devices", "9", "--readings", "2"], "--readings: \"2\" is not a rate; write 2/s"),
        (["--url", url, "--devices", "9", "--churn", "crahs=1/s"], "did you mean crash?"),
        (
          ["--url", "mqtt://192.0.2.1", "--devices", "9"],
          "192.0.2.1 is not this machine: thousands of connections are a load that its owner has to agree to; with "
            + "--i-may-load 192.0.2.1 you say that you may."
        ),
        (["--url", "mqtt://192.0.2.1", "--clean", "--i-may-load", "elsewhere"], "192.0.2.1 is not this machine"),
      ]
      for wrong in cases {
        let child = try await scene.run("wrong\(scene.nextCommand())", [Scene.program, "simulate"] + wrong.arguments)
        #expect(child.ending == .exited(64), "\(wrong.arguments)")
        #expect(child.errorLines.joined(separator: "\n").contains(wrong.says), "\(child.errorLines)")
      }
    }
  }

  @Test("where nothing listens, and where open files are too few, it says so")
  func failures() async throws {
    try await withScene { scene in
      let alone = try await scene.run(
        "alone", [Scene.program, "simulate", "--devices", "3", "--url", "mqtt://127.0.0.1:\(try freePort())"],
        within: .seconds(40))
      #expect(alone.ending == .exited(1))
      #expect(
        alone.errorLines.contains { $0.contains("the broker accepted no subscription within 15 s") },
        "\(alone.errorLines)")
      let few = try await scene.run(
        "few",
        [
          "/bin/sh", "-c", "ulimit -n 200; exec \"$0\" \"$@\"", Scene.program, "simulate", "--devices", "150", "--url",
          "mqtt://127.0.0.1:1",
        ])
      #expect(few.ending == .exited(1))
      #expect(
        few.errorLines.contains {
          $0.contains("150 connections need 250 open files, and this process may have at most 200: ")
            && $0.contains("or write --devices 100")
        }, "\(few.errorLines)")
    }
  }
}
