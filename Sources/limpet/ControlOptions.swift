import ArgumentParser
import Configuration
import Control
import Glibc

/// `--socket`, for the commands that ask the daemon.
struct ControlOptions: ParsableArguments {
  /// Where the service's runtime folder is (systemd.exec(5), RuntimeDirectory=limpet).
  private static let serviceSocket = "/run/limpet/limpet.sock"

  @Option(name: .long, help: "The daemon's configuration file, which says where its socket is.")
  var config = Configuration.standardPath

  @Option(name: .long, help: ArgumentHelp("The daemon's control socket.", valueName: "path"))
  var socket: String?

  /// Asks the daemon; one sentence and status 1 where that fails.
  func ask<Value>(_ command: String, _ body: (ControlClient) throws(ControlClient.Failure) -> Value) throws -> Value {
    let paths = try paths()
    for (index, path) in paths.enumerated() {
      do throws(ControlClient.Failure) {
        return try body(ControlClient(path: path))
      } catch {
        if error.isAbsence, index < paths.count - 1 { continue }
        for line in error.errors { StandardError.write(line) }
        StandardError.write("limpet \(command): \(error)")
        if !error.errors.isEmpty { throw ExitCode.configurationError }
        break
      }
    }
    throw ExitCode.failure
  }

  /// Where to look, in order. Whoever may not read the configuration, or has just broken it, can ask the service all the
  /// same.
  private func paths() throws -> [String] {
    if let socket { return [socket] }
    let result = Configuration.load(path: config, environment: Environment.all)
    if let path = result.control { return Self.paths(path, at: config) }
    guard config == Configuration.standardPath else {
      for diagnostic in result.diagnostics { StandardError.write("\(diagnostic)") }
      throw ExitCode.configurationError
    }
    return [Self.serviceSocket]
  }

  /// Where the daemon of a configuration may listen: the service has a runtime folder, which its environment alone says.
  static func paths(_ path: String, at file: String) -> [String] {
    file == Configuration.standardPath && path != serviceSocket ? [path, serviceSocket] : [path]
  }
}

/// Columns of the terminal that standard output is; 80 where it is none.
var terminalColumns: Int {
  var size = winsize()
  guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
  return Int(size.ws_col)
}
