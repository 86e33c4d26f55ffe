internal import Glibc

/// State behind a lock, and threads that wait for it to change.
///
/// `Mutex` of Synchronization has no condition to wait on, so this is the POSIX pair, in one place: whoever needs no
/// condition uses `Mutex`.
public final class ConditionLock<State>: @unchecked Sendable {
  /// What a look at the state says to the thread that looks.
  public enum Poll<Outcome> {
    case ready(Outcome)
    /// Until a signal.
    case wait
    /// Until a signal, and no longer than this, measured without suspend (CLOCK_MONOTONIC); then it looks again.
    case waitAtMost(Duration)
  }

  // Unchecked: `state` is touched only with `mutex` held.
  private var state: State
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let conditions: UnsafeMutablePointer<pthread_cond_t>
  private let count: Int

  /// - Parameter conditions: Reasons to wait, numbered from 0: a signal wakes a thread that waits for the same.
  public init(_ state: State, conditions count: Int = 1) {
    self.state = state
    self.count = count
    mutex = .allocate(capacity: 1)
    pthread_mutex_init(mutex, nil)
    conditions = .allocate(capacity: count)
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    // A step of the wall clock must not change how long a thread waits.
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    for index in 0..<count { pthread_cond_init(conditions + index, &attributes) }
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    for index in 0..<count { pthread_cond_destroy(conditions + index) }
    pthread_mutex_destroy(mutex)
    conditions.deallocate()
    mutex.deallocate()
  }

  /// Calls `body` with the lock held. It wakes nobody: `signal` and `broadcast` do that.
  public func withLock<R>(_ body: (inout State) -> R) -> R {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return body(&state)
  }

  /// Blocks until `poll`, called with the lock held, says ready; calls it again after each signal and each deadline.
  public func wait<R>(for condition: Int = 0, _ poll: (inout State) -> Poll<R>) -> R {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while true {
      switch poll(&state) {
      case .ready(let outcome): return outcome
      case .wait: pthread_cond_wait(address(of: condition), mutex)
      case .waitAtMost(let limit):
        var until = Self.timespec(after: limit)
        pthread_cond_timedwait(address(of: condition), mutex, &until)
      }
    }
  }

  /// Wakes one thread that waits for the condition.
  public func signal(_ condition: Int = 0) { pthread_cond_signal(address(of: condition)) }

  /// Wakes all of them.
  public func broadcast(_ condition: Int = 0) { pthread_cond_broadcast(address(of: condition)) }

  private func address(of condition: Int) -> UnsafeMutablePointer<pthread_cond_t> {
    precondition((0..<count).contains(condition), "there is no condition \(condition)")
    return conditions + condition
  }

  /// A moment of CLOCK_MONOTONIC as POSIX wants it; a year is as good as for ever.
  private static func timespec(after limit: Duration) -> timespec {
    var now = Glibc.timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    let (seconds, attoseconds) = min(max(limit, .zero), .seconds(31_536_000)).components
    let nanoseconds = now.tv_nsec + Int(attoseconds / 1_000_000_000)
    return Glibc.timespec(
      tv_sec: now.tv_sec + time_t(seconds) + time_t(nanoseconds / 1_000_000_000),
      tv_nsec: nanoseconds % 1_000_000_000)
  }
}
