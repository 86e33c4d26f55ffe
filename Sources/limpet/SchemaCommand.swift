import ArgumentParser
import Configuration

struct SchemaCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "schema",
    abstract: "Prints the configuration's JSON Schema, for editors.",
    discussion: """
      Editors with the YAML language server use it through a line at the top of limpet.yaml, such as \
      "# yaml-language-server: $schema=/usr/share/limpet/schema.json". It knows each key, its values and its default; \
      rules about several keys are left to "limpet check".
      """)

  @Flag(help: "The schema of the files that \"include\" names.")
  var included = false

  func run() throws {
    print(JSONSchema(isIncluded: included).text, terminator: "")
  }
}
