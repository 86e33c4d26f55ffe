import Foundation
import TestScene
import Testing

extension Together {
  @Suite("Inputs: mode encoder") struct EncoderTests {
    @Test("steps forwards and backwards, every one; the position goes on over a restart, and is told where it moved")
    func turns() async throws {
      try await withWorkbench { bench in
        let chip = try bench.chip()
        let (first, second) = (try chip.line(2), try chip.line(3))
        let settings = bench.settings([
          "{name: knob, chip: \(chip.label), line: 2, line_b: 3, mode: encoder, interval: 50ms}"
        ])
        let agent = try bench.agent(settings)
        let start = try await bench.reading("knob")
        #expect(start.total == 0 && start.generation != nil)
        try await bench.pulse(first, second, options: "-k -r 400 -n 400")
        try await bench.reading("knob", "100 steps") { $0.total == 100 }
        try await bench.pulse(second, first, options: "-k -r 400 -n 480")
        let back = try await bench.reading("knob", "-20 steps") { $0.total == -20 }
        #expect(back.generation == start.generation)
        let readings = try bench.readings("knob")
        #expect(readings.allSatisfy { $0.quality == nil })
        #expect(zip(readings, readings.dropFirst()).allSatisfy { $0.total != $1.total })
        try await agent.end()
        _ = try bench.agent(settings)
        #expect(try await bench.reading("knob", skipping: readings.count).total == -20)
      }
    }
  }
}
