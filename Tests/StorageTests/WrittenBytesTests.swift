import MQTT
import NIOCore
import Testing

@testable import LimpetPlatform
@testable import MQTTStore
@testable import Readings
@testable import Records
@testable import Storage

/// What reaches the file, counted under SQLite: a card lasts for so many bytes.
@Suite("Bytes written")
struct WrittenBytesTests {
  private func open(_ disk: UnreliableDisk, _ folder: ScratchFolder) async throws -> StateStore {
    try await StateStore.open(folder: folder.path, schema: .current, system: disk.name)
  }

  @Test("an hour of readings that are acknowledged at once, with counters that move, writes at most 64 KiB")
  func hour() async throws {
    let (folder, disk) = (try ScratchFolder(), UnreliableDisk(isPowersafe: true))
    let store = try await open(disk, folder)
    // Ten names every second, twenty every ten, and two counters that are stored once a minute.
    let names = (0..<30).map { "sensor\($0)" }
    _ = try await store.openOutbox(device: "one", boot: "x", names: names)
    var numbers = SequenceAllocator(stored: [:])
    numbers.register(names)
    func reserve() async throws {
      let ends = numbers.requests(at: .now)
      guard !ends.isEmpty else { return }
      try await store.reserve(ends)
      numbers.reserved(ends)
    }
    try await reserve()
    let before = disk.plan.withLock { $0.bytesWritten }
    for second in 0..<3600 {
      for (index, name) in names.enumerated() where index < 10 || second % 10 == 0 {
        #expect(numbers.next(name) != nil)
      }
      try await reserve()
      if second % 60 == 0 {
        let count = StoredCount(pulses: UInt64(second), generation: 1)
        try await store.setCounts(["water": count, "gas": count])
      }
    }
    let written = disk.plan.withLock { $0.bytesWritten } - before
    #expect(written > 0 && written <= 65_536, "\(written) bytes")
  }

  @Test(
    "a batch in an outage writes at most three times its payload, or 64 KiB, checkpoints included",
    arguments: [1, 30, 500, 4000], [1, 60])
  func outage(readings: Int, streams: Int) async throws {
    let (folder, disk) = (try ScratchFolder(), UnreliableDisk(isPowersafe: true))
    let store = try await open(disk, folder)
    let names = (0..<streams).map { "sensor\($0)" }
    let numbers = try await store.openOutbox(device: "one", boot: "x", names: names).streams.keys.sorted()
    let before = disk.plan.withLock { $0.bytesWritten }
    // The payload as JSON: {"time":"2026-11-20T12:00:00.123Z","value":21.5,"unit":"°C","seq":100000}
    let payload = readings * 78
    let rounds = 20
    for round in 0..<rounds {
      var batch = OutboxBatch()
      for index in 0..<readings {
        batch.readings.append(
          StoredReading(
            token: UInt64(1000 + round * readings + index), stream: numbers[index % streams],
            data: [UInt8](repeating: 7, count: 34)))
      }
      try await store.apply(batch)
    }
    let written = (disk.plan.withLock { $0.bytesWritten } - before) / rounds
    #expect(written <= max(3 * payload, 65_536), "\(written) bytes for \(payload)")
  }
}
