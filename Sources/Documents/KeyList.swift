import Configuration
import LimpetText

/// The keys of the configuration as the part of limpet.yaml(5) that the declarations write, in Markdown.
struct KeyList {
  private var lines: [String] = []

  var text: String { lines.joined(separator: "\n") + "\n" }

  init() {
    list(Configuration.declarations.filter { !$0.isSection }, "")
    for declaration in Configuration.declarations { add(declaration) }
  }

  private mutating func add(_ declaration: Declaration) {
    switch declaration.content {
    case .scalar, .scalars, .texts: break
    case .section(let keys):
      open(declaration.name)
      paragraph(declaration.help)
      list(keys, "\(declaration.name).")
    case .entries(let common, let selector, let variants):
      open(declaration.name)
      paragraph("\(declaration.help) It is a list; each entry has these keys:")
      list(common, "")
      for variant in variants {
        open("\(declaration.name) of \(selector ?? "") \(variant.name)")
        list(variant.keys, "")
      }
      paragraph("Entries look like this:")
      lines += ["", "```yaml", "\(declaration.name):"]
      lines += (declaration.samples + declaration.examples).map { "  - \($0)" } + ["```"]
    }
  }

  private mutating func open(_ title: String) { lines += ["", "### \(title)"] }
  private mutating func paragraph(_ text: String) { lines += ["", Inline.escaped(text)] }

  /// Keys of sections inside of sections by their paths.
  private mutating func list(_ keys: [Declaration], _ prefix: String) {
    if !keys.isEmpty { lines.append("") }
    lines += Self.items(keys, prefix)
  }

  private static func items(_ keys: [Declaration], _ prefix: String) -> [String] {
    keys.flatMap { key -> [String] in
      switch key.content {
      case .section(let inner): items(inner, "\(prefix)\(key.name).")
      case .entries: []
      case .scalar, .scalars, .texts:
        ["- `\(prefix)\(key.name)\(isLong(key) ? "" : ": \(key.content.noun)")`: \(Inline.escaped(body(key)))"]
      }
    }
  }

  /// What a key takes is too long for its head where it has many words to choose from.
  private static func isLong(_ declaration: Declaration) -> Bool { declaration.content.noun.count > 60 }

  private static func body(_ declaration: Declaration) -> String {
    var sentences = [declaration.help]
    if let bounds = declaration.content.shape?.bounds, bounds != declaration.content.noun || isLong(declaration) {
      sentences.append("Values: \(bounds).")
    }
    switch declaration.need {
    case .required: sentences.append("Required.")
    case .standard(let text): sentences.append("Default: \(text).")
    case .optional: if let example = declaration.examples.first { sentences.append("For example \(example).") }
    }
    if case .scalars = declaration.content { sentences.append("A list of such values is allowed too.") }
    return sentences.joined(separator: " ")
  }
}

extension Declaration {
  fileprivate var isSection: Bool { if case .section = content { true } else { false } }
}
