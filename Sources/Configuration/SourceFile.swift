import LimpetText
import YAML

/// One of the files that a configuration is read from.
package struct SourceFile {
  /// As it is printed.
  package let name: String
  package let bytes: [UInt8]
  /// Anyone on the device may read it.
  let isReadableByOthers: Bool

  package init(name: String, bytes: [UInt8], mode: UInt32) {
    self.name = name
    self.bytes = bytes
    isReadableByOthers = mode & 0o004 != 0
  }
}

/// Shows the lines that diagnostics are about, with a caret below the place, as compilers do. Secrets stay hidden.
public struct SourceExcerpts: Sendable {
  private let lines: [String: [Substring]]
  /// Columns of the terminal.
  private static let width = 76

  package init(_ files: [SourceFile]) {
    lines = Dictionary(
      files.map { file in
        let text = String(decoding: file.bytes.prefix(Document.Limit.input), as: UTF8.self)
        return (file.name, text.split(omittingEmptySubsequences: false) { $0.isNewline })
      }, uniquingKeysWith: { first, _ in first })
  }

  /// Two lines, or none where there is no such line or it may hold a secret.
  public func excerpt(of diagnostic: Diagnostic) -> [String] {
    let (number, column) = (diagnostic.position.line, diagnostic.position.column)
    guard let lines = lines[diagnostic.file], lines.indices.contains(number - 1) else { return [] }
    guard !isInsideSecret(lines, number - 1) else { return [] }
    var shown = Self.hidingSecret(lines[number - 1]).unicodeScalars.map(Self.visible)
    guard column <= shown.count + 1, !shown.isEmpty else { return [] }
    var caret = column - 1
    let margin = "\(number) | "
    let room = Self.width - margin.count
    // A long line is cut on both sides, the place in the middle.
    if shown.count > room {
      let start = max(0, min(caret - room / 2, shown.count - room))
      shown = Array(shown[start..<min(shown.count, start + room)])
      caret -= start
    }
    return [
      "  " + margin + String(shown),
      "  " + String(repeating: " ", count: margin.count - 2) + "| " + String(repeating: " ", count: caret) + "^",
    ]
  }

  /// One column a character: a tab would move the caret.
  private static func visible(_ scalar: Unicode.Scalar) -> Character {
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator: " "
    default: Character(scalar)
    }
  }

  /// Everything behind a word that is, or was meant to be, the key of a secret; in URLs the user information and the
  /// query.
  private static func hidingSecret(_ line: Substring) -> String {
    var ends = secretKey(in: line).map { [$0] } ?? []
    if let at = line.firstIndex(of: "@") {
      ends.append(line[..<at].lastIndex(of: " ").map(line.index(after:)) ?? line.startIndex)
    }
    if let mark = line.firstIndex(of: "?") { ends.append(mark) }
    return ends.min().map { "\(line[..<$0]) (hidden)" } ?? String(line)
  }

  /// A text of several lines, indented below its key.
  private func isInsideSecret(_ lines: [Substring], _ index: Int) -> Bool {
    func indentation(_ line: Substring) -> Int { line.prefix { $0 == " " }.count }
    let own = indentation(lines[index])
    let parent = lines[..<index].last { !$0.allSatisfy(\.isWhitespace) && indentation($0) < own }
    return parent.map { Self.secretKey(in: $0) != nil } ?? false
  }

  private static let secrets = Suggestion(candidates: [BrokerKeys.password.name])

  /// Where the first word ends that may be the key of a secret.
  private static func secretKey(in line: Substring) -> Substring.Index? {
    var rest = line
    while let start = rest.firstIndex(where: \.isLetter) {
      let word = rest[start...].prefix { $0.isLetter || $0 == "_" || $0 == "-" }
      if secrets.nearest(to: String(word)) != nil { return word.endIndex }
      rest = rest[word.endIndex...]
    }
    return nil
  }
}
