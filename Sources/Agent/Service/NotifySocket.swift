internal import Glibc

/// systemd's notification socket, which `$NOTIFY_SOCKET` names (sd_notify(3)): datagrams to a path, or to an abstract
/// name where that begins with `@` (unix(7)).
package struct NotifySocket: ~Copyable {
  private let descriptor: CInt
  private let address: [UInt8]

  /// - Returns: nil where the name is none, or the process has no descriptor left.
  package init?(_ name: String) {
    guard let address = Self.address(name) else { return nil }
    let type = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
    let descriptor = socket(AF_UNIX, type, 0)
    guard descriptor >= 0 else { return nil }
    self.descriptor = descriptor
    self.address = address
  }

  deinit { close(descriptor) }

  package enum Outcome {
    case sent
    /// The receiver's queue is full.
    case busy
    /// There is nobody.
    case failed
  }

  /// Sends one datagram; never blocks.
  package func send(_ text: String) -> Outcome {
    let bytes = Array(text.utf8)
    let count = address.withUnsafeBytes { address in
      sendto(
        descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL),
        address.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t(address.count))
    }
    if count >= 0 { return .sent }
    return errno == EAGAIN || errno == ENOBUFS ? .busy : .failed
  }

  /// The bytes of a `sockaddr_un`; nil where the name is neither a whole path nor an abstract name, or is too long.
  package static func address(_ name: String) -> [UInt8]? {
    var path = Array(name.utf8)
    guard path.count > 1, path.count < 108, !path.contains(0) else { return nil }
    switch path[0] {
    case UInt8(ascii: "/"): path.append(0)
    case UInt8(ascii: "@"): path[0] = 0
    default: return nil
    }
    return withUnsafeBytes(of: sa_family_t(AF_UNIX)) { Array($0) } + path
  }
}
