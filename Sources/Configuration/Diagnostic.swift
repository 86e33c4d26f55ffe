import LimpetText
import YAML

/// One thing that is wrong with a configuration, for the person at the terminal.
public struct Diagnostic: Error, Sendable, Hashable, CustomStringConvertible {
  public enum Severity: String, Sendable, Hashable {
    /// There is no configuration.
    case error
    /// The configuration is used all the same.
    case warning
  }

  public var severity: Severity
  /// As it was given on the command line; an included file by its path.
  public var file: String
  public var position: Position
  /// The key, such as `broker.keepalive` or `sensors[2].interval` (counted from 0 in each file); nil for the file as a
  /// whole.
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

/// Collects the findings of all sections' readers, so that all are reported at once.
package final class DiagnosticLog {
  /// More than anyone corrects in one go; a file of nonsense must not cost more.
  package static let limit = 1000

  /// The files that are read, in their order; positions name them by their number.
  private(set) var files: [SourceFile]
  package private(set) var diagnostics: [Diagnostic] = []
  private var seen: Set<Diagnostic> = []

  package init(file: SourceFile) {
    files = [file]
  }

  var hasErrors: Bool { diagnostics.contains { $0.severity == .error } }
  package var isFull: Bool { diagnostics.count >= Self.limit }

  /// By file and position; those at one place in the order they were found.
  package var sorted: [Diagnostic] {
    var sorted = diagnostics.enumerated()
      .sorted { ($0.element.position, $0.offset) < ($1.element.position, $1.offset) }
      .map(\.element)
    if isFull, var end = sorted.last {
      (end.severity, end.path) = (.error, nil)
      end.message = "there are more errors; correct these first"
      sorted.append(end)
    }
    return sorted
  }

  /// - Returns: the number that positions in it have.
  package func add(_ file: SourceFile) -> Int {
    files.append(file)
    return files.count - 1
  }

  package func file(of position: Position) -> SourceFile { files[min(position.file, files.count - 1)] }

  /// `line 5`, and of which file where `reader` looks at another.
  package func line(_ position: Position, seenFrom reader: Position) -> String {
    "line \(position.line)" + (position.file == reader.file ? "" : " of \(file(of: position).name)")
  }

  package func error(_ position: Position, _ path: String?, _ message: String) {
    add(.error, position, path, message)
  }

  package func warning(_ position: Position, _ path: String?, _ message: String) {
    add(.warning, position, path, message)
  }

  /// A value that several aliases repeat is wrong once.
  private func add(_ severity: Diagnostic.Severity, _ position: Position, _ path: String?, _ message: String) {
    guard !isFull else { return }
    let diagnostic = Diagnostic(
      severity: severity, file: file(of: position).name, position: position, path: path, message: escaped(message))
    if !seen.insert(diagnostic).inserted { return }
    diagnostics.append(diagnostic)
  }
}
