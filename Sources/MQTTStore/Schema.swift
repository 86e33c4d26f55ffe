import MQTTCore

/// What the tables are, and how an older file gets them. `PRAGMA user_version` is the number of migrations applied.
package struct Schema {
  /// `PRAGMA application_id`: `file session.db` names it, and another program's database is not mistaken for ours.
  package let applicationID: Int64
  /// In order; one that was released never changes, a new one goes to the end.
  let migrations: [String]
  /// Tables that are small and checked whole at every start.
  let checkedTables: [String]

  package init(applicationID: Int64, migrations: [String], checkedTables: [String]) {
    self.applicationID = applicationID
    self.migrations = migrations
    self.checkedTables = checkedTables
  }

  private var version: Int64 { Int64(migrations.count) }

  /// Throws `newerSchema` when the file at `path` says so, before anything of it is touched.
  ///
  /// Opening a database the usual way copies a log left by a crash into it. The peek sees the main file alone, which
  /// after a crash may be half of the truth: only "newer" is believed, and every other finding left to `apply`.
  func refuseNewer(at path: String, system: String? = nil) throws(StorageError) {
    guard let database = try? Database(path: path, mode: .peek, system: system) else { return }
    guard let found = try? Header(of: database), found.applicationID == applicationID else { return }
    try refuseNewer(found, at: path)
  }

  /// Brings the database to the version this program knows, in one transaction.
  package func apply(to database: Database) throws(StorageError) {
    let header = try Header(of: database)
    guard header.applicationID == applicationID || header.isEmpty else {
      throw StorageError(
        .foreign(applicationID: header.applicationID), attempt: "use the store", file: database.path,
        message: "it is the database of another program")
    }
    try refuseNewer(header, at: database.path)
    for table in checkedTables where header.version > 0 { try check(table, in: database) }
    guard header.version < version else { return }
    try database.write("prepare the tables") { () throws(StorageError) in
      for migration in migrations.dropFirst(Int(clamping: header.version)) { try database.execute(migration) }
      try database.execute("PRAGMA application_id = \(applicationID)")
      try database.execute("PRAGMA user_version = \(version)")
    }
    // The version goes to the main file at once, where an older program's peek finds it even after a crash.
    try database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
  }

  private func refuseNewer(_ header: Header, at path: String) throws(StorageError) {
    guard header.version > version else { return }
    throw StorageError(
      .newerSchema(found: header.version, known: version), attempt: "use the store", file: path,
      message: "a newer program wrote it")
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
