import CSQLite
import Glibc

/// What went wrong with the store on disk: what was tried, on which file, what SQLite or the kernel said, what to do.
public struct StorageError: Error, Equatable, Sendable {
  /// What the caller can act on.
  public enum Kind: Equatable, Sendable {
    /// No space (or quota) is left. Nothing was changed; it works again when there is room.
    case full
    /// The file or its file system can only be read.
    case readOnly
    /// The folder is missing, is no folder, or may not be used.
    case cannotOpen
    /// The file is not an SQLite database.
    case notADatabase
    /// The file is a damaged SQLite database.
    case corrupt
    /// Another program has the database open.
    case busy
    /// Another agent, or another store of this one, uses the folder. The process, where it can be seen from here.
    case held(by: Int32?)
    /// A newer limpet wrote the file; it was left untouched.
    case newerSchema(found: Int64, known: Int64)
    /// The file belongs to another program; it was left untouched.
    case foreign(applicationID: Int64)
    /// The disk failed to read or write.
    case inputOutput
    /// The file was removed or replaced while it was used.
    case fileIsGone
    /// The store was closed before.
    case closed
    /// Anything else: out of memory, or a mistake in limpet itself.
    case other
  }

  /// What the caller can act on.
  public let kind: Kind
  /// What was tried, to be read after "cannot": "store the next epoch".
  public let attempt: String
  /// The file or folder it was tried on.
  public let file: String
  /// SQLite's extended result code; 0 when SQLite was not asked.
  public let code: Int32
  /// `errno` of the system call behind it; 0 when there was none.
  public let systemError: Int32
  /// What SQLite or the kernel said.
  public let message: String

  init(
    _ kind: Kind, attempt: String, file: String, code: Int32 = SQLITE_OK, systemError: Int32 = 0, message: String
  ) {
    self.kind = kind
    self.attempt = attempt
    self.file = file
    self.code = code
    self.systemError = systemError
    self.message = message
  }

  /// A result of SQLite. `systemError` decides where SQLite's code is coarser than the kernel's answer.
  init(sqlite code: Int32, systemError: Int32, attempt: String, file: String, message: String) {
    self.init(
      Kind(sqlite: code, systemError: systemError), attempt: attempt, file: file, code: code, systemError: systemError,
      message: message)
  }

  /// Another agent uses the folder.
  static func held(_ folder: String, by process: Int32?) -> StorageError {
    StorageError(
      .held(by: process), attempt: "open the store", file: folder, systemError: EWOULDBLOCK,
      message: "another limpet (\(process.map { "process \($0)" } ?? "of a process that cannot be seen from here")) "
        + "uses this folder")
  }

  /// A failed system call.
  init(errno: Int32, attempt: String, file: String) {
    self.init(
      Kind(errno: errno), attempt: attempt, file: file, systemError: errno, message: String(cString: strerror(errno)))
  }
}

extension StorageError {
  /// The file itself is no use any more: another one has to be begun.
  public var isDamage: Bool { kind == .corrupt || kind == .notADatabase }
}

extension StorageError.Kind {
  init(sqlite code: Int32, systemError: Int32) {
    // The low byte of an extended code is the primary one [sqlite.org/rescode.html].
    switch code & 0xFF {
    case SQLITE_FULL: self = .full
    case SQLITE_READONLY: self = .readOnly
    case SQLITE_NOTADB: self = .notADatabase
    case SQLITE_CORRUPT: self = .corrupt
    case SQLITE_BUSY, SQLITE_LOCKED: self = .busy
    case SQLITE_CANTOPEN, SQLITE_PERM, SQLITE_AUTH:
      let cause = Self(errno: systemError)
      self = cause == .readOnly || cause == .full ? cause : .cannotOpen
    case SQLITE_IOERR:
      // A quota or a late allocation answers at fsync(2), which SQLite reports as an I/O error.
      let cause = Self(errno: systemError)
      self = cause == .readOnly || cause == .full ? cause : .inputOutput
    default: self = .other
    }
  }

  init(errno: Int32) {
    switch errno {
    case ENOSPC, EDQUOT: self = .full
    case EROFS: self = .readOnly
    case EACCES, EPERM, ENOENT, ENOTDIR, EISDIR, ELOOP, ENAMETOOLONG, EEXIST: self = .cannotOpen
    case EWOULDBLOCK: self = .busy
    case EIO: self = .inputOutput
    default: self = .other
    }
  }
}

extension StorageError: CustomStringConvertible {
  public var description: String {
    var cause = message
    if code != SQLITE_OK { cause += " (SQLite \(code)" }
    if code != SQLITE_OK && systemError != 0 { cause += ", \(String(cString: strerror(systemError)))" }
    if code != SQLITE_OK { cause += ")" }
    return "cannot \(attempt) in \(file): \(cause). \(advice)"
  }

  private var advice: String {
    switch kind {
    case .full: "Free some space there; until then nothing new survives a restart."
    case .readOnly: "Mount it read-write, or set storage.path to a folder that can be written."
    case .cannotOpen: "Check that storage.path is a folder that limpet's user may write."
    case .notADatabase, .corrupt: "It is kept aside, and a new one begun."
    case .busy: "Another program has the database open: end that program, or set another storage.path."
    case .held: "Stop it, or give this one another storage.path."
    case .newerSchema(let found, let known):
      "It has schema \(found), this limpet knows \(known): install the newer limpet again, or move the file away."
    case .foreign: "It belongs to another program: set another storage.path."
    case .inputOutput: "The disk fails: see the kernel's log (dmesg); an SD card that does this should be replaced."
    case .fileIsGone: "Another one is begun."
    case .closed: "limpet is shutting down."
    case .other: "Please report this."
    }
  }
}
