import MQTTCore

/// Keeps an MQTT session on disk, in `<folder>/session.db`, so that it outlives the process: messages of QoS 1 and 2
/// that were not acknowledged, packet identifiers, subscriptions (MQTT 5.0 §4.1, "the Session State").
///
///     let store = try await SQLiteSessionStore.open(folder: "/var/lib/greenhouse/mqtt")
///     var configuration = MQTTClient.Configuration(servers: servers, clientIdentifier: "greenhouse")
///     try await configuration.keepSession(in: store)
///
/// A folder holds one session, and one program has it at a time. Everything runs on one thread of the store's own, so
/// that a disk that takes seconds delays nothing else. A call that writes returns when the change survives a power cut;
/// one that throws has changed nothing, and the store can be used on: `MQTTClient` goes on in memory and tries again.
public actor SQLiteSessionStore: SessionStore {
  private let executor: ThreadExecutor
  private let file: StoreFile
  /// Rows of the session that said nothing, and were removed: messages are kept beside it, as they are.
  public private(set) var unreadable = 0

  /// The store's own thread, where each of its calls runs.
  public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  private init(folder: String, executor: ThreadExecutor, clock: @escaping @Sendable () -> StoredTime) {
    self.executor = executor
    file = StoreFile(folder: folder, schema: .session, clock: clock)
  }

  /// Opens the store of `folder` and creates both when missing: the folder with mode 0700, the database with 0600.
  ///
  /// A file that is damaged, or no database, is kept beside a new one as `session.db.corrupt-<seconds since 1970>` (the
  /// newest three are); `keptAside` tells.
  ///
  /// - Throws: `held` where another store has the folder, `busy` where another program has the database open,
  ///   `newerSchema` and `foreign` (both leave the file untouched), `readOnly`, `full`, `cannotOpen`, `inputOutput`.
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

  /// The damaged file that this store replaces, if there was one: what it held is not in this one.
  public var keptAside: KeptAside? { file.keptAside }

  /// What was kept, without messages that have expired meanwhile.
  public func loadSession() throws(StorageError) -> SessionState {
    let now = file.clock()
    let found = try file.read("read the session") { database throws(StorageError) in
      try SessionTables.read(database, now: now)
    }
    try SessionTables.clean(found, in: file)
    unreadable += found.unreadable
    return found.state
  }

  /// As one transaction, which survives a power cut.
  public func apply(_ changes: [SessionChange]) throws(StorageError) {
    let attempt = "store the session"
    try file.verify(attempt)
    let now = file.clock()
    try file.write(attempt) { database throws(StorageError) in
      try SessionTables.apply(changes, to: database, now: now)
    }
  }

  /// Forgets the session, so that the next client begins with none; messages that were not acknowledged are kept beside
  /// it, for people. Not while a client uses the store.
  ///
  /// - Returns: how many those are.
  @discardableResult
  public func forgetSession() throws(StorageError) -> Int {
    try file.write("set the session aside") { database throws(StorageError) in
      try SessionTables.setAside(in: database)
    }
  }

  /// Closes the file and lets another store have the folder. Every later call throws `closed`. A store that is let go of
  /// without this is closed too, on the thread that happens to do so.
  public func close() { file.close() }
}

extension Schema {
  /// A session, and nothing else: "MQTT".
  package static let session = Schema(
    applicationID: 0x4D51_5454,
    migrations: [SessionTables.owner + SessionTables.messages + SessionTables.times],
    checkedTables: ["session", "packet_identifier", "held_identifier", "received_identifier"])
}
