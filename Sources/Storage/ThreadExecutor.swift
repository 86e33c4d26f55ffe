import Glibc
import Threads

/// Runs an actor's jobs on one thread of its own, in order: work that blocks (an fsync on an SD card takes seconds)
/// delays nothing else. The thread sleeps in the kernel while there is nothing to do.
///
/// The thread ends, after what was queued, when the executor is let go of; an actor holds its executor, so no job comes
/// too late.
public final class ThreadExecutor: SerialExecutor {
  private let queue: JobQueue

  /// Starts the thread. `name` is shown by `ps -L`, at most 15 bytes. Throws when the system has no thread left.
  public convenience init(name: String) throws(StorageError) {
    try self.init(name: name, atExit: {})
  }

  /// `atExit` is called by the thread, last of all.
  init(name: String, atExit: @escaping @Sendable () -> Void) throws(StorageError) {
    let queue = JobQueue(atExit: atExit)
    self.queue = queue
    let failure = DetachedThread.start(name) { queue.work() }
    guard failure == 0 else {
      throw StorageError(errno: failure, attempt: "start the thread \(name)", file: "this process")
    }
  }

  deinit { queue.stop() }

  public func enqueue(_ job: consuming ExecutorJob) {
    queue.add(JobQueue.Entry(job: UnownedJob(job), executor: self))
  }
}

/// What an executor and its thread share. The thread does not hold the executor, or it would never end.
///
/// `@unchecked`: `entries` and `stopping` are only touched under `mutex`.
private final class JobQueue: @unchecked Sendable {
  struct Entry {
    let job: UnownedJob
    /// Keeps the executor until the job has returned, even if the job let go of the actor.
    let executor: ThreadExecutor
  }

  private let atExit: @Sendable () -> Void
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var entries: [Entry] = []
  private var stopping = false

  init(atExit: @escaping @Sendable () -> Void) {
    self.atExit = atExit
    mutex.initialize(to: pthread_mutex_t())
    changed.initialize(to: pthread_cond_t())
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(changed, nil)
  }

  deinit {
    pthread_mutex_destroy(mutex)
    pthread_cond_destroy(changed)
    mutex.deallocate()
    changed.deallocate()
  }

  func add(_ entry: Entry) {
    pthread_mutex_lock(mutex)
    entries.append(entry)
    pthread_mutex_unlock(mutex)
    pthread_cond_signal(changed)
  }

  func stop() {
    pthread_mutex_lock(mutex)
    stopping = true
    pthread_mutex_unlock(mutex)
    pthread_cond_signal(changed)
  }

  /// The thread's life.
  func work() {
    while let batch = waitForEntries() {
      for entry in batch { entry.job.runSynchronously(on: entry.executor.asUnownedSerialExecutor()) }
    }
    atExit()
  }

  /// What was queued, or nil when everything is done and the executor is gone.
  private func waitForEntries() -> [Entry]? {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while entries.isEmpty {
      if stopping { return nil }
      pthread_cond_wait(changed, mutex)
    }
    defer { entries = [] }
    return entries
  }
}
