import ArgumentParser
import Text

/// Prints the documents that packages carry. It runs where limpet is built, never on a board: `packaging/documents`
/// calls it.
@main
struct DocumentWriter: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "Documents", abstract: "Prints a document that is made from limpet's own declarations.",
    version: limpetVersion)

  enum Document: String, CaseIterable, ExpressibleByArgument {
    /// limpet(1).
    case manual
    /// limpet.yaml(5).
    case configurationManual = "configuration-manual"
    /// etc/limpet.yaml.
    case reference
  }

  @Argument(
    help: """
      manual, configuration-manual or reference. For manual, what limpet --experimental-dump-help prints is read from \
      standard input.
      """)
  var document: Document

  @Option(help: "The date of manuals, as mdoc(7) has it.")
  var date = "November 21, 2026"

  func run() throws {
    let text =
      switch document {
      case .manual: try ProgramManual(help: Self.standardInput, date: date).text
      case .configurationManual: ConfigurationManual(date: date).text
      case .reference: ReferenceFile().text
      }
    print(text, terminator: "")
  }

  private static var standardInput: String {
    var text = ""
    while let line = readLine(strippingNewline: false) { text += line }
    return text
  }
}
