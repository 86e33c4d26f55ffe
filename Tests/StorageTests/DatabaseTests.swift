import Testing

@testable import MQTTCore
@testable import MQTTStore
@testable import Records
@testable import Storage

@Suite("Database")
struct DatabaseTests {
  private let folder: ScratchFolder
  private let database: Database

  init() throws {
    folder = try ScratchFolder()
    database = try Database(path: folder.path + "/test.db")
    try database.execute("CREATE TABLE t (a)")
  }

  @Test(
    "a value comes back as it was bound",
    arguments: [
      .integer(.min), .integer(.max), .integer(0), .text(""), .text("Ärger 🐚"), .text("a\0b"), .blob([]),
      .blob([0, 255, 0]), .null,
    ] as [DatabaseValue])
  func roundTrip(value: DatabaseValue) throws {
    try database.write("insert") { () throws(StorageError) in try database.run("INSERT INTO t VALUES (?)", value) }
    let found = try database.query("SELECT a, typeof(a) FROM t") { row -> DatabaseValue in
      switch row.text(1) {
      case "integer": .integer(row.integer(0))
      case "text": .text(row.text(0))
      case "blob": .blob(row.blob(0))
      default: row.isNull(0) ? .null : .text("?")
      }
    }
    #expect(found == [value])
  }

  @Test("a transaction that throws leaves nothing behind, and the next one works")
  func rollback() throws {
    let mistake = StorageError(.other, attempt: "", file: "", message: "")
    #expect(throws: mistake) {
      try database.write("insert") { () throws(StorageError) in
        try database.run("INSERT INTO t VALUES (1)")
        throw mistake
      }
    }
    #expect(try count() == 0)
    try database.write("insert") { () throws(StorageError) in try database.run("INSERT INTO t VALUES (1)") }
    #expect(try count() == 1)
  }

  @Test("only transactions that changed something are counted")
  func counted() throws {
    let before = database.committedTransactions
    try database.write("nothing") { () throws(StorageError) in try database.run("DELETE FROM t") }
    #expect(database.committedTransactions == before)
    let bytes = database.bytesWritten
    try database.write("insert") { () throws(StorageError) in try database.run("INSERT INTO t VALUES (1)") }
    #expect(database.committedTransactions == before + 1)
    #expect(database.bytesWritten == bytes + 512)
  }

  @Test("a statement's text can be used again while its rows are read")
  func reentrant() throws {
    try database.write("insert") { () throws(StorageError) in
      for number in 1...3 { try database.run("INSERT INTO t VALUES (?)", .integer(Int64(number))) }
    }
    let pairs = try database.query("SELECT a FROM t") { outer throws(StorageError) in
      try database.query("SELECT a FROM t") { outer.integer(0) * 10 + $0.integer(0) }
    }
    #expect(pairs == [[11, 12, 13], [21, 22, 23], [31, 32, 33]])
  }

  @Test("a wrong statement is an error that names what was tried")
  func wrongStatement() throws {
    let error = try #require(throws: StorageError.self) {
      try database.read("look for it") { () throws(StorageError) in try database.run("SELECT * FROM missing") }
    }
    #expect(error.kind == .other)
    #expect(error.description.contains("cannot look for it in \(folder.path)/test.db: no such table: missing"))
  }

  @Test("a database that may not grow says it is full, keeps what it has, and works again when it may")
  func full() throws {
    try database.execute("PRAGMA max_page_count = 4")
    let error = try #require(throws: StorageError.self) {
      try database.write("insert") { () throws(StorageError) in
        for _ in 1...8 { try database.run("INSERT INTO t VALUES (zeroblob(4000))") }
      }
    }
    #expect(error.kind == .full)
    #expect(try count() == 0)
    try database.execute("PRAGMA max_page_count = 100")
    try database.write("insert") { () throws(StorageError) in
      for _ in 1...8 { try database.run("INSERT INTO t VALUES (zeroblob(4000))") }
    }
    #expect(try count() == 8)
  }

  @Test("more different statements than the cache holds are no problem")
  func manyStatements() throws {
    for number in 1...200 {
      #expect(try database.query("SELECT \(number)") { $0.integer(0) } == [Int64(number)])
    }
  }

  @Test("commits are in a write-ahead log, synced, and one process has the file for itself")
  func pragmas() throws {
    #expect(try database.query("PRAGMA journal_mode") { $0.text(0) } == ["wal"])
    #expect(try database.query("PRAGMA synchronous") { $0.integer(0) } == [2])
    #expect(try database.query("PRAGMA locking_mode") { $0.text(0) } == ["exclusive"])
    #expect(folder.names == ["test.db", "test.db-wal"])
    let error = try #require(throws: StorageError.self) { try Database(path: folder.path + "/test.db") }
    #expect(error.kind == .busy)
  }

  @Test("a path with characters that a URI reserves is peeked at like any other")
  func peek() throws {
    let path = folder.path + "/a b?%#ü.db"
    _ = try Database(path: path)
    let writer = try Database(path: path)
    try writer.execute("PRAGMA user_version = 7")
    try writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    let peeked = try Database(path: path, mode: .peek)
    #expect(try peeked.query("PRAGMA user_version") { $0.integer(0) } == [7])
    // The peek is over while the writer's lock must hold on.
    #expect(throws: StorageError.self) { try Database(path: path) }
  }

  private func count() throws -> Int64? { try database.query("SELECT count(*) FROM t") { $0.integer(0) }.first }
}
