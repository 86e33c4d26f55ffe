import Glibc
import LimpetInstants
import MQTTCore

/// The folder a store lives in: created when missing, held by one agent, keeper of damaged files.
///
/// The lock is on the folder, not on the database: with it a damaged file can be replaced while no other agent can come
/// in between. (A file descriptor of the database itself must never be opened here: closing it would drop SQLite's
/// locks, which belong to the process [fcntl(2)].)
package struct StoreFolder: ~Copyable {
  let path: String
  private let descriptor: Int32
  /// False: the file system has no such lock.
  let isLocked: Bool

  var databasePath: String { path + "/session.db" }

  /// Damaged files that are kept; a card that keeps losing data must not also fill up.
  private static let keptFiles = 3

  /// Creates the folder when it is missing, with mode 0700 (folders above it 0755), and locks it.
  /// Throws `held` when another store holds it.
  init(path: String) throws(StorageError) {
    try Self.create(path, mode: 0o700)
    try self.init(existing: path)
  }

  /// Locks a folder that is there. Throws `held` when another store holds it.
  package init(existing path: String) throws(StorageError) {
    let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw StorageError(errno: errno, attempt: "open the folder", file: path) }
    // A file system without this lock (ENOLCK) still has SQLite's.
    let isLocked = Self.lock(descriptor)
    if !isLocked, errno == EWOULDBLOCK {
      defer { close(descriptor) }
      var status = stat()
      let holder = fstat(descriptor, &status) == 0 ? LockHolder.process(of: UInt64(status.st_ino)) : nil
      throw .held(path, by: holder)
    }
    // All at once: Swift 6.2 loses count of a value that is made in parts and given up.
    self.path = path
    self.descriptor = descriptor
    self.isLocked = isLocked
  }

  deinit { close(descriptor) }

  /// Tries for a moment: a program that whoever held the lock has just started has it too, between fork(2) and
  /// execve(2), where close-on-exec lets go of it.
  ///
  /// - Parameter pause: between two tries.
  static func lock(_ descriptor: Int32, pause: () -> Void = { usleep(10_000) }) -> Bool {
    for _ in 1..<20 {
      if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return true }
      guard errno == EWOULDBLOCK else { return false }
      pause()
    }
    return flock(descriptor, LOCK_EX | LOCK_NB) == 0
  }

  /// When the database or its log was written last, in seconds since 1970; nil: there is none.
  var lastWrite: Int64? {
    ["", "-wal"].compactMap { suffix in
      var status = stat()
      guard stat(databasePath + suffix, &status) == 0, status.st_size > 0 else { return nil }
      return Int64(status.st_mtim.tv_sec)
    }.max()
  }

  /// Makes the database readable by its owner alone; its log takes the same mode.
  func protectDatabase() throws(StorageError) {
    let created = open(databasePath, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    if created >= 0 {
      close(created)
      return
    }
    guard errno == EEXIST else { throw StorageError(errno: errno, attempt: "create the store", file: databasePath) }
    // A link's own target is nobody's database: the folder may be another user's, and this process root's.
    var status = stat()
    guard lstat(databasePath, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_mode & 0o777 != 0o600 else {
      return
    }
    // Of another owner, or on a file system without modes: no reason not to work. Nor is a link followed that has taken
    // its place since.
    fchmodat(AT_FDCWD, databasePath, 0o600, AT_SYMLINK_NOFOLLOW)
  }

  /// Moves the database and its log away, as `session.db.corrupt-<seconds since 1970>`, and returns where to.
  func keepAside(at now: Int64) throws(StorageError) -> String {
    let times = keptTimes
    // Past the newest: a board without a clock starts in 1970 again and again.
    let time = max(now, (times.last ?? .min) &+ 1)
    let kept = keptPath(time)
    // The log first: after a crash in between it must not be taken for the new database's.
    for suffix in ["-wal", ""] where rename(databasePath + suffix, kept + suffix) != 0 && errno != ENOENT {
      throw StorageError(errno: errno, attempt: "keep the damaged store aside", file: databasePath + suffix)
    }
    for suffix in ["-journal", "-shm"] { unlink(databasePath + suffix) }
    for time in times.dropLast(Self.keptFiles - 1) {
      for suffix in ["", "-wal"] { unlink(keptPath(time) + suffix) }
    }
    fsync(descriptor)
    return kept
  }

  private static let keptPrefix = "session.db.corrupt-"

  private func keptPath(_ time: Int64) -> String { "\(path)/\(Self.keptPrefix)\(time)" }

  /// When the files that are kept were found, oldest first.
  private var keptTimes: [Int64] {
    guard let listing = opendir(path) else { return [] }
    defer { closedir(listing) }
    var times: [Int64] = []
    while let entry = readdir(listing) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      guard name.hasPrefix(Self.keptPrefix), let time = Int64(name.dropFirst(Self.keptPrefix.count)) else { continue }
      times.append(time)
    }
    return times.sorted()
  }

  private static func create(_ path: String, mode: mode_t) throws(StorageError) {
    if mkdir(path, mode) == 0 {
      syncParent(of: path)
      return
    }
    let reason = errno
    switch reason {
    case EEXIST: return  // a file in its place is found when it is opened
    case ENOENT:
      let parent = Self.parent(of: path)
      guard parent != path, !parent.isEmpty else { break }
      try create(parent, mode: 0o755)
      guard mkdir(path, mode) != 0 else {
        syncParent(of: path)
        return
      }
    default:
      // A read-only file system or a closed parent is no obstacle when the folder is there.
      if access(path, F_OK) == 0 { return }
    }
    throw StorageError(errno: reason, attempt: "create the folder", file: path)
  }

  private static func parent(of path: String) -> String {
    var rest = path[...]
    while rest.count > 1, rest.last == "/" { rest.removeLast() }
    guard let slash = rest.lastIndex(of: "/") else { return "." }
    return slash == rest.startIndex ? "/" : String(rest[..<slash])
  }

  /// The name of a new folder is on the disk only when the folder it is in is.
  private static func syncParent(of path: String) {
    let descriptor = open(parent(of: path), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    fsync(descriptor)
    close(descriptor)
  }
}
