import Foundation
import TestScene
import Testing

extension Alone {
  @Suite("Inputs: pulses that are slow") struct PulseTests {
    @Test(
      "S0, a hundred times as fast: a pulse in 360 ms is one rate in each total, and energy comes from their number")
    func energy() async throws {
      try await withWorkbench { bench in
        let chip = try bench.chip()
        try bench.agent(
          "{name: meter, chip: \(chip.label), line: 2, mode: counter, scale: 3600, unit: J, interval: 100ms}")
        try await bench.isHeld(chip, 2)
        // 1,000 pulses a kWh: one in 360 ms is 10 kW.
        try await bench.pulse(chip.line(2), options: "-k -r 5.5556 -d 0.25 -t 6")
        let readings = try bench.readings("meter").filter { $0.total ?? 0 > 3 * 3600 }
        let rates = readings.compactMap(\.rate)
        #expect(rates.filter { abs($0 / 10_000 - 1) < 0.02 }.count * 10 > rates.count * 8, "\(rates)")
        #expect(rates.allSatisfy { $0 > 0 })
      }
    }

    /// The value of a mode, from the times of all edges, in seconds; the first is a rise.
    ///
    /// - Parameter hasFalls: Every other edge is a fall; otherwise all are rises.
    private func value(_ mode: String, _ times: [Double], hasFalls: Bool) -> Double {
      let cycle = hasFalls ? 2 : 1
      let starts = Array(stride(from: 0, to: times.count - cycle, by: cycle))
      let whole = starts.reduce(0) { $0 + times[$1 + cycle] - times[$1] }
      switch mode {
      case "frequency": return Double(starts.count) / whole
      case "duty": return starts.reduce(0) { $0 + times[$1 + 1] - times[$1] } / whole * 100
      default:
        // The last pulse has no cycle, but may have a width.
        let rises = stride(from: 0, to: times.count - 1, by: 2)
        return rises.reduce(0) { $0 + times[$1 + 1] - times[$1] } / Double(Array(rises).count) * 1000
      }
    }

    /// Judged by what the kernel saw: it takes an edge's time tens of microseconds after it was made, at a rise by another
    /// time than at a fall, which is more than 1 % of a short pulse.
    @Test(
      "frequency, duty and length of pulses are within 1 % of their edges",
      arguments: [(1.0, "2s", 9, 6), (50, "1s", 5, 4), (1000, "1s", 4, 2)])
    func measured(_ hertz: Double, _ interval: String, _ long: Int, _ short: Int) async throws {
      try await withWorkbench { bench in
        let chip = try bench.chip()
        let modes = ["frequency", "duty", "pulse_width"]
        _ = try bench.agent(
          bench.settings(
            modes.enumerated().map { line, mode in
              let interval = mode == "frequency" ? interval : "10s"
              return "{name: \(mode), chip: \(chip.label), line: \(line), mode: \(mode), interval: \(interval)}"
            }))
        for (line, mode) in modes.enumerated() {
          let hasFalls = mode != "frequency"
          try await bench.isHeld(chip, line)
          let before = try await bench.readings(mode, atLeast: bench.readings(mode).count + 1).count
          let trace = try EdgeTrace()
          let options = "-k -r \(hertz * 2) -d 0.25 -t \(hasFalls ? short : long)"
          let pulses = try await bench.pulse(chip.line(line), options: options)
          let readings = try bench.readings(mode).dropFirst(before)
          let times = try trace.times
          try #require(times.count == (hasFalls ? pulses.edges : (pulses.edges + 1) / 2))
          let expected = value(mode, times, hasFalls: hasFalls)
          guard hasFalls else {
            let made = try #require(pulses.cycles.first)
            #expect(abs(expected * made.cycle - 1) < 0.01)
            // The first and the last interval are not filled with pulses.
            let values = readings.compactMap(\.total).filter { $0 > expected * 0.5 }.sorted()
            let median = try #require(values.isEmpty ? nil : values[values.count / 2])
            #expect(abs(median / expected - 1) < 0.01, "\(mode): \(expected), \(values)")
            continue
          }
          // All of them are in one interval.
          try #require(readings.isEmpty, "the rig is too slow to say anything")
          let measured = try await bench.readings(mode, atLeast: before + 1)[before]
          #expect(try abs(#require(measured.total) / expected - 1) < 0.01, "\(mode): \(expected), \(measured)")
        }
      }
    }
  }

  /// A pull charges its wire, which takes time: gpio-sim's does here (VM/pull_delay.h).
  @Suite("Inputs: a pull that takes time") struct PullTests {
    private static let parameters = "/sys/module/gpio_sim/parameters"

    @Test("200 doors with a pull are requested at a boot: none tells a false level, and no counter counts it")
    func doors() async throws {
      try await withWorkbench { bench in
        bench.scene.atEnd { try? SimulatedChip.write("0", to: Self.parameters + "/pull_delay") }
        let late = try #require(Int(SimulatedChip.read(Self.parameters + "/pull_late")))
        try SimulatedChip.write("500", to: Self.parameters + "/pull_delay")
        let chip = try bench.chip(lines: 400)
        // README's door, and one without debouncing; beside them a counter and a button, whose first edge would be the pull's.
        let doors = (0..<200).map { line in
          let debounce = line % 2 == 0 ? ", debounce: 20ms" : ""
          return "{name: door\(line), chip: \(chip.label), line: \(line), pull: up, active_low: true\(debounce)}"
        }
        let counters = (200..<400).map { line in
          line % 2 == 0
            ? "{name: count\(line), chip: \(chip.label), line: \(line), pull: up, mode: counter, interval: 500ms}"
            : "{name: bell\(line), chip: \(chip.label), line: \(line), pull: up, mode: event}"
        }
        _ = try bench.agent(bench.settings(doors + counters))
        for line in 0..<200 { try await bench.level("door\(line)", false, within: .seconds(60)) }
        for line in stride(from: 200, to: 400, by: 2) {
          try await bench.readings("count\(line)", atLeast: 2, within: .seconds(60))
        }
        let wrongDoors = try (0..<200).filter { try bench.readings("door\($0)").contains { $0.level != false } }
        let wrongCounts = try (200..<400).filter { line in
          try line % 2 == 0
            ? bench.readings("count\(line)").contains { $0.total != 0 } : !bench.readings("bell\(line)").isEmpty
        }
        // Where the rig's own thread was late, a line looked settled.
        let slow = try #require(Int(SimulatedChip.read(Self.parameters + "/pull_late"))) - late
        #expect(slow < 400, "the rig is too slow to say anything")
        #expect(wrongDoors.count + wrongCounts.count <= slow, "\(wrongDoors) \(wrongCounts), \(slow) late")
      }
    }
  }
}

extension Together {
  @Suite("Inputs: a meter with hours to spare") struct MeterTests {
    @Test(
      "S0 at a pulse in 36 s: 100 W between them and until the next is due, and towards zero when none comes",
      .enabled(if: Selection.isWhole))
    func energy() async throws {
      try await withWorkbench { bench in
        let chip = try bench.chip()
        try bench.agent(
          "{name: meter, chip: \(chip.label), line: 2, mode: counter, scale: 3600, unit: J, interval: 1s}")
        try await bench.isHeld(chip, 2)
        // 1,000 pulses a kWh; each lasts 50 ms.
        let pulses = try await bench.pulse(
          chip.line(2), options: "-v -g 0,50,35950,50,35950,50", within: .seconds(120))
        let (second, third) = (pulses.times[2], pulses.times[4])
        try await bench.reading("meter", "45 s after the last pulse", within: .seconds(75)) {
          try $0.seconds > third + 45
        }
        let readings = try bench.readings("meter")
        // Within a second of a pulse, the pulse may be in the rate or not.
        for reading in readings where try reading.seconds > second + 1 && reading.seconds < third + 35 {
          #expect(try abs(#require(reading.rate) / 100 - 1) < 0.01, "\(reading)")
        }
        let overdue = try readings.filter { try $0.seconds > third + 37 }
        #expect(overdue.count >= 7)
        for reading in overdue {
          let silence = try reading.seconds - third
          #expect(try abs(#require(reading.rate) * silence / 3600 - 1) < 0.02, "\(reading), \(silence) s")
        }
        #expect(zip(overdue, overdue.dropFirst()).allSatisfy { $0.rate ?? 0 > $1.rate ?? 0 })
        #expect(readings.last?.total == 3 * 3600)
      }
    }
  }

  @Suite("Inputs: mode gesture") struct GestureTests {
    @Test("single, double and long, each at the time of its press, and bounces are none of them")
    func gestures() async throws {
      try await withWorkbench { bench in
        let chip = try bench.chip()
        try bench.agent(
          "{name: bell, chip: \(chip.label), line: 2, mode: gesture, debounce: 10ms, double: 1s, long: 3s}")
        try await bench.isHeld(chip, 2)
        let cases = [
          ("single", "0,200"), ("double", "0,100,200,100"), ("long", "0,5000"), ("single", "0,1,1,1,1,200,1,1"),
        ]
        for (number, (_, gaps)) in cases.enumerated() {
          let pulses = try await bench.pulse(chip.line(2), options: "-v -g \(gaps)")
          let readings = try await bench.readings("bell", atLeast: number + 1)
          #expect(readings.map(\.word) == cases.prefix(number + 1).map(\.0))
          // Where it bounces, the press is at the last edge.
          let press = number == 3 ? 4 : 0
          #expect(try abs(readings[number].seconds - pulses.times[press]) < 0.1)
        }
      }
    }
  }
}
