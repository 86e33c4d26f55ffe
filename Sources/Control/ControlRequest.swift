import JSON
import LimpetText
import Logging

/// A request on the control socket.
///
/// The protocol: one JSON object a line in each direction, an answer for each request, in order. A request is
/// `{"command":"status"}`, `{"command":"status","format":"text","columns":80}`, `{"command":"reload"}`,
/// `{"command":"set","name":"pump","value":"on"}`, `{"command":"outputs","safe":true}`, `{"command":"log-level"}`,
/// `{"command":"log-level","level":"debug"}` or `{"command":"abort"}`; an answer is `{"ok":true,...}` or
/// `{"ok":false,"error":"..."}`. Each side ignores keys that it does not know, so that both can get new ones.
package enum ControlRequest: Equatable, Sendable {
  case status(Format)
  case reload
  /// nil: only asks for the level.
  case logLevel(Logger.Level?)
  case abort
  /// A command for an output, as it would be published.
  case set(name: String, value: String)
  /// Every output gets the level for a stop, or off if a stop would leave it as it is.
  case makeOutputsSafe

  package enum Format: Equatable, Sendable {
    /// For programs, under the key `status`.
    case json
    /// For people, under the key `text`, in lines of so many characters.
    case text(columns: Int)
  }

  /// Which users may send it.
  package var isForEverybody: Bool {
    switch self {
    case .status, .logLevel(nil): true
    case .reload, .logLevel, .abort, .set, .makeOutputsSafe: false
    }
  }

  package init(_ line: some Collection<UInt8>) throws(ControlError) {
    guard let fields = JSONValue(parsing: line), case .object = fields else { throw .notAnObject }
    guard let command = fields["command"]?.text else { throw .noCommand }
    switch command {
    case "status": self = .status(try Self.format(fields))
    case "reload": self = .reload
    case "log-level": self = .logLevel(try Self.level(fields))
    case "abort": self = .abort
    case "outputs":
      guard fields["safe"]?.flag == true else { throw .wrongValue("safe", expected: "true") }
      self = .makeOutputsSafe
    case "set":
      guard let name = fields["name"]?.text else { throw .wrongValue("name", expected: "the name of an output") }
      guard let value = fields["value"]?.text else {
        throw .wrongValue("value", expected: "on, off, toggle or a number")
      }
      self = .set(name: name, value: value)
    default: throw .unknownCommand(command)
    }
  }

  private static func format(_ fields: JSONValue) throws(ControlError) -> Format {
    switch fields["format"] {
    case nil, .text("json"): return .json
    case .text("text"):
      guard let columns = fields["columns"]?.integer else { return .text(columns: 80) }
      return .text(columns: Int(min(max(columns, 40), 500)))
    case .some: throw .wrongValue("format", expected: "\"json\" or \"text\"")
    }
  }

  private static func level(_ fields: JSONValue) throws(ControlError) -> Logger.Level? {
    guard let value = fields["level"] else { return nil }
    guard case .text(let name) = value, let level = Logger.Level(rawValue: name) else {
      throw .wrongValue("level", expected: Suggestion.list(Logger.Level.allCases.map(\.rawValue)))
    }
    return level
  }
}

/// Why a request on the control socket is not carried out: the `error` of the answer.
package enum ControlError: Error, Equatable, CustomStringConvertible {
  case notAnObject
  case noCommand
  case unknownCommand(String)
  case wrongValue(String, expected: String)
  case lineTooLong
  case notAllowed
  case tooManyConnections
  /// The agent is starting or ending.
  case notRunning

  package var description: String {
    switch self {
    case .notAnObject: "the line is not a JSON object; write {\"command\":\"status\"}"
    case .noCommand: "command is missing; write {\"command\":\"status\"}"
    case .unknownCommand(let command):
      "the command \(quoted(command)) is not known; write status, set, reload, log-level, outputs or abort"
    case .wrongValue(let key, let expected): "\(key) has to be \(expected)"
    case .lineTooLong: "the line is longer than \(LineBuffer.limit) bytes"
    case .notAllowed: "only root and the user that limpet runs as may do this"
    case .tooManyConnections: "too many connections to the control socket; try again"
    case .notRunning: "limpet is starting or stopping; try again"
    }
  }
}
