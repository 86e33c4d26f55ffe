import Foundation
import LimpetInstants
import LimpetPlatform
import MQTT
import Records
import Storage
import TestScene
import Testing

/// What an outage of days leaves on the disk.
@Suite(
  "Backlogs", .enabled(if: ProcessInfo.processInfo.environment["LIMPET_CRASHES"] != nil), .showsLogs, .serialized)
struct BacklogTests {
  private static let count = Selection.isWhole ? 1_000_000 : 100_000
  private static let names = (0..<5).map { "name\($0)" }

  private func fill(_ folder: String) async throws {
    let store = try await StateStore.open(folder: folder)
    let outbox = try await store.openOutbox(device: "board", boot: "earlier", names: Self.names)
    let streams = Self.names.map { name in outbox.streams.first { $0.value == name }?.key ?? 0 }
    for start in stride(from: 0, to: Self.count, by: 10_000) {
      var batch = OutboxBatch()
      for index in start..<start + 10_000 {
        let data = row(sequence: index / streams.count + 1)
        batch.readings.append(
          StoredReading(token: UInt64(100 + index), stream: streams[index % streams.count], data: data))
      }
      var changes = StoreChanges()
      changes.readings = batch
      _ = try await store.perform(.write(changes))
    }
    var last = StoreChanges()
    last.exact = Dictionary(
      uniqueKeysWithValues: Self.names.map { ($0, UInt64(Self.count / Self.names.count + 1)) })
    _ = try await store.perform(.write(last))
    await store.close()
  }

  @Test("a long backlog opens at once, takes little memory, and goes no slower at its end than at its beginning")
  func drains() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto(logs: ["error", "warning", "notice", "information"])
      var settings = scene.settings(broker)
      try await fill("\(scene.folder)/storage")
      settings.storage = "\(scene.folder)/storage, drain_rate: 100000"
      settings.sensors = Self.names.map { "{name: \($0), type: system, value: load1, interval: 1s}" }
      let started = ContinuousClock.now
      let agent = try scene.agent(settings)
      try await agent.line("\(Self.count) readings wait in the storage", within: .seconds(10))
      let opening = started.duration(to: .now)
      #expect(opening < .seconds(2), "the start of the process included")
      var most = 0
      var moments: [Int: ContinuousClock.Instant] = [:]
      while moments[10] == nil {
        let outcome = try await scene.limpet("status", "--json", "--config", "\(scene.folder)/agent.yaml")
        let status = try ControlStatus(json: try #require(outcome.output.first))
        most = max(most, try agent.residentBytes)
        let tenths = 10 - (status.buffer.readings * 10 + Self.count - 1) / Self.count
        if moments[tenths] == nil { moments[tenths] = .now }
        try #require(agent.process.ending == nil)
        try #require(started.duration(to: .now) < .seconds(1200))
      }
      #expect(most < 40_000_000)
      if let half = moments[5], let first = moments[1], let end = moments[9] {
        // A busy machine is not the same all the time.
        #expect(half.duration(to: end) < first.duration(to: half) * 2)
      }
      let ending = try await agent.end()
      #expect(ending == .exited(0))
    }
  }
}
