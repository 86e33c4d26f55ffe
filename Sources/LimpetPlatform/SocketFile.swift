internal import Glibc

/// A socket in the file system that a server listens on (unix(7)). What is here blocks.
package struct SocketFile: Sendable {
  /// Why there is none.
  package enum Failure: Error, Hashable {
    /// Another process listens there.
    case inUse
    /// The path is that of something else.
    case noSocket
    /// The kernel has 108 bytes for a path, with the one that ends it.
    case tooLong
    case system(attempt: String, errno: CInt)
  }

  package let path: String
  /// Bound, and listening.
  package let descriptor: CInt
  private let device: dev_t
  private let inode: ino_t

  /// Takes the path, also from a process that has left its socket there.
  ///
  /// - Parameter mode: who may connect needs the right to write.
  package static func bind(_ path: String, mode: UInt32) throws(Failure) -> SocketFile {
    guard var address = sockaddr_un(path: path) else { throw .tooLong }
    try removeStale(path, &address)
    let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw .system(attempt: "socket", errno: errno) }
    var isBound = false
    do throws(Failure) {
      // Linux gives the file the rights of the socket, so it never has more of them than it is to have.
      guard fchmod(descriptor, mode) == 0 else { throw .system(attempt: "fchmod", errno: errno) }
      guard address.withPointer({ Glibc.bind(descriptor, $0, $1) }) == 0 else {
        throw .system(attempt: "bind", errno: errno)
      }
      isBound = true
      // The process's mask has taken some away. Of a folder on the way whoever may not enter it is kept out all the same.
      // What the folder's owner puts in its place meanwhile is not followed.
      guard fchmodat(AT_FDCWD, path, mode, AT_SYMLINK_NOFOLLOW) == 0, listen(descriptor, 64) == 0 else {
        throw .system(attempt: "listen", errno: errno)
      }
      var status = stat()
      guard lstat(path, &status) == 0 else { throw .system(attempt: "lstat", errno: errno) }
      return SocketFile(path: path, descriptor: descriptor, device: status.st_dev, inode: status.st_ino)
    } catch {
      // Nobody would ever listen there.
      if isBound { unlink(path) }
      close(descriptor)
      throw error
    }
  }

  /// Removes a socket that nobody listens on any more.
  private static func removeStale(_ path: String, _ address: inout sockaddr_un) throws(Failure) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return }
    guard status.st_mode & S_IFMT == S_IFSOCK else { throw .noSocket }
    let probe = socket(
      AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue) | CInt(SOCK_NONBLOCK.rawValue), 0)
    guard probe >= 0 else { throw .system(attempt: "socket", errno: errno) }
    defer { close(probe) }
    let answer = address.withPointer { connect(probe, $0, $1) }
    let reason = errno
    // EAGAIN: its queue of connections is full, so it has an owner.
    guard answer != 0, reason != EAGAIN else { throw .inUse }
    guard reason == ECONNREFUSED else { throw .system(attempt: "connect", errno: reason) }
    guard unlink(path) == 0 || errno == ENOENT else { throw .system(attempt: "unlink", errno: errno) }
  }

  /// Removes the file, unless it belongs to another process by now; the descriptor is still open.
  package func remove() {
    var status = stat()
    guard lstat(path, &status) == 0, status.st_dev == device, status.st_ino == inode else { return }
    unlink(path)
  }
}

extension sockaddr_un {
  /// nil: the path is too long, or there is none.
  fileprivate init?(path: String) {
    self.init()
    sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    let isTaken = withUnsafeMutableBytes(of: &sun_path) { place in
      guard !bytes.isEmpty, bytes.count < place.count, !bytes.contains(0) else { return false }
      place.copyBytes(from: bytes)
      return true
    }
    guard isTaken else { return nil }
  }

  fileprivate mutating func withPointer<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
    withUnsafePointer(to: &self) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
    }
  }
}
