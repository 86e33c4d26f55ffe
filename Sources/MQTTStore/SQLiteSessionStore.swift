import MQTTCore

/// Keeps an MQTT session on disk, in `<folder>/session.db`, so that it outlives the process: messages of QoS 1 and 2
/// that were not acknowledged, packet identifiers, subscriptions (MQTT 5.0 §4.1, "the Session State").
///
///     let store = try await SQLiteSessionStore.open(folder: "/var/lib/greenhouse/mqtt")
///     var configuration = MQTTClient.Configuration(servers: servers, clientIdentifier: "greenhouse")
///     try await configuration.keepSession(in: store)
///
/// A folder has one session, and only one program uses it at a time. Everything runs on a thread of the store's own, so
/// a disk that takes seconds delays nothing else. A call that writes returns when the change will survive a power cut;
/// one that throws has changed nothing, and the store remains usable: `MQTTClient` goes on in memory and tries again.
public actor SQLiteSessionStore: SessionStore {
  private let executor: ThreadExecutor
  private let file: StoreFile
  /// How many unreadable rows of the session were removed; the store keeps those of messages beside the session, as
  /// they are.
  public private(set) var unreadable = 0

  /// The store's own thread, where each of its calls runs.
  public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  private init(folder: String, executor: ThreadExecutor, clock: @escaping @Sendable () -> StoredTime) {
    self.executor = executor
    file = StoreFile(folder: folder, schema: .session, clock: clock)
  }

  /// Opens the store in `folder`, and creates both if missing: the folder with mode 0700, the database with 0600.
  ///
  /// If the file is damaged or not a database, the store renames it to `session.db.corrupt-<seconds since 1970>`
  /// (keeping the three newest) and creates a new one; `keptAside` names it.
  ///
  /// - Throws: `held` if another store has the folder, `busy` if another program has the database open, `newerSchema`
  ///   and `foreign` (both leave the file untouched), `readOnly`, `full`, `cannotOpen`, `inputOutput`.
  public static func open(folder: String) async throws(StorageError) -> SQLiteSessionStore {
    try await open(folder: folder, clock: StoreClock.system())
  }

  package static func open(
    folder: String, clock: @escaping @Sendable () -> StoredTime
  ) async throws(StorageError) -> SQLiteSessionStore {
    let store = SQLiteSessionStore(folder: folder, executor: try ThreadExecutor(name: "mqtt-store"), clock: clock)
    try await store.open()
    return store
  }

  private func open() throws(StorageError) { try file.open() }

  /// The damaged file that this store replaces, if there was one; this store has none of its content.
  public var keptAside: KeptAside? { file.keptAside }

  /// The stored session, without messages that have expired.
  public func loadSession() throws(StorageError) -> SessionState {
    let now = file.clock()
    let found = try file.read("read the session") { database throws(StorageError) in
      try SessionTables.read(database, now: now)
    }
    try SessionTables.clean(found, in: file)
    unreadable += found.unreadable
    return found.state
  }

  /// Stores these changes as one transaction, which survives a power cut.
  public func apply(_ changes: [SessionChange]) throws(StorageError) {
    let attempt = "store the session"
    try file.verify(attempt)
    let now = file.clock()
    try file.write(attempt) { database throws(StorageError) in
      try SessionTables.apply(changes, to: database, now: now)
    }
  }

  /// Forgets the session, so that the next client starts with none; the store keeps unacknowledged messages aside, for
  /// people. Do not call it while a client uses the store.
  ///
  /// - Returns: how many messages it keeps aside.
  @discardableResult
  public func forgetSession() throws(StorageError) -> Int {
    try file.write("set the session aside") { database throws(StorageError) in
      try SessionTables.setAside(in: database)
    }
  }

  /// Closes the file and releases the folder for another store. Every later call throws `closed`. A store that is
  /// deallocated without this call is closed too, on whatever thread that happens.
  public func close() { file.close() }
}

extension Schema {
  /// A session, and nothing else: "MQTT".
  package static let session = Schema(
    applicationID: 0x4D51_5454,
    migrations: [SessionTables.owner + SessionTables.messages + SessionTables.times],
    checkedTables: ["session", "packet_identifier", "held_identifier", "received_identifier"])
}
