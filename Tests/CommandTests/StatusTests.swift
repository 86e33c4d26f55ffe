import Foundation
import Glibc
import LimpetInstants
import LimpetPlatform
import TestScene
import Testing

@Suite("limpet status", .showsLogs, .timed)
struct StatusTests {
  private func status(_ scene: Scene, _ name: String = "agent") async throws -> ControlStatus {
    let outcome = try await scene.limpet("status", "--json", "--config", "\(scene.folder)/\(name).yaml")
    #expect(outcome.errors == [])
    return try ControlStatus(json: try #require(outcome.output.first))
  }

  /// Waits until the status is as it should be.
  @discardableResult
  private func status(
    _ scene: Scene, _ what: String, sourceLocation: SourceLocation = #_sourceLocation,
    where condition: (ControlStatus) -> Bool
  ) async throws -> ControlStatus {
    let deadline = ContinuousClock.now + .seconds(15)
    while true {
      let outcome = try await scene.limpet("status", "--json", "--config", "\(scene.folder)/agent.yaml")
      if let line = outcome.output.first {
        let status = try ControlStatus(json: line)
        if condition(status) { return status }
        try #require(ContinuousClock.now < deadline, "\(what): \(line)", sourceLocation: sourceLocation)
      } else {
        try #require(ContinuousClock.now < deadline, "\(what): \(outcome.errors)", sourceLocation: sourceLocation)
      }
    }
  }

  @Test("it tells the connection, the buffer, and each reading's last value, quality and seq")
  func connected() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      var settings = scene.settings(broker)
      settings.sensors = [
        "{name: load, type: system, value: load1, interval: 50ms}",
        "{name: gone, type: thermal, zone: nowhere, interval: 1h}",
        "{name: uptime, type: system, value: uptime, interval: 1h}",
        "{name: memory, type: system, value: memory_total, interval: 1h}",
      ]
      let agent = try scene.agent(settings)
      try await subscriber.readings("load", atLeast: 3)
      try await subscriber.readings("memory", atLeast: 1)
      try await subscriber.readings("gone", atLeast: 1)
      let status = try await status(scene, "healing is armed") { $0.presence.selfHeal == "armed" }
      #expect(status.device == "board")
      #expect(status.pid == Int(agent.process.pid))
      #expect(status.logLevel == "debug")
      #expect(status.connection.state == "connected")
      #expect(status.connection.server == broker.url(.tcp5))
      #expect(status.connection.version == "5")
      #expect(status.connection.sessionPresent == false)
      #expect(status.connection.keepalive == 30)
      #expect(status.connection.lastError == nil)
      #expect(status.presence.topic == "limpet/board/status")
      #expect(status.presence.epoch == 1)
      #expect(status.presence.conflict == nil)
      #expect(status.buffer.limitBytes == 64_000_000)
      #expect(status.readings.map(\.name) == ["load", "gone", "uptime", "memory"])
      #expect(status.readings[0].value == 0.25)
      #expect(status.readings[0].quality == "good")
      #expect((status.readings[0].seq ?? 0) >= 3)
      #expect(status.readings[0].topic == "limpet/board/load")
      #expect(status.readings[1].value == nil)
      #expect(status.readings[1].quality == "bad")
      #expect(status.readings[1].error?.contains("nowhere") == true)
      #expect(status.readings[2].value == 12345.67)
      #expect(status.readings[3].value == 3_977_216_000)

      // Every 50 ms a reading is in flight for a moment.
      let deadline = ContinuousClock.now + .seconds(15)
      var all = ""
      repeat {
        let text = try await scene.limpet("status", "--config", "\(scene.folder)/agent.yaml")
        #expect(text.ending == .exited(0))
        #expect(text.output.allSatisfy { $0.count <= 80 })
        all = text.output.joined(separator: "\n")
      } while !all.contains(" 0 in flight") && ContinuousClock.now < deadline
      for part in [
        "limpet 0.1.0 on board", "connected to \(broker.url(.tcp5))", "online on limpet/board/status", "12345.67 s",
        "4 GB", " 0 in flight", "gone: ",
      ] {
        #expect(all.contains(part), "\(part) in\n\(all)")
      }
    }
  }

  @Test("without a connection it tells the last error, the next try and what waits; afterwards what happened")
  func disconnected() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      _ = try scene.agent(scene.settings(broker))
      try await subscriber.readings("load", atLeast: 2)
      try await broker.stop()
      let away = try await status(scene, "it waits") {
        $0.connection.state != "connected" && $0.buffer.readings > 3 && $0.connection.lastError != nil
      }
      #expect(away.connection.sessionPresent == nil)
      #expect(away.buffer.bytes > 0)
      try await broker.start()
      let back = try await status(scene, "it is back") { $0.connection.state == "connected" && $0.buffer.readings == 0 }
      #expect(back.connection.sessionPresent == true)
      #expect(back.connection.lastError != nil)
      // What has left the buffer may still be on its way.
      let counted = try await eventually("what waited is delivered") {
        let outcome = try await scene.limpet("status", "--json", "--config", "\(scene.folder)/agent.yaml")
        let figures = try figures(inStatus: try #require(outcome.output.first))
        return figures["delivered_readings"] ?? 0 > 3 ? figures : nil
      }
      #expect(counted["connections"] == 2)
      #expect(counted["connection_losses"] == 1)
      #expect((counted["connection_failures"] ?? 0) >= 0)
      #expect(counted["dropped_readings"] == 0)
      #expect((counted["memory_resident_bytes"] ?? 0) > 1_000_000)
    }
  }

  @Test("no thread is libdispatch's, which would wake up once a second from then on")
  func threads() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      var settings = scene.settings(broker)
      settings.url = "mqtt://localhost:\(broker.port)"
      let agent = try scene.agent(settings)
      try await subscriber.readings("load", atLeast: 3)
      _ = try await status(scene)
      let threads = try agent.threads
      #expect(threads.contains("limpet-storage") && !threads.contains { $0.contains("qos") }, "\(threads)")
    }
  }

  @Test(
    "and none was, from the start to a clean stop: libdispatch gives each thread of its pool a priority",
    .enabled(if: access("/usr/bin/strace", X_OK) == 0),
    arguments: ["a name that cannot be resolved", "a broker", "a broker, and Homie"])
  func threadsAtTheEnd(_ what: String) async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      var settings = scene.settings(broker)
      if !what.contains("broker") { settings.url = "mqtt://limpet.invalid" }
      if what.contains("Homie") { settings.lines = ["homie: {enabled: true}"] }
      let trace = scene.folder + "/trace"
      let agent = try scene.agent(
        settings, under: ["strace", "-D", "-f", "-q", "-e", "trace=setpriority", "-o", trace])
      try await agent.line(what.contains("broker") ? "connected to" : "cannot be resolved")
      if what.contains("Homie") { try await agent.line("Homie: connected") }
      let ending = try await agent.end()
      #expect(ending == .exited(0))
      try await eventually("the trace is whole") {
        try? String(contentsOfFile: trace, encoding: .utf8).split(separator: "\n").first {
          $0.hasPrefix("\(agent.process.pid) ") && $0.contains("exited with 0")
        }
      }
      #expect(try !String(contentsOfFile: trace, encoding: .utf8).contains("setpriority("))
    }
  }

  @Test("where no daemon answers: one sentence that says what to do, exit 1")
  func absent() async throws {
    try await withScene { scene in
      let settings = scene.settings(port: try freePort())
      let file = try scene.write(settings.text, to: "agent.yaml")
      for arguments in [["--config", file], ["--config", file, "--json"], ["--socket", scene.folder + "/none.sock"]] {
        let child = try await scene.run("status\(scene.nextCommand())", [Scene.program, "status"] + arguments)
        #expect(child.ending == .exited(1))
        #expect(child.outputLines == [])
        #expect(child.errorLines.count == 1)
        #expect(child.errorLines.first?.contains("start it with `systemctl start limpet`") == true)
      }
    }
  }

  @Test("a socket that a killed daemon left is replaced; the one of a daemon that runs is left alone, with a warning")
  func owners() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      var settings = scene.settings(broker)
      settings.lines = ["control: \(scene.folder)/control.sock"]
      let killed = try scene.agent(settings)
      try await subscriber.readings("load", atLeast: 1)
      try await status(scene, "the first") { $0.pid == Int(killed.process.pid) }
      _ = try await killed.end(SIGKILL)
      #expect(FileManager.default.fileExists(atPath: scene.folder + "/control.sock"))
      let agent = try scene.agent(settings)
      try await status(scene, "the second") { $0.pid == Int(agent.process.pid) }
      settings.device = "other"
      settings.storage = scene.folder + "/other"
      let other = try scene.agent(settings, name: "other")
      try await other.line("belongs to another limpet that is running")
      try await subscriber.readings("load", atLeast: 2, of: "other")
      #expect(try await status(scene).pid == Int(agent.process.pid))
      _ = try await other.end()
      #expect(try await status(scene).pid == Int(agent.process.pid), "the other one took nothing away")
      _ = try await agent.end()
      #expect(!FileManager.default.fileExists(atPath: scene.folder + "/control.sock"))
    }
  }

  @Test("everybody may ask for the status; only root and the service's user may abort", .enabled(if: getuid() == 0))
  func rights() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      var settings = scene.settings(broker)
      let socket = scene.folder + "/control.sock"
      settings.lines = ["control: \(socket)"]
      let agent = try scene.agent(settings)
      try await subscriber.readings("load", atLeast: 1)
      try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: scene.folder)
      // From a place that every user can reach. Copied by another process: a program that a test starts meanwhile may
      // inherit what is open here, and a file that somebody has open for writing cannot be run (ETXTBSY).
      let program = scene.folder + "/limpet"
      try await scene.run("cp", ["cp", Scene.program, program])
      let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program]
      let status = try await scene.run("nobody-status", nobody + ["status", "--json", "--socket", socket])
      #expect(status.ending == .exited(0), "\(status.errorLines)")
      #expect(try ControlStatus(json: try #require(status.outputLines.first)).device == "board")
      for arguments in [["abort"], ["log-level", "debug"]] {
        let child = try await scene.run("nobody-\(arguments[0])", nobody + arguments + ["--socket", socket])
        #expect(child.ending == .exited(1))
        #expect(child.errorLines.first?.contains("only root") == true)
      }
      #expect(agent.process.ending == nil)
      let abort = try await scene.limpet("abort", "--socket", socket)
      #expect(abort.ending == .exited(0))
      let ending = try await agent.process.end()
      // Nobody who starts again what has failed is to undo it.
      #expect(ending == .exited(0))
      try await subscriber.status("offline")
      #expect(
        try subscriber.news(of: "limpet/board/presence").allSatisfy { try Presence(json: $0.payload).event == "birth" })
    }
  }

  @Test("a probe tells the daemon's connection and leaves it alone; with --client-id it stands beside")
  func probe() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      let agent = try scene.agent(scene.settings(broker))
      try await subscriber.readings("load", atLeast: 1)
      let file = scene.folder + "/agent.yaml"
      let outcome = try await scene.limpet("probe", "--config", file)
      #expect(outcome.ending == .exited(0))
      #expect(outcome.output.first == "reason code: 0, session present: false")
      #expect(
        outcome.output.dropFirst().first?.contains("the daemon (process \(agent.process.pid)) is connected") == true)
      #expect(broker.count(" as board (") == 1)
      let beside = try await scene.limpet("probe", "--config", file, "--client-id", "beside")
      #expect(beside.ending == .exited(0))
      #expect(broker.count(" as beside (") == 1)
      #expect(broker.count(" as board (") == 1)
      try await broker.stop()
      try await agent.line("connection lost")
      let lost = try await scene.limpet("probe", "--config", file)
      #expect(lost.ending == .exited(1))
      #expect(lost.errors.first?.contains("is not connected") == true)
    }
  }

  @Test("the log level can be changed while it runs")
  func logLevel() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      let agent = try scene.agent(scene.settings(broker), logLevel: "notice")
      try await subscriber.readings("load", atLeast: 1)
      let file = scene.folder + "/agent.yaml"
      #expect(try await scene.limpet("log-level", "--config", file).output == ["notice"])
      #expect(!agent.says(" debug: "))
      #expect(try await scene.limpet("log-level", "debug", "--config", file).output == ["debug"])
      try await agent.line("the log level is now debug; it was notice")
      try await broker.stop()
      try await agent.line(" debug: ")
      #expect(try await scene.limpet("log-level", "loud", "--config", file).status == 64)
    }
  }

  @Test("clients that stall, flood or hang up change nothing about the readings")
  func abuse() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      let agent = try scene.agent(scene.settings(broker))
      try await subscriber.readings("load", atLeast: 5)
      let path = scene.folder + "/storage/limpet.sock"
      let descriptors = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(agent.process.pid)/fd").count
      let before = try subscriber.readings("load").count
      let start = ContinuousClock.now
      let clients = try (0..<60).map { _ in try StreamSocket(path) }
      for client in clients { client.write(String(repeating: "{\"command\":\"status\"}\n", count: 100)) }
      // As many readings as come in two seconds.
      let readings = try await subscriber.readings("load", atLeast: before + 40)
      let elapsed = start.duration(to: .now)
      #expect(elapsed < .seconds(8), "40 readings in \(elapsed)")
      #expect(readings.map(\.seq) == Array(1...readings.count))
      for client in clients { client.close() }
      try await status(scene, "there is room again") { $0.connection.state == "connected" }
      try await until("descriptors are given back") {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/\(agent.process.pid)/fd").count <= descriptors
      }
      #expect(agent.log.allSatisfy { !$0.contains("error") })
    }
  }
}

/// A client that does what no proper one does.
private final class StreamSocket: Sendable {
  private let descriptor: Int32

  init(_ path: String) throws {
    descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
    let connected = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    try #require(connected == 0)
  }

  func write(_ text: String) {
    let bytes = Array(text.utf8)
    _ = send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
  }

  func close() { Glibc.close(descriptor) }
}
