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
      #expect(Set(types.map { $0.hasSuffix("_total") ? String($0.dropLast(6)) : String($0) }) == Set(expected))
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

  private func parsed(_ payload: String) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(payload.utf8)) as? [String: Any])
  }
}
