import YAML

/// One thing that is wrong with a configuration, for the person at the terminal.
public struct Diagnostic: Error, Sendable, Hashable, CustomStringConvertible {
  public enum Severity: Sendable, Hashable {
    /// There is no configuration.
    case error
    /// The configuration stands.
    case warning
  }

  public var severity: Severity
  /// As it was given on the command line.
  public var file: String
  public var position: Position
  /// The key, such as `broker.keepalive` or `sensors[2].interval` (counted from 0); nil for the file as a whole.
  public var path: String?
  /// What is wrong; what would be right.
  public var message: String

  /// `file:line:column: path: what is wrong; what would be right`
  public var description: String {
    let place = "\(file):\(position.line):\(position.column): "
    let label = severity == .warning ? "warning: " : ""
    return place + label + (path.map { $0 + ": " } ?? "") + message
  }
}

/// Where the readers of all sections put what they find, so that everything is reported at once.
final class DiagnosticLog {
  let file: String
  private(set) var diagnostics: [Diagnostic] = []

  init(file: String) {
    self.file = file
  }

  var hasErrors: Bool { diagnostics.contains { $0.severity == .error } }

  /// By position; those at one place in the order they were found.
  var sorted: [Diagnostic] {
    diagnostics.enumerated()
      .sorted { ($0.element.position, $0.offset) < ($1.element.position, $1.offset) }
      .map(\.element)
  }

  func error(_ position: Position, _ path: String?, _ message: String) {
    add(Diagnostic(severity: .error, file: file, position: position, path: path, message: message))
  }

  func warning(_ position: Position, _ path: String?, _ message: String) {
    add(Diagnostic(severity: .warning, file: file, position: position, path: path, message: message))
  }

  /// A value that several aliases repeat is wrong once.
  private func add(_ diagnostic: Diagnostic) {
    if !seen.insert(diagnostic).inserted { return }
    diagnostics.append(diagnostic)
  }

  private var seen: Set<Diagnostic> = []
}

/// Text from the file as a message shows it: in quotes, on one line, not too long.
func quoted(_ text: some StringProtocol) -> String {
  let limit = 60
  var shown = ""
  for scalar in text.unicodeScalars.prefix(limit) {
    switch scalar.properties.generalCategory {
    case .control, .lineSeparator, .paragraphSeparator, .format: shown += "\\u{\(String(scalar.value, radix: 16))}"
    default: shown.unicodeScalars.append(scalar)
    }
  }
  return "\"\(shown)\(text.unicodeScalars.count > limit ? "..." : "")\""
}
