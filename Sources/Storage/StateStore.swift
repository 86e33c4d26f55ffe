import MQTTCore
import MQTTStore
import Records
import Synchronization

/// What must survive a restart, in `<folder>/session.db`: the identity, the epoch, sequence numbers, totals of
/// counters, the MQTT session, and how the last run ended.
///
/// Everything runs on one thread of the store's own. A call that writes returns when the change is on the disk, which
/// on an SD card can take seconds; a call that throws has changed nothing, and the store remains usable.
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

  /// - Parameter clock: the time, and how certain it is.
  package static func open(
    folder: String, clock: @escaping @Sendable () -> StoredTime, _ schema: Schema = .current, _ system: String? = nil
  ) async throws(StorageError) -> StateStore {
    let executor = try inLimpetsWords { () throws(StorageError) in try ThreadExecutor(name: "limpet-storage") }
    let store = StateStore(folder: folder, schema: schema, system: system, executor: executor, clock: clock)
    try await store.open()
    return store
  }

  private func open() throws(StorageError) { try inLimpetsWords { () throws(StorageError) in try file.open() } }

  /// A store for `reopen` alone: its database could not be used. It locks the folder all the same, if possible.
  /// nil: the system has no thread left.
  ///
  /// - Parameter isHeld: false: it does not touch the folder, which may not answer.
  public static func unopened(folder: String, isHeld: Bool = true) async -> StateStore? {
    guard let executor = try? ThreadExecutor(name: "limpet-storage") else { return nil }
    let store = StateStore(
      folder: folder, schema: .current, system: nil, executor: executor, clock: StoreClock.system())
    if isHeld { await store.hold() }
    return store
  }

  private func hold() { file.hold() }

  /// Opens it again and reads it, if the file is damaged (it is kept aside first) or missing, or could not be opened
  /// before.
  public func reopen(replacing damage: StorageError?) throws(StorageError) -> StoredState {
    try inLimpetsWords { () throws(StorageError) in try file.reopen(replacing: damage) }
    return try load()
  }

  /// Closes the file and releases the folder for another agent. Every later call throws `closed`. A store that is
  /// deallocated without this call is closed too, on whatever thread that happens.
  public func close() { file.close() }

  /// Closes the file, and keeps the folder from other agents. Every later call throws `closed`.
  func letGo() {
    file.close()
    file.hold()
  }

  /// Everything that is needed at start, in one call. It returns the last stop only once, and clears it, so that a run
  /// that ends without storing one counts as unclean. If that write fails, `writeError` says why.
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

  /// The session belongs to another client from now on: its messages are kept aside, messages kept aside before are
  /// deleted, and so is the rest of the session. Returns the number of messages kept aside.
  public func setSessionAside() throws(StorageError) -> Int {
    try write("set the session aside") { database throws(StorageError) in
      try SessionTables.setAside(in: database)
    }
  }

  /// What this store had done after its last write, for callers that do not wait for the disk.
  public nonisolated var lastCounters: StoreCounters { published.withLock { $0 } }

  /// What this store has done since it was opened.
  public var counters: StoreCounters {
    StoreCounters(transactions: file.transactions, bytes: file.bytes, failures: file.failures)
  }

  /// The time for this store, and how certain it is.
  package var now: StoredTime { file.clock() }

  /// Throws if the file was removed: writes to it would be lost.
  func verifyFile(_ attempt: String) throws(StorageError) {
    try inLimpetsWords { () throws(StorageError) in try file.verify(attempt) }
  }

  /// Runs one call on the database.
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
