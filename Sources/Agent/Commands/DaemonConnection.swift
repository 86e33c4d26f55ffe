/// What a daemon that runs says of its connection: a probe under its client id would take that over.
public struct DaemonConnection: Sendable {
  private let process: String
  private let state: String
  private let server: String?
  private let version: String?
  private let isSessionPresent: Bool
  private let keepAlive: String?
  private let lastError: String?
  private let nextTry: String?

  /// nil: the status has no such thing.
  init?(status: JSONFields) {
    guard case .other(let process)? = status["pid"], let connection = status["connection"]?.fields,
      let state = connection["state"]?.text
    else { return nil }
    self.process = TerminalText.escaped(process)
    self.state = state
    server = connection["server"]?.text
    version = connection["version"]?.text
    isSessionPresent = connection["session_present"] == .other("true")
    if case .other(let seconds)? = connection["keepalive"] {
      keepAlive = TerminalText.escaped(seconds)
    } else {
      keepAlive = nil
    }
    lastError = connection["last_error"]?.fields?["error"]?.text
    nextTry = connection["next_try"]?.text
  }

  public var isWell: Bool { state == "connected" }

  /// As a probe has it.
  public var reports: [Probe.Report] {
    guard isWell, let server, let version else {
      let reason = lastError.map { ": \($0)" } ?? ""
      let next = nextTry.map { "; it tries again at \($0)" } ?? ""
      return [.failure("the daemon (process \(process)) is not connected\(reason)\(next)")]
    }
    let keepalive = keepAlive.map { ", keepalive \($0) s" } ?? ""
    return [
      .answer("reason code: 0, session present: \(isSessionPresent)"),
      .finding(.ok("CONNECT: the daemon (process \(process)) is connected to \(server), MQTT \(version)\(keepalive)")),
      .finding(
        .skipped(
          "rights, retained messages and the will: that would take the daemon's connection over; "
            + "--client-id ID connects beside it")),
    ]
  }
}

extension JSONFields.Value {
  fileprivate var text: String? { if case .text(let text) = self { TerminalText.escaped(text) } else { nil } }
}

extension ControlClient {
  /// The daemon's connection.
  public func connection() throws(Failure) -> DaemonConnection {
    var request = JSONObject()
    request.add("command", "status")
    guard let status = try ask(request.finish())["status"]?.fields, let connection = DaemonConnection(status: status)
    else { throw .broken(path: path, "tells no status; it may be of another version") }
    return connection
  }
}
