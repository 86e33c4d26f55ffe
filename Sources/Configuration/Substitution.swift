import LimpetText

/// Replaces `${NAME}` and `${file:PATH}` in a value. The result is text: it is not read as YAML again, nor searched for
/// more of them.
package final class Substitution {
  /// Bytes of a value after the replacement.
  package static let limit = 1 << 20
  /// Bytes of a file's first line.
  private static let fileLimit = 65536

  private let environment: [String: String]
  private let files: ConfigurationFiles
  /// Where relative paths begin, with a slash at its end; empty for the current folder.
  private let folder: String
  private var read: [String: Result<ConfigurationFiles.Found, ConfigurationFiles.Failure>] = [:]

  package init(environment: [String: String], files: ConfigurationFiles, folder: String) {
    self.environment = environment
    self.files = files
    self.folder = folder
  }

  /// A value, and where it came from.
  package struct Expanded {
    package var text = ""
    package var origin = Origin.literal
  }

  /// The sources of a value.
  package enum Origin: Equatable {
    case literal
    /// From variables, and from files; anyone on the device can read these files.
    case substituted(openFiles: [String])
  }

  package func expand(_ text: String) throws(Mismatch) -> Expanded {
    guard text.utf8.contains(UInt8(ascii: "$")) else { return Expanded(text: text) }
    var expanded = Expanded()
    var openFiles: [String] = []
    var isSubstituted = false
    var rest = Substring(text)
    while let dollar = rest.firstIndex(of: "$") {
      expanded.text += rest[..<dollar]
      rest = rest[dollar...]
      if rest.hasPrefix("$${") {
        expanded.text += "${"
        rest = rest.dropFirst(3)
      } else if rest.hasPrefix("${") {
        guard let end = rest.firstIndex(of: "}") else {
          throw Mismatch(message: "has a \"${\" without \"}\"; write ${NAME} or ${file:PATH}, or $${ for ${ itself")
        }
        let name = String(rest[rest.index(rest.startIndex, offsetBy: 2)..<end])
        expanded.text += try value(of: name, &openFiles)
        isSubstituted = true
        rest = rest[rest.index(after: end)...]
      } else {
        expanded.text += "$"
        rest = rest.dropFirst()
      }
      guard expanded.text.utf8.count <= Self.limit else {
        throw Mismatch(message: "is longer than 1 MiB once its variables are filled in; shorten it")
      }
    }
    expanded.text += rest
    if isSubstituted { expanded.origin = .substituted(openFiles: openFiles) }
    return expanded
  }

  private func value(of name: String, _ openFiles: inout [String]) throws(Mismatch) -> String {
    if name.hasPrefix("file:") { return try firstLine(of: String(name.dropFirst(5)), &openFiles) }
    guard name.unicodeScalars.allSatisfy({ $0.isNameCharacter && $0 != "." && $0 != "-" }),
      name.unicodeScalars.first.map({ !$0.isDigit }) ?? false
    else {
      throw Mismatch(message: "${\(name.prefix(40))} is neither a variable nor a file; write ${NAME} or ${file:PATH}")
    }
    guard let value = environment[name] else {
      let near = Suggestion(candidates: environment.keys.sorted()).nearest(to: name)
      throw Mismatch(
        message: "${\(name.prefix(40))} is not set in the environment"
          + (near.map { "; did you mean ${\($0)}?" } ?? "; set it, or write the value"))
    }
    return value
  }

  private func firstLine(of path: String, _ openFiles: inout [String]) throws(Mismatch) -> String {
    guard !path.isEmpty, !path.utf8.contains(0) else {
      throw Mismatch(message: "${file:} names no file; write ${file:PATH}")
    }
    let resolved = path.hasPrefix("/") ? path : folder + path
    let result = read[resolved] ?? files.open(resolved, Self.fileLimit + 1)
    read[resolved] = result
    switch result {
    case .failure(let failure): throw Mismatch(message: ReadingContext.cannotRead(resolved, failure))
    case .success(let found):
      var line = found.bytes.prefix { $0 != UInt8(ascii: "\n") }
      if line.last == UInt8(ascii: "\r") { line.removeLast() }
      guard line.count <= Self.fileLimit, let text = String(validating: line, as: UTF8.self) else {
        throw Mismatch(
          message: "the first line of \(quoted(resolved)) is not text, or longer than 65536 bytes; correct it")
      }
      if found.isReadableByOthers { openFiles.append(resolved) }
      return text
    }
  }
}
