import Glibc
import Records
import Synchronization

/// What must survive a restart, in `<folder>/session.db`: the identity, the epoch, sequence numbers, what counters stand
/// at, the MQTT session, and how the last run ended.
///
/// Everything runs on one thread of the store's own. A call that writes returns when the change is on the disk, which
/// on an SD card can take seconds; a call that throws changed nothing, and the store can be used on.
public actor StateStore {
  private let executor: ThreadExecutor
  private let path: String
  private var folder: StoreFolder?
  private var database: Database?
  private var keptAside: KeptAside?
  /// Of a damaged file, until another one has it.
  private var salvage: Salvage?
  private var lastWrite: Int64?
  private var counted = StoreCounters()
  private nonisolated let published = Mutex(StoreCounters())
  /// Seconds since 1970.
  package let now: @Sendable () -> Int64
  /// The same, with what it is worth.
  let clock: @Sendable () -> StoredTime

  public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  private init(folder: String, executor: ThreadExecutor, clock: @escaping @Sendable () -> StoredTime) {
    self.path = folder
    self.clock = clock
    now = { clock().wall }
    self.executor = executor
  }

  /// Opens the store of `folder` and creates both when missing: the folder with mode 0700, the database with 0600.
  ///
  /// A file that is damaged or no database is kept beside the new one as `session.db.corrupt-<seconds since 1970>` (the
  /// newest three are kept); `load` tells. `now` is the time for that name.
  ///
  /// Throws `held` when another agent has it, `busy` when another program has the database open, `newerSchema` and
  /// `foreign` (both leave the file untouched), `readOnly`,
  /// `full`, `cannotOpen`, `inputOutput`.
  public static func open(
    folder: String, now: (@Sendable () -> Int64)? = nil
  ) async throws(StorageError) -> StateStore {
    try await open(folder: folder, now: now, schema: .current)
  }

  /// - Parameter clock: what time it is, and what that is worth.
  package static func open(
    folder: String, clock: @escaping @Sendable () -> StoredTime
  ) async throws(StorageError) -> StateStore {
    let store = StateStore(folder: folder, executor: try ThreadExecutor(name: "limpet-storage"), clock: clock)
    try await store.start(schema: .current, system: nil)
    return store
  }

  /// - Parameter system: see `Database`.
  package static func open(
    folder: String, now: (@Sendable () -> Int64)? = nil, schema: Schema, system: String? = nil
  ) async throws(StorageError) -> StateStore {
    let clock = now.map { StoreClock.wall($0) } ?? StoreClock.system()
    let store = StateStore(folder: folder, executor: try ThreadExecutor(name: "limpet-storage"), clock: clock)
    try await store.start(schema: schema, system: system)
    return store
  }

  private func start(schema: Schema, system: String?) throws(StorageError) {
    let folder = try StoreFolder(path: path)
    lastWrite = folder.lastWrite
    do throws(StorageError) {
      database = try Self.openDatabase(in: folder, schema: schema, system: system)
    } catch {
      // Where folders cannot be locked, it is the database that two agents meet at.
      if error.kind == .busy, !folder.isLocked { throw .held(path, by: nil) }
      guard error.isDamage else { throw error }
      let salvage = error.kind == .corrupt ? Salvage(path: folder.databasePath, system: system) : nil
      keptAside = KeptAside(path: try folder.keepAside(at: now()), reason: error)
      let new = try Self.openDatabase(in: folder, schema: schema, system: system)
      try salvage?.write(to: new)
      database = new
    }
    self.folder = consume folder
  }

  private static func openDatabase(
    in folder: borrowing StoreFolder, schema: Schema, system: String?
  ) throws(StorageError) -> Database {
    try schema.refuseNewer(at: folder.databasePath, system: system)
    try folder.protectDatabase()
    let database = try Database(path: folder.databasePath, system: system)
    try schema.apply(to: database)
    try database.accept()
    return database
  }

  /// A store for `reopen` alone: its database could not be used. The folder is held all the same, as far as it can be.
  /// nil: the system has no thread left.
  ///
  /// - Parameter isHeld: false: the folder is not touched, for it may not answer.
  public static func unopened(folder: String, isHeld: Bool = true) async -> StateStore? {
    guard let executor = try? ThreadExecutor(name: "limpet-storage") else { return nil }
    let store = StateStore(folder: folder, executor: executor, clock: StoreClock.system())
    if isHeld { await store.hold() }
    return store
  }

  /// No other agent is to use the folder meanwhile.
  private func hold() { folder = try? StoreFolder(existing: path) }

  /// Opens it again, and reads what is there: after its file was found damaged, which is kept aside first; when the
  /// file is not there any more; or where it could not be opened before.
  public func reopen(replacing damage: StorageError?) throws(StorageError) -> StoredState {
    if damage != nil, let database { salvage = Salvage(of: database) }
    close()
    var aside: KeptAside?
    if let damage {
      let folder = try StoreFolder(path: path)
      aside = KeptAside(path: try folder.keepAside(at: now()), reason: damage)
    }
    do throws(StorageError) { try start(schema: .current, system: nil) } catch {
      hold()
      throw error
    }
    keptAside = aside ?? keptAside
    if let salvage, let database { try salvage.write(to: database) }
    salvage = nil
    return try load()
  }

  /// The epoch is not below this one.
  public func raiseEpoch(to epoch: UInt64) throws(StorageError) {
    try write("store the epoch") { database throws(StorageError) in try Self.raiseEpoch(to: epoch, in: database) }
  }

  /// What is written to a file that was removed is nowhere.
  func verifyFile(_ attempt: String) throws(StorageError) {
    guard let database, access(database.path, F_OK) != 0 else { return }
    throw StorageError(
      .fileIsGone, attempt: attempt, file: database.path, systemError: ENOENT, message: "it was removed")
  }

  /// Closes the file and lets another agent have it. Every later call throws `closed`. A store that is let go of without
  /// this is closed too, on the thread that happens to do so.
  public func close() {
    counted = counters
    database = nil
    folder = nil
  }

  /// Closes the file, and keeps the folder from other agents. Every later call throws `closed`.
  public func letGo() {
    close()
    hold()
  }

  /// Everything that is needed at start, in one call. The last stop is given out once: it is cleared here, so that a run
  /// that ends without `setLastStop` is an unclean one. When that cannot be written, `writeError` says why.
  public func load() throws(StorageError) -> StoredState {
    var expired: [UInt64] = []
    var state = try perform { database throws(StorageError) in
      try database.read("read the stored state") { () throws(StorageError) in
        var state = StoredState()
        state.identity = try Self.readIdentity(database)
        state.epoch = try Self.readEpoch(database)
        state.sequences = try Self.readSequences(database)
        state.instances = Set(try Self.readInstances(database))
        state.counts = try Self.readCounts(database)
        state.announcements = try Self.readAnnouncements(database)
        let session = try Self.readSession(database, now: clock())
        (state.session, state.unreadable, expired) = (session.state, session.unreadable, session.expired)
        state.lastStop = try Self.readLastStop(database)
        return state
      }
    }
    state.keptAside = keptAside
    state.lastWrite = lastWrite
    do throws(StorageError) {
      if state.unreadable > 0 { try removeUnreadable() }
      try removeExpired(expired)
      if state.lastStop != nil { _ = try takeLastStop() }
    } catch {
      state.writeError = error
    }
    return state
  }

  /// The stored identity; nil when there is none yet.
  public func identity() throws(StorageError) -> StoredIdentity? {
    try perform { database throws(StorageError) in
      try database.read("read the identity") { () throws(StorageError) in try Self.readIdentity(database) }
    }
  }

  /// Stores the identity in place of an earlier one.
  public func setIdentity(_ identity: StoredIdentity) throws(StorageError) {
    try write("store the identity") { database throws(StorageError) in try Self.write(identity, to: database) }
  }

  /// The number of a new CONNECT: one more than the last, and on the disk when this returns. The first is 1.
  public func nextEpoch() throws(StorageError) -> UInt64 {
    try write("store the next epoch") { database throws(StorageError) in
      try database.run(
        "INSERT INTO epoch (one, value) VALUES (1, 1) ON CONFLICT (one) DO UPDATE SET value = value + 1")
      return try Self.readEpoch(database)
    }
  }

  /// Adds the name of this run, and forgets those of long ago.
  public func addInstance(_ instance: String) throws(StorageError) {
    try write("store the instance") { database throws(StorageError) in try Self.add(instance, to: database) }
  }

  /// Where the sequence numbers of every name go on.
  public func sequences() throws(StorageError) -> [String: StoredSequence] {
    try perform { database throws(StorageError) in
      try database.read("read the sequence numbers") { () throws(StorageError) in try Self.readSequences(database) }
    }
  }

  /// Reserves the numbers below each name's `end`, in one transaction: after an unclean stop the name goes on at `end`.
  /// An end never goes back.
  public func reserve(_ ends: [String: UInt64]) throws(StorageError) {
    guard !ends.isEmpty else { return }
    try write("reserve sequence numbers") { database throws(StorageError) in
      try Self.reserve(ends, in: database)
    }
  }

  /// At a clean stop, when no number is used any more: each name goes on at exactly this number. One transaction.
  public func storeExact(_ next: [String: UInt64]) throws(StorageError) {
    guard !next.isEmpty else { return }
    try write("store the sequence numbers") { database throws(StorageError) in
      try Self.goOnExactly(at: next, in: database)
    }
  }

  /// Stores what these counters stand at, in one transaction.
  public func setCounts(_ counts: [String: StoredCount]) throws(StorageError) {
    guard !counts.isEmpty else { return }
    try write("store the counters") { database throws(StorageError) in
      for (name, count) in counts { try Self.write(count, of: name, to: database) }
    }
  }

  /// Stores, at the very end of a clean stop, that it was one.
  public func setLastStop(_ stop: LastStop) throws(StorageError) {
    try write("store the clean stop") { database throws(StorageError) in try Self.write(stop, to: database) }
  }

  /// The clean stop of the last run, once: it is cleared. nil when that run did not end cleanly. `load` does this too.
  public func takeLastStop() throws(StorageError) -> LastStop? {
    try write("clear the last clean stop") { database throws(StorageError) in
      let stop = try Self.readLastStop(database)
      if stop != nil { try database.run("DELETE FROM last_stop") }
      return stop
    }
  }

  /// Returns when everything that was asked for before is done.
  public func settle() {}

  /// What this store had done after its last write, for who does not wait for the disk.
  public nonisolated var lastCounters: StoreCounters { published.withLock { $0 } }

  /// What this store has done since it was opened.
  public var counters: StoreCounters {
    var counters = counted
    if let database {
      counters.transactions = database.committedTransactions
      counters.bytes = database.bytesWritten
    }
    return counters
  }

  /// Runs one call on the database, for every room that keeps something in it.
  package func perform<Value>(
    _ body: (Database) throws(StorageError) -> Value
  ) throws(StorageError) -> Value {
    do throws(StorageError) {
      guard let database else {
        throw StorageError(.closed, attempt: "use the store", file: path, message: "it is closed")
      }
      return try body(database)
    } catch {
      counted.failures += 1
      throw error
    }
  }

  package func write<Value>(
    _ attempt: String, _ body: (Database) throws(StorageError) -> Value
  ) throws(StorageError) -> Value {
    defer {
      let counters = counters
      published.withLock { $0 = counters }
    }
    return try perform { database throws(StorageError) in
      try database.write(attempt) { () throws(StorageError) in try body(database) }
    }
  }
}
