import Synchronization

/// Work that blocks (files, names) and is seldom: each piece gets a thread of its own for as long as it takes.
///
/// An actor, rather than a thread and a continuation: what a continuation resumes goes through the global executor, whose
/// libdispatch pool wakes up once a second from then on.
public actor BlockingWork {
  /// The kernel gave no thread.
  public struct NoThread: Error, CustomStringConvertible {
    /// Why.
    public let errno: CInt
    /// What happened, with the errno of pthread_create(3).
    public var description: String { "the system has no thread left (errno \(errno))" }
  }

  private let executor: ThreadPerJob
  /// A new thread for each job.
  public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  private init(_ thread: String) { executor = ThreadPerJob(thread) }

  /// Does it on a thread of that name, of at most 15 bytes.
  ///
  /// - Throws: what it throws, or `NoThread`.
  public static func run<Value: Sendable>(
    _ thread: String, _ body: @escaping @Sendable () throws -> Value
  ) async throws -> Value {
    try await BlockingWork(thread).perform(body)
  }

  private func perform<Value: Sendable>(_ body: @Sendable () throws -> Value) throws -> Value {
    let failure = executor.failure.withLock { $0 }
    guard failure == 0 else { throw NoThread(errno: failure) }
    return try body()
  }
}

/// Runs each job of its actor on a new thread.
private final class ThreadPerJob: SerialExecutor {
  private let name: String
  /// Why there is no thread, an errno; 0: there is one.
  let failure = Mutex<CInt>(0)

  init(_ name: String) { self.name = name }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    let failure = DetachedThread.start(name) { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    guard failure != 0 else { return }
    self.failure.withLock { $0 = failure }
    // Only to say that.
    job.runSynchronously(on: asUnownedSerialExecutor())
  }
}
