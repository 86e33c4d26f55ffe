import Records

/// What the tables are, and how an older file gets them. `PRAGMA user_version` is the number of migrations applied.
package struct Schema {
  /// In order; one that was released never changes, a new one goes to the end.
  let migrations: [String]
  /// Tables that are small and checked whole at every start.
  let checkedTables: [String]

  /// "LMPT": `file session.db` names it, and another program's database is not mistaken for ours.
  package static let applicationID: Int64 = 0x4C4D_5054

  package static let current = Schema(
    migrations: [
      // Tables of one row hold it under the key 1.
      """
      CREATE TABLE identity (one INTEGER PRIMARY KEY CHECK (one = 1),
        id TEXT NOT NULL, source TEXT NOT NULL, serial TEXT NOT NULL) STRICT;
      CREATE TABLE epoch (one INTEGER PRIMARY KEY CHECK (one = 1), value INTEGER NOT NULL) STRICT;
      CREATE TABLE session (one INTEGER PRIMARY KEY CHECK (one = 1),
        server TEXT NOT NULL, client_identifier TEXT NOT NULL) STRICT;
      CREATE TABLE last_stop (one INTEGER PRIMARY KEY CHECK (one = 1),
        reason TEXT NOT NULL, time INTEGER NOT NULL) STRICT;
      CREATE TABLE sequence (name TEXT PRIMARY KEY, next INTEGER NOT NULL, exact INTEGER NOT NULL)
        STRICT, WITHOUT ROWID;
      """,
      // Messages and subscriptions as MQTT 5 packets. `stored` is in seconds since 1970.
      """
      CREATE TABLE packet_identifier (one INTEGER PRIMARY KEY CHECK (one = 1), next INTEGER NOT NULL) STRICT;
      CREATE TABLE message (token INTEGER PRIMARY KEY,
        identifier INTEGER, released INTEGER NOT NULL, packet BLOB NOT NULL, stored INTEGER NOT NULL) STRICT;
      CREATE TABLE held_identifier (identifier INTEGER PRIMARY KEY) STRICT;
      CREATE TABLE received_identifier (identifier INTEGER PRIMARY KEY) STRICT;
      CREATE TABLE subscription (identifier INTEGER PRIMARY KEY, packet BLOB NOT NULL) STRICT;
      CREATE TABLE message_aside (token INTEGER PRIMARY KEY,
        client_identifier TEXT NOT NULL, packet BLOB NOT NULL, stored INTEGER NOT NULL) STRICT;
      """,
      """
      CREATE TABLE counter (name TEXT PRIMARY KEY, pulses INTEGER NOT NULL, generation INTEGER NOT NULL)
        STRICT, WITHOUT ROWID;
      CREATE TABLE instance (number INTEGER PRIMARY KEY, value TEXT NOT NULL UNIQUE) STRICT;
      """,
      // Readings that wait, in the order in which they were taken; what `data` says is the agent's affair. Without an
      // index a batch goes to the end of one tree, however many names and however long the backlog.
      """
      CREATE TABLE reading (token INTEGER PRIMARY KEY, stream INTEGER NOT NULL, data BLOB NOT NULL) STRICT;
      CREATE TABLE reading_owner (one INTEGER PRIMARY KEY CHECK (one = 1), device TEXT NOT NULL) STRICT;
      CREATE TABLE reading_stream (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
      CREATE TABLE reading_boot (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, start INTEGER) STRICT;
      """,
      // What brokers keep of this device's descriptions for home automation.
      """
      CREATE TABLE announcement (kind TEXT NOT NULL, topic TEXT NOT NULL, content TEXT NOT NULL,
        PRIMARY KEY (kind, topic)) STRICT, WITHOUT ROWID;
      """,
      // Topics whose retained reading brokers are to forget.
      """
      CREATE TABLE clearing (topic TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
      """,
      // What `stored` is worth: a boot's name and seconds since it began, and whether somebody kept the wall clock.
      """
      ALTER TABLE message ADD COLUMN boot TEXT NOT NULL DEFAULT '';
      ALTER TABLE message ADD COLUMN uptime INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE message ADD COLUMN certain INTEGER NOT NULL DEFAULT 1;
      """,
    ],
    // Those of the first migration: a file may be older than the others.
    checkedTables: ["identity", "epoch", "session", "last_stop", "sequence"])

  private var version: Int64 { Int64(migrations.count) }

  /// Throws `newerSchema` when the file at `path` says so, before anything of it is touched.
  ///
  /// Opening a database the usual way copies a log left by a crash into it. The peek sees the main file alone, which
  /// after a crash may be half of the truth: only "newer" is believed, and every other finding left to `apply`.
  func refuseNewer(at path: String, system: String? = nil) throws(StorageError) {
    guard let database = try? Database(path: path, mode: .peek, system: system) else { return }
    guard let found = try? Header(of: database), found.applicationID == Self.applicationID else { return }
    try refuseNewer(found, at: path)
  }

  /// Brings the database to the version this program knows, in one transaction.
  package func apply(to database: Database) throws(StorageError) {
    let header = try Header(of: database)
    guard header.applicationID == Self.applicationID || header.isEmpty else {
      throw StorageError(
        .foreign(applicationID: header.applicationID), attempt: "use the store", file: database.path,
        message: "it is the database of another program")
    }
    try refuseNewer(header, at: database.path)
    for table in checkedTables where header.version > 0 { try check(table, in: database) }
    guard header.version < version else { return }
    try database.write("prepare the tables") { () throws(StorageError) in
      for migration in migrations.dropFirst(Int(clamping: header.version)) { try database.execute(migration) }
      try database.execute("PRAGMA application_id = \(Self.applicationID)")
      try database.execute("PRAGMA user_version = \(version)")
    }
    // The version goes to the main file at once, where an older program's peek finds it even after a crash.
    try database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
  }

  private func refuseNewer(_ header: Header, at path: String) throws(StorageError) {
    guard header.version > version else { return }
    throw StorageError(
      .newerSchema(found: header.version, known: version), attempt: "use the store", file: path,
      message: "a newer limpet wrote it")
  }

  private func check(_ table: String, in database: Database) throws(StorageError) {
    try database.read("check the table \(table)") { () throws(StorageError) in
      let findings = try database.query("PRAGMA quick_check(\(table))") { $0.text(0) }
      guard let first = findings.first, first != "ok" else { return }
      throw StorageError(.corrupt, attempt: "check the table \(table)", file: database.path, message: first)
    }
  }

  /// What a database says about itself.
  private struct Header {
    let applicationID: Int64
    let version: Int64
    let isEmpty: Bool

    init(of database: Database) throws(StorageError) {
      applicationID = try database.query("PRAGMA application_id") { $0.integer(0) }.first ?? 0
      version = try database.query("PRAGMA user_version") { $0.integer(0) }.first ?? 0
      let tables = try database.query("SELECT count(*) FROM sqlite_schema") { $0.integer(0) }.first
      isEmpty = applicationID == 0 && version == 0 && tables == 0
    }
  }
}
