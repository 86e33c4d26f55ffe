import Glibc
import MQTT
import TestScene
import Testing

@testable import LimpetPlatform
@testable import MQTTCore
@testable import MQTTStore
@testable import Readings
@testable import Records
@testable import Storage

@Suite("StateStore")
struct StateStoreTests {
  private let folder: ScratchFolder

  init() throws { folder = try ScratchFolder() }

  /// Closes and opens again, as a restart does.
  private func restart(_ store: StateStore) async throws -> StateStore {
    await store.close()
    return try await StateStore.open(folder: folder.path)
  }

  @Test("a new store knows nothing")
  func empty() async throws {
    let store = try await StateStore.open(folder: folder.path)
    #expect(try await store.load() == StoredState())
    #expect(try await store.identity() == nil)
    #expect(try await store.loadSession() == SessionState())
    #expect(try await store.takeLastStop() == nil)
    await store.close()
  }

  @Test("the names of the last runs are kept, and no more of them than a few")
  func instances() async throws {
    var store = try await StateStore.open(folder: folder.path)
    for number in 1...100 { try await store.addInstance("run \(number)") }
    try await store.addInstance("run 100")
    store = try await restart(store)
    let instances = try await store.load().instances
    #expect(instances.contains("run 100") && instances.contains("run 50") && !instances.contains("run 1"))
    #expect(instances.count <= 64)
    await store.close()
  }

  @Test("what counters stand at is there after a restart, each by its name")
  func counts() async throws {
    var store = try await StateStore.open(folder: folder.path)
    try await store.setCounts([:])
    try await store.setCounts([
      "water": StoredCount(pulses: 12, generation: 4_000_000_000), "gas": StoredCount(pulses: 0, generation: 1),
    ])
    try await store.setCounts(["water": StoredCount(pulses: .max, generation: 4_000_000_000)])
    store = try await restart(store)
    #expect(
      try await store.load().counts == [
        "water": StoredCount(pulses: UInt64(Int64.max), generation: 4_000_000_000),
        "gas": StoredCount(pulses: 0, generation: 1),
      ])
    await store.close()
  }

  @Test("what home automation was told is there after a restart, by kind and topic, until it is removed")
  func announcements() async throws {
    var store = try await StateStore.open(folder: folder.path)
    let device = StoredAnnouncement(kind: .homeAssistant, topic: "a/config", content: "x\nsensor load")
    let homie = StoredAnnouncement(kind: .homie, topic: "a/config", content: "")
    try await store.setAnnouncement(StoredAnnouncement(kind: .homeAssistant, topic: "a/config", content: "old"))
    for announcement in [homie, device] { try await store.setAnnouncement(announcement) }
    store = try await restart(store)
    #expect(try await store.load().announcements == [device, homie])
    try await store.removeAnnouncement(.homeAssistant, topic: "a/config")
    #expect(try await store.load().announcements == [homie])
    await store.close()
  }

  @Test("a missing folder is created with those above it, closed to others, and the database too")
  func creates() async throws {
    let store = try await StateStore.open(folder: folder.path + "/var/lib/limpet/")
    _ = try await store.nextEpoch()
    #expect(folder.mode("var/lib") == 0o755)
    #expect(folder.mode("var/lib/limpet") == 0o700)
    #expect(folder.mode("var/lib/limpet/session.db") == 0o600)
    #expect(folder.mode("var/lib/limpet/session.db-wal") == 0o600)
    await store.close()
  }

  @Test("a database that others could read is closed to them")
  func protects() async throws {
    try folder.write("session.db", [])
    #expect(chmod(folder.path + "/session.db", 0o644) == 0)
    let store = try await StateStore.open(folder: folder.path)
    #expect(folder.mode("session.db") == 0o600)
    await store.close()
  }

  @Test("everything stored is there after a restart, in one call")
  func survives() async throws {
    let identity = StoredIdentity(id: "4fK2", source: .deviceTree, serial: "10000000abcd\u{e4}")
    var session = SessionState()
    session.owner = SessionOwner(server: "mqtts://mqtt.example.com:8883", clientIdentifier: "4fK2")
    let stop = LastStop(reason: "SIGTERM", time: 1_795_000_000_123)
    var store = try await StateStore.open(folder: folder.path)
    try await store.setIdentity(identity)
    try await store.apply([.owner(#require(session.owner))])
    #expect(try await store.nextEpoch() == 1)
    try await store.reserve(["door": 1001, "load": 1001])
    try await store.storeExact(["load": 7])
    try await store.setLastStop(stop)

    store = try await restart(store)
    var expected = StoredState()
    expected.identity = identity
    expected.epoch = 1
    expected.sequences = ["door": .init(next: 1001, exact: false), "load": .init(next: 7, exact: true)]
    expected.session = session
    expected.lastStop = stop
    var state = try await store.load()
    let lastWrite = try #require(state.lastWrite)
    #expect((Int64(time(nil)) - 60...Int64(time(nil))).contains(lastWrite))
    state.lastWrite = nil
    #expect(state == expected)
    #expect(try await store.identity() == identity)
    #expect(try await store.loadSession() == session)
    #expect(try await store.sequences() == expected.sequences)
    await store.close()
  }

  @Test("an identity and a session are replaced whole", arguments: [StoredIdentity.Source.machineID, .random])
  func replaces(source: StoredIdentity.Source) async throws {
    let store = try await StateStore.open(folder: folder.path)
    try await store.setIdentity(.init(id: "a", source: .deviceTree, serial: "1"))
    try await store.setIdentity(.init(id: "b", source: source, serial: ""))
    #expect(try await store.identity() == .init(id: "b", source: source, serial: ""))
    try await store.apply([.owner(.init(server: "mqtt://a", clientIdentifier: "a"))])
    try await store.apply([.owner(.init(server: "mqtt://b", clientIdentifier: "b"))])
    #expect(try await store.loadSession().owner == .init(server: "mqtt://b", clientIdentifier: "b"))
    await store.close()
  }

  @Test("every epoch is one more than the last, across restarts")
  func epochs() async throws {
    var store = try await StateStore.open(folder: folder.path)
    for expected in 1...3 as ClosedRange<UInt64> { #expect(try await store.nextEpoch() == expected) }
    store = try await restart(store)
    #expect(try await store.nextEpoch() == 4)
    await store.close()
  }

  @Test("a reserved end never goes back, and takes the exactness of a clean stop away")
  func reserved() async throws {
    let store = try await StateStore.open(folder: folder.path)
    try await store.reserve(["door": 2001])
    try await store.reserve(["door": 1001])
    #expect(try await store.sequences() == ["door": .init(next: 2001, exact: false)])
    try await store.storeExact(["door": 1500])
    #expect(try await store.sequences() == ["door": .init(next: 1500, exact: true)])
    try await store.reserve(["door": 1500])
    #expect(try await store.sequences() == ["door": .init(next: 1500, exact: false)])
    await store.close()
  }

  @Test("a clean stop is told once: the run after it has to store its own")
  func lastStopOnce() async throws {
    var store = try await StateStore.open(folder: folder.path)
    try await store.setLastStop(.init(reason: "SIGTERM", time: 5))
    store = try await restart(store)
    #expect(try await store.load().lastStop == .init(reason: "SIGTERM", time: 5))
    store = try await restart(store)
    #expect(try await store.load().lastStop == nil)
    try await store.setLastStop(.init(reason: "reload", time: 6))
    #expect(try await store.takeLastStop() == .init(reason: "reload", time: 6))
    #expect(try await store.takeLastStop() == nil)
    await store.close()
  }

  @Test(
    "numbers that cannot be are none: a name begins anew and says so",
    arguments: [Int64.min, -1, 0, 1 << 53, .max])
  func impossibleNumbers(number: Int64) async throws {
    let store = try await StateStore.open(folder: folder.path)
    try await store.perform { database throws(StorageError) in
      try database.execute("INSERT INTO sequence VALUES ('door', \(number), 1)")
      try database.execute("INSERT INTO epoch VALUES (1, \(number))")
      try database.execute("INSERT INTO counter VALUES ('water', \(number), \(number))")
      try database.execute("INSERT INTO last_stop VALUES (1, 'SIGTERM', \(number))")
      try database.execute("INSERT INTO identity VALUES (1, 'x', 'tea leaves', '')")
    }
    let state = try await store.load()
    #expect(state.epoch == 0 && state.identity == nil && state.keptAside == nil)
    #expect(state.sequences == ["door": .init(next: 1, exact: false)])
    await store.close()
  }

  @Test("the allocator and the store together lose no number and give none twice, however a run ends")
  func allocatorAndStore() async throws {
    var given: [SequenceAllocator.Number] = []
    for isClean in [true, false, true, true, false, false] {
      let store = try await StateStore.open(folder: folder.path)
      var allocator = SequenceAllocator(stored: try await store.load().sequences, blockSize: 10)
      allocator.register(["door"])
      for _ in 1...13 {
        let requests = allocator.requests(at: .now)
        try await store.reserve(requests)
        if !requests.isEmpty { allocator.reserved(requests) }
        let number = allocator.next("door")
        given.append(try #require(number))
      }
      if isClean { try await store.storeExact(allocator.exact) }
      await store.close()
    }
    for (earlier, later) in zip(given, given.dropFirst()) {
      #expect(later.restarted ? later.sequence > earlier.sequence : later.sequence == earlier.sequence + 1)
    }
    // After runs 2 and 5; the last run was not followed by another.
    #expect(given.filter(\.restarted).count == 2)
  }

  @Test("write transactions, their bytes and failures are counted; a call that changes nothing is none")
  func counters() async throws {
    let store = try await StateStore.open(folder: folder.path)
    let before = await store.counters
    _ = try await store.load()
    try await store.reserve([:])
    try await store.storeExact([:])
    #expect(await store.counters == before)
    _ = try await store.nextEpoch()
    try await store.reserve(["a": 1001, "b": 1001])
    let after = await store.counters
    #expect(after.transactions == before.transactions + 2)
    #expect(after.bytes == before.bytes + 2 * 512)
    await store.close()
    #expect(await store.counters == after)
  }

  @Test("a closed store says so")
  func closed() async throws {
    let store = try await StateStore.open(folder: folder.path)
    await store.close()
    await store.close()
    let error = try await #require(throws: StorageError.self) { try await store.nextEpoch() }
    #expect(error.kind == .closed)
    #expect(await store.counters.failures == 1)
    #expect(folder.names == ["session.db"])
  }

  @Test("a store that is let go of without being closed can be opened again")
  func letGo() async throws {
    do {
      let store = try await StateStore.open(folder: folder.path)
      _ = try await store.nextEpoch()
    }
    // Its thread lets go of it a moment later than this task does.
    let store = try await eventually("it can be opened") { try? await StateStore.open(folder: folder.path) }
    #expect(try await store.nextEpoch() == 2)
    await store.close()
  }
}
