import Glibc
import LimpetInstants
import Testing

@testable import MQTTCore
@testable import MQTTStore
@testable import Records
@testable import Storage

/// The disk and other programs, at their worst: what the store says, and what it leaves behind.
@Suite("Store faults")
struct StoreFaultTests {
  let folder: ScratchFolder

  init() throws { folder = try ScratchFolder() }

  func open(_ path: String? = nil) async throws -> StateStore {
    try await StateStore.open(folder: path ?? folder.path) { 1_795_000_000 }
  }

  func openError(_ path: String? = nil) async throws -> StorageError {
    try await #require(throws: StorageError.self) { try await open(path) }
  }

  /// A store with something in it, closed.
  private func makeStore() async throws {
    let store = try await open()
    try await store.reserve(Dictionary(uniqueKeysWithValues: (1...200).map { ("sensor-\($0)", 1001) }))
    _ = try await store.nextEpoch()
    await store.close()
  }

  // MARK: files that are not a store

  @Test(
    "a file that is no database is kept aside and a new store begun, and load says so",
    arguments: ["hello", "no database ", "SQLite format 3\0"], [1, 1000])
  func notADatabase(text: String, repeated: Int) async throws {
    let content = String(repeating: text, count: repeated)
    try folder.write("session.db", Array(content.utf8))
    try folder.write("session.db-wal", [1, 2, 3])
    let store = try await open()
    let kept = try #require(try await store.load().keptAside)
    #expect(kept.path == folder.path + "/session.db.corrupt-1795000000")
    #expect(kept.reason.kind == .notADatabase)
    #expect(try folder.bytes("session.db.corrupt-1795000000") == Array(content.utf8))
    #expect(try folder.bytes("session.db.corrupt-1795000000-wal") == [1, 2, 3])
    #expect(try await store.nextEpoch() == 1)
    await store.close()
    #expect(try await open().load().keptAside == nil)
  }

  @Test(
    "a truncated database is kept aside and a new store begun",
    arguments: [2, 15, 50, 99, 100, 511, 512, 513, 1024, 2500, 5000, 7000])
  func truncated(size: Int) async throws {
    try await makeStore()
    let whole = try folder.bytes("session.db")
    try #require(whole.count > size)
    try folder.write("session.db", Array(whole.prefix(size)))
    let store = try await open()
    let kept = try #require(try await store.load().keptAside)
    #expect([.notADatabase, .corrupt].contains(kept.reason.kind))
    #expect(try folder.bytes("session.db.corrupt-1795000000") == Array(whole.prefix(size)))
    // It goes on where the page that holds it is still there.
    #expect(try await [1, 2].contains(store.nextEpoch()))
    await store.close()
  }

  @Test("a page overwritten with other bytes, anywhere in the tables, is found at start", arguments: 0..<6)
  func overwritten(page: Int) async throws {
    try await makeStore()
    var bytes = try folder.bytes("session.db")
    try #require(bytes.count >= (page + 1) * 512)
    for index in page * 512..<(page + 1) * 512 { bytes[index] = 0xA5 }
    try folder.write("session.db", bytes)
    let store = try await open()
    let kept = try #require(try await store.load().keptAside)
    #expect([.notADatabase, .corrupt].contains(kept.reason.kind))
    await store.close()
  }

  @Test("a table that is damaged is given up with its file, and what else can be read goes on in the new one")
  func salvaged() async throws {
    var store = try await open()
    let identity = StoredIdentity(id: "board", source: .machineID, serial: "1")
    try await store.setIdentity(identity)
    for _ in 1...5 { _ = try await store.nextEpoch() }
    try await store.storeExact(["door": 43])
    try await store.setCounts(["water": .init(pulses: 7, generation: 3)])
    try await store.addInstance("abc")
    try await store.setAnnouncement(.init(kind: .homie, topic: "homie/5/board", content: "{}"))
    _ = try await store.openOutbox(device: "board", boot: "x", names: ["door"])
    let page = try await store.perform { database throws(StorageError) in
      try database.query("SELECT rootpage FROM sqlite_schema WHERE name = 'message'") { Int($0.integer(0)) }
    }.first
    await store.close()
    var bytes = try folder.bytes("session.db")
    let start = (try #require(page) - 1) * 512
    for index in start..<start + 512 { bytes[index] = 0xA5 }
    try folder.write("session.db", bytes)
    store = try await open()
    let damage = try #require(await failure { _ = try await store.load() })
    #expect(damage.isDamage)
    var state = try await store.reopen(replacing: damage)
    for isReopened in [false, true] {
      #expect((state.keptAside == nil) == isReopened)
      #expect(state.identity == identity && state.epoch == 5 && state.instances == ["abc"])
      #expect(state.sequences == ["door": .init(next: 43, exact: false)])
      #expect(state.counts == ["water": .init(pulses: 7, generation: 3)])
      #expect(state.announcements.map(\.topic) == ["homie/5/board"])
      _ = try await store.openOutbox(device: "board", boot: "x", names: ["door"])
      await store.close()
      store = try await open()
      state = try await store.load()
    }
    await store.close()
  }

  @Test("who lets go of the folder a moment later keeps nobody out, who does not, does")
  func heldForAMoment() throws {
    let (first, second) = (Glibc.open(folder.path, O_RDONLY), Glibc.open(folder.path, O_RDONLY))
    defer { for descriptor in [first, second] { close(descriptor) } }
    #expect(flock(first, LOCK_EX | LOCK_NB) == 0)
    var pauses = 0
    #expect(!StoreFolder.lock(second) { pauses += 1 })
    #expect(errno == EWOULDBLOCK)
    #expect((10...30).contains(pauses))
    pauses = 0
    let isHeld = StoreFolder.lock(second) {
      pauses += 1
      if pauses == 3 { flock(first, LOCK_UN) }
    }
    #expect(isHeld && pauses == 3)
  }

  @Test("an empty file becomes a store; SQLite takes one byte for empty too", arguments: [[], [0]] as [[UInt8]])
  func emptyFile(bytes: [UInt8]) async throws {
    try folder.write("session.db", bytes)
    let store = try await open()
    var state = try await store.load()
    state.lastWrite = nil
    #expect(state == StoredState())
    await store.close()
  }

  @Test("a link in the database's place has its target's mode left alone; a file of its own gets 0600")
  func modes() async throws {
    func mode(_ path: String) throws -> mode_t {
      var status = stat()
      try #require(stat(path, &status) == 0)
      return status.st_mode & 0o777
    }
    let elsewhere = try ScratchFolder()
    try elsewhere.write("target", [])
    #expect(chmod(elsewhere.path + "/target", 0o644) == 0)
    #expect(symlink(elsewhere.path + "/target", folder.path + "/session.db") == 0)
    await (try? open())?.close()
    #expect(try mode(elsewhere.path + "/target") == 0o644)
    unlink(folder.path + "/session.db")
    try folder.write("session.db", [])
    #expect(chmod(folder.path + "/session.db", 0o644) == 0)
    await (try open()).close()
    #expect(try mode(folder.path + "/session.db") == 0o600)
  }

  @Test("damaged stores are kept under names of their own, the newest three")
  func keepsThree() async throws {
    for number in 1...5 {
      try folder.write("session.db", Array("damaged \(number)".utf8))
      await (try open()).close()
    }
    #expect(
      folder.names == [
        "session.db", "session.db.corrupt-1795000002", "session.db.corrupt-1795000003", "session.db.corrupt-1795000004",
      ])
    #expect(try folder.bytes("session.db.corrupt-1795000004") == Array("damaged 5".utf8))
  }

  @Test("the database of another program is refused and left as it is")
  func foreign() async throws {
    do {
      let other = try Database(path: folder.path + "/session.db")
      try other.execute("CREATE TABLE theirs (a); PRAGMA application_id = 42")
    }
    let before = try folder.bytes("session.db")
    let error = try await openError()
    #expect(error.kind == .foreign(applicationID: 42))
    #expect(try folder.bytes("session.db") == before)
  }

  // MARK: versions

  @Test("a newer store is refused, and not one byte of it changes, even where a crash left a log")
  func newerSchema() async throws {
    let newer = Schema(
      applicationID: Schema.current.applicationID,
      migrations: Schema.current.migrations + ["CREATE TABLE later (a INTEGER) STRICT"],
      checkedTables: Schema.current.checkedTables)
    let store = try await StateStore.open(folder: folder.path, now: { 0 }, schema: newer)
    _ = try await store.nextEpoch()
    // A copy of the files as they are while it runs is what a power cut leaves.
    let crashed = try ScratchFolder()
    for name in ["session.db", "session.db-wal"] { try crashed.write(name, try folder.bytes(name)) }
    await store.close()

    let known = Int64(Schema.current.migrations.count)
    for place in [folder, crashed] {
      let before = try place.names.map { try place.bytes($0) }
      let error = try await openError(place.path)
      #expect(error.kind == .newerSchema(found: known + 1, known: known))
      #expect(error.description.contains("It has schema \(known + 1), this limpet knows \(known)"))
      #expect(try place.names.map { try place.bytes($0) } == before)
    }
    #expect(crashed.names == ["session.db", "session.db-wal"])
  }

  @Test("an older store gets the tables it lacks, once, and keeps what it has")
  func migrates() async throws {
    try await makeStore()
    let newer = Schema(
      applicationID: Schema.current.applicationID,
      migrations: Schema.current.migrations + ["CREATE TABLE later (a INT) STRICT", "INSERT INTO later VALUES (5)"],
      checkedTables: Schema.current.checkedTables)
    for _ in 1...2 {
      let store = try await StateStore.open(folder: folder.path, now: { 0 }, schema: newer)
      #expect(try await store.load().epoch == 1)
      #expect(try await store.laterRows() == [5])
      await store.close()
    }
  }

  @Test("a migration that fails changes nothing")
  func failedMigration() async throws {
    try await makeStore()
    let broken = Schema(
      applicationID: Schema.current.applicationID,
      migrations: Schema.current.migrations + ["CREATE TABLE later (a INTEGER) STRICT; nonsense"], checkedTables: [])
    await #expect(throws: StorageError.self) {
      try await StateStore.open(folder: folder.path, now: { 0 }, schema: broken)
    }
    let store = try await open()
    #expect(try await store.load().epoch == 1)
    await #expect(throws: StorageError.self) { try await store.laterRows() }
    await store.close()
  }

  // MARK: other processes

  @Test("while one process has the store, another is told its number, and the first works on")
  func secondProcess() async throws {
    let store = try await open()
    let path = folder.path
    let own = getpid()
    await #expect(processExitsWith: .exitCode(75)) { [path = path as String, own = own as Int32] in
      do throws(StorageError) {
        _ = try await StateStore.open(folder: path)
      } catch {
        let isNamed = error.description.contains("another limpet (process \(own)) uses this folder")
        exit(error.kind == .held(by: own) && isNamed ? 75 : 1)
      }
    }
    #expect(try await store.nextEpoch() == 1)
    await store.close()
  }

  @Test("an agent whose database cannot be opened, or that stores nothing, holds the folder all the same")
  func heldFolder() async throws {
    try folder.write("session.db", [])
    #expect(chmod(folder.path + "/session.db", 0) == 0)
    let unopened = await StateStore.unopened(folder: folder.path)
    #expect(try await openError().kind == .held(by: getpid()))
    await unopened?.close()
    let hold = try StoreHold(existing: folder.path)
    #expect(try await openError().kind == .held(by: getpid()))
    withExtendedLifetime(hold) {}
  }

  @Test("the kernel's list of locks names the process that holds one, not those that wait for it")
  func lockHolder() {
    let text = """
      1: POSIX  ADVISORY  READ  77 08:02:42 0 EOF
      2: FLOCK  ADVISORY  WRITE 1234 00:1f:42 0 EOF
      2: -> FLOCK  ADVISORY  WRITE 99 00:1f:42 0 EOF
      3: FLOCK  ADVISORY  WRITE 0 00:1f:43 0 EOF
      4: FLOCK  ADVISORY  WRITE 5 00:1f:4
      5: -> FLOCK  ADVISORY  WRITE 98 00:1f:44 0 EOF

      nonsense
      """
    #expect(LockHolder.process(of: 42, in: text) == 1234)
    for inode in [4, 43, 44, 45] as [UInt64] { #expect(LockHolder.process(of: inode, in: text) == nil) }
  }

  @Test("a program that has only the database open is busy too, and nothing is moved away")
  func heldDatabase() async throws {
    try await makeStore()
    let holder = try Database(path: folder.path + "/session.db")
    #expect(try await openError().kind == .busy)
    #expect(try holder.query("SELECT value FROM epoch") { $0.integer(0) } == [1])
    #expect(folder.names.filter { $0.contains("corrupt") }.isEmpty)
  }

  @Test("what a call stored before it returned survives a kill")
  func killed() async throws {
    let path = folder.path
    await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
      let store = try await StateStore.open(folder: path)
      _ = try await store.nextEpoch()
      try await store.reserve(["door": 1001])
      _ = try await store.nextEpoch()
      kill(getpid(), SIGKILL)
    }
    let store = try await open()
    let state = try await store.load()
    #expect(state.epoch == 2)
    #expect(state.sequences == ["door": .init(next: 1001, exact: false)])
    #expect(state.keptAside == nil)
    await store.close()
  }

  func failure(_ body: () async throws -> Void) async -> StorageError? {
    do {
      try await body()
      return nil
    } catch {
      return error as? StorageError
    }
  }
}

extension StateStore {
  /// What a later version's table holds.
  fileprivate func laterRows() throws(StorageError) -> [Int64] {
    try perform { database throws(StorageError) in try database.query("SELECT a FROM later") { $0.integer(0) } }
  }
}
