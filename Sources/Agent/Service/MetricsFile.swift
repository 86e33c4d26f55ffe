internal import Glibc
import LimpetPlatform
import Logging
import NIOCore
import Synchronization

/// Writes the numbers to a file, whole or not at all: whoever reads it sees the old one or the new one. Each write is on
/// a thread of its own; while one has not ended no other is begun.
package final class MetricsFile: Sendable {
  package struct Failure: Error, Equatable, CustomStringConvertible {
    package let path: String
    package let attempt: String
    package let errno: CInt

    package init(path: String, attempt: String, errno: CInt) {
      self.path = path
      self.attempt = attempt
      self.errno = errno
    }

    package var description: String {
      "metrics_file \(path) cannot be written (\(attempt): \(String(cString: strerror(errno)))); make its folder "
        + "writable for limpet, or write another path"
    }
  }

  private struct State {
    var isWriting = false
    var failure: Failure?
  }

  package let path: String
  private let logger: Logger
  private let state = Mutex(State())

  package init(path: String, logger: Logger) {
    self.path = path
    self.logger = logger
  }

  /// Does not block.
  package func write(_ text: ByteBuffer) {
    let begins = state.withLock { state in
      guard !state.isWriting else { return false }
      state.isWriting = true
      return true
    }
    guard begins else { return }
    let code = DetachedThread.start("limpet-metrics") { [self] in finish(Self.replace(path, with: text)) }
    if code != 0 { finish(Failure(path: path, attempt: "start a thread", errno: code)) }
  }

  /// Says once that it fails, and once that it works again.
  private func finish(_ failure: Failure?) {
    let before = state.withLock { state in
      defer { (state.isWriting, state.failure) = (false, failure) }
      return state.failure
    }
    if let failure, failure != before { logger.warning("\(failure)") }
    if failure == nil, before != nil { logger.notice("metrics_file \(path) can be written again") }
  }

  /// By a file beside it that takes its name: rename(2) is atomic.
  static func replace(_ path: String, with text: ByteBuffer) -> Failure? {
    // Not .prom: the collector must not read it.
    let beside = path + ".new"
    let descriptor = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o644)
    guard descriptor >= 0 else { return Failure(path: path, attempt: "open", errno: errno) }
    var rest = text.readableBytesView
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else {
        let failure = Failure(path: path, attempt: "write", errno: count < 0 ? errno : ENOSPC)
        close(descriptor)
        unlink(beside)
        return failure
      }
      rest = rest.dropFirst(count)
    }
    guard close(descriptor) == 0, rename(beside, path) == 0 else {
      let failure = Failure(path: path, attempt: "rename", errno: errno)
      unlink(beside)
      return failure
    }
    return nil
  }
}
