import Configuration
import LimpetText
import YAML

/// The declarations as a configuration file that shows every key: `etc/limpet.yaml`.
///
/// What is in use works on any board with a broker on it; the rest stands as comments, with its default or an example.
struct ReferenceFile {
  private static let width = 120
  /// Where comments behind keys stand.
  private static let column = 36
  private var lines: [String] = []

  init() {
    lines = [
      "# limpet's configuration: every key, with its default or an example; limpet.yaml(5) has it as a manual.",
      "# Written by packaging/documents. `limpet check` reads it and says what it will do; keys that are commented out",
      "# show their defaults where they have one. Durations and sizes carry units: 500ms, 10s, 5m, 2h, 1h30m, 7d; 64MB.",
      "# Any value may hold ${NAME}, a variable of the environment, and ${file:PATH}, the first line of a file; $${ is ${.",
    ]
    for declaration in Configuration.declarations {
      lines.append("")
      add(declaration, indentation: "")
    }
  }

  var text: String { lines.joined(separator: "\n") + "\n" }

  private mutating func add(_ declaration: Declaration, indentation: String) {
    comment(declaration.help, indentation)
    switch declaration.content {
    case .scalar, .scalars, .texts:
      // What is required is in use.
      let mark = declaration.isRequired ? "" : "# "
      let line = "\(indentation)\(mark)\(declaration.name): \(Self.shown(declaration))"
      lines.append(Self.line(line, declaration.content.shape?.bounds))
    case .section(let keys) where indentation.isEmpty:
      lines.append("\(declaration.name):")
      for key in keys { add(key, indentation: "  ") }
    case .section(let keys):
      lines.append("\(indentation)# \(declaration.name):")
      table(keys, "\(indentation)#   ")
    case .entries(let common, let selector, let variants):
      lines.append("# The keys of each entry:")
      table(common, "#   ")
      for variant in variants {
        lines.append("# With \(selector ?? ""): \(variant.name):")
        table(variant.keys, "#   ")
      }
      let mark = declaration.samples.isEmpty ? "# " : ""
      lines.append("\(mark)\(declaration.name):")
      lines += declaration.samples.map { "  - \($0)" }
      lines += declaration.examples.map { "\(mark.isEmpty ? "  # " : "#   ")- \($0)" }
    }
  }

  /// Keys with their help beside them; all of it is comment.
  private mutating func table(_ declarations: [Declaration], _ indentation: String) {
    for declaration in declarations {
      var shown = Self.shown(declaration)
      // What is too long for one line has a line for each key.
      if case .section(let keys) = declaration.content, keys.count > 3 {
        lines.append(Self.line("\(indentation)\(declaration.name):", Self.described(declaration)))
        table(keys, indentation + "  ")
        continue
      }
      if case .section(let keys) = declaration.content {
        shown = "{" + keys.map { "\($0.name): \(Self.shown($0))" }.joined(separator: ", ") + "}"
      }
      let help = Wrapping.lines(filledWith: Self.described(declaration), width: Self.width - Self.column - 2)
      lines.append(Self.line("\(indentation)\(declaration.name): \(shown)", help.first))
      for rest in help.dropFirst() {
        lines.append(Self.line(String(indentation.prefix { $0 == " " }) + "#", rest))
      }
    }
  }

  /// A line with a comment behind it, aligned with those of the lines around it.
  private static func line(_ line: String, _ comment: String?) -> String {
    guard let comment else { return line }
    return line.padded(to: column - 1) + " # " + comment
  }

  private static func described(_ declaration: Declaration) -> String {
    let need = declaration.isRequired ? "Required. " : ""
    return need + declaration.help + (declaration.content.shape?.bounds.map { " (\($0))" } ?? "")
  }

  /// The example, else the default.
  private static func shown(_ declaration: Declaration) -> String {
    declaration.examples.first ?? declaration.standard.map(yamlScalar) ?? ""
  }

  private mutating func comment(_ text: String, _ indentation: String) {
    lines += Wrapping.lines(filledWith: text, width: Self.width - indentation.count - 2).map { "\(indentation)# \($0)" }
  }
}
