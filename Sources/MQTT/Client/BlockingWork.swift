import Threads

/// Work that blocks (files, names) and is seldom: each piece gets a thread of its own for as long as it takes.
enum BlockingWork {
  struct NoThread: Error, CustomStringConvertible {
    let errno: CInt
    var description: String { "the system has no thread left (errno \(errno))" }
  }

  static func run<Value: Sendable>(
    _ thread: String, _ body: @escaping @Sendable () throws -> Value
  ) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
      let failure = DetachedThread.start(thread) { continuation.resume(with: Result { try body() }) }
      if failure != 0 { continuation.resume(throwing: NoThread(errno: failure)) }
    }
  }
}
