import CMQTTSQLite
import MQTTCore

/// A value that is bound to a statement.
package enum DatabaseValue: Equatable {
  case integer(Int64)
  case text(String)
  case blob([UInt8])
  case null
}

/// One SQLite connection: statements cached by their text, values bound and read by type, transactions.
///
/// Not Sendable and opened without SQLite's own mutex: its owner uses it from one thread at a time.
package final class Database {
  /// The file's path.
  package let path: String
  /// Transactions that changed something and were committed.
  package private(set) var committedTransactions: UInt64 = 0

  private let handle: OpaquePointer
  private var statements: [String: OpaquePointer] = [:]
  /// What is being tried, for errors.
  private var attempt = "open the store"

  /// More texts than the program has; beyond it a statement is compiled at every use.
  private static let statementLimit = 64

  /// How a file is opened.
  package enum Mode {
    /// Read and write, created when missing, locked against every other process.
    case exclusive
    /// The main file alone is read, without locks and without its write-ahead log: nothing on disk changes.
    case peek
  }

  /// Opens the file. `exclusive` waits for nobody: a file that another process holds is `busy` at once.
  ///
  /// - Parameter system: SQLite's name of the functions that it does input and output with [sqlite.org/vfs.html]; nil:
  ///   the usual ones.
  package init(path: String, mode: Mode = .exclusive, system: String? = nil) throws(StorageError) {
    self.path = path
    var opened: OpaquePointer?
    let result =
      switch mode {
      case .exclusive:
        sqlite3_open_v2(path, &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, system)
      case .peek:
        sqlite3_open_v2(
          Self.immutableURI(path), &opened, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX,
          system)
      }
    guard let opened else {
      throw StorageError(
        sqlite: result, systemError: 0, attempt: attempt, file: path, message: String(cString: sqlite3_errstr(result)))
    }
    handle = opened
    guard result == SQLITE_OK else { throw error() }
    guard mode == .exclusive else { return }
    try configure()
  }

  deinit {
    for statement in statements.values { sqlite3_finalize(statement) }
    sqlite3_close_v2(handle)
  }

  private func configure() throws(StorageError) {
    // A file that may only be read opens all the same, and would say no later, in other words.
    guard sqlite3_db_readonly(handle, "main") == 0 else {
      throw StorageError(
        .readOnly, attempt: attempt, file: path, code: SQLITE_READONLY,
        systemError: sqlite3_system_errno(handle), message: "it can only be read")
    }
    keepsLog = true
    // The locking mode comes before the first access: the index of the log is then on the heap, not in a shared file.
    try execute("PRAGMA locking_mode = EXCLUSIVE")
    // A small agent lives in 20 MB: 256 KiB of pages, and a log of 256 pages, which is also what is mapped of its index.
    try execute("PRAGMA cache_size = -256")
    try execute("PRAGMA temp_store = MEMORY")
    try execute("PRAGMA trusted_schema = OFF")
    // A damaged page is found when it is read, not when something has grown from it.
    try execute("PRAGMA cell_size_check = ON")
    // A new file is made of small pages: a commit of a few readings or a counter writes one or two of them.
    try execute("PRAGMA page_size = 512")
    try execute("PRAGMA journal_mode = WAL")
    // A commit is on the disk when it returns.
    try execute("PRAGMA synchronous = FULL")
    try execute("PRAGMA wal_autocheckpoint = 2048")
  }

  /// Says that the file is sound. Until then a log that was found stays where it is when the database is closed, so
  /// that a damaged store can be kept with it.
  package func accept() throws(StorageError) {
    keepsLog = false
    try execute("PRAGMA journal_size_limit = 1048576")
  }

  private var keepsLog = false {
    didSet {
      var value: Int32 = keepsLog ? 1 : 0
      sqlite3_file_control(handle, "main", SQLITE_FCNTL_PERSIST_WAL, &value)
    }
  }

  /// Pages written by commits, in bytes. What checkpoints copy from the log is not in it.
  package var bytesWritten: UInt64 {
    var pages: Int32 = 0
    var highest: Int32 = 0
    guard sqlite3_db_status(handle, SQLITE_DBSTATUS_CACHE_WRITE, &pages, &highest, 0) == SQLITE_OK else { return 0 }
    return UInt64(UInt32(bitPattern: pages)) * pageSize
  }

  private lazy var pageSize: UInt64 = {
    let size = try? query("PRAGMA page_size") { $0.integer(0) }.first
    return UInt64(clamping: size ?? 4096)
  }()

  /// Runs `body` as one transaction that is on the disk when this returns, or not at all. `attempt` is what it does.
  package func write<Value>(
    _ attempt: String, _ body: () throws(StorageError) -> Value
  ) throws(StorageError) -> Value {
    precondition(sqlite3_get_autocommit(handle) != 0, "transactions do not nest")
    self.attempt = attempt
    let changesBefore = sqlite3_total_changes64(handle)
    try run("BEGIN IMMEDIATE")
    do throws(StorageError) {
      let value = try body()
      try run("COMMIT")
      if sqlite3_total_changes64(handle) != changesBefore { committedTransactions += 1 }
      return value
    } catch {
      // SQLite ends some failed transactions by itself (a full disk); the first error is the one to report.
      if sqlite3_get_autocommit(handle) == 0 { try? run("ROLLBACK") }
      throw error
    }
  }

  /// Runs `body`, which only reads. `attempt` is what it does.
  package func read<Value>(_ attempt: String, _ body: () throws(StorageError) -> Value) throws(StorageError) -> Value {
    self.attempt = attempt
    return try body()
  }

  /// Runs statements that take no values, uncached.
  package func execute(_ sql: String) throws(StorageError) {
    guard sqlite3_exec(handle, sql, nil, nil, nil) == SQLITE_OK else { throw error() }
  }

  /// Runs one statement and ignores the rows it answers with.
  package func run(_ sql: String, _ values: DatabaseValue...) throws(StorageError) {
    try each(sql, values) { _ throws(StorageError) in }
  }

  /// Runs one statement; every row it answers with becomes a value.
  package func query<Value>(
    _ sql: String, _ values: DatabaseValue..., row: (DatabaseRow) throws(StorageError) -> Value
  ) throws(StorageError) -> [Value] {
    var results: [Value] = []
    try each(sql, values) { found throws(StorageError) in results.append(try row(found)) }
    return results
  }

  /// Runs one statement row by row, for as many as there are.
  package func each(_ sql: String, _ body: (DatabaseRow) throws(StorageError) -> Void) throws(StorageError) {
    try each(sql, [], body)
  }

  private func each(
    _ sql: String, _ values: [DatabaseValue], _ body: (DatabaseRow) throws(StorageError) -> Void
  ) throws(StorageError) {
    let statement = try take(sql)
    defer { giveBack(statement, sql) }
    for (index, value) in values.enumerated() {
      guard bind(value, to: statement, at: Int32(index + 1)) == SQLITE_OK else { throw error() }
    }
    while true {
      switch sqlite3_step(statement) {
      case SQLITE_ROW: try body(DatabaseRow(statement: statement))
      case SQLITE_DONE: return
      default: throw error()
      }
    }
  }

  /// A statement in use is not in the cache, so a text may be used again while its rows are read.
  private func take(_ sql: String) throws(StorageError) -> OpaquePointer {
    if let cached = statements.removeValue(forKey: sql) { return cached }
    var prepared: OpaquePointer?
    guard sqlite3_prepare_v2(handle, sql, -1, &prepared, nil) == SQLITE_OK, let prepared else { throw error() }
    return prepared
  }

  private func giveBack(_ statement: OpaquePointer, _ sql: String) {
    sqlite3_reset(statement)
    sqlite3_clear_bindings(statement)
    guard statements[sql] == nil, statements.count < Self.statementLimit else {
      sqlite3_finalize(statement)
      return
    }
    statements[sql] = statement
  }

  private func bind(_ value: DatabaseValue, to statement: OpaquePointer, at index: Int32) -> Int32 {
    // SQLITE_TRANSIENT, a cast that C's importer leaves out: SQLite copies what it is given.
    let copied = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
    switch value {
    case .null:
      return sqlite3_bind_null(statement, index)
    case .integer(let number):
      return sqlite3_bind_int64(statement, index, number)
    case .text(var text):
      return text.withUTF8 { bytes in
        // Without an address it would be NULL.
        guard let start = bytes.baseAddress else { return sqlite3_bind_text(statement, index, "", 0, copied) }
        return start.withMemoryRebound(to: CChar.self, capacity: bytes.count) {
          sqlite3_bind_text64(statement, index, $0, UInt64(bytes.count), copied, UInt8(SQLITE_UTF8))
        }
      }
    case .blob(let bytes):
      guard !bytes.isEmpty else { return sqlite3_bind_zeroblob(statement, index, 0) }
      return sqlite3_bind_blob64(statement, index, bytes, UInt64(bytes.count), copied)
    }
  }

  /// What SQLite said last.
  private func error() -> StorageError {
    StorageError(
      sqlite: sqlite3_extended_errcode(handle), systemError: sqlite3_system_errno(handle), attempt: attempt, file: path,
      message: String(cString: sqlite3_errmsg(handle)))
  }

  /// [sqlite.org/uri.html] `immutable` reads the main file alone, takes no lock and writes nothing.
  private static func immutableURI(_ path: String) -> String {
    var uri = "file:"
    let hexadecimal = Array("0123456789ABCDEF")
    for byte in path.utf8 {
      switch byte {
      case UInt8(ascii: "%"), UInt8(ascii: "?"), UInt8(ascii: "#"), 0..<0x21, 0x7F...:
        uri += "%"
        uri.append(hexadecimal[Int(byte >> 4)])
        uri.append(hexadecimal[Int(byte & 0xF)])
      default: uri.unicodeScalars.append(Unicode.Scalar(byte))
      }
    }
    return uri + "?immutable=1"
  }
}

/// The row a statement stands on: valid inside the closure that is given it. Columns count from 0.
package struct DatabaseRow {
  fileprivate let statement: OpaquePointer

  package func isNull(_ column: Int32) -> Bool { sqlite3_column_type(statement, column) == SQLITE_NULL }

  /// 0 for null.
  package func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(statement, column) }

  /// Empty for null; bytes that are not UTF-8 are repaired.
  package func text(_ column: Int32) -> String {
    guard let start = sqlite3_column_text(statement, column) else { return "" }
    let count = Int(sqlite3_column_bytes(statement, column))
    return String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
  }

  /// Empty for null.
  package func blob(_ column: Int32) -> [UInt8] {
    guard let start = sqlite3_column_blob(statement, column) else { return [] }
    return Array(UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(statement, column))))
  }
}
