import ArgumentParser
import LimpetText

/// Prints the documents that packages carry. It runs where limpet is built, never on a board: `packaging/documents`
/// calls it.
@main
struct DocumentWriter: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "Documents", abstract: "Prints a document that is made from limpet's own declarations.",
    version: limpetVersion)

  enum Document: String, CaseIterable, ExpressibleByArgument {
    /// A page of packaging/manuals as mdoc(7).
    case page
    /// What the commands' declarations write into limpet(1).
    case commands
    /// What the keys' declarations write into limpet.yaml(5).
    case keys
    /// etc/limpet.yaml.
    case reference
  }

  @Argument(
    help: """
      page, commands, keys or reference. For page, the page is read from standard input; for commands, what \
      limpet --experimental-dump-help prints.
      """)
  var document: Document

  @Option(help: "The date of a page, as mdoc(7) has it.")
  var date = "November 21, 2026"

  func run() throws {
    let text =
      switch document {
      case .page: try Page(Self.standardInput, date: date).manual.text
      case .commands: try CommandList(help: Self.standardInput).text
      case .keys: KeyList().text
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
