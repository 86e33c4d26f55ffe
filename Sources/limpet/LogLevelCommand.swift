import ArgumentParser
import Control

/// What is logged: the daemon's word for it.
enum LogLevelArgument: String, ExpressibleByArgument, CaseIterable {
  case trace, debug, info, notice, warning, error, critical
}

struct LogLevelCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "log-level",
    abstract: "Changes the running daemon's log level until it ends; without a level, prints the current one.",
    discussion: "Only root and the user that limpet runs as may change it.")

  @OptionGroup var control: ControlOptions

  @Argument(help: "trace, debug, info, notice, warning, error or critical.")
  var level: LogLevelArgument?

  func run() throws {
    let level = level?.rawValue
    print(try control.ask("log-level") { client throws(ControlClient.Failure) in try client.logLevel(level) })
  }
}
