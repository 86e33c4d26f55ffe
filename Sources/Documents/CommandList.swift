import LimpetText
import YAML

/// The commands as the part of limpet(1) that the argument parser's declarations write, in Markdown.
struct CommandList {
  let text: String

  /// - Parameter help: the argument parser's own declarations as JSON (`--experimental-dump-help`).
  init(help: String) throws(Page.Flaw) {
    // JSON is YAML.
    guard let root = Document.parse(Array(help.utf8)).root?["command"] else {
      throw Page.Flaw(description: "the argument parser's declarations cannot be read")
    }
    let commands = (root["subcommands"]?.items ?? []).filter { $0["shouldDisplay"]?.text != "false" }
      .filter { $0["commandName"]?.text != "help" }
    text = commands.flatMap { Self.leaves($0, "") }.map(\.markdown).joined()
  }

  private struct Command {
    var name: String
    var text: String
    var arguments: [Argument]

    var markdown: String {
      let synopsis = (["limpet \(name)"] + arguments.map(\.synopsis)).joined(separator: " ")
      let lines = ["", "### \(name)", "", "`\(synopsis)`", "", Inline.escaped(text)]
      let items = arguments.map { "- `\($0.term)`: \(Inline.escaped($0.text))" }
      return (lines + (items.isEmpty ? [] : [""] + items)).joined(separator: "\n") + "\n"
    }
  }

  /// Commands with commands of their own are described by those.
  private static func leaves(_ node: Node, _ prefix: String) -> [Command] {
    let name = prefix + (node["commandName"]?.text ?? "")
    let inner = (node["subcommands"]?.items ?? []).filter { $0["commandName"]?.text != "help" }
    guard inner.isEmpty else { return inner.flatMap { leaves($0, name + " ") } }
    let texts = ["abstract", "discussion"].compactMap { node[$0]?.text }.filter { !$0.isEmpty }
    let arguments = (node["arguments"]?.items ?? []).filter { $0["shouldDisplay"]?.text != "false" }.map(Argument.init)
      .filter { !["help", "version"].contains($0.name) }
    return [Command(name: name, text: texts.joined(separator: "\n\n"), arguments: arguments)]
  }

  private struct Argument {
    var name: String
    var kind: String
    var valueName: String
    var isOptional: Bool
    var text: String

    init(_ node: Node) {
      name = node["preferredName"]?["name"]?.text ?? ""
      kind = node["kind"]?.text ?? ""
      valueName = node["valueName"]?.text ?? "value"
      isOptional = node["isOptional"]?.text != "false"
      let texts = ["abstract", "discussion"].compactMap { node[$0]?.text }.filter { !$0.isEmpty }
      let standard = node["defaultValue"]?.text.map { " (default: \($0))" } ?? ""
      text = texts.joined(separator: " ") + standard
    }

    var term: String {
      switch kind {
      case "positional": valueName.uppercased()
      case "option": "--\(name) \(valueName.uppercased())"
      default: "--\(name)"
      }
    }

    var synopsis: String { isOptional ? "[\(term)]" : term }
  }
}

extension Node {
  /// The value of a key, where this is a mapping that has it.
  fileprivate subscript(key: String) -> Node? {
    guard case .mapping(let entries) = value else { return nil }
    return entries.first { $0.key == key }?.value
  }

  fileprivate var text: String? {
    guard case .scalar(let scalar) = value, !scalar.isNull else { return nil }
    return scalar.text
  }

  fileprivate var items: [Node]? {
    guard case .sequence(let nodes) = value else { return nil }
    return nodes
  }
}
