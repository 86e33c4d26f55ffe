import ArgumentParser
import Documents

/// The documents that packages carry, from the program's own declarations; `packaging/documents` calls it.
struct GenerateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate", abstract: "Prints a document that is made from the program's own declarations.",
    shouldDisplay: false)

  enum Document: String, CaseIterable, ExpressibleByArgument {
    /// limpet(1).
    case manual
    /// limpet.yaml(5).
    case configurationManual = "configuration-manual"
    /// etc/limpet.yaml.
    case reference
  }

  @Argument(help: "manual, configuration-manual or reference.")
  var document: Document

  @Option(help: "The date of manuals, as mdoc(7) has it.")
  var date = "November 21, 2026"

  func run() throws {
    let text =
      switch document {
      case .manual: try ProgramManual(help: Limpet._dumpHelp(), date: date).text
      case .configurationManual: ConfigurationManual(date: date).text
      case .reference: ReferenceFile().text
      }
    print(text, terminator: "")
  }
}
