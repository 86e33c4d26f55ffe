import Foundation
import TestScene
import Testing

/// A cell that is being played: an output that is on, an ending, and what the line and the broker then say.
final class OutputTrial {
  private let cell: OutputCell
  private let bench: Workbench
  private let chip: SimulatedChip
  private let gate: Gate?
  private var settings: Settings
  private var agent: Agent
  private var twin: Agent?
  private var trace: LineTrace
  /// Levels of traces that are over: a chip that comes back has other lines.
  private var past: [LineTrace.Level] = []
  private let runtime: String
  /// What the service manager would hear.
  private let service: ServiceSocket?

  private var scene: Scene { bench.scene }
  private var config: String { scene.folder + "/agent.yaml" }
  private var isInterlocked: Bool { cell.way == .interlocked }

  init(_ cell: OutputCell, _ bench: Workbench) async throws {
    (self.cell, self.bench) = (cell, bench)
    chip = try bench.chip("matrix")
    trace = try LineTrace(chip)
    gate = cell.ending == .halfOpen || cell.ending == .reset ? try Gate(to: bench.broker.port) : nil
    if let gate {
      try await gate.open()
      bench.scene.atEnd { await gate.end() }
    }
    runtime = bench.scene.folder + "/runtime"
    try FileManager.default.createDirectory(atPath: runtime, withIntermediateDirectories: true)
    service = cell.ending == .watchdog ? try ServiceSocket("@limpet-\(bench.mark)") : nil
    settings = bench.settings([])
    if let gate { settings.url = "mqtt://127.0.0.1:\(gate.port)" }
    settings.broker = [
      "keepalive: \(Int(OutputCell.keepAlive))s", "connect_timeout: 3s",
      "reconnect: {min: 200ms, max: 1s, stable_after: 5s}",
    ]
    settings.lines = ["control: \(bench.scene.folder)/limpet.sock"] + Self.outputs(cell, chip)
    // The broker's clock steps with the agent's, and would have `online` expire.
    if cell.ending == .clockStepped { settings.lines.append("presence: {lease: 0s}") }
    agent = try Self.start(settings, runtime, bench, for: service)
    try await bench.state("pump", "false start")
    if cell.way == .interlocked { try await bench.state("drain", "false start") }
  }

  private static func start(
    _ settings: Settings, _ runtime: String, _ bench: Workbench, for service: ServiceSocket? = nil
  ) throws -> Agent {
    var variables = ["RUNTIME_DIRECTORY=\(runtime)"]
    if let service {
      variables += ["NOTIFY_SOCKET=\(service.name)", "WATCHDOG_USEC=\(Int(OutputCell.watchdog * 1e6))"]
    }
    let agent = try bench.scene.agent(settings, root: "/", program: Rig.limpet, under: ["env"] + variables)
    // Before its chip goes.
    bench.scene.atEnd {
      agent.process.signal(SIGKILL)
      await agent.process.reap()
    }
    return agent
  }

  private enum Change { case none, shorter, dropped }

  private static func outputs(_ cell: OutputCell, _ chip: SimulatedChip, _ change: Change = .none) -> [String] {
    if change == .dropped { return ["outputs:", "  - {name: spare, chip: \(chip.label), line: 2}"] }
    var pump = "name: pump, chip: \(chip.label), line: 0, lost: {after: \(Int(cell.lostAfter * 1000))ms, state: off}"
    let shorter = "\(Int(OutputCell.shorter))s"
    if cell.way == .pulse {
      pump += ", pulse: " + (change == .shorter ? shorter : "\(Int(cell.time ?? 0))s")
    } else if change == .shorter {
      pump += ", max_on: \(shorter)"
    }
    guard cell.way == .interlocked else { return ["outputs:", "  - {\(pump)}"] }
    pump += ", interlock: [drain], dead_time: \(Int(OutputCell.deadTime))s"
    return ["outputs:", "  - {\(pump)}", "  - {name: drain, chip: \(chip.label), line: 1}"]
  }

  // MARK: What happens

  /// - Returns: how long it took until the line was right, and why it went there.
  func play() async throws -> String {
    let payload = cell.way == .limited ? #"{"value":true,"for":"\#(Int(cell.time ?? 0))s"}"# : "on"
    try await bench.obeyed("pump", payload)
    let on = try await edge(to: true, since: 0, within: 10)
    try await bench.state("pump", "true command")
    if isInterlocked { try await refusesPartner() }
    var since = bootTime()
    let off = cell.off(age: since - on)
    try await end(since: since)
    switch cell.ending {
    case .twin: since = try await givesWay()
    case .suspended: since = try await sleeps(since)
    default: break
    }
    let ended = bootTime() - since
    var result: String
    switch off {
    case .no: result = try await staysOn(since: on)
    case .by(let cause, let window):
      if cell.ending == .chipReturned {
        result = try await returns(since: since, within: window)
      } else {
        let time = try await edge(to: false, since: since, within: window.upperBound) - since
        // What ends programs has waited for them.
        let end = max(window.upperBound + (try await slowness()), ended)
        #expect(time >= window.lowerBound && time <= end, "off after \(time) s, and not within \(window)")
        result = String(format: "%.1f ", time) + cause
      }
      try await says(cause)
    }
    if isInterlocked && cell.ending != .dropped {
      try await partnerGoesOn()
      result += ", drain"
    }
    try explained(off)
    return result
  }

  private func end(since: Double) async throws {
    switch cell.ending {
    case .terminated: try await agent.end()
    case .killed: try await dies()
    case .watchdog: try await hangs(since)
    case .suspended: agent.process.signal(SIGSTOP)
    case .aborted: try await limpet("abort", "--config", config)
    case .halfOpen: gate?.set(.swallows)
    case .reset: gate?.set(.resets)
    case .brokerRestarted:
      try await bench.broker.stop()
      try await bench.broker.start()
    case .brokerGone: try await bench.broker.stop()
    case .twin:
      try startTwin()
    case .clockStepped:
      try step(hours: 1)
      defer { try? step(hours: -1) }
      // Whatever goes by the wall clock would think so by now.
      try await until("the agent has seen the step") { bootTime() - since > 3 }
    case .ruleChanged: try reload(.shorter)
    case .dropped: try reload(.dropped)
    case .upgraded:
      try await agent.end()
      agent = try Self.start(settings, runtime, bench)
    case .chipReturned:
      past = try trace.levels(of: 0)
      try chip.unplug()
      // What is gone drives nothing; how it comes back is over before it can be traced.
      past.append(LineTrace.Level(isHigh: false, time: bootTime()))
      try await until("a bad state is told") { try bench.states("pump").last?.quality == "bad" }
      try chip.plug()
      trace = try LineTrace(chip)
    }
  }

  /// As the unit's ExecStopPost does.
  private func dies() async throws {
    try await agent.end(SIGKILL)
    let safe = try await limpet("outputs", "--safe", "--directory", runtime)
    #expect(safe.ending == .exited(0))
  }

  /// As the service manager has it end, which has not heard of it for too long.
  private func hangs(_ since: Double) async throws {
    func feeds() -> Int { service?.notices.count { $0.contains("WATCHDOG=1") } ?? 0 }
    agent.process.signal(SIGSTOP)
    let before = feeds()
    #expect(before > 0, "the watchdog was fed")
    try await until("the watchdog barks", within: .seconds(OutputCell.watchdog)) {
      bootTime() - since > OutputCell.watchdog
    }
    #expect(feeds() == before)
    agent.process.signal(SIGABRT)
    try await pause(for: .seconds(OutputCell.abortTimeout))
    try await dies()
  }

  /// Two commands come meanwhile: one waits in the socket, and one at the broker, which has closed the connection by
  /// then. Neither is obeyed.
  ///
  /// - Returns: when it goes on.
  private func sleeps(_ since: Double) async throws -> Double {
    let opposite = cell.time == nil ? "off" : "on"
    for second in [0, OutputCell.sleep - 4] {
      try await until("\(second) s are over", within: .seconds(second + 1)) { bootTime() - since >= second }
      try await scene.run(
        "waits-\(scene.nextCommand())",
        [
          "mosquitto_pub", "-h", "127.0.0.1", "-p", "\(bench.broker.port)", "-q", "1", "-t", "limpet/board/pump/set",
          "-m", opposite,
        ])
    }
    try await until("the agent has slept", within: .seconds(OutputCell.sleep)) {
      bootTime() - since > OutputCell.sleep
    }
    defer { agent.process.signal(SIGCONT) }
    return bootTime()
  }

  private func startTwin() throws {
    var settings = bench.settings([])
    settings.storage += "-twin"
    settings.sensors = ["{name: load, type: system, value: load1, interval: 1s}"]
    twin = try scene.agent(settings, root: "/", name: "twin", program: Rig.limpet)
  }

  /// Of two agents chance says which waits: the twin comes again until it is this one.
  ///
  /// - Returns: when that was.
  private func givesWay() async throws -> Double {
    try await eventually("the agent leaves the connection to its twin", within: .seconds(40)) {
      if leavesIt(agent) { return bootTime() }
      if let twin, leavesIt(twin) {
        try await twin.end(SIGKILL)
        try startTwin()
      }
      return nil
    }
  }

  /// It waits at least a minute before it connects again.
  private func leavesIt(_ agent: Agent) -> Bool {
    let line = agent.log.last { $0.contains("connected to ") || $0.contains("connection lost") }
    return line?.contains(/next try in ([0-9.]+ min|[6-9][0-9] s|1[01][0-9] s)/) == true
  }

  /// How much longer than at once may take: where programs are slow to start, the agent is slow too.
  private func slowness() async throws -> Double {
    let start = bootTime()
    try await limpet("--version")
    return 4 * (bootTime() - start)
  }

  @discardableResult
  private func limpet(_ arguments: String...) async throws -> Child {
    try await scene.run("limpet-\(scene.nextCommand())", [Rig.limpet] + arguments)
  }

  private func reload(_ change: Change) throws {
    settings.lines = [settings.lines[0]] + Self.outputs(cell, chip, change)
    try scene.write(settings.text, to: "agent.yaml")
    agent.process.signal(SIGHUP)
  }

  private func step(hours: Int) throws {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    now.tv_sec += time_t(hours * 3600)
    try #require(clock_settime(CLOCK_REALTIME, &now) == 0, "errno \(errno)")
  }

  // MARK: What is right

  /// When the line went there last; waits for it.
  private func edge(
    to isHigh: Bool, since: Double, within limit: Double, sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> Double {
    try await eventually(
      "the line is \(isHigh ? "high" : "low")", within: .seconds(limit), sourceLocation: sourceLocation
    ) {
      try trace.levels(of: 0).last.flatMap { $0.isHigh == isHigh && $0.time >= since ? $0.time : nil }
    }
  }

  /// It goes on as if nothing had happened, until its own time is over or somebody switches it off.
  private func staysOn(since on: Double) async throws -> String {
    if cell.ending != .clockStepped {
      try await until("it is connected again") { agent.log.count { $0.contains("connected to ") } > 1 }
    }
    if let time = cell.time {
      let off = try await edge(to: false, since: on, within: time + OutputCell.atOnce) - on
      #expect((time - OutputCell.early...time + OutputCell.atOnce).contains(off), "off after \(off) s")
      let cause = cell.way == .pulse ? "pulse" : "for"
      try await says(cause)
      return String(format: "on, %.1f ", off) + cause
    }
    let kept = try #require(try await bench.kept("pump"), "nothing is kept")
    #expect(try OutputState(json: kept).words == "true command")
    #expect(try chip.line(0).isHigh)
    if isInterlocked { try await refusesPartner() }
    try await bench.obeyed("pump", "off")
    _ = try await edge(to: false, since: on, within: OutputCell.atOnce)
    try await says("command")
    return "on, command"
  }

  /// With the level that it is first asked for.
  private func returns(since: Double, within window: ClosedRange<Double>) async throws -> String {
    try await bench.state("pump", "false returned")
    let time = bootTime() - since
    #expect(time <= window.upperBound + (try await slowness()), "back after \(time) s")
    #expect(try !trace.levels(of: 0).contains { $0.isHigh })
    return String(format: "%.1f returned", time)
  }

  /// The line, what is told and what is kept agree.
  private func says(_ cause: String) async throws {
    switch cell.ending {
    case .halfOpen: gate?.set(.carries)
    case .brokerGone: try await bench.broker.start()
    case .killed, .aborted, .watchdog:
      try await agent.process.end()
      #expect(try await bench.info(chip, 0).consumer == nil)
      agent = try Self.start(settings, runtime, bench)
    case .twin:
      // It would come back when minutes are over, and who starts it again does not wait for that.
      try await agent.end(within: .seconds(30))
      try await twin?.end(SIGKILL)
      agent = try Self.start(settings, runtime, bench)
    default: break
    }
    let last: String
    switch cell.ending {
    case .killed, .aborted, .watchdog, .twin, .upgraded: last = "false start"
    default: last = "false \(cause)"
    }
    try await bench.state("pump", last, within: .seconds(20))
    #expect(try !chip.line(0).isHigh)
    if cell.ending == .dropped {
      try await until("nothing is kept of it") { try await bench.kept("pump") == nil }
      #expect(try await bench.info(chip, 0).consumer == nil)
    } else {
      let kept = try #require(try await bench.kept("pump"), "nothing is kept")
      #expect(try OutputState(json: kept).words == last)
    }
  }

  private func refusesPartner() async throws {
    let reply = try await eventually("an answer of drain") { try await bench.command("drain", "on") }
    #expect(!reply.ok)
    #expect(try !trace.levels(of: 1).contains { $0.isHigh })
  }

  /// Once the other is off, and has been for as long as it has to.
  private func partnerGoesOn() async throws {
    guard agent.process.ending == nil else { return }
    try await bench.obeyed("drain", "on")
    try await until("drain is on") { try trace.levels(of: 1).last?.isHigh == true }
    let drain = try #require(try trace.levels(of: 1).last)
    // A line that came back may have been off before it could be traced.
    let pump = try #require((past + (try trace.levels(of: 0))).last)
    #expect(!pump.isHigh && drain.time - pump.time >= OutputCell.deadTime, "\(drain.time - pump.time) s after pump")
  }

  /// Every edge of the line is a change of what was told, and the reverse, each with its cause.
  private func explained(_ off: OutputCell.Off) throws {
    let levels = (past + (try trace.levels(of: 0))).map(\.isHigh).merged
    let told = try bench.states("pump").compactMap(\.value).merged
    #expect(levels == told, "the line was \(levels), and told \(told)")
    let causes = try bench.states("pump").filter { $0.value != nil }.map(\.words).merged
    var expected = ["false start", "true command"]
    switch (off, cell.ending) {
    case (.no, _): expected.append("false " + (cell.way == .pulse ? "pulse" : cell.time == nil ? "command" : "for"))
    case (.by(let cause, _), .aborted), (.by(let cause, _), .upgraded), (.by(let cause, _), .twin):
      expected += ["false \(cause)", "false start"]
    case (.by(let cause, _), _): expected.append("false \(cause)")
    }
    #expect(causes == expected)
  }
}

extension Array where Element: Equatable {
  /// What is the same as the one before it is left out.
  var merged: [Element] { reduce(into: []) { if $0.last != $1 { $0.append($1) } } }
}
