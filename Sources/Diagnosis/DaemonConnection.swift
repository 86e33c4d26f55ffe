import Control
import JSON
import LimpetText

/// The connection of a running daemon, as it reports it: a probe under its client id would take that over.
public struct DaemonConnection: Sendable {
  private let process: String
  private let state: String
  private let server: String?
  private let version: String?
  private let isSessionPresent: Bool
  private let keepAlive: String?
  private let lastError: String?
  private let nextTry: String?
  /// Topics that the broker refuses, with why.
  private let refused: [String]
  /// Why commands are not obeyed yet; nil: they are, or will not be.
  private let awaited: String?

  /// nil: the status has no such thing.
  package init?(status: JSONValue) {
    guard let process = status["pid"]?.integer, let connection = status["connection"],
      let state = connection["state"]?.text.map(TerminalText.escaped)
    else { return nil }
    self.process = String(process)
    self.state = state
    server = connection["server"]?.text.map(TerminalText.escaped)
    version = connection["version"]?.text.map(TerminalText.escaped)
    isSessionPresent = connection["session_present"]?.flag == true
    keepAlive = connection["keepalive"]?.integer.map { String($0) }
    lastError = connection["last_error"]?["error"]?.text.map(TerminalText.escaped)
    nextTry = connection["next_try"]?.text.map(TerminalText.escaped)
    var refused: [String] = []
    if case .list(let topics)? = status["resting"] {
      refused = topics.compactMap { rest in
        let reason = rest["reason"]?.text.map { ": \(TerminalText.escaped($0))" } ?? ""
        return rest["topic"]?.text.map { "to publish to \(TerminalText.escaped($0))\(reason)" }
      }
    }
    let commands = status["commands_error"]?.text.map(TerminalText.escaped)
    let isAwaited = status["commands_awaited"]?.flag == true
    if let commands, !isAwaited { refused.append("to commands: \(commands)") }
    awaited = isAwaited ? commands : nil
    self.refused = refused
  }

  /// It is connected, and the broker refuses nothing.
  public var isWell: Bool { state == "connected" && refused.isEmpty }

  /// As a probe has it.
  public var reports: [Probe.Report] {
    guard state == "connected", let server, let version else {
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
    ] + (awaited.map { [.finding(.skipped("commands: \($0); ask again in 10 s"))] } ?? [])
      + refused.map { .finding(.failed("no right \($0). Allow it on the broker")) }
  }
}

extension ControlClient {
  /// The daemon's connection.
  public func connection() throws(Failure) -> DaemonConnection {
    var request = JSONObject()
    request.add("command", "status")
    guard let status = try ask(request.finish())["status"], let connection = DaemonConnection(status: status)
    else { throw .broken(path: path, "answered without a status; it may be of another version") }
    return connection
  }
}
