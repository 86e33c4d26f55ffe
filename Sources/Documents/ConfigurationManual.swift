import Configuration
import Text

/// limpet.yaml(5), from the declarations.
struct ConfigurationManual {
  let text: String

  /// - Parameter date: as mdoc(7) has it, such as `November 21, 2026`.
  init(date: String) {
    var manual = Manual(
      name: "limpet.yaml", section: 5, summary: "configuration of limpet", date: date, version: limpetVersion)
    manual.section("DESCRIPTION")
    manual.paragraphs(Self.description)
    manual.subsection("Values from elsewhere")
    manual.paragraphs(Self.substitution)
    manual.subsection("Several files")
    manual.paragraphs(Self.inclusion)
    manual.section("KEYS")
    manual.list(Configuration.declarations.compactMap { Self.item($0, prefix: "") })
    for declaration in Configuration.declarations { Self.add(declaration, to: &manual) }
    manual.section("FILES")
    manual.list([
      (Configuration.standardPath, "The configuration, where no other is named with --config."),
      ("$CREDENTIALS_DIRECTORY/\(PasswordSource.credential)", "The password as a systemd credential."),
    ])
    manual.section("EXAMPLES")
    manual.literal(Self.example)
    manual.section("SEE ALSO")
    manual.macro(".Xr limpet 1 ,")
    manual.macro(".Xr systemd.exec 5")
    text = manual.text
  }

  /// Scalars at the top and in sections get an entry; sections and lists get a part of their own.
  private static func item(_ declaration: Declaration, prefix: String) -> (term: String, body: String)? {
    switch declaration.content {
    case .section, .entries: nil
    case .scalar, .scalars, .texts: (term(declaration, prefix), body(declaration))
    }
  }

  private static func add(_ declaration: Declaration, to manual: inout Manual) {
    switch declaration.content {
    case .scalar, .scalars, .texts: break
    case .section(let keys):
      manual.subsection(declaration.name)
      manual.paragraphs(declaration.help)
      manual.list(flattened(keys, "\(declaration.name)."))
    case .entries(let common, let selector, let variants):
      manual.subsection(declaration.name)
      manual.paragraphs("\(declaration.help) It is a list; each entry has these keys:")
      manual.list(flattened(common, ""))
      for variant in variants {
        manual.subsection("\(declaration.name) of \(selector ?? "") \(variant.name)")
        manual.list(flattened(variant.keys, ""))
      }
      manual.paragraphs("Entries look like this:")
      manual.literal((declaration.samples + declaration.examples).map { "- \($0)" })
    }
  }

  /// Keys of sections inside of sections by their paths.
  private static func flattened(_ keys: [Declaration], _ prefix: String) -> [(term: String, body: String)] {
    keys.flatMap { key -> [(term: String, body: String)] in
      guard case .section(let inner) = key.content else { return item(key, prefix: prefix).map { [$0] } ?? [] }
      return flattened(inner, "\(prefix)\(key.name).")
    }
  }

  private static func term(_ declaration: Declaration, _ prefix: String) -> String {
    "\(prefix)\(declaration.name): \(declaration.content.noun)"
  }

  private static func body(_ declaration: Declaration) -> String {
    var sentences = [declaration.help]
    if let bounds = declaration.content.shape?.bounds, bounds != declaration.content.noun {
      sentences.append("Values: \(bounds).")
    }
    switch declaration.need {
    case .required: sentences.append("Required.")
    case .standard(let text): sentences.append("Default: \(text).")
    case .optional: if let example = declaration.examples.first { sentences.append("For example \(example).") }
    }
    if case .scalars = declaration.content { sentences.append("A list of such values will do as well.") }
    return sentences.joined(separator: "\n")
  }

  private static let description = """
    The file is YAML: one mapping of keys, of at most 1 MiB.
    Every value is read by what its key expects, so quotes are needed only where YAML itself needs them.
    Anchors, aliases and the merge key << are followed; a key that is written twice is an error.

    Durations are numbers with units (us ms s m h d w), such as 500ms, 30s, 1h30m or 7d; sizes too (B kB MB GB KiB MiB GiB).
    Relative paths are taken from the folder of the configuration file.

    limpet check reads the file and prints every error in it, with its line and column.
    """

  private static let substitution = """
    A value may hold ${NAME}, the variable of that name in the environment of limpet, and ${file:PATH}, the first line of a file: for secrets.
    What they stand for is text, and never read as YAML; a variable that is not set, and a file that cannot be read, are errors.
    Write $${ where ${ itself is meant.
    Keys cannot hold them.

    The password of the broker can also be a systemd credential, \(PasswordSource.credential).
    """

  private static let inclusion = """
    include names further files, in the last part of the path with * and ?, which are read in the order of their names.
    They may hold every key but include, and are read as if they were written behind the first file: the entries of inputs and of sensors are added, sections are joined key by key, and a key that two files set is an error.
    A pattern may match no file; a path without * and ? must exist.
    Relative paths in them, too, are taken from the folder of the first file.
    """

  private static let example =
    [
      "broker:", "  url: mqtts://mqtt.example.com", "  username: greenhouse",
      "  password_file: /etc/limpet/password", "inputs:", "  - \(InputKeys.examples[0])", "sensors:",
    ] + SensorKeys.samples.map { "  - \($0)" }
}
