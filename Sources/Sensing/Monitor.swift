import Glibc

/// State behind a lock, and threads that wait for it to change.
///
/// `Mutex` of Synchronization has no condition to wait on, so this is the POSIX pair, in one place.
final class Monitor<State>: @unchecked Sendable {
  /// Why a thread waits; a signal wakes one that waits for the same.
  enum Condition: Int, CaseIterable {
    case work, deadline
  }

  enum Poll<Outcome> {
    case ready(Outcome)
    case wait
    case waitUntil(SuspendingClock.Instant)
  }

  // Unchecked: `state` is touched only with `mutex` held.
  private var state: State
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let conditions: UnsafeMutablePointer<pthread_cond_t>

  init(_ state: State) {
    self.state = state
    mutex = .allocate(capacity: 1)
    pthread_mutex_init(mutex, nil)
    conditions = .allocate(capacity: Condition.allCases.count)
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    // A step of the wall clock must not change how long a thread waits.
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    for index in Condition.allCases.indices { pthread_cond_init(conditions + index, &attributes) }
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    for index in Condition.allCases.indices { pthread_cond_destroy(conditions + index) }
    pthread_mutex_destroy(mutex)
    conditions.deallocate()
    mutex.deallocate()
  }

  func withLock<R>(_ body: (inout State) -> R) -> R {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return body(&state)
  }

  /// Blocks until `poll`, called with the lock held, says ready; calls it again after each signal and each deadline.
  func wait<R>(for condition: Condition, _ poll: (inout State) -> Poll<R>) -> R {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while true {
      switch poll(&state) {
      case .ready(let outcome): return outcome
      case .wait: pthread_cond_wait(conditions + condition.rawValue, mutex)
      case .waitUntil(let deadline):
        var until = Self.timespec(of: deadline)
        pthread_cond_timedwait(conditions + condition.rawValue, mutex, &until)
      }
    }
  }

  func signal(_ condition: Condition) {
    pthread_cond_signal(conditions + condition.rawValue)
  }

  func broadcast(_ condition: Condition) {
    pthread_cond_broadcast(conditions + condition.rawValue)
  }

  /// CLOCK_MONOTONIC as POSIX wants it. Swift does not show an instant's own number, so it is now and the rest.
  private static func timespec(of deadline: SuspendingClock.Instant) -> timespec {
    var now = Glibc.timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    let (seconds, attoseconds) = max(SuspendingClock.now.duration(to: deadline), .zero).components
    let nanoseconds = now.tv_nsec + Int(attoseconds / 1_000_000_000)
    return Glibc.timespec(
      tv_sec: now.tv_sec + Int(seconds) + nanoseconds / 1_000_000_000, tv_nsec: nanoseconds % 1_000_000_000)
  }
}
