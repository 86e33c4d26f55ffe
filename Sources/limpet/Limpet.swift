import ArgumentParser
import Text

/// The program: one command a file.
@main
struct Limpet: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "limpet",
    abstract: "Reads a board's sensors and publishes them over MQTT, with presence that tells the truth.",
    version: limpetVersion,
    subcommands: [
      RunCommand.self, CheckCommand.self, ScanCommand.self, ProbeCommand.self, StatusCommand.self, ReloadCommand.self,
      LogLevelCommand.self, AbortCommand.self, WatchCommand.self, SchemaCommand.self, ImportCommand.self,
    ])
}

/// Exit status beside 0 (done), 1 (failed) and 64 (usage).
extension ExitCode {
  /// EX_CONFIG of sysexits.h: the configuration is wrong.
  static let configurationError = ExitCode(78)
}
