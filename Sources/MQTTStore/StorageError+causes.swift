import CMQTTSQLite
import Glibc
import MQTTCore

extension StorageError {
  /// A result of SQLite. `systemError` decides where SQLite's code is coarser than the kernel's answer.
  package init(sqlite code: Int32, systemError: Int32, attempt: String, file: String, message: String) {
    self.init(
      Kind(sqlite: code, systemError: systemError), attempt: attempt, file: file, code: code, systemError: systemError,
      message: message, systemMessage: systemError == 0 ? "" : String(cString: strerror(systemError)))
  }

  /// Another program uses the folder.
  package static func held(_ folder: String, by process: Int32?) -> StorageError {
    StorageError(
      .held(by: process), attempt: "open the store", file: folder, systemError: EWOULDBLOCK,
      message: "another program uses it")
  }

  /// A failed system call.
  package init(errno: Int32, attempt: String, file: String) {
    self.init(
      Kind(errno: errno), attempt: attempt, file: file, systemError: errno, message: String(cString: strerror(errno)))
  }
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
