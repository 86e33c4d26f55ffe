import Text

/// A manual page in mdoc(7), written from top to bottom.
struct Manual {
  private var lines: [String]

  /// - Parameters:
  ///   - date: as mdoc has it, such as `November 21, 2026`.
  ///   - summary: what it is, in a few words.
  init(name: String, section: Int, summary: String, date: String, version: String) {
    lines = [
      ".Dd \(date)", ".Dt \(name.uppercased()) \(section)", ".Os \"limpet \(version)\"", ".Sh NAME", ".Nm \(name)",
      ".Nd \(Self.escaped(summary))",
    ]
  }

  var text: String { lines.joined(separator: "\n") + "\n" }

  mutating func section(_ title: String) { lines.append(".Sh \(title)") }
  mutating func subsection(_ title: String) { lines.append(".Ss \(Self.escaped(title))") }

  /// A request whose arguments are words of ours.
  mutating func macro(_ line: String) { lines.append(line) }

  /// Text of one or more paragraphs; empty lines part them. Each sentence gets a line of its own, as mdoc wants it.
  mutating func paragraphs(_ text: String) {
    for (index, paragraph) in text.split(separator: "\n\n").enumerated() {
      if index > 0 { lines.append(".Pp") }
      lines += paragraph.split(separator: "\n").flatMap(Self.sentences).map(Self.escaped)
    }
  }

  private static func sentences(_ line: Substring) -> [String] {
    var sentences: [String] = []
    for word in line.split(separator: " ") {
      if let last = sentences.last, !last.hasSuffix(".") {
        sentences[sentences.count - 1] = "\(last) \(word)"
      } else {
        sentences.append(String(word))
      }
    }
    return sentences
  }

  /// Lines as they are.
  mutating func literal(_ text: [String]) {
    lines.append(".Bd -literal -offset indent")
    lines += text.map(Self.escaped)
    lines.append(".Ed")
  }

  /// Terms and what they mean; an empty list is none.
  mutating func list(_ items: [(term: String, body: String)]) {
    guard !items.isEmpty else { return }
    lines.append(".Bl -tag -width Ds")
    for item in items {
      // Quoted, since a word of two letters may be the name of a macro.
      lines.append(".It Sy \"\(Self.escaped(item.term).split(separator: "\"").joined(separator: "\\(dq"))\"")
      paragraphs(item.body)
    }
    lines.append(".El")
  }

  /// roff takes a backslash for an escape and a dot or an apostrophe at the beginning of a line for a request.
  static func escaped(_ text: String) -> String {
    let escaped = text.map { $0 == "\\" ? "\\e" : String($0) }.joined()
    return escaped.hasPrefix(".") || escaped.hasPrefix("'") ? "\\&" + escaped : escaped
  }
}
