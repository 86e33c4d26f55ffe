internal import CLinux
internal import Glibc

/// What happens to the process from outside: signals, and jumps of the clock. The main thread sleeps here, and nothing
/// else wakes it up.
///
/// Signals come through signalfd(2), blocked in all threads, so this is made before any other thread is. Jumps come
/// through timerfd_create(2): a timer on CLOCK_REALTIME with TFD_TIMER_CANCEL_ON_SET, far in the future, is cancelled by
/// a discontinuous change of that clock, and coming back from a suspend is one.
public final class ProcessEvents: Sendable {
  public enum Event: Sendable, Equatable {
    case terminate
    case clockJumped
    /// `finish` was called.
    case finished
  }

  private let signals: Int32
  private let clock: Int32
  private let end: Int32

  public init() {
    // A peer that is gone is an error of the call, not a signal.
    signal(SIGPIPE, SIG_IGN)
    var set = sigset_t()
    sigemptyset(&set)
    sigaddset(&set, SIGTERM)
    sigaddset(&set, SIGINT)
    pthread_sigmask(SIG_BLOCK, &set, nil)
    signals = signalfd(-1, &set, Int32(SFD_CLOEXEC))
    clock = timerfd_create(CLOCK_REALTIME, Int32(TFD_CLOEXEC))
    end = eventfd(0, Int32(EFD_CLOEXEC))
    armClock()
  }

  deinit { for descriptor in [signals, clock, end] { close(descriptor) } }

  /// Waits for the next event. Without descriptors (the process has none left) it is the end.
  public func next() -> Event {
    var waiting = [signals, clock, end].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    while true {
      guard poll(&waiting, nfds_t(waiting.count), -1) > 0 else {
        if errno == EINTR { continue }
        return .finished
      }
      if waiting[2].revents != 0 { return .finished }
      if waiting[0].revents != 0 {
        var information = signalfd_siginfo()
        _ = read(signals, &information, MemoryLayout<signalfd_siginfo>.size)
        return .terminate
      }
      // ECANCELED says that the clock jumped; the timer has to be set anew either way.
      var expirations: UInt64 = 0
      let jumped = read(clock, &expirations, MemoryLayout<UInt64>.size) < 0 && errno == ECANCELED
      armClock()
      if jumped { return .clockJumped }
    }
  }

  /// Ends the waiting, from any thread.
  public func finish() {
    var one: UInt64 = 1
    _ = write(end, &one, MemoryLayout<UInt64>.size)
  }

  private func armClock() {
    var never = itimerspec()
    never.it_value.tv_sec = .max
    timerfd_settime(clock, Int32(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET), &never, nil)
  }
}
