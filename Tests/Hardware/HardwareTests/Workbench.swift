import Foundation
import TestScene
import Testing

/// A broker, someone who listens to it, simulated chips, and an agent on this machine's own /dev.
struct Workbench: Sendable {
  let scene: Scene
  let broker: Mosquitto
  let listener: Listener
  /// In names of lines and labels of chips: the kernel has those of all tests at once.
  let mark = UUID().uuidString.prefix(6)

  // MARK: Hardware

  /// A chip that is plugged in, or will be.
  func chip(
    _ name: String = "bank", lines: Int = 8, names: [Int: String] = [:], hogs: [SimulatedChip.Hog] = [],
    isPlugged: Bool = true
  ) throws -> SimulatedChip {
    let chip = try SimulatedChip(label: "\(name)-\(mark)", lines: lines, names: names, hogs: hogs)
    scene.atEnd { chip.remove() }
    if isPlugged { try chip.plug() }
    return chip
  }

  /// What `pulse` did.
  struct Pulses {
    let edges: Int
    /// Right before each edge, where -v is among the options: seconds since 1970.
    let times: [Double]
    /// Right after each.
    let ends: [Double]
    /// Of each line, on average and in seconds: from one rise to the next, and how much of that it was high.
    let cycles: [(cycle: Double, high: Double)]
  }

  /// Moves lines with `pulse`, whose usage says what the options do.
  @discardableResult
  func pulse(
    _ lines: SimulatedLine..., options: String, within limit: Duration = .seconds(30),
    sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> Pulses {
    let child = try startPulse(lines, options: options)
    return try await end(child, within: limit, sourceLocation: sourceLocation)
  }

  func startPulse(_ lines: [SimulatedLine], options: String) throws -> Child {
    try scene.spawn(
      "pulse-\(scene.nextCommand())",
      [Rig.program("pulse")] + options.split(separator: " ").map(String.init) + lines.map(\.pull))
  }

  func end(
    _ pulse: Child, within limit: Duration = .seconds(30), sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> Pulses {
    let ending = try await pulse.end(within: limit, sourceLocation: sourceLocation)
    try #require(ending == .exited(0), sourceLocation: sourceLocation)
    let words = try #require(pulse.outputLines.last).split(separator: " ")
    let offset = wallOffset()
    let times = pulse.outputLines.dropLast().compactMap { line -> [Double]? in
      let numbers = line.split(separator: " ").compactMap { Int64($0) }
      return numbers.count == 2 ? numbers.map { offset + Double($0) / 1e9 } : nil
    }
    let means = words.indices.filter { words[$0] == "cycle" }.compactMap { index in
      Double(words[index + 1]).flatMap { cycle in Double(words[index + 3]).map { (cycle: cycle, high: $0) } }
    }
    return Pulses(
      edges: try #require(Int(words[1])), times: times.map { $0[0] }, ends: times.map { $0[1] }, cycles: means)
  }

  /// A line as the kernel tells other programs of it.
  struct LineInfo {
    let consumer: String?
    let isOutput: Bool
  }

  func info(_ chip: SimulatedChip, _ offset: Int) async throws -> LineInfo {
    let child = try await scene.run("gpioinfo-\(scene.nextCommand())", ["gpioinfo", try chip.name])
    let line = try #require(child.outputLines.first { $0.wholeMatch(of: /\s+line\s+([0-9]+):.*/)?.1 == "\(offset)" })
    // line   3:       "DOOR"     "limpet"   input  active-high [used]
    let words = try #require(line.firstMatch(of: /:\s+(?:"[^"]*"|unnamed)\s+(?:"([^"]*)"|unused)\s+(input|output)/))
    return LineInfo(consumer: words.1.map(String.init), isOutput: words.2 == "output")
  }

  /// Waits until the agent holds a line: a mode without a first reading does not tell.
  func isHeld(
    _ chip: SimulatedChip, _ offset: Int, by consumer: String? = "limpet",
    sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    try await until("line \(offset) is held by \(consumer ?? "nobody")", sourceLocation: sourceLocation) {
      try await info(chip, offset).consumer == consumer
    }
  }

  // MARK: The agent

  func settings(_ inputs: [String]) -> Settings {
    var settings = scene.settings(broker)
    settings.inputs = inputs
    settings.sensors = []
    return settings
  }

  @discardableResult
  func agent(_ inputs: String...) throws -> Agent { try agent(settings(inputs)) }

  func agent(_ settings: Settings) throws -> Agent {
    let agent = try scene.agent(settings, root: "/", program: Rig.limpet)
    // Before its chips go.
    scene.atEnd {
      agent.process.signal(SIGKILL)
      await agent.process.reap()
    }
    return agent
  }

  // MARK: What arrives

  func records(_ name: String) throws -> [Listener.Record] { try listener.records(of: "limpet/board/\(name)") }

  func readings(_ name: String) throws -> [LineReading] { try listener.readings(of: "limpet/board/\(name)") }

  /// Waits for so many readings of a name.
  @discardableResult
  func readings(
    _ name: String, atLeast count: Int, within limit: Duration = .seconds(15),
    sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> [LineReading] {
    try await until("\(count) readings of \(name)", within: limit, sourceLocation: sourceLocation) {
      try listener.count(of: "limpet/board/\(name)") >= count
    }
    return try readings(name)
  }

  /// Waits for a reading of a name, after the first `skipping`.
  @discardableResult
  func reading(
    _ name: String, _ what: String = "a reading", skipping: Int = 0, within limit: Duration = .seconds(15),
    sourceLocation: SourceLocation = #_sourceLocation, where condition: (LineReading) throws -> Bool = { _ in true }
  ) async throws -> LineReading {
    try await eventually("\(what) of \(name)", within: limit, sourceLocation: sourceLocation) {
      try readings(name).dropFirst(skipping).first(where: condition)
    }
  }

  /// Waits until a level is the last thing that was said about a name.
  @discardableResult
  func level(
    _ name: String, _ level: Bool, within limit: Duration = .seconds(15),
    sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> LineReading {
    try await eventually("\(name) is \(level)", within: limit, sourceLocation: sourceLocation) {
      guard let last = try readings(name).last, last.level == level else { return nil }
      return last
    }
  }
}

/// Runs a test on a workbench of its own.
func withWorkbench(_ body: (Workbench) async throws -> Void) async throws {
  try await withScene { scene in
    let broker = try await scene.mosquitto(
      logs: ["error", "warning", "notice", "information", "subscribe"], lines: ["max_queued_messages 0"])
    try await body(Workbench(scene: scene, broker: broker, listener: Listener(scene, broker)))
  }
}

/// The wall clock, in seconds since 1970.
func wallTime() -> Double { Date().timeIntervalSince1970 }

/// What the wall clock is ahead of CLOCK_MONOTONIC, in seconds: of several tries the one that lost its processor least.
func wallOffset() -> Double {
  let tries = (0..<20).map { _ in
    let before = monotonicTime()
    let wall = wallTime()
    let width = monotonicTime() - before
    return (width: width, offset: wall - Double(before + width / 2) / 1e9)
  }
  return tries.min { $0.width < $1.width }?.offset ?? 0
}

/// CLOCK_MONOTONIC in nanoseconds, as `pulse` prints it.
func monotonicTime() -> Int64 {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}
