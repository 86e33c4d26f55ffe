import Glibc
import NIOCore
import Synchronization
import Testing

/// A client of a Unix socket that does what it is told, also what no proper one does.
final class RawClient: Sendable {
  let descriptor: Int32
  private let unread = Mutex<[UInt8]>([])

  init(_ path: String) throws {
    descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var limit = timeval(tv_sec: 20, tv_usec: 0)
    // SO_RCVTIMEO, which Swift cannot read where time has more bits than a word (CLimpetLinux).
    let receiveTimeout: Int32 = MemoryLayout<time_t>.size > MemoryLayout<Int>.size ? 66 : 20
    setsockopt(descriptor, SOL_SOCKET, receiveTimeout, &limit, socklen_t(MemoryLayout<timeval>.size))
    let address = try SocketAddress(unixDomainSocketPath: path)
    let connected = address.withSockAddr { connect(descriptor, $0, socklen_t($1)) }
    try #require(connected == 0, "connect: \(String(cString: strerror(errno)))")
  }

  deinit { close(descriptor) }

  /// - Returns: whether all of it was taken.
  @discardableResult
  func write(_ text: String) -> Bool {
    let bytes = Array(text.utf8)
    return send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count
  }

  /// The next line; nil: the other side has closed, or said nothing for 20 s.
  func line() -> String? {
    while true {
      let line = unread.withLock { unread -> String? in
        guard let end = unread.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        defer { unread.removeFirst(end + 1) }
        return String(decoding: unread[..<end], as: UTF8.self)
      }
      if let line { return line }
      var bytes = [UInt8](repeating: 0, count: 65_536)
      let count = read(descriptor, &bytes, bytes.count)
      guard count > 0 else { return nil }
      unread.withLock { $0 += bytes[..<count] }
    }
  }

  /// It says nothing more.
  func finish() { shutdown(descriptor, Int32(SHUT_WR)) }
}
