import Foundation
import TestScene
import Testing

extension Together {
  @Suite("Inputs: mode state") struct StateTests {
    @Test("the level at start is published, then each change, with the kernel's time in microseconds")
    func changes() async throws {
      try await withWorkbench { bench in
        let chip = try bench.chip()
        let line = try chip.line(3)
        try bench.agent("{name: door, chip: \(chip.label), line: 3}")
        let first = try await bench.reading("door")
        #expect(first.level == false && first.seq == 1 && first.quality == nil && first.edge == nil)
        for (number, isHigh) in [true, false, true].enumerated() {
          let before = wallTime()
          try line.move(isHigh)
          let after = wallTime()
          let reading = try await bench.readings("door", atLeast: number + 2)[number + 1]
          #expect(reading.level == isHigh && reading.seq == number + 2)
          // Between the clocks that are sampled when it is read there may be another program.
          #expect(try (before - 0.02)...(after + 0.02) ~= reading.seconds)
        }
      }
    }

    @Test("a line that is high at start is true")
    func highAtStart() async throws {
      try await withWorkbench { bench in
        let chip = try bench.chip()
        try chip.line(0).move(true)
        try bench.agent("{name: door, chip: \(chip.label), line: 0}")
        #expect(try await bench.reading("door").level == true)
      }
    }

    @Test("the broker keeps the last level, and not where retain is false")
    func retained() async throws {
      try await withWorkbench { bench in
        let chip = try bench.chip()
        try bench.agent(
          "{name: door, chip: \(chip.label), line: 0}", "{name: gate, chip: \(chip.label), line: 1, retain: false}")
        try await bench.reading("door")
        try await bench.reading("gate")
        try chip.line(0).move(true)
        try await bench.level("door", true)
        let retained = try await bench.scene.retained(by: bench.broker)
        let kept = try #require(retained["limpet/board/door"])
        #expect(try LineReading(json: kept.payload).level == true)
        #expect(retained["limpet/board/gate"] == nil)
      }
    }

    @Test("active_low: a low level is true")
    func activeLow() async throws {
      try await withWorkbench { bench in
        let chip = try bench.chip()
        try bench.agent("{name: door, chip: \(chip.label), line: 2, active_low: true}")
        #expect(try await bench.reading("door").level == true)
        try chip.line(2).move(true)
        try await bench.level("door", false)
      }
    }

    @Test(
      "a bias is on the line, and the level at start is the one with it", arguments: [("up", true), ("down", false)])
    func bias(_ pull: String, _ isHigh: Bool) async throws {
      try await withWorkbench { bench in
        let chip = try bench.chip()
        let line = try chip.line(5)
        try line.move(!isHigh)
        try bench.agent("{name: door, chip: \(chip.label), line: 5, pull: \(pull)}")
        #expect(try await bench.reading("door").level == isHigh)
        #expect(try line.isHigh == isHigh)
        try line.move(!isHigh)
        try await bench.level("door", !isHigh)
      }
    }

    @Test("as-is leaves the line's bias alone")
    func asIs() async throws {
      try await withWorkbench { bench in
        let chip = try bench.chip()
        let line = try chip.line(5)
        try line.move(true)
        try bench.agent("{name: door, chip: \(chip.label), line: 5}")
        #expect(try await bench.reading("door").level == true)
        #expect(try line.isHigh)
      }
    }

    @Test("plain: the texts of on and off; JSON has true and false beside them")
    func texts() async throws {
      try await withWorkbench { bench in
        let chip = try bench.chip()
        let input = "{name: door, chip: \(chip.label), line: 0, on: OPEN, off: CLOSED}"
        var settings = bench.settings([input, "{name: gate, chip: \(chip.label), line: 1}"])
        settings.lines = ["format: plain"]
        let agent = try bench.agent(settings)
        try await until("the levels at start") {
          try bench.records("door").map(\.payload) == ["CLOSED"] && bench.records("gate").map(\.payload) == ["false"]
        }
        try chip.line(0).move(true)
        try chip.line(1).move(true)
        try await until("the other levels") {
          try bench.records("door").last?.payload == "OPEN" && bench.records("gate").last?.payload == "true"
        }
        try await agent.end()

        let before = try bench.records("door").count
        _ = try bench.agent(bench.settings([input]))
        let record = try await eventually("a reading in JSON") {
          try bench.records("door").dropFirst(before).first
        }
        #expect(try LineReading(json: record.payload).level == true)
      }
    }

    @Test("eight lines of two chips at once, each its own")
    func twoChips() async throws {
      try await withWorkbench { bench in
        let chips = [try bench.chip("one"), try bench.chip("two")]
        var inputs: [String] = []
        for (number, chip) in chips.enumerated() {
          inputs += (0..<4).map { "{name: line\(number)\($0), chip: \(chip.label), line: \($0)}" }
        }
        _ = try bench.agent(bench.settings(inputs))
        for number in 0..<2 { for offset in 0..<4 { try await bench.level("line\(number)\(offset)", false) } }
        try chips[0].line(1).move(true)
        try chips[1].line(2).move(true)
        try await bench.level("line01", true)
        try await bench.level("line12", true)
        for name in ["line00", "line02", "line03", "line10", "line11", "line13"] {
          #expect(try bench.readings(name).map(\.level) == [false], "\(name)")
        }
      }
    }
  }
}
