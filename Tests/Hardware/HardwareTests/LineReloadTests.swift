import Foundation
import TestScene
import Testing

extension Together {
  @Suite("Inputs: another configuration") struct LineReloadTests {
    /// Writes the configuration, and has the agent read it.
    private func reload(_ bench: Workbench, _ agent: Agent, _ inputs: [String]) throws {
      try bench.scene.write(bench.settings(inputs).text, to: "agent.yaml")
      agent.process.signal(SIGHUP)
    }

    @Test("lines that stay lose no edge and no pulse while others come and go, and a line that is gone is let go of")
    func others() async throws {
      try await withWorkbench { bench in
        let chip = try bench.chip()
        let kept = [
          "{name: bell, chip: \(chip.label), line: 0, mode: event}",
          "{name: water, chip: \(chip.label), line: 1, mode: counter, interval: 100ms}",
        ]
        let agent = try bench.agent(bench.settings(kept))
        try await bench.isHeld(chip, 0)
        try await bench.isHeld(chip, 1)
        let pulse = try bench.startPulse([chip.line(0), chip.line(1)], options: "-k -r 200 -n 1200")
        for round in 0..<6 {
          let line = 2 + round % 2
          try reload(bench, agent, ["{name: other\(line), chip: \(chip.label), line: \(line)}"] + kept.reversed())
          try await bench.isHeld(chip, line)
          try await bench.isHeld(chip, 5 - line, by: nil)
          try await bench.reading("other\(line)", skipping: round / 2)
        }
        let edges = try await bench.end(pulse).edges
        let readings = try await bench.readings("bell", atLeast: edges / 2)
        #expect(readings.map(\.seq) == Array(1...edges / 2))
        #expect(readings.allSatisfy { $0.quality == nil && $0.suspect == nil })
        let total = try await bench.reading("water", "every pulse") { $0.total == Double(edges / 4) }
        #expect(total.quality == nil)
        #expect(try bench.readings("water").allSatisfy { $0.generation == total.generation })
        _ = try await agent.end()
      }
    }

    @Test("a counter whose line is asked for otherwise goes on where it was; another scale needs no other request")
    func counters() async throws {
      try await withWorkbench { bench in
        let chip = try bench.chip()
        func water(_ keys: String) -> [String] {
          ["{name: water, chip: \(chip.label), line: 1, mode: counter, interval: 100ms, \(keys)}"]
        }
        let agent = try bench.agent(bench.settings(water("scale: 1")))
        try await bench.isHeld(chip, 1)
        try await bench.pulse(chip.line(1), options: "-k -r 200 -n 20")
        try await bench.reading("water", "10") { $0.total == 10 }
        let count = try bench.readings("water").count
        try reload(bench, agent, water("scale: 0.5"))
        try await bench.reading("water", "the same in another unit", skipping: count) { $0.total == 5 }
        try reload(bench, agent, water("scale: 0.5, debounce: 1ms"))
        try await until("it is taken") { agent.log.count { $0.contains("changed: water") } == 2 }
        try await bench.isHeld(chip, 1)
        let changed = try bench.readings("water").count
        try await bench.readings("water", atLeast: changed + 3)
        try await bench.pulse(chip.line(1), options: "-k -r 100 -n 20")
        try await bench.reading("water", "what came since is added") { $0.total == 10 }
        _ = try await agent.end()
      }
    }
  }
}
