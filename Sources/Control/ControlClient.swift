internal import CLimpetLinux
internal import Glibc
import JSON
import LimpetInstants
import LimpetPlatform
import LimpetText
import NIOCore

/// Asks the agent that runs, over its control socket. It blocks its thread.
public struct ControlClient: Sendable {
  /// Why there is no answer.
  public enum Failure: Error, Sendable, CustomStringConvertible {
    /// Nobody listens there.
    case noAgent(path: String, errno: CInt)
    case denied(path: String)
    case broken(path: String, String)
    /// The agent's own words, and the mistakes in the configuration, if they are the reason.
    case refused(String, errors: [String])

    public var description: String {
      switch self {
      case .noAgent(let path, let code):
        "no limpet answers at \(path) (\(String(cString: strerror(code)))); start it with `systemctl start limpet` or "
          + "`limpet run`, or name its socket with --socket"
      case .denied(let path): "\(path) cannot be opened by this user; run this as root or as limpet's user"
      case .broken(let path, let reason): "the limpet at \(path) \(reason)"
      case .refused(let error, _): error
      }
    }

    /// No agent is running, as far as this user can see.
    public var isAbsence: Bool { if case .noAgent = self { true } else { false } }

    /// What is wrong with the configuration.
    public var errors: [String] { if case .refused(_, let errors) = self { errors } else { [] } }
  }

  /// Of an answer.
  private static let limit = 64 << 20

  package let path: String
  private let patience: Duration

  public init(path: String, patience: Duration = .seconds(10)) {
    self.path = path
    self.patience = patience
  }

  /// One request and its answer.
  package func ask(_ request: ByteBuffer) throws(Failure) -> JSONValue {
    let descriptor = try connect()
    defer { close(descriptor) }
    var line = Array(request.readableBytesView)
    line.append(UInt8(ascii: "\n"))
    // Fits into the socket's buffer, so there is nothing to wait for.
    guard send(descriptor, line, line.count, CInt(MSG_NOSIGNAL)) == line.count else {
      throw .broken(path: path, "does not take requests (\(String(cString: strerror(errno))))")
    }
    let answer = try readLine(descriptor)
    guard let fields = JSONValue(parsing: answer), case .object = fields else {
      throw .broken(path: path, "answers with something that is not JSON")
    }
    guard fields["ok"]?.flag == true else {
      if case .text(let error)? = fields["error"] {
        throw .refused(
          TerminalText.escaped(error), errors: (fields["errors"]?.texts ?? []).map(TerminalText.escaped))
      }
      throw .broken(path: path, "answers with neither success nor failure")
    }
    return fields
  }

  private func connect() throws(Failure) -> CInt {
    guard let address = try? SocketAddress(unixDomainSocketPath: path) else {
      throw .broken(path: path, "cannot be reached: its path is longer than a socket's can be")
    }
    let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw .noAgent(path: path, errno: errno) }
    var limit = timeval(tv_sec: time_t(patience.components.seconds), tv_usec: 0)
    for option in [limpet_receive_timeout, limpet_send_timeout] {
      setsockopt(descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
    }
    guard address.withSockAddr({ Glibc.connect(descriptor, $0, socklen_t($1)) }) == 0 else {
      let reason = errno
      close(descriptor)
      switch reason {
      case EACCES, EPERM: throw .denied(path: path)
      case EAGAIN: throw .broken(path: path, "accepts no connections; it is busy, or it hangs")
      default: throw .noAgent(path: path, errno: reason)
      }
    }
    return descriptor
  }

  private func readLine(_ descriptor: CInt) throws(Failure) -> [UInt8] {
    let deadline = BootClock.now + patience
    var answer: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while BootClock.now < deadline, answer.count < Self.limit {
      let count = read(descriptor, &buffer, buffer.count)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { break }
      if let end = buffer[..<count].firstIndex(of: UInt8(ascii: "\n")) { return answer + buffer[..<end] }
      answer += buffer[..<count]
    }
    throw .broken(path: path, "gives no answer within \(patience.inWords)")
  }
}

/// The requests of the commands.
extension ControlClient {
  /// The status as text for people, without characters that control a terminal.
  public func statusText(columns: Int) throws(Failure) -> String {
    var request = JSONObject()
    request.add("command", "status")
    request.add("format", "text")
    request.add("columns", UInt64(columns))
    guard let text = try ask(request.finish())["text"]?.text else {
      throw .broken(path: path, "answered without a status; it may be of another version")
    }
    return TerminalText.escaped(text)
  }

  /// The status as one JSON object.
  public func statusJSON() throws(Failure) -> String {
    var request = JSONObject()
    request.add("command", "status")
    guard let status = try ask(request.finish())["status"], case .object = status else {
      throw .broken(path: path, "answered without a status; it may be of another version")
    }
    return TerminalText.escapedJSON(status.compact)
  }

  /// The agent reads its configuration again.
  /// - Returns: what has changed, and warnings.
  public func reload() throws(Failure) -> (changes: [String], warnings: [String]) {
    var request = JSONObject()
    request.add("command", "reload")
    let answer = try ask(request.finish())
    func texts(_ key: String) -> [String] { (answer[key]?.texts ?? []).map(TerminalText.escaped) }
    return (texts("changes"), texts("warnings"))
  }

  /// - Parameter level: nil: only ask for it.
  /// - Returns: what it is now.
  public func logLevel(_ level: String?) throws(Failure) -> String {
    var request = JSONObject()
    request.add("command", "log-level")
    if let level { request.add("level", level) }
    guard let now = try ask(request.finish())["level"]?.text else {
      throw .broken(path: path, "answered without a level; it may be of another version")
    }
    return TerminalText.escaped(now)
  }

  /// Commands an output.
  ///
  /// - Returns: the answer, as one JSON object.
  public func set(_ name: String, _ value: String) throws(Failure) -> String {
    var request = JSONObject()
    request.add("command", "set")
    request.add("name", name)
    request.add("value", value)
    guard let answer = try ask(request.finish())["answer"], case .object = answer else {
      throw .broken(path: path, "answered with something that this command does not know; it may be of another version")
    }
    return TerminalText.escapedJSON(answer.compact)
  }

  /// Every output goes into its safe state, as at a clean stop.
  /// - Returns: the outcome for each, for people.
  public func makeOutputsSafe() throws(Failure) -> [String] {
    var request = JSONObject()
    request.add("command", "outputs")
    request.add("safe", true)
    return (try ask(request.finish())["outputs"]?.texts ?? []).map(TerminalText.escaped)
  }

  /// The connection is cut and the process ends: the broker publishes the will.
  public func abort() throws(Failure) {
    var request = JSONObject()
    request.add("command", "abort")
    _ = try ask(request.finish())
  }
}
