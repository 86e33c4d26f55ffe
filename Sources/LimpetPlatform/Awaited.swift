import Synchronization

/// A value that somebody gives later, once, for tasks that wait for it.
///
/// No continuation: what one resumes goes through the global executor, whose libdispatch pool makes threads for it, and
/// wakes up once a second from then on. Here a task that waits is a job that lies with this actor's executor until the
/// value is there, and goes from there straight back to the executor that it came from.
public actor Awaited<Value: Sendable> {
  private nonisolated let held = HeldJobs()
  private nonisolated let given = Mutex<Value?>(nil)

  /// Where the jobs of those that wait lie until there is a value.
  public nonisolated var unownedExecutor: UnownedSerialExecutor { held.asUnownedSerialExecutor() }

  /// There is no value yet.
  public init() {}

  /// Waits for it.
  public var value: Value {
    guard let value = given.withLock({ $0 }) else { preconditionFailure("jobs are held until there is a value") }
    return value
  }

  /// All that wait go on; another value after the first changes nothing.
  public nonisolated func give(_ value: Value) {
    let isFirst = given.withLock { given in
      guard given == nil else { return false }
      given = value
      return true
    }
    if isFirst { held.release() }
  }
}

/// Keeps jobs until they are let go, and runs them where that happens: of a task that waits they do nothing but to send
/// it back.
private final class HeldJobs: SerialExecutor {
  /// nil: they are not kept any more.
  private let jobs = Mutex<[UnownedJob]?>([])

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    let isHeld = jobs.withLock { jobs in
      jobs?.append(job)
      return jobs != nil
    }
    if !isHeld { job.runSynchronously(on: asUnownedSerialExecutor()) }
  }

  func release() {
    let held = jobs.withLock { jobs in
      defer { jobs = nil }
      return jobs ?? []
    }
    for job in held { job.runSynchronously(on: asUnownedSerialExecutor()) }
  }
}
