import MQTTCore
import MQTTStore
import Records
import Synchronization

/// What must survive a restart, in `<folder>/session.db`: the identity, the epoch, sequence numbers, what counters stand
/// at, the MQTT session, and how the last run ended.
///
/// Everything runs on one thread of the store's own. A call that writes returns when the change is on the disk, which
/// on an SD card can take seconds; a call that throws changed nothing, and the store can be used on.
public actor StateStore {
  private let executor: ThreadExecutor
  private let file: StoreFile
  private nonisolated let published = Mutex(StoreCounters())

  public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  private init(
    folder: String, schema: Schema, system: String?, executor: ThreadExecutor,
    clock: @escaping @Sendable () -> StoredTime
  ) {
    self.executor = executor
    file = StoreFile(folder: folder, schema: schema, system: system, clock: clock) { damaged in
      let salvage = Salvage(of: damaged)
      return { database throws(StorageError) in try salvage.write(to: database) }
    }
  }

  /// Opens the store of `folder` and creates both when missing: the folder with mode 0700, the database with 0600.
  ///
  /// A file that is damaged or no database is kept beside the new one as `session.db.corrupt-<seconds since 1970>` (the
  /// newest three are kept); `load` says so. `now` is the time for that name.
  ///
  /// Throws `held` when another agent has it, `busy` when another program has the database open, `newerSchema` and
  /// `foreign` (both leave the file untouched), `readOnly`,
  /// `full`, `cannotOpen`, `inputOutput`.
  public static func open(
    folder: String, now: (@Sendable () -> Int64)? = nil
  ) async throws(StorageError) -> StateStore {
    try await open(folder: folder, now: now, schema: .current)
  }

  /// - Parameter system: see `Database`.
  package static func open(
    folder: String, now: (@Sendable () -> Int64)? = nil, schema: Schema, system: String? = nil
  ) async throws(StorageError) -> StateStore {
    try await open(folder: folder, clock: now.map { StoreClock.wall($0) } ?? StoreClock.system(), schema, system)
  }

  /// - Parameter clock: what time it is, and what that is worth.
  package static func open(
    folder: String, clock: @escaping @Sendable () -> StoredTime, _ schema: Schema = .current, _ system: String? = nil
  ) async throws(StorageError) -> StateStore {
    let executor = try inLimpetsWords { () throws(StorageError) in try ThreadExecutor(name: "limpet-storage") }
    let store = StateStore(folder: folder, schema: schema, system: system, executor: executor, clock: clock)
    try await store.open()
    return store
  }

  private func open() throws(StorageError) { try inLimpetsWords { () throws(StorageError) in try file.open() } }

  /// A store for `reopen` alone: its database could not be used. The folder is held all the same, as far as it can be.
  /// nil: the system has no thread left.
  ///
  /// - Parameter isHeld: false: the folder is not touched, for it may not answer.
  public static func unopened(folder: String, isHeld: Bool = true) async -> StateStore? {
    guard let executor = try? ThreadExecutor(name: "limpet-storage") else { return nil }
    let store = StateStore(
      folder: folder, schema: .current, system: nil, executor: executor, clock: StoreClock.system())
    if isHeld { await store.hold() }
    return store
  }

  private func hold() { file.hold() }

  /// Opens it again, and reads what is there: after its file was found damaged, which is kept aside first; when the
  /// file is not there any more; or where it could not be opened before.
  public func reopen(replacing damage: StorageError?) throws(StorageError) -> StoredState {
    try inLimpetsWords { () throws(StorageError) in try file.reopen(replacing: damage) }
    return try load()
  }

  /// Closes the file and lets another agent have it. Every later call throws `closed`. A store that is let go of without
  /// this is closed too, on the thread that happens to do so.
  public func close() { file.close() }

  /// Closes the file, and keeps the folder from other agents. Every later call throws `closed`.
  func letGo() {
    file.close()
    file.hold()
  }

  /// Everything that is needed at start, in one call. The last stop is given out once: it is cleared here, so that a run
  /// that ends without storing one is an unclean one. When that cannot be written, `writeError` says why.
  public func load() throws(StorageError) -> StoredState {
    let now = file.clock()
    var (state, session) = try read("read the stored state") { database throws(StorageError) in
      var state = StoredState()
      state.identity = try Self.readIdentity(database)
      state.epoch = try Self.readEpoch(database)
      state.sequences = try Self.readSequences(database)
      state.instances = Set(try Self.readInstances(database))
      state.counts = try Self.readCounts(database)
      state.outputs = try Self.readOutputs(database)
      state.announcements = try Self.readAnnouncements(database)
      state.farewells = try Self.readFarewells(database)
      let session = try SessionTables.read(database, now: now)
      state.session = session.state
      state.unreadable = session.unreadable
      state.lastStop = try Self.readLastStop(database)
      return (state, session)
    }
    state.keptAside = file.keptAside
    state.lastWrite = file.lastWrite
    do throws(StorageError) {
      try inLimpetsWords { () throws(StorageError) in try SessionTables.clean(session, in: file) }
      if state.lastStop != nil {
        try write("clear the last clean stop") { database throws(StorageError) in
          try database.run("DELETE FROM last_stop")
        }
      }
    } catch {
      state.writeError = error
    }
    return state
  }

  /// The stored identity; nil when there is none yet.
  public func identity() throws(StorageError) -> StoredIdentity? {
    try read("read the identity") { database throws(StorageError) in try Self.readIdentity(database) }
  }

  /// Stores the identity in place of an earlier one.
  public func setIdentity(_ identity: StoredIdentity) throws(StorageError) {
    try write("store the identity") { database throws(StorageError) in try Self.write(identity, to: database) }
  }

  /// The session belongs to another client than this one from now on: its messages are kept aside, those of an earlier
  /// time like that go, and everything else of it is forgotten. The number of messages that were kept.
  public func setSessionAside() throws(StorageError) -> Int {
    try write("set the session aside") { database throws(StorageError) in
      try SessionTables.setAside(in: database)
    }
  }

  /// What this store had done after its last write, for who does not wait for the disk.
  public nonisolated var lastCounters: StoreCounters { published.withLock { $0 } }

  /// What this store has done since it was opened.
  public var counters: StoreCounters {
    StoreCounters(transactions: file.transactions, bytes: file.bytes, failures: file.failures)
  }

  /// What time it is for this store, and what that is worth.
  package var now: StoredTime { file.clock() }

  /// What is written to a file that was removed is nowhere.
  func verifyFile(_ attempt: String) throws(StorageError) {
    try inLimpetsWords { () throws(StorageError) in try file.verify(attempt) }
  }

  /// Runs one call on the database, for every room that keeps something in it.
  package func read<Value>(
    _ attempt: String, _ body: (Database) throws(StorageError) -> Value
  ) throws(StorageError) -> Value {
    // Not in a closure: to the compiler of Debian `body` would leave this actor with it.
    do throws(StorageError) { return try file.read(attempt, body) } catch { throw error.inLimpetsWords }
  }

  /// As one transaction.
  package func write<Value>(
    _ attempt: String, _ body: (Database) throws(StorageError) -> Value
  ) throws(StorageError) -> Value {
    defer {
      let counters = counters
      published.withLock { $0 = counters }
    }
    do throws(StorageError) { return try file.write(attempt, body) } catch { throw error.inLimpetsWords }
  }
}
