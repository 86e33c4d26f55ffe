import Agent
import ArgumentParser
import Diagnosis
import LimpetPlatform
import Logging

struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Runs the daemon in the foreground; SIGTERM and SIGINT stop it, a second one aborts; SIGHUP reloads.")

  @OptionGroup var options: ConfigurationOptions
  @OptionGroup var root: RootOptions

  @Option(help: "How much limpet logs: trace, debug, info, notice, warning, error or critical.")
  var logLevel = LogLevelArgument.notice

  func run() throws {
    // From here on a signal is an event.
    let events = ProcessEvents()
    let board = BoardLines.judge(root: root.fileRoot, isCheck: false)
    let configuration = try options.load(board: board, report: StandardError.write)
    let writer = LogWriter(journalStream: Environment.variable("JOURNAL_STREAM"))
    let threshold = LogThreshold(Logger.Level(rawValue: logLevel.rawValue) ?? .notice)
    let logger = Logger(label: "limpet") { _ in LineLogHandler(writer, threshold) }
    defer { writer.flush() }
    let surroundings = Agent.Surroundings(
      root: root.fileRoot, runtimeFolder: Environment.runtimeFolder, log: writer,
      logThreshold: threshold, service: ServiceManager(environment: Environment.all),
      load: { [path = options.config] in ConfigurationOptions.result(of: path, board: board) })
    let hasEndedWell: Bool
    do {
      hasEndedWell = try Agent.run(configuration, surroundings, events: events, logger: logger)
    } catch {
      StandardError.write("\(options.config): \(error)")
      throw ExitCode.configurationError
    }
    guard hasEndedWell else { throw ExitCode.failure }
  }
}
