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
    /// It has not answered in time, and may yet.
    case late
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
  /// What the kernel says of `systemError`, where SQLite was asked.
  package let systemMessage: String

  package init(
    _ kind: Kind, attempt: String, file: String, code: Int32 = 0, systemError: Int32 = 0, message: String,
    systemMessage: String = ""
  ) {
    self.kind = kind
    self.attempt = attempt
    self.file = file
    self.code = code
    self.systemError = systemError
    self.message = message
    self.systemMessage = systemMessage
  }
}

extension StorageError {
  /// The file itself is no use any more: another one has to be begun.
  public var isDamage: Bool { kind == .corrupt || kind == .notADatabase }
}

extension StorageError: CustomStringConvertible {
  public var description: String {
    var cause = message
    if code != 0 { cause += " (SQLite \(code)" }
    if code != 0 && systemError != 0 { cause += ", \(systemMessage)" }
    if code != 0 { cause += ")" }
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
    case .late: "limpet goes on in memory until it does; see the kernel's log (dmesg) for the disk."
    case .closed: "limpet is shutting down."
    case .other: "Please report this."
    }
  }
}
