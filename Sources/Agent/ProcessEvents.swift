internal import CLimpetLinux
internal import Glibc
import NIOCore

/// What happens to the process from outside: signals, and jumps of the clock. The main thread sleeps here, and nothing
/// else wakes it up.
///
/// Signals come through signalfd(2), blocked in all threads, so this is made before any other thread is. Jumps come
/// through timerfd_create(2): a timer on CLOCK_REALTIME with TFD_TIMER_CANCEL_ON_SET, far in the future, is cancelled by
/// a discontinuous change of that clock, and coming back from a suspend is one. Changes of the network come through
/// rtnetlink(7), where the system lets the process have it.
public final class ProcessEvents: Sendable {
  public enum Event: Sendable, Equatable {
    case terminate
    /// SIGHUP: the configuration is to be read again.
    case reload
    case clockJumped
    /// Addresses or routes changed: these are the addresses now; nil: they could not be listed.
    case networkChanged(addresses: Set<String>?)
    /// `finish` was called.
    case finished
  }

  private let signals: Int32
  private let clock: Int32
  private let end: Int32
  /// -1: the kernel does not report changes of the network.
  private let network: Int32

  public init() {
    // A peer that is gone is an error of the call, not a signal.
    signal(SIGPIPE, SIG_IGN)
    var set = sigset_t()
    sigemptyset(&set)
    sigaddset(&set, SIGTERM)
    sigaddset(&set, SIGINT)
    sigaddset(&set, SIGHUP)
    pthread_sigmask(SIG_BLOCK, &set, nil)
    signals = signalfd(-1, &set, Int32(SFD_CLOEXEC))
    clock = timerfd_create(CLOCK_REALTIME, Int32(TFD_CLOEXEC))
    end = eventfd(0, Int32(EFD_CLOEXEC))
    network = Self.openNetwork()
    armClock()
  }

  deinit { for descriptor in [signals, clock, end, network] where descriptor >= 0 { close(descriptor) } }

  /// A socket on which the kernel reports addresses, links and default routes that come and go.
  private static func openNetwork() -> Int32 {
    let descriptor = socket(
      AF_NETLINK, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), NETLINK_ROUTE
    )
    guard descriptor >= 0 else { return -1 }
    var address = sockaddr_nl()
    address.nl_family = sa_family_t(AF_NETLINK)
    address.nl_groups = UInt32(
      RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_IFADDR | RTMGRP_IPV6_ROUTE)
    let bound = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_nl>.size))
      }
    }
    guard bound == 0 else {
      close(descriptor)
      return -1
    }
    return descriptor
  }

  /// What the messages say does not matter: whoever asks looks at how things are now.
  private func networkHasChanged() -> Bool {
    var buffer = [UInt8](repeating: 0, count: 8192)
    var changed = false
    // ENOBUFS says that there were more messages than room.
    while case let count = recv(network, &buffer, buffer.count, 0), count > 0 || errno == ENOBUFS { changed = true }
    return changed
  }

  /// Waits for the next event. Without descriptors (the process has none left) it is the end.
  public func next() -> Event {
    var waiting = [signals, clock, end, network].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    while true {
      guard poll(&waiting, nfds_t(waiting.count), -1) > 0 else {
        if errno == EINTR { continue }
        return .finished
      }
      if waiting[2].revents != 0 { return .finished }
      if waiting[0].revents != 0 {
        var information = signalfd_siginfo()
        _ = read(signals, &information, MemoryLayout<signalfd_siginfo>.size)
        return information.ssi_signo == UInt32(SIGHUP) ? .reload : .terminate
      }
      if waiting[3].revents != 0, networkHasChanged() { return .networkChanged(addresses: Self.addresses()) }
      guard waiting[1].revents != 0 else { continue }
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

  /// Of all interfaces that are up; nil where the process has no descriptor or the kernel no memory left to say so.
  private static func addresses() -> Set<String>? {
    guard let devices = try? System.enumerateDevices() else { return nil }
    return Set(devices.compactMap { $0.address?.ipAddress })
  }

  private func armClock() {
    var never = itimerspec()
    never.it_value.tv_sec = .max
    timerfd_settime(clock, Int32(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET), &never, nil)
  }
}
