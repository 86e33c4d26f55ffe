import ArgumentParser
import Diagnosis
import Glibc

struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Reads the configuration and prints every error in it, or what it will do.")

  @OptionGroup var options: ConfigurationOptions
  @OptionGroup var root: RootOptions

  @Flag(help: "Print one JSON object: valid, and diagnostics with severity, file, line, column, path and message.")
  var json = false

  func run() throws {
    guard !json else {
      let result = options.result
      print(result.json)
      guard result.configuration != nil else { throw ExitCode.configurationError }
      return
    }
    let terminal = Terminal(descriptor: STDOUT_FILENO)
    let configuration = try options.load(on: terminal) { print($0) }
    let words = ConfigurationSummary(configuration, root: root.fileRoot)
    for warning in words.warnings {
      for line in terminal.lines("\(options.config): warning: \(warning)") { print(line) }
    }
    let summary = "\(words)"
    for line in summary.split(separator: "\n", omittingEmptySubsequences: false) {
      for part in terminal.lines(String(line)) { print(part) }
    }
  }
}
