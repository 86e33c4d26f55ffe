import Foundation
import TestScene
import Testing

extension Together {
  /// Commands with ids come all the time, on and off in turn, and the agent is killed at any moment.
  @Suite("Outputs: kills while commands come") struct OutputKillTests {
    /// Four times. LIMPET_KILLS says another number.
    static let kills =
      ProcessInfo.processInfo.environment["LIMPET_KILLS"].flatMap { Int($0) } ?? (Selection.isWhole ? 250 : 3)

    /// From one start to the next.
    private struct Life {
      let started: Double
      /// The line was requested; nobody has answered in its name before.
      let held: Double
      let killed: Double
      let levels: [LineTrace.Level]
    }

    @Test(
      "nothing is carried out twice, and nothing is answered that was not carried out", arguments: ["refuse", "obey"],
      [1, 2])
    func kills(_ queued: String, _ qos: Int) async throws {
      try await withWorkbench { bench in
        let chip = try bench.chip("kills")
        let commander = try await Commander(bench, output: "pump", every: 40, qos: qos)
        let recorder = CommandRecorder()
        let gate = try await recorder.gate(to: bench.broker.port, bench.scene)
        var settings = bench.settings([])
        settings.url = "mqtt://127.0.0.1:\(gate.port)"
        settings.lines = [
          "outputs:", "  - {name: pump, chip: \(chip.label), line: 0, queued: \(queued), max_rate: 1000}",
        ]
        func start() throws -> Agent {
          let agent = try bench.scene.agent(settings, root: "/", program: Rig.copy, logLevel: "error")
          bench.scene.atEnd {
            agent.process.signal(SIGKILL)
            await agent.process.reap()
          }
          return agent
        }
        commander.goOn()
        var lives: [Life] = []
        for number in 1...Self.kills + 1 {
          let trace = try LineTrace(chip)
          let started = bootTime()
          let agent = try start()
          if number % 8 == 0, number <= Self.kills {
            // Before it has come to anything.
            try await pause(for: .milliseconds(.random(in: 0..<500)))
          } else {
            try await until("life \(number): the line is held") { try !trace.levels(of: 0).isEmpty }
            try await pause(for: .milliseconds(.random(in: 0..<1200)))
          }
          if number > Self.kills {
            try await comesToRest(bench, chip, commander)
          }
          try await agent.end(SIGKILL)
          let killed = bootTime()
          let levels = try trace.levels(of: 0)
          if let first = levels.first {
            lives.append(Life(started: started, held: first.time, killed: killed, levels: levels))
          }
        }
        try commander.update()
        let arrivals = recorder.arrivals
        for (number, life) in lives.enumerated() {
          let next = number + 1 < lives.count ? lives[number + 1].held : .infinity
          let answers = commander.answers.filter { $0.time > life.held && $0.time < next }
          let came = arrivals.filter { $0.time > life.started && $0.time < life.killed }
          expect(life, answers, of: came, commander.sent, queued, "life \(number + 1)")
        }
        let done = commander.answers.filter(\.isDone)
        #expect(done.count > lives.count)
        #expect(Set(done.map(\.id)).count == done.count, "each is done once")
      }
    }

    /// What a command may have done to the line in one life.
    private struct Act {
      let isOn: Bool
      let came: Double
      /// When it was answered as done; nil: nobody knows whether it was carried out: its answer went with the process.
      let done: Double?
    }

    private func expect(
      _ life: Life, _ answers: [Commander.Answer], of arrivals: [CommandRecorder.Arrival], _ sent: [Double],
      _ queued: String, _ name: Comment
    ) {
      #expect(life.levels.first?.isHigh == false, name)
      let places = Dictionary(arrivals.enumerated().map { ($1.id, $0) }) { first, _ in first }
      var last = -1
      for answer in answers where answer.isDone {
        #expect(answer.value == (answer.id % 2 == 1), "\(name): \(answer)")
        guard let place = places[answer.id] else {
          Issue.record("\(name): \(answer) is of a command that has not come")
          continue
        }
        // Carried out once more, and what came after it.
        #expect(place > last, "\(name): \(answer), after \(arrivals[max(0, last)])")
        last = place
        if queued == "refuse" { #expect(sent[answer.id - 1] > life.started, "\(name): \(answer) was sent before") }
        #expect(!arrivals[place].isAgain, "\(name): \(answer) may have been carried out in an earlier life")
      }
      let known = Dictionary(answers.map { ($0.id, $0) }) { first, _ in first }
      let acts = arrivals.enumerated().compactMap { place, arrival -> Act? in
        // Again in the same life: it is known.
        guard places[arrival.id] == place else { return nil }
        let answer = known[arrival.id]
        let mayBeObeyed = !arrival.isAgain && (queued == "obey" || sent[arrival.id - 1] > life.started)
        guard answer?.isDone ?? mayBeObeyed else { return nil }
        return Act(isOn: arrival.id % 2 == 1, came: arrival.time, done: answer?.isDone == true ? answer?.time : nil)
      }
      let edges = Array(life.levels.dropFirst())
      #expect(Self.explain(edges, by: acts), "\(name): \(edges.suffix(20)), \(acts.suffix(20))")
    }

    /// Whether every act that was done has its edge, or found the line so, and every edge its act, each for one.
    private static func explain(_ edges: [LineTrace.Level], by acts: [Act]) -> Bool {
      // How many edges may have been explained so far; edges alternate, from low on.
      var counts: Set<Int> = [0]
      for act in acts {
        counts = counts.reduce(into: []) { next, count in
          let isHigh = count % 2 == 1
          if act.done == nil || act.isOn == isHigh { next.insert(count) }
          guard count < edges.count, act.isOn != isHigh, edges[count].time >= act.came,
            edges[count].time <= act.done ?? .infinity
          else { return }
          next.insert(count + 1)
        }
      }
      return counts.contains(edges.count)
    }

    /// The last command is answered; the line, what is told and what the broker keeps are what it says.
    private func comesToRest(_ bench: Workbench, _ chip: SimulatedChip, _ commander: Commander) async throws {
      try await pause(for: .seconds(2))
      try commander.update()
      let known = commander.sent.count
      try await until("a command of the last life is obeyed", within: .seconds(30)) {
        try commander.update()
        return commander.answers.last.map { $0.isDone && $0.id > known } == true
      }
      commander.pause()
      try await until("the last command is answered", within: .seconds(30)) {
        let count = commander.sent.count
        try commander.update()
        return commander.sent.count == count && commander.answers.last?.id == count
      }
      let answer = try #require(commander.answers.last { $0.isDone })
      let words = "\(answer.id % 2 == 1) command"
      var (count, since) = (0, ContinuousClock.now)
      try await until("the last state is told, and nothing after it", within: .seconds(30)) {
        let states = try bench.states("pump")
        if states.count != count { (count, since) = (states.count, .now) }
        return states.last?.words == words && ContinuousClock.now - since > .seconds(1)
      }
      #expect(try chip.line(0).isHigh == (answer.id % 2 == 1))
      let kept = try #require(try await bench.kept("pump"))
      #expect(try OutputState(json: kept).words == words)
    }
  }
}
