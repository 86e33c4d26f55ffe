import LimpetPlatform
import MQTTCore

/// Runs an actor's jobs on one thread of its own, in order: work that blocks (an fsync on an SD card takes seconds)
/// delays nothing else. The thread sleeps in the kernel while there is nothing to do.
///
/// The thread ends, after what was queued, when the executor is let go of; an actor holds its executor, so no job comes
/// too late.
package final class ThreadExecutor: SerialExecutor {
  private let queue: JobQueue

  /// Starts the thread. `name` is shown by `ps -L`, at most 15 bytes. Throws when the system has no thread left.
  package convenience init(name: String) throws(StorageError) {
    try self.init(name: name, atExit: {})
  }

  /// `atExit` is called by the thread, last of all.
  package init(name: String, atExit: @escaping @Sendable () -> Void) throws(StorageError) {
    let queue = JobQueue(atExit: atExit)
    self.queue = queue
    let failure = DetachedThread.start(name) { queue.work() }
    guard failure == 0 else {
      throw StorageError(errno: failure, attempt: "start the thread \(name)", file: "this process")
    }
  }

  deinit { queue.stop() }

  /// Puts a job behind those that wait for the thread.
  public func enqueue(_ job: consuming ExecutorJob) {
    queue.add(JobQueue.Entry(job: UnownedJob(job), executor: self))
  }
}

/// What an executor and its thread share. The thread does not hold the executor, or it would never end.
private final class JobQueue: Sendable {
  struct Entry: Sendable {
    let job: UnownedJob
    /// Keeps the executor until the job has returned, even if the job let go of the actor.
    let executor: ThreadExecutor
  }

  private struct State {
    var entries: [Entry] = []
    var isStopping = false
  }

  private let atExit: @Sendable () -> Void
  private let lock = ConditionLock(State())

  init(atExit: @escaping @Sendable () -> Void) { self.atExit = atExit }

  func add(_ entry: Entry) {
    lock.withLock { $0.entries.append(entry) }
    lock.signal()
  }

  func stop() {
    lock.withLock { $0.isStopping = true }
    lock.signal()
  }

  /// The thread's life.
  func work() {
    while let batch = waitForEntries() {
      for entry in batch { entry.job.runSynchronously(on: entry.executor.asUnownedSerialExecutor()) }
    }
    atExit()
  }

  /// The queued jobs, or nil when all are done and the executor is gone.
  private func waitForEntries() -> [Entry]? {
    lock.wait { state -> ConditionLock<State>.Poll<[Entry]?> in
      guard state.entries.isEmpty else {
        defer { state.entries = [] }
        return .ready(state.entries)
      }
      return state.isStopping ? .ready(nil) : .wait
    }
  }
}
