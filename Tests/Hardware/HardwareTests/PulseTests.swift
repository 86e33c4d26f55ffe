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

    /// The kernel of the rig takes an edge's time when its interrupt thread runs, which comes tens of microseconds late, at a
    /// rise by another time than at a fall: of a short pulse that is more than 1 %. Over many it is nothing of a frequency.
    @Test(
      "frequency, and duty and length of long pulses, are within 1 % of what was made",
      arguments: [(1.0, "2s", 9), (50, "1s", 5), (1000, "1s", 4)])
    func measured(_ hertz: Double, _ interval: String, _ seconds: Int) async throws {
      try await withWorkbench { bench in
        let chip = try bench.chip()
        let modes = hertz == 1 ? ["frequency", "duty", "pulse_width"] : ["frequency"]
        _ = try bench.agent(
          bench.settings(
            modes.enumerated().map { line, mode in
              "{name: \(mode), chip: \(chip.label), line: \(line), mode: \(mode), interval: \(interval)}"
            }))
        for (line, mode) in modes.enumerated() {
          try await bench.isHeld(chip, line)
          let pulses = try await bench.pulse(chip.line(line), options: "-k -r \(hertz * 2) -d 0.25 -t \(seconds)")
          let (cycle, high) = try #require(pulses.cycles.first)
          let expected = mode == "frequency" ? 1 / cycle : mode == "duty" ? high / cycle * 100 : high * 1000
          // The first and the last interval are not filled with pulses.
          let values = try bench.readings(mode).compactMap(\.total).filter { $0 > expected * 0.5 }.sorted()
          let median = try #require(values.isEmpty ? nil : values[values.count / 2])
          #expect(abs(median / expected - 1) < 0.01, "\(mode): \(expected), \(values)")
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
