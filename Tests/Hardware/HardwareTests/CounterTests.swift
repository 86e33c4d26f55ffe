import Foundation
import TestScene
import Testing

extension Together {
  @Suite("Inputs: mode counter") struct CounterTests {
    private func input(_ chip: SimulatedChip, _ keys: String = "scale: 0.5, unit: L, interval: 200ms") -> String {
      "{name: water, chip: \(chip.label), line: 2, mode: counter, \(keys)}"
    }

    /// Waits for a total, and gives it some intervals to grow past it.
    private func total(_ bench: Workbench, _ total: Double, skipping: Int = 0) async throws -> LineReading {
      let reading = try await bench.reading("water", "the total \(total)", skipping: skipping) { $0.total == total }
      let count = try bench.readings("water").count
      let later = try await bench.readings("water", atLeast: count + 3)
      #expect(later.last?.total == total)
      return reading
    }

    @Test("pulses times scale, with unit and generation; nothing moved, nothing lost at a start")
    func totals() async throws {
      try await withWorkbench { bench in
        let chip = try bench.chip()
        try bench.agent(input(chip))
        let first = try await bench.reading("water")
        #expect(first.total == 0 && first.unit == "L" && first.generation != nil && first.quality == nil)
        try await bench.pulse(chip.line(2), options: "-k -r 200 -n 42")
        let reading = try await total(bench, 10.5)
        #expect(reading.unit == "L" && reading.generation == first.generation)
      }
    }

    @Test("the rate is what the total gains in a second")
    func rate() async throws {
      try await withWorkbench { bench in
        let chip = try bench.chip()
        try bench.agent(input(chip, "scale: 0.5, unit: L, interval: 500ms"))
        try await bench.isHeld(chip, 2)
        try await bench.reading("water")
        // 500 pulses a second.
        try await bench.pulse(chip.line(2), options: "-k -r 1000 -n 4000")
        _ = try await total(bench, 1000)
        let rates = try bench.readings("water").compactMap(\.rate)
        #expect(rates.contains { abs($0 - 250) < 75 }, "\(rates)")
        let count = rates.count
        let still = try await bench.readings("water", atLeast: count + 2)
        // Towards zero: no more than one pulse since the last.
        #expect(try (0...1).contains(#require(still.last?.rate)))
      }
    }

    @Test("goes on after SIGTERM and loses nothing, after SIGKILL from what was stored; the generation stays")
    func restarts() async throws {
      try await withWorkbench { bench in
        let chip = try bench.chip()
        let settings = bench.settings([input(chip, "interval: 200ms")])
        let first = try bench.agent(settings)
        try await bench.isHeld(chip, 2)
        try await bench.pulse(chip.line(2), options: "-k -r 500 -n 14")
        let generation = try await total(bench, 7).generation
        try await first.end()

        var before = try bench.readings("water").count
        let second = try bench.agent(settings)
        #expect(try await bench.reading("water", skipping: before).total == 7)
        try await bench.isHeld(chip, 2)
        try await bench.pulse(chip.line(2), options: "-k -r 500 -n 10")
        #expect(try await total(bench, 12, skipping: before).generation == generation)
        try await second.end(SIGKILL)

        before = try bench.readings("water").count
        _ = try bench.agent(settings)
        let stored = try #require(await bench.reading("water", skipping: before).total)
        #expect(7...12 ~= stored)
        try await bench.isHeld(chip, 2)
        try await bench.pulse(chip.line(2), options: "-k -r 500 -n 6")
        #expect(try await total(bench, stored + 3, skipping: before).generation == generation)
      }
    }

    @Test("SIGKILL takes no more than the last minute", .enabled(if: Selection.isWhole))
    func checkpoint() async throws {
      try await withWorkbench { bench in
        let chip = try bench.chip()
        let settings = bench.settings([input(chip, "interval: 1s")])
        let agent = try bench.agent(settings)
        try await bench.isHeld(chip, 2)
        try await bench.pulse(chip.line(2), options: "-k -r 500 -n 20")
        let before = try await bench.reading("water") { $0.total == 10 }
        try await bench.reading("water", "a total 62 s later", within: .seconds(80)) {
          try $0.seconds > before.seconds + 62
        }
        let count = try bench.readings("water").count
        try await agent.end(SIGKILL)
        _ = try bench.agent(settings)
        #expect(try await bench.reading("water", skipping: count).total == 10)
      }
    }

    @Test("a total that has to start anew has another generation")
    func generation() async throws {
      try await withWorkbench { bench in
        let chip = try bench.chip()
        let settings = bench.settings([input(chip, "interval: 200ms")])
        let first = try bench.agent(settings)
        try await bench.isHeld(chip, 2)
        try await bench.pulse(chip.line(2), options: "-k -r 500 -n 4")
        let generation = try await total(bench, 2).generation
        try await first.end()
        try FileManager.default.removeItem(atPath: settings.storage)
        let before = try bench.readings("water").count
        _ = try bench.agent(settings)
        let reading = try await bench.reading("water", skipping: before)
        #expect(reading.total == 0 && reading.generation != nil && reading.generation != generation)
      }
    }
  }
}
