import MQTT
import NIOCore
import Testing

@testable import MQTTCore
@testable import MQTTStore
@testable import Records
@testable import Storage

@Suite("StateStore: requests")
struct StoreRequestTests {
  /// One part of `StoreChanges`, and the calls that do the same.
  struct Part: Sendable, CustomTestStringConvertible {
    let name: String
    let change: @Sendable (inout StoreChanges) -> Void
    let call: @Sendable (StateStore) async throws -> Void

    var testDescription: String { name }
  }

  private static let clock: @Sendable () -> Int64 = { 1_795_000_000 }

  private static func message(_ token: UInt64, _ state: StoredMessage.State = .published(.first)) -> StoredMessage {
    let message = Message(
      topic: TopicName(validated: ByteBuffer(string: "t")), payload: ByteBuffer(string: "\(token)"), qos: .exactlyOnce)
    return StoredMessage(token: token, state: state, message: message)
  }

  private static func subscriptions(_ filter: String) -> [Subscription] {
    (try? TopicFilter(filter)).map { [Subscription($0)] } ?? []
  }

  private static var batch: OutboxBatch {
    var batch = OutboxBatch()
    batch.readings = [10, 11, 12].map { StoredReading(token: $0, stream: 1, data: [UInt8($0)]) }
    batch.finished = [1]
    batch.dropped = [2...4]
    batch.spared = [3]
    batch.endedMessages = [21]
    batch.numbers = ["a": 13]
    batch.bootStart = 1_795_000_000_000_000
    return batch
  }

  private static let session: [SessionChange] = [
    .owner(SessionOwner(server: "mqtt://b:1883", clientIdentifier: "c")), .message(message(5), next: .first.next),
    .ended(20), .held(.first, true), .received(.first, true), .subscribed(3, subscriptions("a/+")),
    .unsubscribed(2),
  ]
  private static let identity = StoredIdentity(id: "two", source: .machineID, serial: "s")
  private static let counts = ["water": StoredCount(pulses: 9, generation: 2), "gas": .init(pulses: 1, generation: 3)]
  private static let told = StoredAnnouncement(kind: .homeAssistant, topic: "new", content: "{}")
  private static let stop = LastStop(reason: "stop", time: 7)

  static let parts = [
    Part(name: "epoch", change: { $0.epoch = 7 }, call: { try await $0.raiseEpoch(to: 7) }),
    Part(name: "lower epoch", change: { $0.epoch = 1 }, call: { try await $0.raiseEpoch(to: 1) }),
    Part(name: "instance", change: { $0.instance = "second" }, call: { try await $0.addInstance("second") }),
    Part(name: "identity", change: { $0.identity = identity }, call: { try await $0.setIdentity(identity) }),
    Part(name: "counts", change: { $0.counts = counts }, call: { try await $0.setCounts(counts) }),
    Part(
      name: "forgotten", change: { $0.forgotten = [.init(kind: .homie, topic: "old", content: "another")] },
      call: { try await $0.removeAnnouncement(.homie, topic: "old") }),
    Part(name: "announcements", change: { $0.announcements = [told] }, call: { try await $0.setAnnouncement(told) }),
    Part(
      name: "clearings", change: { ($0.clearingsAdded, $0.clearingsRemoved) = (["x", "y"], ["x", "old"]) },
      call: { try await $0.setClearings(added: ["x", "y"], removed: ["x", "old"]) }),
    Part(name: "readings", change: { $0.readings = batch }, call: { try await $0.apply(batch) }),
    Part(
      name: "set aside", change: { $0.setAside = [SetAsideMessage(message: message(30).message, owner: "c")] },
      call: { try await $0.setAside(message(30).message, of: "c") }),
    Part(name: "session", change: { $0.session = session }, call: { try await $0.apply(session) }),
    Part(
      name: "reserved", change: { $0.reserved = ["a": 1000, "b": 1000] },
      call: { try await $0.reserve(["a": 1000, "b": 1000]) }),
    Part(name: "exact", change: { $0.exact = ["b": 44] }, call: { try await $0.storeExact(["b": 44]) }),
    Part(name: "last stop", change: { $0.lastStop = stop }, call: { try await $0.setLastStop(stop) }),
  ]

  /// A store that has something in each table.
  private static func open(_ folder: ScratchFolder, system: String? = nil) async throws -> StateStore {
    let store = try await StateStore.open(folder: folder.path, now: clock, schema: .current, system: system)
    _ = try await store.openOutbox(device: "one", boot: "x", names: ["a", "b"])
    var changes = StoreChanges()
    changes.epoch = 3
    changes.instance = "first"
    changes.identity = StoredIdentity(id: "one", source: .random, serial: "r")
    changes.counts = ["water": .init(pulses: 1, generation: 1)]
    changes.announcements = [.init(kind: .homie, topic: "old", content: "{}")]
    changes.clearingsAdded = ["old"]
    var batch = OutboxBatch()
    batch.readings = (1...6).map { StoredReading(token: $0, stream: 1, data: [0]) }
    changes.readings = batch
    changes.setAside = [SetAsideMessage(message: message(40).message, owner: "c")]
    changes.session = [
      .owner(SessionOwner(server: "mqtt://a:1883", clientIdentifier: "c")), .message(message(20), next: .first),
      .message(message(21, .queued), next: .first), .subscribed(2, subscriptions("b")),
    ]
    changes.reserved = ["a": 500]
    changes.exact = ["b": 43]
    changes.lastStop = LastStop(reason: "before", time: 1)
    #expect(try await store.perform(.write(changes)) == .done)
    return store
  }

  /// Every row of every table.
  private static func dump(_ store: StateStore) async throws -> [String] {
    try await store.perform { database throws(StorageError) in
      var rows: [String] = []
      for table in try database.query(
        "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name", row: { $0.text(0) })
      {
        let columns = try database.query("SELECT name FROM pragma_table_info('\(table)')") { "quote(\($0.text(0)))" }
        rows += try database.query(
          "SELECT \(columns.joined(separator: " || ' ' || ")) FROM \(table) ORDER BY 1",
          row: { table + " " + $0.text(0) })
      }
      return rows
    }
  }

  @Test("each part alone is what the call of the same name does", arguments: parts)
  func part(_ part: Part) async throws {
    let (one, other) = (try ScratchFolder(), try ScratchFolder())
    let (asked, called) = (try await Self.open(one), try await Self.open(other))
    let before = try await Self.dump(asked)
    #expect(try await Self.dump(called) == before)
    var changes = StoreChanges()
    part.change(&changes)
    #expect(!changes.isEmpty)
    #expect(try await asked.perform(.write(changes)) == .done)
    try await part.call(called)
    let after = try await Self.dump(asked)
    #expect(try await Self.dump(called) == after)
    #expect((after == before) == (part.name == "lower epoch"))
    await asked.close()
    await called.close()
  }

  private static var everything: StoreChanges {
    var changes = StoreChanges()
    for part in parts { part.change(&changes) }
    changes.epoch = 7
    return changes
  }

  @Test(
    "all parts together are one transaction, and what the calls do one after the other; it is there after a restart")
  func together() async throws {
    let (one, other) = (try ScratchFolder(), try ScratchFolder())
    let (asked, called) = (try await Self.open(one), try await Self.open(other))
    let count = await asked.counters.transactions
    #expect(try await asked.perform(.write(Self.everything)) == .done)
    #expect(await asked.counters.transactions == count + 1)
    for part in Self.parts { try await part.call(called) }
    let after = try await Self.dump(asked)
    #expect(try await Self.dump(called) == after)
    await asked.close()
    await called.close()
    let again = try await StateStore.open(folder: one.path)
    #expect(try await Self.dump(again) == after)
    await again.close()
  }

  @Test("nothing to write changes nothing; a store that is closed says so all the same")
  func empty() async throws {
    let folder = try ScratchFolder()
    let store = try await Self.open(folder)
    let count = await store.counters.transactions
    #expect(StoreChanges().isEmpty)
    #expect(try await store.perform(.write(StoreChanges())) == .done)
    #expect(await store.counters.transactions == count)
    #expect(try await store.perform(.letGo) == .done)
    #expect(await failure { _ = try await store.perform(.write(StoreChanges())) }?.kind == .closed)
  }

  @Test(
    "a failure in any table leaves all of them as they were, and the store usable",
    arguments: [
      "epoch", "instance", "identity", "counter", "announcement", "clearing", "reading", "message", "message_aside",
      "session", "held_identifier", "received_identifier", "subscription", "packet_identifier", "sequence",
      "reading_boot", "last_stop",
    ])
  func failing(table: String) async throws {
    let folder = try ScratchFolder()
    let store = try await Self.open(folder)
    let before = try await Self.dump(store)
    try await store.perform { database throws(StorageError) in
      for event in ["INSERT", "UPDATE", "DELETE"] {
        try database.execute(
          "CREATE TRIGGER fail_\(event) BEFORE \(event) ON \(table) BEGIN SELECT RAISE(ABORT, 'no'); END")
      }
    }
    let error = try #require(await failure { _ = try await store.perform(.write(Self.everything)) })
    #expect(error.attempt == "store what has changed")
    #expect(try await Self.dump(store) == before)
    try await store.perform { database throws(StorageError) in
      for event in ["INSERT", "UPDATE", "DELETE"] { try database.execute("DROP TRIGGER fail_\(event)") }
    }
    #expect(try await store.perform(.write(Self.everything)) == .done)
    #expect(try await Self.dump(store) != before)
    await store.close()
  }

  @Test("whichever call of the disk fails, all of it is there or nothing")
  func failingDisk() async throws {
    var call = 1
    while true {
      let (folder, disk) = (try ScratchFolder(inMemory: true), UnreliableDisk())
      let store = try await Self.open(folder, system: disk.name)
      let before = try await Self.dump(store)
      let first = disk.plan.withLock { plan in
        plan.failing = plan.calls + call..<plan.calls + call + 1
        return plan.calls + call
      }
      let failed = await failure { _ = try await store.perform(.write(Self.everything)) } != nil
      let calls = disk.plan.withLock { plan in
        plan.failing = 0..<0
        return plan.calls
      }
      let after = try await Self.dump(store)
      if failed { #expect(after == before, "call \(call)") } else { #expect(after != before, "call \(call)") }
      #expect(try await store.perform(.write(Self.everything)) == .done, "call \(call)")
      await store.close()
      guard calls >= first else { break }
      call += 1
    }
    #expect(call > 3)
  }

  // MARK: What two parts say of the same row

  private static func tokens(_ store: StateStore) async throws -> (readings: [UInt64], messages: [UInt64]) {
    guard case .rows(let rows) = try await store.perform(.read(number: 1, ranges: [1...100], limit: 100)) else {
      return ([], [])
    }
    return (rows.map(\.token), try await store.loadSession().messages.map(\.token))
  }

  @Test("what the session takes is its own, and what has come back since is stored behind that")
  func taken() async throws {
    let folder = try ScratchFolder()
    let store = try await Self.open(folder)
    var changes = StoreChanges()
    var batch = OutboxBatch()
    batch.readings = [StoredReading(token: 50, stream: 1, data: [1]), StoredReading(token: 51, stream: 1, data: [1])]
    // Of an earlier process's session, and published again under its token.
    batch.endedMessages = [21]
    changes.readings = batch
    changes.session = [
      .message(Self.message(6), next: .first), .message(Self.message(21), next: .first),
      .message(Self.message(50), next: .first),
    ]
    #expect(try await store.perform(.write(changes)) == .done)
    var (readings, messages) = try await Self.tokens(store)
    // The session had 50 to store still when it gave it back: that it has ended follows.
    #expect(readings == [1, 2, 3, 4, 5, 50, 51] && messages == [6, 20, 21, 50])
    // The session gives them back.
    batch.readings = [StoredReading(token: 6, stream: 1, data: [1]), StoredReading(token: 50, stream: 1, data: [1])]
    batch.endedMessages = []
    changes.readings = batch
    changes.session = [.ended(6), .ended(50)]
    #expect(try await store.perform(.write(changes)) == .done)
    (readings, messages) = try await Self.tokens(store)
    #expect(readings == [1, 2, 3, 4, 5, 6, 50, 51] && messages == [20, 21])
    await store.close()
  }

  @Test("a name whose numbers may be used up to an end is not exact, unless it is the end of the run")
  func numbers() async throws {
    let folder = try ScratchFolder()
    let store = try await Self.open(folder)
    var changes = StoreChanges()
    var batch = OutboxBatch()
    batch.numbers = ["a": 600, "b": 601]
    changes.readings = batch
    changes.reserved = ["a": 1600]
    #expect(try await store.perform(.write(changes)) == .done)
    #expect(try await store.sequences() == ["a": .init(next: 1600, exact: false), "b": .init(next: 601, exact: true)])
    changes.exact = ["a": 700]
    #expect(try await store.perform(.write(changes)) == .done)
    #expect(try await store.sequences()["a"] == .init(next: 700, exact: true))
    await store.close()
  }

  // MARK: The others

  @Test("a file that was removed is missed by every write, whatever it is of")
  func removed() async throws {
    let folder = try ScratchFolder()
    let store = try await Self.open(folder)
    folder.remove("session.db")
    var changes = StoreChanges()
    changes.session = [.held(.first, true)]
    #expect(await failure { _ = try await store.perform(.write(changes)) }?.kind == .fileIsGone)
    guard case .state(let state) = try await store.perform(.reopen(replacing: nil)) else {
      Issue.record("not opened")
      return
    }
    #expect(state.epoch == 0 && state.session.held == [])
    #expect(try await store.perform(.write(changes)) == .done)
    await store.close()
  }

  @Test("the other requests answer what the calls do")
  func others() async throws {
    let folder = try ScratchFolder()
    let store = try await Self.open(folder)
    #expect(try await store.perform(.number(["c", "a"])) == .numbered(["a": 1, "b": 2, "c": 3]))
    let rows = try await store.readings(of: 1, in: [2...9], limit: 3)
    #expect(rows.map(\.token) == [2, 3, 4])
    #expect(try await store.perform(.read(number: 1, ranges: [2...9], limit: 3)) == .rows(rows))
    let outbox = try await store.openOutbox(device: "one", boot: "y", names: ["d"])
    #expect(try await store.perform(.openOutbox(device: "one", boot: "y", names: ["d"])) == .outbox(outbox))
    #expect(try await store.perform(.letGo) == .done)
    guard case .state(let state) = try await store.perform(.reopen(replacing: nil)) else {
      Issue.record("not opened")
      return
    }
    #expect(state.epoch == 3 && state.lastStop == LastStop(reason: "before", time: 1))
    #expect(try await store.load().lastStop == nil)
    await store.close()
  }

  private func failure(_ body: () async throws -> Void) async -> StorageError? {
    do {
      try await body()
      return nil
    } catch {
      return error as? StorageError
    }
  }
}
