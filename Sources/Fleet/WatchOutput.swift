internal import Glibc
import LimpetInstants
import LimpetPlatform

/// Writes to a terminal, a pipe or a file without ever waiting for it: what it does not take stays here, up to a limit.
struct WatchOutput {
  /// More than a line for each device there can be: all of them are told at one moment, when a connection begins.
  static let limit = 48 << 20

  let descriptor: Int32
  /// Nobody reads any more.
  private(set) var isClosed = false
  /// Lines that there was no room for.
  private(set) var lost = 0
  private var pending: [UInt8] = []
  private var start = 0

  init(descriptor: Int32) { self.descriptor = descriptor }

  var isEmpty: Bool { start == pending.count }

  /// Adds a whole line or frame, or nothing.
  mutating func add(_ bytes: some Collection<UInt8>) {
    if pending.count - start + bytes.count > Self.limit { drain() }
    guard pending.count - start + bytes.count <= Self.limit else {
      lost += 1
      return
    }
    pending += bytes
  }

  mutating func takeLost() -> Int {
    defer { lost = 0 }
    return lost
  }

  /// Writes what can be written now.
  mutating func drain() {
    while !isEmpty, !isClosed, isWritable(within: 0) {
      // poll(2) promises room for PIPE_BUF bytes in a pipe, so that a blocking one does not block.
      let count = min(pending.count - start, Int(PIPE_BUF))
      let written = pending.withUnsafeBytes { write(descriptor, $0.baseAddress.map { $0 + start }, count) }
      if written < 0 {
        if errno == EAGAIN { return }
        if errno != EINTR { isClosed = true }
      } else {
        start += written
      }
    }
    if isEmpty || start > Self.limit {
      pending.removeFirst(start)
      start = 0
    }
  }

  /// For the end of the process: waits for the reader, but not for ever.
  mutating func drain(within limit: Duration) {
    let deadline = BootClock.now + limit
    while !isEmpty, !isClosed, BootClock.now < deadline {
      if isWritable(within: 50) { drain() }
    }
  }

  private func isWritable(within milliseconds: Int32) -> Bool {
    var output = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    return poll(&output, 1, milliseconds) > 0
  }
}
