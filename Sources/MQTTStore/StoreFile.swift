import Glibc
import MQTTCore

/// A database in a folder of its own: locked against other programs, and replaced by a new one if it is damaged. Its
/// owner defines the tables, and uses it from one thread at a time.
package final class StoreFile {
  /// What can still be read of a damaged database, to be written into the one that replaces it.
  package typealias Rescue = (Database) -> (Database) throws(StorageError) -> Void

  private let path: String
  private let schema: Schema
  private let system: String?
  private let rescue: Rescue?
  /// What time it is, and what that is worth.
  package let clock: @Sendable () -> StoredTime

  private var folder: StoreFolder?
  private var database: Database?
  /// Of a damaged file, until another one has it.
  private var rescued: ((Database) throws(StorageError) -> Void)?
  /// The damaged file that this one replaces.
  package private(set) var keptAside: KeptAside?
  /// When the database was written last before it was opened, in seconds since 1970; nil: it is a new one.
  package private(set) var lastWrite: Int64?

  /// Calls that failed.
  package private(set) var failures: UInt64 = 0
  /// Of databases that are closed.
  private var earlier = (transactions: UInt64(0), bytes: UInt64(0))

  /// Touches nothing.
  ///
  /// - Parameters:
  ///   - system: see `Database`.
  ///   - rescue: nil: nothing of a damaged file goes into the new one.
  package init(
    folder: String, schema: Schema, system: String? = nil, clock: @escaping @Sendable () -> StoredTime,
    rescue: Rescue? = nil
  ) {
    path = folder
    self.schema = schema
    self.system = system
    self.clock = clock
    self.rescue = rescue
  }

  /// Creates folder and database where they are missing, with mode 0700 and 0600. A file that is damaged or no database
  /// is kept beside the new one as `session.db.corrupt-<seconds since 1970>`, the newest three of them.
  package func open() throws(StorageError) {
    let folder = try StoreFolder(path: path)
    lastWrite = folder.lastWrite
    do throws(StorageError) {
      database = try openDatabase(in: folder)
    } catch {
      // Where folders cannot be locked, it is the database that two programs meet at.
      if error.kind == .busy, !folder.isLocked { throw .held(path, by: nil) }
      guard error.isDamage else { throw error }
      var rest: ((Database) throws(StorageError) -> Void)?
      if error.kind == .corrupt, let damaged = try? Database(path: folder.databasePath, system: system) {
        rest = rescue?(damaged)
      }
      keptAside = KeptAside(path: try folder.keepAside(at: clock().wall), reason: error)
      let new = try openDatabase(in: folder)
      try rest?(new)
      database = new
    }
    self.folder = consume folder
  }

  private func openDatabase(in folder: borrowing StoreFolder) throws(StorageError) -> Database {
    try schema.refuseNewer(at: folder.databasePath, system: system)
    try folder.protectDatabase()
    let database = try Database(path: folder.databasePath, system: system)
    try schema.apply(to: database)
    try database.accept()
    return database
  }

  /// Tries to keep other programs from using the folder meanwhile.
  package func hold() { folder = try? StoreFolder(existing: path) }

  /// Opens it again if the file is damaged (it is kept aside first) or missing, or could not be opened before.
  package func reopen(replacing damage: StorageError?) throws(StorageError) {
    if damage != nil, let database { rescued = rescue?(database) }
    close()
    var aside: KeptAside?
    if let damage {
      let folder = try StoreFolder(path: path)
      aside = KeptAside(path: try folder.keepAside(at: clock().wall), reason: damage)
    }
    do throws(StorageError) { try open() } catch {
      hold()
      throw error
    }
    keptAside = aside ?? keptAside
    if let rescued, let database { try rescued(database) }
    rescued = nil
  }

  /// What is written to a file that was removed is nowhere.
  package func verify(_ attempt: String) throws(StorageError) {
    guard let database, access(database.path, F_OK) != 0 else { return }
    throw StorageError(
      .fileIsGone, attempt: attempt, file: database.path, systemError: ENOENT, message: "it was removed")
  }

  /// Closes the database and lets another program have the folder. Every later call throws `closed`.
  package func close() {
    earlier = (transactions, bytes)
    database = nil
    folder = nil
  }

  /// Transactions that changed something and are on the disk.
  package var transactions: UInt64 { database?.committedTransactions ?? earlier.transactions }
  /// Bytes these wrote, in whole pages, without what checkpoints copy later.
  package var bytes: UInt64 { database?.bytesWritten ?? earlier.bytes }

  package func perform<Value>(
    _ body: (Database) throws(StorageError) -> Value
  ) throws(StorageError) -> Value {
    do throws(StorageError) {
      guard let database else {
        throw StorageError(.closed, attempt: "use the store", file: path, message: "it is closed")
      }
      return try body(database)
    } catch {
      failures += 1
      throw error
    }
  }

  package func read<Value>(
    _ attempt: String, _ body: (Database) throws(StorageError) -> Value
  ) throws(StorageError) -> Value {
    try perform { database throws(StorageError) in
      try database.read(attempt) { () throws(StorageError) in try body(database) }
    }
  }

  /// As one transaction.
  package func write<Value>(
    _ attempt: String, _ body: (Database) throws(StorageError) -> Value
  ) throws(StorageError) -> Value {
    try perform { database throws(StorageError) in
      try database.write(attempt) { () throws(StorageError) in try body(database) }
    }
  }
}
