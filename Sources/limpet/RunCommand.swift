import Agent
import ArgumentParser
import Logging

struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "The daemon, in the foreground; SIGTERM and SIGINT stop it, a second one aborts.")

  @OptionGroup var options: ConfigurationOptions
  @OptionGroup var root: RootOptions

  func run() throws {
    let configuration = try options.load(report: StandardError.write)
    let events = ProcessEvents()
    let writer = LogWriter(journalStream: Environment.variable("JOURNAL_STREAM"))
    let logger = Logger(label: "limpet") { _ in LineLogHandler(writer) }
    defer { writer.flush() }
    let isClean: Bool
    do {
      isClean = try Agent.run(
        configuration, root: root.fileRoot, runtimeFolder: Environment.variable("RUNTIME_DIRECTORY"), events: events,
        logger: logger)
    } catch {
      StandardError.write("\(options.config): \(error)")
      throw ExitCode.configurationError
    }
    guard isClean else { throw ExitCode.failure }
  }
}
