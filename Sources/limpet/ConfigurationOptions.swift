import ArgumentParser
import Configuration
import Glibc
import LimpetPlatform

/// `--config`, as several commands take it.
struct ConfigurationOptions: ParsableArguments {
  @Option(name: .long, help: "The configuration file.", completion: .file(extensions: ["yaml", "yml"]))
  var config = Configuration.standardPath

  /// What a file says, and the board to it.
  static func result(of path: String, board: BoardJudge? = nil) -> LoadResult {
    Configuration.load(path: path, environment: Environment.all, board: board)
  }

  /// Reads the file. Warnings and errors are handed to `report`; with any error this ends with status 78.
  /// - Parameters:
  ///   - terminal: where `report` writes to.
  ///   - board: what the board says of it; nil: it is not asked.
  func load(
    on terminal: Terminal = Terminal(descriptor: STDERR_FILENO), board: BoardJudge? = nil, report: (String) -> Void
  ) throws -> Configuration {
    let result = Self.result(of: config, board: board)
    for diagnostic in result.diagnostics { terminal.lines(diagnostic, of: result).forEach(report) }
    guard let configuration = result.configuration else { throw ExitCode.configurationError }
    return configuration
  }
}

/// `--root`, for the commands that read the board.
struct RootOptions: ParsableArguments {
  @Option(name: .long, help: "Take /sys, /proc, /dev, /etc/machine-id and the paths of sensors from below this folder.")
  var root = "/"

  var fileRoot: FileRoot { FileRoot(root) }

  /// Not part of parsing: a line in a manual has a folder that is not there.
  func existingRoot() throws -> FileRoot {
    var status = stat()
    guard stat(root, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
      throw ValidationError("--root \(root): there is no such folder.")
    }
    return fileRoot
  }
}

enum Environment {
  /// What kind of terminal this is.
  static var term: String? { variable("TERM") }

  /// A variable that the service manager sets.
  static func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

  /// The service's folder in memory: the first, where it has several (systemd.exec(5), RuntimeDirectory=).
  static var runtimeFolder: String? {
    variable("RUNTIME_DIRECTORY").flatMap { $0.split(separator: ":").first.map(String.init) }
  }

  /// Every variable: the configuration may name any.
  static var all: [String: String] {
    var variables: [String: String] = [:]
    var next = environ
    while let entry = next.pointee {
      let parts = String(cString: entry).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      if parts.count == 2 { variables[String(parts[0])] = String(parts[1]) }
      next += 1
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
