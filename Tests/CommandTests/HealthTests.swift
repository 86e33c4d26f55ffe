import Foundation
import TestScene
import Testing

@Suite("the health reading and the metrics file", .showsLogs, .timed)
struct HealthTests {
  @Test("status, health and metrics tell the same numbers, by the same names")
  func numbers() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      var settings = scene.settings(broker)
      let file = scene.folder + "/limpet.prom"
      settings.lines = ["health: {interval: 1s}", "metrics_file: \(file)"]
      let agent = try scene.agent(settings)
      try await subscriber.readings("load", atLeast: 3)
      try await broker.stop()
      try await agent.line("next try in")
      try await broker.start()
      try await until("connected again") { agent.log.count { $0.contains("connected to") } == 2 }
      let record = try await subscriber.record(of: "limpet/board/health", "one of the second connection") {
        (try? parsed($0.payload)["connections"] as? Int) == 2
      }
      #expect(!record.isRetained)
      let health = try parsed(record.payload)
      #expect(health["time"] is String)
      #expect((health["connection_losses"] as? [String: Int])?.values.reduce(0, +) == 1)
      #expect((health["memory_resident_bytes"] as? Int ?? 0) > 1_000_000)
      #expect(health["dropped_readings"] as? Int == 0)
      let status = try await scene.limpet("status", "--json", "--config", "\(scene.folder)/agent.yaml")
      let figures = try figures(inStatus: try #require(status.output.first))
      #expect(Set(health.keys).subtracting(["time"]) == Set(figures.keys))

      let lines = try await eventually("the file tells of the second connection") {
        let lines = ((try? String(contentsOfFile: file, encoding: .utf8)) ?? "").split(separator: "\n").map(String.init)
        return lines.contains("limpet_connections_total{device=\"board\"} 2") ? lines : nil
      }
      let types = lines.filter { $0.hasPrefix("# TYPE ") }.map { $0.split(separator: " ")[2] }
      let expected = figures.keys.map { "limpet_\($0)" }
      #expect(
        Set(types.map { $0.hasSuffix("_total") ? String($0.dropLast(6)) : String($0) })
          == Set(
            expected + [
              "limpet_build_info", "limpet_reading_value", "limpet_counter", "limpet_output_value",
              "limpet_output_changes", "limpet_commands",
              "limpet_sensor_skipped_rounds", "limpet_reading_good", "limpet_reading_timestamp_seconds",
            ]))
      #expect(lines.contains { $0.hasPrefix(#"limpet_reading_value{device="board",name="load"} "#) })
      #expect(
        lines.allSatisfy { $0.hasPrefix("# HELP limpet_") || $0.hasPrefix("# TYPE limpet_") || $0.hasPrefix("limpet_") }
      )
      _ = try await agent.end()
    }
  }

  @Test("a metrics file that cannot be written is told once, and harms nothing")
  func unwritable() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      var settings = scene.settings(broker)
      settings.lines = ["health: {interval: 1s}", "metrics_file: \(scene.folder)/none/limpet.prom"]
      let agent = try scene.agent(settings)
      try await agent.line("none/limpet.prom cannot be written (open: No such file or directory)")
      try await until("3 health readings") { subscriber.news(of: "limpet/board/health").count >= 3 }
      #expect(agent.log.count { $0.contains("limpet.prom") } == 1)
      try FileManager.default.createDirectory(atPath: scene.folder + "/none", withIntermediateDirectories: true)
      try await agent.line("limpet.prom can be written again")
      _ = try await agent.end()
    }
  }

  @Test("metrics.listen: the numbers over HTTP; what is no question for them is answered, and ends nothing")
  func listens() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let port = try freePort()
      var settings = scene.settings(broker)
      settings.lines = ["metrics: {listen: \"127.0.0.1:\(port)\"}"]
      let agent = try scene.agent(settings)
      try await agent.line("metrics: listens on 127.0.0.1:\(port)")
      func curl(_ arguments: String...) async throws -> [String] {
        try await scene.run("curl-\(scene.nextCommand())", ["curl", "-s", "-m", "20", "-i"] + arguments).outputLines
      }
      let url = "http://127.0.0.1:\(port)"
      let page = try await eventually("a value") {
        let page = try await curl("\(url)/metrics")
        return page.contains { $0.hasPrefix("limpet_reading_value{") } ? page : nil
      }
      #expect(page.first?.hasPrefix("HTTP/1.1 200") == true)
      #expect(page.contains { $0.contains("text/plain; version=0.0.4") })
      #expect(try await curl("-H", "Accept: application/openmetrics-text", "\(url)/metrics").contains("# EOF"))
      #expect(try await curl("\(url)/").first?.hasPrefix("HTTP/1.1 404") == true)
      #expect(try await curl("-X", "POST", "\(url)/metrics").first?.hasPrefix("HTTP/1.1 405") == true)
      let long = String(repeating: "x", count: 9000)
      #expect(try await curl("-H", "X: \(long)", "\(url)/metrics").first?.hasPrefix("HTTP/1.1 431") == true)
      #expect(try await curl("\(url)/metrics").first?.hasPrefix("HTTP/1.1 200") == true)
      let ending = try await agent.end()
      #expect(ending == .exited(0))
    }
  }

  private func parsed(_ payload: String) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(payload.utf8)) as? [String: Any])
  }
}
