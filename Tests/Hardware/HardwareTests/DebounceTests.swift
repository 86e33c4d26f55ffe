import Foundation
import TestScene
import Testing

extension Together {
  @Suite("Inputs: debounce") struct DebounceTests {
    /// How a line bounces, from low.
    struct Burst: Sendable, CustomTestStringConvertible {
      /// Milliseconds before each edge.
      let gaps: [Int]
      let what: String
      var testDescription: String { what }
      /// The level that lasts.
      var endsHigh: Bool { gaps.count % 2 == 1 }

      init(_ what: String, _ gaps: [Int]) {
        self.what = what
        self.gaps = gaps
      }
    }

    static let bursts = [
      Burst("one edge", [0]),
      Burst("ends as it began, two edges", [0, 5]),
      Burst("ends other than it began, three edges", [0, 5, 5]),
      Burst("ends as it began, eight edges", [0, 1, 2, 4, 8, 16, 8, 4]),
      Burst("ends other than it began, eleven edges", [0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]),
      Burst("a bounce long enough to be seen halfway through the window", [0, 5, 60, 5, 60]),
    ]

    /// Two inputs with the same window: when the second tells of a move, the first has had its time, but for what the
    /// kernel is late with its interrupt.
    private func inputs(_ chip: SimulatedChip, _ window: String) -> [String] {
      [
        "{name: door, chip: \(chip.label), line: 3, debounce: \(window)}",
        "{name: witness, chip: \(chip.label), line: 4, debounce: \(window)}",
      ]
    }

    @Test("a burst is one change, or none: the level that lasts, at the time of its last edge", arguments: bursts)
    func burst(_ burst: Burst) async throws {
      try await withWorkbench { bench in
        let chip = try bench.chip()
        _ = try bench.agent(bench.settings(inputs(chip, "300ms")))
        try await bench.level("door", false)
        try await bench.level("witness", false)
        let gaps = burst.gaps.map { "\($0)" }.joined(separator: ",")
        let pulses = try await bench.pulse(chip.line(3), options: "-v -g \(gaps)")
        try #require(pulses.edges == burst.gaps.count)
        try chip.line(4).move(true)
        try await bench.level("witness", true)
        try await bench.level("door", burst.endsHigh)
        let readings = try bench.readings("door")
        #expect(readings.map(\.level) == (burst.endsHigh ? [false, true] : [false]))
        if burst.endsHigh {
          #expect(try abs(#require(readings.last).seconds - #require(pulses.times.last)) < 0.1)
        }
      }
    }

    /// How long it has to hold, and how often that is looked at.
    static let windows = [("20ms", 5), ("300ms", 5), ("2s", 3)] + (Selection.isWhole ? [("1m", 1)] : [])

    /// By the kernel's timer, those of 2 s and more would be late by 32 ms and more. The median, since this machine may take
    /// the guest's processor away.
    @Test(
      "the time of a debounced edge is that of the edge, within 5 ms, however long it has to hold", arguments: windows)
    func exactTimes(_ window: (debounce: String, rounds: Int)) async throws {
      try await withWorkbench { bench in
        let chip = try bench.chip()
        _ = try bench.agent(bench.settings(inputs(chip, window.debounce)))
        try await bench.level("door", false, within: .seconds(120))
        var errors: [Double] = []
        for round in 1...window.rounds {
          let pulses = try await bench.pulse(chip.line(3), options: "-v -g 0")
          let time = try await bench.level("door", round % 2 == 1, within: .seconds(120)).seconds
          let (before, after) = (try #require(pulses.times.last), try #require(pulses.ends.last))
          errors.append(max(before - time, time - after, 0))
        }
        #expect(errors.sorted()[errors.count / 2] < 0.005, "\(errors)")
      }
    }

    @Test("whatever a line does, the level that lasts is the one that was published last")
    func lasting() async throws {
      try await withWorkbench { bench in
        let chip = try bench.chip()
        let line = try chip.line(3)
        _ = try bench.agent(bench.settings(inputs(chip, "60ms")))
        try await bench.level("door", false)
        try await bench.level("witness", false)
        // Gaps around the window's length, the same ones in each run.
        var seed: UInt32 = 2026
        for round in 1...12 {
          var gaps: [String] = []
          for _ in 0..<(4 + round % 3) {
            seed = seed &* 1_664_525 &+ 1_013_904_223
            gaps.append("\((seed >> 16) % 90)")
          }
          try await bench.pulse(line, options: "-g \(gaps.joined(separator: ","))")
          try chip.line(4).move(round % 2 == 1)
          try await bench.level("witness", round % 2 == 1)
          try await bench.level("door", line.isHigh)
        }
        let levels = try bench.readings("door").map(\.level)
        #expect(zip(levels, levels.dropFirst()).allSatisfy { $0 != $1 })
      }
    }
  }
}
