import Core
internal import Glibc
import Synchronization

/// systemd, if this process is a service of it; otherwise it drops every notice.
///
/// Any thread may call it, and it never blocks: notices for which the socket has no room wait for the next one or the
/// next `retry`, at most 16 of them.
public final class ServiceManager: Sendable {
  private struct State: ~Copyable {
    var socket: NotifySocket?
    var waiting: [ServiceNotice] = []
    /// The last status: it is sent again only when it changes.
    var status: String?

    mutating func send(_ notice: ServiceNotice) {
      waiting.append(notice)
      if waiting.count > ServiceManager.limit { waiting.removeFirst() }
      flush()
    }

    mutating func flush() {
      while let notice = waiting.first {
        switch socket?.send(notice.text) {
        case .busy: return
        case .sent, .failed, nil: waiting.removeFirst()
        }
      }
    }
  }

  private static let limit = 16

  private let state: Mutex<State>
  /// How often to call `alive`: half of the time after which systemd ends a service that is silent; nil: it has no
  /// watchdog for this one.
  let watchdogInterval: Duration?

  /// - Parameter environment: NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID are looked at (sd_notify(3),
  ///   sd_watchdog_enabled(3)).
  public init(environment: [String: String]) {
    let socket = environment["NOTIFY_SOCKET"].flatMap { NotifySocket($0) }
    watchdogInterval = socket == nil ? nil : Self.watchdogInterval(environment, process: getpid())
    state = Mutex(State(socket: socket))
  }

  /// Another process's watchdog is none of this one's: a child inherits the variables.
  static func watchdogInterval(_ environment: [String: String], process: Int32) -> Duration? {
    guard let microseconds = environment["WATCHDOG_USEC"].flatMap(Int64.init), microseconds > 0 else { return nil }
    if let watched = environment["WATCHDOG_PID"] { guard Int32(watched) == process else { return nil } }
    return .microseconds(microseconds) / 2
  }

  /// - Returns: false when it waits, and `retry` is to be called in a moment.
  @discardableResult
  package func notify(_ notice: ServiceNotice) -> Bool {
    state.withLock { state in
      if case .status(let text) = notice {
        guard text != state.status else { return state.waiting.isEmpty }
        state.status = text
      }
      state.send(notice)
      return state.waiting.isEmpty
    }
  }

  /// Sends the notices that wait.
  /// - Returns: whether all of it was.
  func retry() -> Bool {
    state.withLock { state in
      state.flush()
      return state.waiting.isEmpty
    }
  }
}
