import Foundation
import Testing

/// The configuration of one agent, as text.
package struct Settings {
  /// nil: auto.
  package var device: String?
  package var url: String
  package var version: String
  /// Further lines of the section `broker`.
  package var broker: [String]
  package var storage: String
  /// Lines at the top level.
  package var lines: [String] = []
  package var inputs: [String] = []
  package var sensors = ["{name: load, type: system, value: load1, interval: 50ms}"]

  package init(
    device: String? = "board", url: String, version: String = "auto",
    broker: [String] = ["reconnect: {min: 50ms, max: 400ms}"], storage: String
  ) {
    (self.device, self.url, self.version) = (device, url, version)
    (self.broker, self.storage) = (broker, storage)
  }

  package var text: String {
    (["device: {id: \(device ?? "auto")}", "broker:", "  url: \(url)", "  version: \"\(version)\""]
      + broker.map { "  " + $0 } + ["storage: {path: \(storage)}"] + lines
      + (inputs.isEmpty ? [] : ["inputs:"]) + inputs.map { "  - " + $0 }
      + (sensors.isEmpty ? [] : ["sensors:"]) + sensors.map { "  - " + $0 })
      .map { $0 + "\n" }.joined()
  }
}

/// `limpet run`.
package final class Agent: Sendable {
  package let process: Child
  /// Lines of the log file that an earlier agent of the same name wrote.
  private let before: Int

  fileprivate init(_ process: Child, before: Int) {
    self.process = process
    self.before = before
  }

  /// What this agent said on stderr.
  package var log: [String] { Array(process.errorLines.dropFirst(before)) }

  package func says(_ text: String) -> Bool { log.contains { $0.contains(text) } }

  /// How long it took from one line of its log to another, by its own clock: a test that is kept waiting by a busy
  /// machine would count that too.
  package func time(
    from first: String, to last: String, sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> TimeInterval {
    func moment(_ text: String) throws -> Date {
      let line = try #require(log.first { $0.contains(text) }, "\(text)", sourceLocation: sourceLocation)
      return try Date.ISO8601FormatStyle(includingFractionalSeconds: true).parse(String(line.prefix { $0 != " " }))
    }
    return try moment(last).timeIntervalSince(try moment(first))
  }

  /// Waits for a line of its log.
  @discardableResult
  package func line(
    _ text: String, within limit: Duration = .seconds(15), sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> String {
    try await eventually("the agent says \"\(text)\"", within: limit, sourceLocation: sourceLocation) {
      log.first { $0.contains(text) }
    }
  }

  /// Sends a signal, and waits for the end.
  @discardableResult
  package func end(
    _ signal: Int32 = SIGTERM, within limit: Duration = .seconds(15), sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> Child.Ending {
    process.signal(signal)
    return try await process.end(within: limit, sourceLocation: sourceLocation)
  }

  /// Resident memory in bytes (proc_pid_statm(5)).
  package var residentBytes: Int {
    get throws {
      let words = try String(contentsOfFile: "/proc/\(process.pid)/statm", encoding: .utf8).split(separator: " ")
      return try #require(Int(words[1])) * sysconf(Int32(_SC_PAGESIZE))
    }
  }

  /// The names of its threads (proc_pid_comm(5)).
  package var threads: [String] {
    get throws {
      try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process.pid)/task").compactMap { thread in
        try? String(contentsOfFile: "/proc/\(process.pid)/task/\(thread)/comm", encoding: .utf8)
          .trimmingCharacters(in: .newlines)
      }
    }
  }

  /// How often its threads woke up from a wait (proc_pid_status(5)).
  package var wakeUps: Int {
    get throws {
      let threads = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process.pid)/task")
      return threads.reduce(0) { sum, thread in
        let status = try? String(contentsOfFile: "/proc/\(process.pid)/task/\(thread)/status", encoding: .utf8)
        let line = status?.split(separator: "\n").first { $0.hasPrefix("voluntary_ctxt_switches:") }
        return sum + (line?.split(separator: "\t").last.flatMap { Int($0) } ?? 0)
      }
    }
  }

  /// Processor time it used, in seconds (proc_pid_stat(5): utime and stime).
  package var processorSeconds: Double {
    get throws {
      let text = try String(contentsOfFile: "/proc/\(process.pid)/stat", encoding: .utf8)
      let fields = text[(try #require(text.lastIndex(of: ")")))...].split(separator: " ")
      let ticks = try #require(Double(fields[12])) + (try #require(Double(fields[13])))
      return ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
    }
  }
}

extension Scene {
  /// The program that was built together with these tests.
  package static let program: String = {
    let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    return URL(fileURLWithPath: tests).deletingLastPathComponent().path + "/limpet"
  }()

  /// The settings of an agent that talks to a broker.
  package func settings(_ broker: Mosquitto, _ way: Way = .tcp5, _ certificates: Certificates? = nil) -> Settings {
    var settings = Settings(
      url: broker.url(way), version: way.version, storage: folder + "/storage")
    if let certificates { settings.broker.append("tls: {ca: \(certificates.authority)}") }
    return settings
  }

  /// The settings of an agent that talks to whatever is at a port.
  package func settings(port: Int, version: String = "auto") -> Settings {
    Settings(url: "mqtt://127.0.0.1:\(port)", version: version, storage: folder + "/storage")
  }

  /// Starts `limpet run`.
  /// - Parameter board: the agent sees this as its board; without one, a board with nothing but a load.
  package func agent(
    _ settings: Settings, board: BoardTree? = nil, name: String = "agent", program: String = Scene.program,
    under launcher: [String] = [], logLevel: String = "debug"
  ) throws -> Agent {
    let root = try board ?? BoardTree(self, "\(name)-root")
    return try agent(settings, root: root.path, name: name, program: program, under: launcher, logLevel: logLevel)
  }

  /// Starts `limpet run`.
  /// - Parameters:
  ///   - root: the folder that the agent takes for the board's root; `/` for this machine.
  ///   - logLevel: each attempt to connect is told at debug only.
  ///   - launcher: the program that becomes the agent, such as nsenter, and its arguments.
  package func agent(
    _ settings: Settings, root: String, name: String = "agent", program: String = Scene.program,
    under launcher: [String] = [], logLevel: String = "debug"
  ) throws -> Agent {
    let before =
      (try? String(contentsOfFile: "\(folder)/\(name).err", encoding: .utf8))?
      .count { $0 == "\n" } ?? 0
    let file = try write(settings.text, to: "\(name).yaml")
    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file)
    let child = try spawn(name, launcher + [program, "run", "--config", file, "--root", root, "--log-level", logLevel])
    return Agent(child, before: before)
  }

  /// Runs another command of the program to its end.
  package func limpet(
    _ arguments: String..., within limit: Duration = .seconds(20), sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> Outcome {
    let number = nextCommand()
    let child = try await run(
      "limpet-\(arguments[0])-\(number)", [Self.program] + arguments, within: limit, sourceLocation: sourceLocation)
    return Outcome(ending: try #require(child.ending), output: child.outputLines, errors: child.errorLines)
  }

  package struct Outcome: Sendable {
    package let ending: Child.Ending
    package let output: [String]
    package let errors: [String]

    package init(ending: Child.Ending, output: [String], errors: [String]) {
      self.ending = ending
      self.output = output
      self.errors = errors
    }

    package var status: Int32? { if case .exited(let status) = ending { status } else { nil } }
  }
}
