import Foundation
import Synchronization

/// What systemd is to a service: a datagram socket that takes notices (sd_notify(3)), and keeps them.
package final class ServiceSocket: Sendable {
  /// For $NOTIFY_SOCKET.
  package let name: String
  private let descriptor: Int32
  private let taken = Mutex<[String]>([])

  package struct Failure: Error {
    let code: Int32
  }

  /// - Parameter name: a path, or an abstract name that begins with `@`.
  package init(_ name: String) throws {
    self.name = name
    descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
    guard descriptor >= 0 else { throw Failure(code: errno) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(name.utf8)
    withUnsafeMutableBytes(of: &address.sun_path) { path in
      path.copyBytes(from: bytes)
      if name.hasPrefix("@") { path[0] = 0 }
    }
    let length = MemoryLayout<sa_family_t>.size + bytes.count + (name.hasPrefix("@") ? 0 : 1)
    let bound = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, socklen_t(length)) }
    }
    guard bound == 0 else { throw Failure(code: errno) }
  }

  deinit { close(descriptor) }

  /// All notices so far, in order.
  package var notices: [String] {
    taken.withLock { taken in
      var buffer = [UInt8](repeating: 0, count: 4096)
      while case let count = recv(descriptor, &buffer, buffer.count, 0), count >= 0 {
        taken.append(String(decoding: buffer.prefix(count), as: UTF8.self))
      }
      return taken
    }
  }
}
