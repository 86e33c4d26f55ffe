import ArgumentParser
import Diagnosis
import Glibc

struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Reads the configuration and prints every error in it, or a summary of what limpet will do.")

  @OptionGroup var options: ConfigurationOptions
  @OptionGroup var root: RootOptions

  @Flag(help: "Print one JSON object: valid, and diagnostics with severity, file, line, column, path and message.")
  var json = false

  @Flag(help: "Read no sensors: for a machine that is not the board.")
  var offline = false

  func run() throws {
    let board = offline ? BoardLines.offline : BoardLines.judge(root: root.fileRoot, isCheck: true)
    guard !json else {
      let result = ConfigurationOptions.result(of: options.config, board: board)
      guard let configuration = result.configuration else {
        print(result.json)
        throw ExitCode.configurationError
      }
      print(ConfigurationSummary(configuration, root: root.fileRoot, isOffline: offline).json(result))
      return
    }
    let terminal = Terminal(descriptor: STDOUT_FILENO)
    let configuration = try options.load(on: terminal, board: board) { print($0) }
    let words = ConfigurationSummary(configuration, root: root.fileRoot, isOffline: offline)
    for warning in words.warnings {
      for line in terminal.lines("\(options.config): warning: \(warning)") { print(line) }
    }
    let summary = "\(words)"
    for line in summary.split(separator: "\n", omittingEmptySubsequences: false) {
      for part in terminal.lines(String(line)) { print(part) }
    }
  }
}
