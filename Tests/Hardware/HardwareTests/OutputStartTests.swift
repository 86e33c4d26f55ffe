import Foundation
import TestScene
import Testing

extension Together {
  /// Nothing that a service manager or somebody with an editor does makes an edge that no rule explains.
  @Suite("Outputs: starts, restarts and reloads") struct OutputStartTests {
    /// Beside each other: an agent takes a while to start on an emulated processor.
    static let lanes = Selection.isWhole ? 4 : 2
    static let rounds = Selection.isWhole ? 50 : 5

    private enum Output: Int, CaseIterable {
      /// Off, and never commanded.
      case still
      /// Begins on.
      case lamp
      /// Commanded on in each round.
      case pump
      /// Off, and the line is high then.
      case relay

      var name: String { "\(self)" }
    }

    private enum Happening: CaseIterable {
      case restart, kill, killAndSafe, reload

      /// What a line does by it, which was left as the rounds leave it.
      func edges(_ output: Output) -> [Bool] {
        switch (self, output) {
        case (_, .still), (_, .relay), (.reload, .lamp), (.kill, .lamp): []
        case (.restart, .lamp), (.killAndSafe, .lamp): [false, true]
        case (.reload, .pump): [true, false]
        // The stop has made it safe, or limpet outputs, or the start.
        case (_, .pump): [true, false]
        }
      }
    }

    @Test("no edge that the rules do not explain", arguments: 0..<lanes)
    func starts(_ lane: Int) async throws {
      try await withWorkbench { bench in
        let chip = try bench.chip("starts")
        let trace = try LineTrace(chip)
        let runtime = bench.scene.folder + "/runtime"
        try FileManager.default.createDirectory(atPath: runtime, withIntermediateDirectories: true)
        var settings = bench.settings([])
        func lines(_ round: Int) -> [String] {
          ["control: \(bench.scene.folder)/limpet.sock", "outputs:"]
            + Output.allCases.map { output in
              var keys = "name: \(output.name), chip: \(chip.label), line: \(output.rawValue), max_on: \(10 + round)m"
              if output == .lamp { keys += ", start: on" }
              if output == .relay { keys += ", active_low: true" }
              return "  - {\(keys)}"
            }
        }
        func start(_ round: Int) async throws -> Agent {
          settings.lines = lines(round)
          let agent = try bench.scene.agent(
            settings, root: "/", program: Rig.copy, under: ["env", "RUNTIME_DIRECTORY=\(runtime)"], logLevel: "info")
          bench.scene.atEnd {
            agent.process.signal(SIGKILL)
            await agent.process.reap()
          }
          try await agent.line("connected to ")
          try await until("all are held") { agent.log.count { $0.contains(": drives line ") } == Output.allCases.count }
          return agent
        }
        var agent = try await start(0)
        for output in Output.allCases {
          try await bench.state(output.name, output == .lamp ? "true start" : "false start")
        }
        var seen = try Output.allCases.map { try trace.levels(of: $0.rawValue).count }
        #expect(seen == [1, 1, 1, 1])
        for round in 1...Self.rounds {
          let happening = Happening.allCases[(round + lane) % Happening.allCases.count]
          let count = try bench.states("pump").count
          try await limpet(bench, "set", "pump", "on", "--config", bench.scene.folder + "/agent.yaml")
          switch happening {
          case .restart:
            try await agent.end()
            agent = try await start(round)
          case .kill, .killAndSafe:
            try await agent.end(SIGKILL)
            if happening == .killAndSafe { try await limpet(bench, "outputs", "--safe", "--directory", runtime) }
            agent = try await start(round)
          case .reload:
            settings.lines = lines(round)
            try bench.scene.write(settings.text, to: "agent.yaml")
            try await limpet(bench, "reload", "--config", bench.scene.folder + "/agent.yaml")
            try await limpet(bench, "set", "pump", "off", "--config", bench.scene.folder + "/agent.yaml")
          }
          try await until("round \(round), \(happening): pump is told to be off") {
            try bench.states("pump").dropFirst(count).last?.value == false
          }
          for output in Output.allCases {
            let levels = try trace.levels(of: output.rawValue)
            let edges = levels.dropFirst(seen[output.rawValue]).map(\.isHigh)
            seen[output.rawValue] = levels.count
            #expect(edges == happening.edges(output), "round \(round), \(happening): \(output.name)")
          }
        }
      }
    }

    @Test("stop: keep of a chip that comes after the start: what is not known to stay is not driven, and says why")
    func comesLater() async throws {
      try await withWorkbench { bench in
        let chip = try bench.chip("later", isPlugged: false)
        var settings = bench.settings([])
        settings.lines = [
          "outputs:", "  - {name: pump, chip: \(chip.label), line: 0, stop: keep}",
          "  - {name: lamp, chip: \(chip.label), line: 1}",
        ]
        _ = try bench.agent(settings)
        try await bench.state("lamp", "null")
        try chip.plug()
        let trace = try LineTrace(chip)
        try await until("lamp is driven") { try bench.states("lamp").last?.value == false }
        try await until("the reason is told") {
          try bench.states("pump").last?.error?.contains("stop: keep need a line that stays") == true
        }
        let answer = try await eventually("an answer") { try await bench.command("pump", "on") }
        #expect(!answer.ok)
        #expect(try bench.states("pump").allSatisfy { $0.value == nil })
        #expect(try trace.changes(of: 0) == [])
        #expect(try await bench.info(chip, 0).consumer == nil)
      }
    }

    private func limpet(
      _ bench: Workbench, _ arguments: String..., sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
      let child = try await bench.scene.run("limpet-\(arguments[0])", [Rig.copy] + arguments)
      #expect(child.ending == .exited(0), "\(arguments): \(child.errorLines)", sourceLocation: sourceLocation)
    }
  }
}
