import Foundation
import TestScene
import Testing

extension Alone {
  @Suite("Inputs: storms and rates") struct StormTests {
    @Test("20,000 pulses at 5 kHz are 20,000 pulses")
    func counter() async throws {
      try await withWorkbench { bench in
        let chip = try bench.chip()
        try bench.agent("{name: water, chip: \(chip.label), line: 2, mode: counter, interval: 200ms}")
        try await bench.isHeld(chip, 2)
        try await bench.pulse(chip.line(2), options: "-k -r 10000 -n 40000")
        let count = try bench.readings("water").count
        let readings = try await bench.readings("water", atLeast: count + 5)
        #expect(readings.last?.total == 20_000)
        #expect(readings.allSatisfy { $0.quality == nil && $0.lost == nil })
      }
    }

    /// What the agent, the broker and a listener do with a reading takes the emulated processor up to 10 ms.
    static let edges = Selection.isWhole ? 10_000 : 2000

    @Test("edges at 1 kHz over two lines, while another storms, all arrive, in order, with rising times")
    func besideAStorm() async throws {
      try await withWorkbench { bench in
        let chip = try bench.chip()
        try bench.agent(
          "{name: left, chip: \(chip.label), line: 1, mode: event}",
          "{name: right, chip: \(chip.label), line: 2, mode: event}",
          "{name: storm, chip: \(chip.label), line: 3, mode: event, max_rate: 20}")
        for offset in 1...3 { try await bench.isHeld(chip, offset) }
        let storm = try bench.startPulse([chip.line(3)], options: "-k -t 90")
        try await bench.readings("storm", atLeast: 20)
        try await bench.pulse(chip.line(1), chip.line(2), options: "-k -r 1000 -n \(Self.edges)")
        let half = Self.edges / 2
        for name in ["left", "right"] {
          let edges = try await bench.readings(name, atLeast: half, within: .seconds(60))
          #expect(edges.count == half)
          #expect(edges.map(\.edge) == (0..<half).map { $0 % 2 == 0 ? "rising" : "falling" }, "\(name)")
          #expect(edges.map(\.seq) == Array(1...half), "\(name)")
          #expect(edges.allSatisfy { $0.quality == nil && $0.suspect == nil && $0.lost == nil })
          // All times have one form: as texts they sort as times do.
          #expect(zip(edges, edges.dropFirst()).allSatisfy { $0.time < $1.time })
        }
        storm.signal(SIGTERM)
        _ = try await bench.end(storm)
        #expect(try bench.readings("storm").contains { $0.quality == "gap" && $0.lost ?? 0 > 0 })
      }
    }

    @Test("what a storm brings and what its gaps count is what the line did, up to the last edge")
    func gaps() async throws {
      try await withWorkbench { bench in
        let chip = try bench.chip()
        try bench.agent("{name: bell, chip: \(chip.label), line: 3, mode: event, max_rate: 200}")
        try await bench.isHeld(chip, 3)
        let pulses = try await bench.pulse(chip.line(3), options: "-k -n 20000")
        let expected = pulses.edges
        var (seen, sum) = (0, 0)
        try await until("edges and gaps make \(expected)", within: .seconds(30)) {
          let readings = try bench.readings("bell")
          for reading in readings[seen...] { sum += reading.edge == nil ? reading.lost ?? 0 : 1 }
          seen = readings.count
          return sum >= expected
        }
        let readings = try bench.readings("bell")
        let edges = readings.filter { $0.edge != nil }
        let gaps = readings.filter { $0.quality == "gap" }
        #expect(sum == expected)
        #expect(gaps.allSatisfy { $0.value == nil && $0.lost ?? 0 > 0 })
        #expect(edges.count + gaps.count == readings.count)
        #expect(readings.map(\.seq) == Array(1...readings.count))
        #expect(zip(edges, edges.dropFirst()).allSatisfy { $0.time < $1.time })
        // Between two gaps none is missing.
        #expect(zip(readings, readings.dropFirst()).allSatisfy { $0.edge == nil || $0.edge != $1.edge })
      }
    }

    @Test("two edges of one direction in a row are marked: the kernel let one go without counting it")
    func suspects() async throws {
      try await withWorkbench { bench in
        let chip = try bench.chip()
        try bench.agent("{name: bell, chip: \(chip.label), line: 3, mode: event}")
        try await bench.isHeld(chip, 3)
        try await bench.pulse(chip.line(3), options: "-k -n 1")
        try await bench.readings("bell", atLeast: 1)
        // Down and up before the kernel looks.
        try await bench.pulse(chip.line(3), options: "-l -n 2")
        let readings = try await bench.readings("bell", atLeast: 2)
        #expect(readings.map(\.edge) == ["rising", "rising"])
        #expect(readings.map(\.suspect) == [nil, true])
        try await bench.pulse(chip.line(3), options: "-k -n 1")
        let last = try await bench.readings("bell", atLeast: 3)
        #expect(last.last?.edge == "falling" && last.last?.suspect == nil)
      }
    }

    @Test("a line that bounces without end costs bounded time and memory, and the others their latency")
    func bounded() async throws {
      try await withWorkbench { bench in
        let chip = try bench.chip()
        let agent = try bench.agent(
          "{name: storm, chip: \(chip.label), line: 3, mode: event, max_rate: 20}",
          "{name: bell, chip: \(chip.label), line: 1, mode: event}")
        try await bench.isHeld(chip, 3)
        try await bench.isHeld(chip, 1)
        let storm = try bench.startPulse([chip.line(3)], options: "-k -t 60")
        try await bench.readings("storm", atLeast: 20)
        let (memory, busy, began) = (try agent.residentBytes, try agent.processorSeconds, ContinuousClock.now)
        let pulses = try await bench.pulse(chip.line(1), options: "-k -v -r 20 -n 100")
        let edges = try await bench.readings("bell", atLeast: 100)
        let seconds = (ContinuousClock.now - began) / .seconds(1)
        let used = (try agent.processorSeconds - busy) / seconds
        let grown = try agent.residentBytes - memory
        storm.signal(SIGTERM)
        _ = try await bench.end(storm)

        #expect(edges.count == 100 && edges.allSatisfy { $0.edge != nil && $0.suspect == nil })
        let latencies = zip(try bench.records("bell"), pulses.times).map { ($0.received - $1) * 1000 }.sorted()
        #expect(latencies[50] < 100 && latencies[98] < 500, "median \(latencies[50]) ms, 99th \(latencies[98]) ms")
        #expect(grown < 16_000_000, "\(grown) bytes")
        #expect(used < 0.6, "\(used) of a processor")
        let readings = try bench.readings("storm")
        let stormed = try #require(readings.last).seconds - #require(readings.first).seconds
        // Gaps do not count; a burst of 10 comes first.
        let rate = Double(readings.count { $0.edge != nil } - 10) / stormed
        #expect(rate < 25, "\(rate) readings a second")
        #expect(readings.contains { $0.quality == "gap" && $0.lost ?? 0 > 0 })
      }
    }
  }
}
