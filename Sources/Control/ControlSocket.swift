internal import Glibc
import LimpetText
import NIOCore
import NIOPosix

/// The control socket's place in the file system. What is here blocks.
package struct ControlSocket: Sendable {
  /// Why there is no control socket; the agent runs without it.
  package enum Failure: Error, CustomStringConvertible {
    case inUse(String)
    case noSocket(String)
    case system(attempt: String, path: String, errno: CInt)
    case path(String, String)

    package var description: String {
      switch self {
      case .inUse(let path):
        "the control socket \(path) belongs to another limpet that is running; write another path for control"
      case .noSocket(let path): "\(path) exists and is not a socket; remove it, or write another path for control"
      case .system(let attempt, let path, let code):
        "the control socket \(path) cannot be made (\(attempt): \(String(cString: strerror(code)))); "
          + "make its folder writable, or write another path for control"
      case .path(let path, let reason): "\(quoted(path)) cannot be the path of the control socket: \(reason)"
      }
    }
  }

  package let path: String
  /// Bound, and listening.
  package let descriptor: CInt
  private let device: dev_t
  private let inode: ino_t

  /// Takes the path, even from a process that has left its socket there; every user may connect.
  package static func bind(_ path: String) throws(Failure) -> ControlSocket {
    let address: SocketAddress
    do { address = try SocketAddress(unixDomainSocketPath: path) } catch {
      throw .path(path, "longer than a socket's path can be; write a shorter one for control")
    }
    try removeStale(path, address)
    let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw .system(attempt: "socket", path: path, errno: errno) }
    do throws(Failure) {
      guard address.withSockAddr({ Glibc.bind(descriptor, $0, socklen_t($1)) }) == 0 else {
        throw .system(attempt: "bind", path: path, errno: errno)
      }
      // Users who may not enter a folder on the path are kept out all the same. A link that the folder's owner puts
      // there meanwhile is not followed.
      guard fchmodat(AT_FDCWD, path, 0o666, AT_SYMLINK_NOFOLLOW) == 0, listen(descriptor, 64) == 0 else {
        throw .system(attempt: "listen", path: path, errno: errno)
      }
      var status = stat()
      guard lstat(path, &status) == 0 else { throw .system(attempt: "lstat", path: path, errno: errno) }
      return ControlSocket(path: path, descriptor: descriptor, device: status.st_dev, inode: status.st_ino)
    } catch {
      close(descriptor)
      throw error
    }
  }

  /// Removes a socket that nobody listens on any more.
  private static func removeStale(_ path: String, _ address: SocketAddress) throws(Failure) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return }
    guard status.st_mode & S_IFMT == S_IFSOCK else { throw .noSocket(path) }
    let probe = socket(
      AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue) | CInt(SOCK_NONBLOCK.rawValue), 0)
    guard probe >= 0 else { throw .system(attempt: "socket", path: path, errno: errno) }
    defer { close(probe) }
    let answer = address.withSockAddr { connect(probe, $0, socklen_t($1)) }
    let reason = errno
    // EAGAIN: its queue of connections is full, so it has an owner.
    guard answer != 0, reason != EAGAIN else { throw .inUse(path) }
    guard reason == ECONNREFUSED else { throw .system(attempt: "connect", path: path, errno: reason) }
    guard unlink(path) == 0 || errno == ENOENT else { throw .system(attempt: "unlink", path: path, errno: errno) }
  }

  /// Removes the file, unless it belongs to another process by now; the descriptor is still open.
  package func remove() {
    var status = stat()
    guard lstat(path, &status) == 0, status.st_dev == device, status.st_ino == inode else { return }
    unlink(path)
  }
}
