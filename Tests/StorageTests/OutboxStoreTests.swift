import MQTT
import NIOCore
import Testing

@testable import MQTTCore
@testable import MQTTStore
@testable import Records
@testable import Storage

@Suite("StateStore: the outbox")
struct OutboxStoreTests {
  private static let names = ["a", "b"]

  private func batch(_ readings: [(token: UInt64, stream: Int)], finished: [UInt64] = []) -> OutboxBatch {
    var batch = OutboxBatch()
    batch.readings = readings.map { StoredReading(token: $0.token, stream: $0.stream, data: [UInt8($0.token & 0xFF)]) }
    batch.finished = finished
    return batch
  }

  private func open(_ store: StateStore, device: String = "one", boot: String = "x") async throws -> StoredOutbox {
    try await store.openOutbox(device: device, boot: boot, names: Self.names)
  }

  private func tokens(_ outbox: StoredOutbox, _ store: StateStore, _ stream: Int) async throws -> [UInt64] {
    let ranges = outbox.sections.map { $0.first...$0.last }
    return try await store.readings(of: stream, in: ranges, limit: 10_000).map(\.token)
  }

  @Test("rows are there after the store was opened again, by stream and in order, and those that ended are not")
  func survives() async throws {
    let folder = try ScratchFolder()
    let store = try await StateStore.open(folder: folder.path)
    let first = try await open(store)
    #expect(first.sections.isEmpty && first.boot == 1)
    let a = try #require(first.streams.first { $0.value == "a" }?.key)
    let b = try #require(first.streams.first { $0.value == "b" }?.key)
    try await store.apply(batch((1...600).map { ($0, $0 % 3 == 0 ? a : b) }))
    try await store.apply(batch([], finished: [3, 4, 6]))
    await store.close()
    let again = try await StateStore.open(folder: folder.path)
    let outbox = try await open(again, boot: "y")
    #expect(outbox.boot == 2 && outbox.streams == first.streams && outbox.setAside == 0)
    #expect(outbox.sections.map(\.count) == [256, 256, 85])
    #expect(outbox.sections.reduce(0) { $0 + $1.count(of: a) } == 198)
    #expect(outbox.sections.reduce(0) { $0 + $1.bytes } == 597 * StoredReading.size(ofData: 1))
    #expect(try await tokens(outbox, again, a) == (3...200).map { $0 * 3 })
    #expect(try await tokens(outbox, again, b).prefix(3) == [1, 2, 5])
    #expect(try await again.readings(of: b, in: [5...7, 500...600], limit: 3).map(\.token) == [5, 7, 500])
  }

  @Test("rows with numbers that cannot be are removed and counted, and the others are there")
  func impossible() async throws {
    let folder = try ScratchFolder()
    let store = try await StateStore.open(folder: folder.path)
    let stream = try #require(try await open(store).streams.first { $0.value == "a" }?.key)
    try await store.apply(batch([(20, stream)]))
    try await store.perform { database throws(StorageError) in
      for sql in [
        "INSERT INTO reading_stream VALUES (-1, 'c'), (9223372036854775807, 'd')",
        "INSERT INTO reading_boot VALUES (-7, 'p', -9223372036854775808), (9223372036854775807, 'q', 9223372036854775807)",
        "INSERT INTO reading VALUES (-1, \(stream), x'00'), (0, \(stream), x'00')",
        "INSERT INTO reading VALUES (9223372036854775807, \(stream), x'00'), (-9223372036854775808, \(stream), x'00')",
        "INSERT INTO reading VALUES (21, -1, x'00'), (22, 9223372036854775807, x'00'), (23, 9999, x'00')",
      ] { try database.execute(sql) }
    }
    let outbox = try await open(store, boot: "y")
    #expect(outbox.unreadable == 7)
    #expect(try await tokens(outbox, store, stream) == [20])
    #expect(outbox.streams.values.sorted() == Self.names && outbox.boot == 2)
    #expect(try await open(store, boot: "y").unreadable == 0)
    await store.close()
  }

  @Test("a message that the session has stored is no waiting reading any more: in its transaction, or at the start")
  func session() async throws {
    let folder = try ScratchFolder()
    let store = try await StateStore.open(folder: folder.path)
    let stream = try #require(try await open(store).streams.first?.key)
    try await store.apply(batch([(20, stream), (21, stream)]))
    let message = Message(topic: TopicName("t"), payload: ByteBuffer(string: "1"), qos: .exactlyOnce)
    let stored = StoredMessage(token: 20, state: .published(.first), message: message)
    try await store.apply([.message(stored, next: .first)])
    #expect(try await tokens(try await open(store), store, stream) == [21])
    // Written in the wrong order: the session's is the one that counts.
    try await store.apply(batch([(20, stream)]))
    #expect(try await tokens(try await open(store), store, stream) == [21])
    #expect(try await store.loadSession().messages.map(\.token) == [20])
  }

  @Test("stretches go as a whole, but for what is under way")
  func drops() async throws {
    let folder = try ScratchFolder()
    let store = try await StateStore.open(folder: folder.path)
    let stream = try #require(try await open(store).streams.first?.key)
    try await store.apply(batch((1...100).map { ($0, stream) }))
    var drop = OutboxBatch()
    drop.dropped = [1...40, 41...50]
    drop.spared = [50, 1, 7, 8]
    try await store.apply(drop)
    #expect(try await tokens(try await open(store), store, stream) == [1, 7, 8] + Array(50...100))
  }

  @Test("another identity's readings are set aside and counted, and none of them is ever sent")
  func identity() async throws {
    let folder = try ScratchFolder()
    let store = try await StateStore.open(folder: folder.path)
    let stream = try #require(try await open(store).streams.first?.key)
    try await store.apply(batch((1...5).map { ($0, stream) }))
    let other = try await open(store, device: "two")
    #expect(other.setAside == 5 && other.sections.isEmpty)
    try await store.apply(batch([(1, stream), (2, stream)]))
    let third = try await open(store, device: "three")
    #expect(third.setAside == 2 && third.sections.isEmpty)
    #expect(try await open(store, device: "three").setAside == 0)
  }

  @Test("what the broker is to forget is kept until it is removed, and is of one device only")
  func clearings() async throws {
    let folder = try ScratchFolder()
    let store = try await StateStore.open(folder: folder.path)
    #expect(try await open(store).clearings == [])
    try await store.setClearings(added: ["b", "a", "c"], removed: [])
    try await store.setClearings(added: ["a"], removed: ["b"])
    await store.close()
    let again = try await StateStore.open(folder: folder.path)
    #expect(try await open(again).clearings == ["a", "c"])
    #expect(try await open(again, device: "two").clearings == [])
  }

  @Test("numbers and the beginning of a boot are stored with the readings")
  func beside() async throws {
    let folder = try ScratchFolder()
    let store = try await StateStore.open(folder: folder.path)
    _ = try await open(store)
    var batch = OutboxBatch()
    batch.numbers = ["a": 42]
    batch.bootStart = 1_795_176_000_000_000
    try await store.apply(batch)
    #expect(try await store.sequences() == ["a": StoredSequence(next: 42, exact: true)])
    #expect(try await open(store, boot: "y").boots == [1: 1_795_176_000_000_000])
  }
}
