import Foundation
import MQTT
import TestScene
import Testing

@Suite("Readings that wait", .showsLogs, .timed)
struct OutboxTests {
  private func settings(_ scene: Scene, _ broker: Mosquitto, _ storage: String = "") -> Settings {
    var settings = scene.settings(broker)
    settings.storage += storage
    settings.sensors = [
      "{name: load, type: system, value: load1, interval: 20ms, retain: true}",
      "{name: gauge, type: system, value: load5, interval: 20ms, keep: latest}",
    ]
    return settings
  }

  /// The readings that wait, as the daemon says.
  private func buffer(_ scene: Scene) async throws -> ControlStatus.Buffer? {
    let outcome = try await scene.limpet("status", "--json", "--config", "\(scene.folder)/agent.yaml")
    return try outcome.output.first.map { try ControlStatus(json: $0).buffer }
  }

  @Test("what waited through an outage and a SIGKILL follows in order; only the newest is retained, or kept")
  func outageAndKill() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker, isDurable: true)
      let settings = settings(scene, broker)
      let first = try scene.agent(settings)
      try await subscriber.readings("load", atLeast: 5)
      try await broker.stop()
      let stopped = Date()
      try await until("readings are on the disk") { try await buffer(scene)?.stored ?? 0 > 60 }
      let seen = try subscriber.readings("load").count
      _ = try await first.end(SIGKILL)
      try await broker.start()
      let second = try scene.agent(settings)
      try await second.line(" readings wait in the storage")
      let readings = try await eventually("readings of the next run") {
        let readings = try subscriber.readings("load")
        return readings.last?.restarted == nil && readings.contains { $0.restarted == true } ? readings : nil
      }
      let restart = try #require(readings.firstIndex { $0.restarted == true })
      #expect(restart > seen + 60)
      let numbers = readings[..<restart].map(\.seq).firstArrivals
      #expect(numbers == Array(1...numbers.count), "all that was taken until a second before")
      let waited = try subscriber.readings("gauge").prefix { $0.restarted == nil }.filter { try $0.date > stopped }
      #expect(waited.count <= 1, "of the gauge the newest")
      let ending = try await second.end()
      #expect(ending == .exited(0))
      let kept = try await scene.retained(by: broker)["limpet/board/load"]
      #expect(try kept.map { try Reading(json: $0.payload).seq } == subscriber.readings("load").last?.seq)
    }
  }

  @Test("a clean stop without a broker stores everything that waits, and its numbers exactly")
  func cleanStop() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker, isDurable: true)
      let settings = settings(scene, broker, ", sync: 1h")
      try await broker.stop()
      let first = try scene.agent(settings)
      try await until("some readings wait") { try await buffer(scene)?.readings ?? 0 > 20 }
      #expect(try await buffer(scene)?.stored == 0)
      _ = try await first.end()
      try await broker.start()
      _ = try scene.agent(settings)
      let readings = try await subscriber.readings("load", atLeast: 60)
      #expect(readings.map(\.seq) == Array(1...readings.count))
      #expect(readings.allSatisfy { $0.restarted == nil })
    }
  }

  @Test("another identity never sends what the one before it measured: it is set aside and counted")
  func identity() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker, isDurable: true)
      var settings = settings(scene, broker)
      try await broker.stop()
      let first = try scene.agent(settings)
      try await until("some readings wait") { try await buffer(scene)?.readings ?? 0 > 20 }
      _ = try await first.end()
      settings.device = "other"
      try await broker.start()
      let second = try scene.agent(settings)
      try await second.line("readings that waited here under another device id, and does not send them")
      try await subscriber.readings("load", atLeast: 5, of: "other")
      #expect(try subscriber.readings("load").isEmpty)
    }
  }

  @Test("a storage that is damaged or removed under the agent is begun anew, and what waits is on the disk again")
  func lostFile() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker, isDurable: true)
      var settings = settings(scene, broker)
      // Few enough that memory has all of them as well.
      settings.sensors = ["{name: load, type: system, value: load1, interval: 100ms}"]
      let agent = try scene.agent(settings)
      try await subscriber.readings("load", atLeast: 5)
      try await broker.stop()
      try await until("readings are on the disk") { try await buffer(scene)?.stored ?? 0 > 10 }
      for file in ["session.db", "session.db-wal"] {
        try FileManager.default.removeItem(atPath: "\(scene.folder)/storage/\(file)")
      }
      try await agent.line("it was removed")
      try await agent.line("the storage can be written again")
      try await until("they are on the disk again") { try await buffer(scene)?.stored ?? 0 > 20 }
      _ = try await agent.end(SIGKILL)
      try await broker.start()
      _ = try scene.agent(settings)
      let readings = try await eventually("readings of the next run") {
        let readings = try subscriber.readings("load")
        return readings.contains { $0.restarted == true } ? readings : nil
      }
      let restart = try #require(readings.firstIndex { $0.restarted == true })
      let numbers = readings[..<restart].map(\.seq).firstArrivals
      #expect(numbers.count > 25)
      #expect(numbers == Array(1...numbers.count))
    }
  }

  @Test("a storage that cannot be opened at first is used as soon as it can")
  func openedLater() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker, isDurable: true)
      var settings = settings(scene, broker)
      settings.lines = ["control: \(scene.folder)/limpet.sock"]
      try scene.write("", to: "storage")
      let agent = try scene.agent(settings)
      try await agent.line("limpet goes on in memory: identity")
      try await broker.stop()
      try FileManager.default.removeItem(atPath: "\(scene.folder)/storage")
      try await agent.line("the storage can be written again", within: .seconds(30))
      try await until("readings are on the disk") { try await buffer(scene)?.stored ?? 0 > 20 }
      _ = try await agent.end()
      try await broker.start()
      _ = try scene.agent(settings)
      let readings = try await subscriber.readings("load", atLeast: 100)
      let last = readings.suffix(60).map(\.seq)
      #expect(last == Array((last.first ?? 0)...(last.last ?? 0)))
      // The first may come again: the broker that was stopped need not have acknowledged it.
      let restarts = Set(readings.filter { $0.restarted == true }.map(\.seq))
      #expect(restarts.isSubset(of: readings.prefix(1).map(\.seq)), "numbers go on")
    }
  }
}
