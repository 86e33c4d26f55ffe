/// A notice of a service to systemd (sd_notify(3)).
package enum ServiceNotice: Sendable, Equatable {
  /// The start, or a reload, is done.
  case ready
  /// A reload begins; `ready` follows when it is done.
  case reloading(at: Duration)
  /// The end begins.
  case stopping
  /// One line for people, which `systemctl status` shows.
  case status(String)
  /// All that has to move moves (`Liveness`).
  case alive
  /// What goes on now may take this much longer, whatever the unit says.
  case extendTimeout(Duration)

  /// The datagram: `NAME=VALUE`, one a line.
  package var text: String {
    switch self {
    case .ready: "READY=1"
    case .reloading(let time): "RELOADING=1\nMONOTONIC_USEC=\(time.microseconds)"
    case .stopping: "STOPPING=1"
    case .status(let text): "STATUS=\(text.split(whereSeparator: \.isNewline).joined(separator: " "))"
    case .alive: "WATCHDOG=1"
    case .extendTimeout(let duration): "EXTEND_TIMEOUT_USEC=\(duration.microseconds)"
    }
  }
}

extension Duration {
  fileprivate var microseconds: Int64 { Int64(self / .microseconds(1)) }
}
