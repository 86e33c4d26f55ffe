/// What stands inside of a paragraph of Markdown: code, emphasis, links.
struct Inline {
  /// With roff's changes of font.
  private(set) var roff = ""
  /// Without any markup.
  private(set) var plain = ""

  init(_ markdown: String) {
    var rest = Substring(markdown)
    var font: Character?
    while let first = rest.popFirst() {
      switch first {
      case "\\" where rest.first.map { "\\`*_<>[]|{}#.-".contains($0) } ?? false:
        if let escaped = rest.popFirst() { append(String(escaped)) }
      case "`":
        let code = rest.prefix { $0 != "`" }
        rest = rest.dropFirst(code.count + 1)
        roff += "\\fB\(Self.code(String(code)))\\fR"
        plain += code
      case "*":
        let isStrong = rest.first == "*"
        if isStrong { rest = rest.dropFirst() }
        let wanted: Character = isStrong ? "B" : "I"
        font = font == wanted ? nil : wanted
        roff += "\\f\(font ?? "R")"
      case "[":
        guard let link = Self.link(rest) else { fallthrough }
        let text = Inline(link.text)
        roff += text.roff
        plain += text.plain
        // What another page of these says is named by its text; only the world's addresses are of use on paper.
        if link.target.hasPrefix("http") { append(" <\(link.target)>") }
        rest = link.rest
      default: append(String(first))
      }
    }
  }

  private mutating func append(_ text: String) {
    plain += text
    roff += text.map { $0 == "\\" ? "\\e" : String($0) }.joined()
  }

  /// What stands behind the bracket that opens a link; nil where it is no link.
  private static func link(_ rest: Substring) -> (text: String, target: String, rest: Substring)? {
    let text = rest.prefix { $0 != "]" }
    let behind = rest.dropFirst(text.count + 1)
    guard behind.first == "(" else { return nil }
    let target = behind.dropFirst().prefix { $0 != ")" }
    return (String(text), String(target), behind.dropFirst(target.count + 2))
  }

  /// A hyphen of a program's is a minus, or what is copied from the page does not work.
  static func code(_ text: String) -> String {
    text.map { $0 == "\\" ? "\\e" : $0 == "-" ? "\\-" : String($0) }.joined()
  }

  /// Text as Markdown that shows it as it is.
  static func escaped(_ text: String) -> String {
    text.map { "\\*<".contains($0) ? "\\\($0)" : String($0) }.joined()
  }
}
