import ArgumentParser
import LimpetText

/// The program: one command a file.
@main
struct Limpet: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "limpet",
    abstract: "Reads a board's sensors and publishes them over MQTT, with presence that tells the truth.",
    version: limpetVersion,
    subcommands: [
      RunCommand.self, CheckCommand.self, ScanCommand.self, ProbeCommand.self, StatusCommand.self, SetCommand.self,
      ReloadCommand.self, LogLevelCommand.self, AbortCommand.self, OutputsCommand.self, WatchCommand.self,
      SimulateCommand.self, PlanCommand.self, SchemaCommand.self, ImportCommand.self,
    ])

  /// A word that is no command is most likely a misspelt one, which the parser takes for an argument too many.
  static func main() {
    let arguments = CommandLine.arguments.dropFirst()
    let commands = configuration.subcommands.compactMap { $0.configuration.commandName } + ["help"]
    if let word = arguments.first, !word.hasPrefix("-"), !commands.contains(word) {
      let advice = Suggestion(candidates: commands).advice(for: word)
      StandardError.write("limpet: \(quoted(word)) is not a command\(advice)")
      Limpet.exit(withError: ExitCode(64))
    }
    main(nil)
  }
}

/// Exit status beside 0 (done), 1 (failed) and 64 (usage).
extension ExitCode {
  /// EX_CONFIG of sysexits.h: the configuration is wrong.
  static let configurationError = ExitCode(78)
}
