/// What went wrong with a store on disk: what was tried, on which file, what SQLite or the kernel said, what to do.
///
/// `Kind` may get more cases: a `switch` over it needs a `default`.
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
    /// Another program, or another store of this one, uses the folder; the process, if it is visible from here.
    case held(by: Int32?)
    /// A newer version of the program wrote the file; it was left untouched.
    case newerSchema(found: Int64, known: Int64)
    /// The file belongs to another program; it was left untouched.
    case foreign(applicationID: Int64)
    /// The disk failed to read or write.
    case inputOutput
    /// The file was removed or replaced while it was used.
    case fileIsGone
    /// The disk has not answered in time; the call may still succeed.
    case late
    /// The store was closed before.
    case closed
    /// Anything else: out of memory, or a mistake in the store itself.
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
  /// Whom the description advises.
  package var words = Words.application

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
  /// The file itself is unusable: the store needs a new one.
  public var isDamage: Bool { kind == .corrupt || kind == .notADatabase }
}

extension StorageError {
  /// What a description calls the program, and the setting that says where its store is.
  package struct Words: Sendable, Equatable {
    package let program: String
    /// Another one of it, as in "another limpet".
    package let kind: String
    package let folder: String
    package let another: String

    package init(program: String, kind: String, folder: String, another: String) {
      self.program = program
      self.kind = kind
      self.folder = folder
      self.another = another
    }

    package static let application = Words(
      program: "this program", kind: "program", folder: "the store's folder", another: "another folder")
  }
}

extension StorageError: CustomStringConvertible {
  /// One line for the person at the terminal: what was tried, what happened, what to do.
  public var description: String {
    var text = "cannot \(attempt) in \(file): \(cause)"
    if code != 0 { text += " (SQLite \(code)" }
    if code != 0 && systemError != 0 { text += ", \(systemMessage)" }
    if code != 0 { text += ")" }
    return "\(text). \(advice)"
  }

  /// What happened, without what was tried.
  package var cause: String {
    switch kind {
    case .held(let process):
      let holder = process.map { "process \($0)" } ?? "its process is not visible here, as in another container"
      return "another \(words.kind) (\(holder)) uses this folder"
    case .newerSchema: return "a newer \(words.kind) wrote it"
    default: return message
    }
  }

  private var advice: String {
    switch kind {
    case .full: "Free some space there; until then nothing new survives a restart."
    case .readOnly: "Mount it read-write, or set \(words.folder) to a folder that can be written."
    case .cannotOpen: "Check that \(words.folder) is a folder that \(words.program)'s user may write."
    case .notADatabase, .corrupt: "\(words.program) keeps it aside, and begins a new one."
    case .busy: "Another program has the database open: end that program, or set \(words.another)."
    case .held: "Stop it, or give this one \(words.another)."
    case .newerSchema(let found, let known):
      "It has schema \(found), this \(words.kind) knows \(known): install the newer \(words.kind) again, or move the file away."
    case .foreign: "It belongs to another program: set \(words.another)."
    case .inputOutput: "The disk fails: see the kernel's log (dmesg); an SD card that does this should be replaced."
    case .fileIsGone: "\(words.program) begins another one."
    case .late: "\(words.program) goes on in memory until it does; see the kernel's log (dmesg) for the disk."
    case .closed: "\(words.program) is shutting down."
    case .other: "Please report this."
    }
  }
}
