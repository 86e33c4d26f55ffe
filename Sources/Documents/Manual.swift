import LimpetText

/// A manual page in mdoc(7), written from top to bottom.
struct Manual {
  private var lines: [String]

  /// - Parameters:
  ///   - date: as mdoc has it, such as `November 21, 2026`.
  ///   - summary: what it is, in a few words.
  init(name: String, section: Int, summary: String, date: String, version: String) {
    lines = [
      ".Dd \(date)", ".Dt \(name.uppercased()) \(section)", ".Os \"limpet \(version)\"", ".Sh NAME", ".Nm \(name)",
      ".Nd \(Inline(summary).roff)",
    ]
  }

  var text: String { lines.joined(separator: "\n") + "\n" }

  mutating func section(_ title: String) { lines.append(".Sh \(Inline(title).plain.uppercased())") }
  mutating func subsection(_ title: String) { lines.append(".Ss \(Inline(title).plain)") }

  /// A paragraph of Markdown. Each sentence gets a line of its own, as mdoc wants it.
  mutating func paragraph(_ text: String) {
    if let last = lines.last, !last.hasPrefix(".Sh"), !last.hasPrefix(".Ss") { lines.append(".Pp") }
    sentences(text)
  }

  private mutating func sentences(_ text: String) {
    var sentences: [String] = []
    for word in Inline(text).roff.split(whereSeparator: { $0 == " " || $0 == "\n" }) {
      if let last = sentences.last, !last.hasSuffix(".") {
        sentences[sentences.count - 1] = "\(last) \(word)"
      } else {
        sentences.append(String(word))
      }
    }
    lines += sentences.map(Self.guarded)
  }

  /// Lines as they are.
  mutating func literal(_ text: [String]) {
    lines.append(".Bd -literal -offset indent")
    lines += text.map { Self.guarded(Inline.code($0)) }
    lines.append(".Ed")
  }

  /// Terms and what they mean; an empty list is none.
  mutating func list(_ items: [(term: String, body: String)]) {
    guard !items.isEmpty else { return }
    lines.append(".Bl -tag -width Ds")
    for item in items {
      // Quoted, since a word of two letters may be the name of a macro.
      let term = Inline.code(item.term).map { $0 == "\"" ? "\\(dq" : String($0) }.joined()
      lines.append(".It Sy \"\(term)\"")
      sentences(item.body)
    }
    lines.append(".El")
  }

  mutating func bullets(_ items: [String]) {
    lines.append(".Bl -bullet")
    for item in items {
      lines.append(".It")
      sentences(item)
    }
    lines.append(".El")
  }

  /// roff takes a dot or an apostrophe at the beginning of a line for a request.
  private static func guarded(_ line: String) -> String {
    line.hasPrefix(".") || line.hasPrefix("'") ? "\\&" + line : line
  }
}
