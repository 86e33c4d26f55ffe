import LimpetText

/// A page of `packaging/manuals`: Markdown as the repository shows it, from which the manual page is made.
///
/// Of Markdown it knows what these pages use: headings, paragraphs, fenced code, lists of one level, tables. A list whose
/// items begin with code and a colon, and a table, become a list of terms.
struct Page {
  struct Flaw: Error, CustomStringConvertible {
    let description: String
  }

  private(set) var manual: Manual
  private var lines: ArraySlice<Substring>

  /// - Parameters:
  ///   - markdown: its first line is `# NAME(SECTION): what it is`.
  ///   - date: as mdoc(7) has it, such as `November 21, 2026`.
  init(_ markdown: String, date: String) throws(Flaw) {
    lines = markdown.split(separator: "\n", omittingEmptySubsequences: false)[...]
    let title = lines.popFirst() ?? ""
    let parts = title.split(separator: ":", maxSplits: 1)
    let name = parts.first.map { $0.dropFirst(2).split(separator: "(") } ?? []
    guard title.hasPrefix("# "), parts.count == 2, name.count == 2, let section = Int(name[1].dropLast()) else {
      throw Flaw(description: "the page begins with \"\(title)\", not with \"# NAME(SECTION): what it is\"")
    }
    manual = Manual(
      name: String(name[0]), section: section, summary: String(parts[1].drop { $0 == " " }), date: date,
      version: limpetVersion)
    while let line = lines.first { try block(line) }
  }

  private mutating func block(_ line: Substring) throws(Flaw) {
    if line.isEmpty || line.hasPrefix("<!--") {
      lines.removeFirst()
    } else if line.hasPrefix("### ") {
      manual.subsection(String(line.dropFirst(4)))
      lines.removeFirst()
    } else if line.hasPrefix("## ") {
      manual.section(String(line.dropFirst(3)))
      lines.removeFirst()
    } else if line.hasPrefix("```") {
      lines.removeFirst()
      manual.literal(taken { !$0.hasPrefix("```") }.map(String.init))
      guard lines.popFirst() != nil else { throw Flaw(description: "code that begins with \(line) has no end") }
    } else if line.hasPrefix("|") {
      table(taken { $0.hasPrefix("|") }.map(Self.cells))
    } else if line.hasPrefix("- ") {
      list(taken { $0.hasPrefix("- ") || $0.hasPrefix("  ") })
    } else {
      lines.removeFirst()
      let others = ["```", "- ", "|", "## ", "### ", "<!--"]
      let rest = taken { line in !line.isEmpty && !others.contains { line.hasPrefix($0) } }
      manual.paragraph(([line] + rest).joined(separator: "\n"))
    }
  }

  private mutating func taken(while isMember: (Substring) -> Bool) -> [Substring] {
    let taken = lines.prefix(while: isMember)
    lines = lines.dropFirst(taken.count)
    return Array(taken)
  }

  private mutating func list(_ lines: [Substring]) {
    var items: [String] = []
    for line in lines {
      if line.hasPrefix("- ") {
        items.append(String(line.dropFirst(2)))
      } else {
        items[items.count - 1] += "\n\(line)"
      }
    }
    let terms = items.compactMap(Self.term)
    if terms.count == items.count { manual.list(terms) } else { manual.bullets(items) }
  }

  /// "`code`: what it is".
  private static func term(_ item: String) -> (term: String, body: String)? {
    guard item.hasPrefix("`") else { return nil }
    let code = item.dropFirst().prefix { $0 != "`" }
    let rest = item.dropFirst(code.count + 2)
    guard rest.hasPrefix(": ") else { return nil }
    return (String(code), String(rest.dropFirst(2)))
  }

  /// The first column has the terms; what further columns say stands behind their titles.
  private mutating func table(_ rows: [[String]]) {
    guard let titles = rows.first else { return }
    manual.list(
      rows.dropFirst(2).map { row in
        let further = zip(titles, row).dropFirst(2).filter { !$1.isEmpty }.map { title, cell in
          "\(title.prefix(1).uppercased() + title.dropFirst()): \(cell)."
        }
        let body = row.dropFirst().first ?? ""
        return (Inline(row[0]).plain, ([further.isEmpty ? body : body + "."] + further).joined(separator: "\n"))
      })
  }

  private static func cells(_ line: Substring) -> [String] {
    var cells = [""]
    var isEscaped = false
    for character in line.dropFirst() {
      if character == "|", !isEscaped {
        cells.append("")
      } else {
        cells[cells.count - 1].append(character)
      }
      isEscaped = character == "\\"
    }
    return cells.dropLast().map { cell in
      let words = cell.split(separator: " ", omittingEmptySubsequences: true)
      return words.joined(separator: " ")
    }
  }
}
