import Foundation
import TestScene
import Testing

extension Together {
  @Suite("Inputs: what another program holds") struct BusyLineTests {
    @Test("a line that another program holds: bad quality that names it, the rest goes on, good when it is free")
    func busy() async throws {
      try await withWorkbench { bench in
        let chip = try bench.chip()
        let other = try bench.scene.spawn("gpiomon", ["gpiomon", try chip.name, "3"])
        try await bench.isHeld(chip, 3, by: "gpiomon")
        try bench.agent("{name: door, chip: \(chip.label), line: 3}", "{name: gate, chip: \(chip.label), line: 4}")
        let reading = try await bench.reading("door")
        #expect(reading.isBad && reading.error?.contains("gpiomon") == true, "\(reading.error ?? "")")
        try await bench.level("gate", false)
        try chip.line(4).move(true)
        try await bench.level("gate", true)
        other.signal(SIGKILL)
        try await bench.level("door", false)
        try chip.line(3).move(true)
        try await bench.level("door", true)
      }
    }

    @Test("a line that the kernel holds for itself: bad quality that names what for")
    func hog() async throws {
      try await withWorkbench { bench in
        let chip = try bench.chip(hogs: [.init(offset: 2, consumer: "fan-reset", direction: "output-high")])
        try bench.agent("{name: door, chip: \(chip.label), line: 2}")
        let reading = try await bench.reading("door")
        #expect(reading.isBad && reading.error?.contains("fan-reset") == true, "\(reading.error ?? "")")
        #expect(try chip.line(2).isHigh)
      }
    }

    @Test("a line that is an unused output is refused, and taken with force")
    func output() async throws {
      try await withWorkbench { bench in
        let chip = try bench.chip()
        try await bench.scene.run("gpioset", ["gpioset", "--mode=exit", try chip.name, "5=1"])
        let info = try await bench.info(chip, 5)
        try #require(info.isOutput && info.consumer == nil)
        let first = try bench.agent("{name: valve, chip: \(chip.label), line: 5}")
        let reading = try await bench.reading("valve")
        #expect(reading.isBad && reading.error?.contains("force") == true, "\(reading.error ?? "")")
        #expect(try await bench.info(chip, 5).isOutput)
        try await first.end()
        try bench.agent("{name: valve, chip: \(chip.label), line: 5, force: true}")
        try await bench.reading("valve", "a level") { $0.level != nil }
        #expect(try await !bench.info(chip, 5).isOutput)
      }
    }

    @Test("a shutdown frees the lines; what other programs put out stays as it is")
    func release() async throws {
      try await withWorkbench { bench in
        let chip = try bench.chip()
        _ = try bench.scene.spawn("gpioset", ["gpioset", "--mode=signal", try chip.name, "6=1"])
        try await bench.isHeld(chip, 6, by: "gpioset")
        let agent = try bench.agent(
          "{name: door, chip: \(chip.label), line: 3}", "{name: bell, chip: \(chip.label), line: 4, mode: event}",
          "{name: water, chip: \(chip.label), line: 5, mode: counter}")
        for offset in 3...5 { try await bench.isHeld(chip, offset) }
        #expect(try await agent.end() == .exited(0))
        for offset in 3...5 {
          let info = try await bench.info(chip, offset)
          #expect(info.consumer == nil && !info.isOutput)
        }
        let info = try await bench.info(chip, 6)
        #expect(info.consumer == "gpioset" && info.isOutput)
        #expect(try chip.line(6).isHigh)
      }
    }
  }
}

extension Alone {
  /// Kernels up to 6.7 warn when a chip goes that is in use.
  @Suite("Inputs: chips that come and go") struct ComingAndGoingTests {
    @Test(
      "no chip at all: bad quality, and the agent goes on; good when the chip comes", arguments: ["state", "event"])
    func late(_ mode: String) async throws {
      try await withWorkbench { bench in
        try #require(FileManager.default.contentsOfDirectory(atPath: "/dev").allSatisfy { !$0.hasPrefix("gpiochip") })
        let chip = try bench.chip(isPlugged: false)
        let agent = try bench.agent("{name: door, chip: \(chip.label), line: 3, mode: \(mode)}")
        let reading = try await bench.reading("door")
        #expect(reading.isBad && reading.error?.contains("/dev/gpiochip") == true, "\(reading.error ?? "")")
        try chip.plug()
        try await bench.isHeld(chip, 3)
        try chip.line(3).move(true)
        try await bench.level("door", true)
        #expect(agent.process.ending == nil)
      }
    }

    @Test("a chip that goes while it is used: bad quality that says so, the others go on; good when it is back")
    func removed() async throws {
      try await withWorkbench { bench in
        let stays = try bench.chip("stays")
        let goes = try bench.chip("goes", names: [3: "DOOR-\(bench.mark)"])
        let agent = try bench.agent(
          "{name: door, line: DOOR-\(bench.mark)}", "{name: bell, chip: \(goes.label), line: 4, mode: event}",
          "{name: water, chip: \(goes.label), line: 5, mode: counter, interval: 200ms}",
          "{name: gate, chip: \(stays.label), line: 0}")
        try await bench.level("door", false)
        try await bench.level("gate", false)
        try await bench.isHeld(goes, 4)
        try await bench.isHeld(goes, 5)
        try await bench.pulse(goes.line(5), options: "-k -r 100 -n 6")
        try await bench.reading("water", "a total of 3") { $0.total == 3 }

        for round in 1...3 {
          var counts: [String: Int] = [:]
          for name in ["door", "bell", "water"] { counts[name] = try bench.readings(name).count }
          try goes.unplug()
          for name in ["door", "bell", "water"] {
            let reading = try await bench.reading(name, "bad quality", skipping: counts[name] ?? 0) { $0.isBad }
            #expect(reading.error?.isEmpty == false)
          }
          try stays.line(0).move(round % 2 == 1)
          try await bench.level("gate", round % 2 == 1)
          try goes.plug()
          try await bench.level("door", false)
          try goes.line(3).move(true)
          try await bench.level("door", true)
          try await bench.isHeld(goes, 4)
          try goes.line(4).move(true)
          try await bench.level("bell", true)
          // What was counted before is not lost.
          try await bench.isHeld(goes, 5)
          try await bench.pulse(goes.line(5), options: "-k -r 100 -n 2")
          try await bench.reading("water", "a total of \(3 + round)") { $0.total == Double(3 + round) }
        }
        #expect(agent.process.ending == nil)
      }
    }

    @Test("a chip whose lines are all held and that goes again and again does not take the kernel with it")
    func removedOften() async throws {
      try await withWorkbench { bench in
        // Linux 6.1 also loses the numbers of a chip whose lines are held, of which it has 512.
        let goes = try bench.chip("goes", lines: 24)
        let inputs = (0..<24).map { "{name: line\($0), chip: \(goes.label), line: \($0), mode: event}" }
        let agent = try bench.agent(bench.settings(inputs))
        for round in 1...10 {
          try await bench.isHeld(goes, 23)
          try goes.unplug()
          try await bench.readings("line23", atLeast: round)
          try goes.plug()
        }
        #expect(agent.process.ending == nil)
      }
    }

    @Test("a chip that goes in the middle of a storm takes neither the agent nor the kernel with it")
    func removedInAStorm() async throws {
      try await withWorkbench { bench in
        let goes = try bench.chip("goes")
        let agent = try bench.agent("{name: bell, chip: \(goes.label), line: 4, mode: event, max_rate: 50}")
        try await bench.isHeld(goes, 4)
        let storm = try bench.startPulse([goes.line(4)], options: "-k -t 30")
        try await bench.readings("bell", atLeast: 50)
        try goes.unplug()
        try await bench.reading("bell", "bad quality") { $0.isBad }
        storm.signal(SIGKILL)
        try goes.plug()
        try await bench.isHeld(goes, 4)
        let count = try bench.readings("bell").count
        try goes.line(4).move(true)
        try await bench.reading("bell", "an edge", skipping: count) { $0.edge == "rising" }
        #expect(agent.process.ending == nil)
      }
    }
  }
}
