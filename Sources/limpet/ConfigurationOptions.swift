import Agent
import ArgumentParser
import Glibc
import Sensing

/// `--config`, as several commands take it.
struct ConfigurationOptions: ParsableArguments {
  static let standardPath = "/etc/limpet/limpet.yaml"

  @Option(name: .long, help: "The configuration file.")
  var config = standardPath

  /// Reads the file. Warnings and errors are handed to `report`; with any error this ends with status 78.
  func load(report: (String) -> Void) throws -> Configuration {
    let result = Configuration.load(path: config, environment: Environment.variables)
    for diagnostic in result.diagnostics { report("\(diagnostic)") }
    guard let configuration = result.configuration else { throw ExitCode.configurationError }
    return configuration
  }
}

/// `--root`, for the commands that read the board.
struct RootOptions: ParsableArguments {
  @Option(name: .long, help: "Take /sys, /proc, /dev, /etc/machine-id and the paths of sensors from below this folder.")
  var root = "/"

  var fileRoot: FileRoot { FileRoot(root) }
}

enum Environment {
  /// What kind of terminal this is.
  static var term: String? { getenv("TERM").map { String(cString: $0) } }

  /// The variables that the configuration may depend on.
  static var variables: [String: String] {
    var variables: [String: String] = [:]
    for name in ["CREDENTIALS_DIRECTORY", "RUNTIME_DIRECTORY", "JOURNAL_STREAM"] {
      if let value = getenv(name) { variables[name] = String(cString: value) }
    }
    return variables
  }
}

enum StandardError {
  static func write(_ line: String) {
    let bytes = Array((line + "\n").utf8)
    _ = Glibc.write(STDERR_FILENO, bytes, bytes.count)
  }
}
