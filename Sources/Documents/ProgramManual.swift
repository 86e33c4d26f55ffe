import Configuration
import Text
import YAML

/// limpet(1), from what the argument parser says of the commands.
struct ProgramManual {
  let text: String

  struct Flaw: Error, CustomStringConvertible {
    let description: String
  }

  /// - Parameters:
  ///   - help: the argument parser's own declarations as JSON (`--experimental-dump-help`).
  ///   - date: as mdoc(7) has it, such as `November 21, 2026`.
  init(help: String, date: String) throws(Flaw) {
    // JSON is YAML.
    guard let root = Document.parse(Array(help.utf8)).root?["command"] else {
      throw Flaw(description: "the argument parser's declarations cannot be read")
    }
    let summary = root["abstract"]?.text ?? ""
    var manual = Manual(name: "limpet", section: 1, summary: Self.phrase(summary), date: date, version: limpetVersion)
    let commands = (root["subcommands"]?.items ?? []).filter { $0["shouldDisplay"]?.text != "false" }
      .filter { $0["commandName"]?.text != "help" }
    manual.section("SYNOPSIS")
    for command in commands.flatMap(Self.leaves) {
      manual.macro(".Nm")
      manual.macro(".Cm \(command.name)")
      for argument in command.arguments { manual.macro(argument.synopsis) }
    }
    manual.section("DESCRIPTION")
    manual.paragraphs(summary)
    manual.section("COMMANDS")
    for command in commands.flatMap(Self.leaves) {
      manual.subsection(command.name)
      manual.paragraphs(command.text)
      manual.list(command.arguments.map { ($0.term, $0.text) })
    }
    Self.close(&manual)
    text = manual.text
  }

  /// "Reads a board's sensors ..." without the full stop that a title has not.
  private static func phrase(_ sentence: String) -> String {
    let words = sentence.hasSuffix(".") ? String(sentence.dropLast()) : sentence
    return words.prefix(1).lowercased() + words.dropFirst()
  }

  private struct Command {
    var name: String
    var text: String
    var arguments: [Argument]
  }

  /// Commands with commands of their own are told by those.
  private static func leaves(_ node: Node) -> [Command] { leaves(node, "") }

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
      text = texts.joined(separator: "\n\n") + standard
    }

    var term: String {
      switch kind {
      case "positional": valueName
      case "option": "--\(name) \(valueName)"
      default: "--\(name)"
      }
    }

    var synopsis: String {
      let words =
        switch kind {
        case "positional": "Ar \(valueName)"
        case "option": "Fl -\(name) Ar \(valueName)"
        default: "Fl -\(name)"
        }
      return isOptional ? ".Op \(words)" : ".\(words)"
    }
  }

  private static func close(_ manual: inout Manual) {
    manual.section("SIGNALS")
    manual.list([
      ("SIGTERM, SIGINT", "A clean shutdown; a second one aborts at once."),
      ("SIGHUP", "The configuration is read again."),
    ])
    manual.section("ENVIRONMENT")
    manual.list([
      ("CREDENTIALS_DIRECTORY", "Where systemd puts credentials."),
      ("RUNTIME_DIRECTORY", "Where the control socket is, unless the configuration says otherwise."),
    ])
    manual.paragraphs("Further variables where the configuration names them.")
    manual.section("FILES")
    manual.list([
      (Configuration.standardPath, "The configuration."), (StorageKeys.path.standard, "What is stored."),
    ])
    manual.section("EXIT STATUS")
    manual.list([
      ("0", "Done."), ("1", "Failed."), ("64", "The command line is wrong."), ("78", "The configuration is wrong."),
    ])
    manual.section("SEE ALSO")
    manual.macro(".Xr limpet.yaml 5 ,")
    manual.macro(".Xr mosquitto 8")
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
