import Foundation
import TestScene
import Testing

extension Together {
  /// Lines without interrupts, on two equal expanders.
  @Suite("Inputs: expanders", .serialized) struct ExpanderTests {
    @Test(
      "lines without an interrupt are looked at, debounced and counted by the same rules, and found by their device")
    func polled() async throws {
      try await withWorkbench { bench in
        let bus = try StubBus()
        let (first, second) = (bus.expander(0x20), bus.expander(0x21))
        for (expander, levels) in [(first, 0b0000_0001), (second, 0b1111_1111)] as [(StubExpander, UInt8)] {
          try expander.set(levels)
          try expander.plug()
          bench.scene.atEnd { try? expander.unplug() }
        }
        try bench.agent(
          "{name: door, device: \(first.device), line: 0}",
          "{name: gate, device: \(first.device), line: 1, debounce: 200ms, active_low: true}",
          "{name: water, device: \(first.device), line: 2, mode: counter, interval: 200ms}",
          "{name: bell, device: \(first.device), line: 3, mode: event, poll: 10ms}",
          "{name: other, device: \(second.device), line: 0}")
        try await bench.level("door", true)
        try await bench.level("gate", true)
        try await bench.level("other", true)
        _ = try await bench.readings("water", atLeast: 1)
        let before = wallTime()
        try first.set(0b0000_1000)
        let door = try await bench.level("door", false)
        #expect(try (before - 0.02)...(before + 0.15) ~= door.seconds)
        #expect(try await bench.reading("bell").edge == "rising")
        for round in 1...5 {
          try first.set(0b0000_0100)
          try await Task.sleep(for: .milliseconds(100))
          try first.set(round == 5 ? 0b0000_0010 : 0)
          try await Task.sleep(for: .milliseconds(100))
        }
        try await bench.level("gate", false)
        _ = try await bench.reading("water", "five pulses") { $0.value == .number(5) }
        try await bench.level("other", true)
        #expect(try bench.readings("other").count == 1)
      }
    }

    @Test("an expander that is taken away says so, and its lines are found again when it is back")
    func returns() async throws {
      try await withWorkbench { bench in
        let expander = try StubBus().expander(0x21)
        try expander.set(0)
        try expander.plug()
        bench.scene.atEnd { try? expander.unplug() }
        try bench.agent("{name: door, device: \(expander.device), line: 4}")
        try await bench.level("door", false)
        try expander.unplug()
        _ = try await bench.reading("door", "a bad reading") { $0.quality == "bad" }
        try expander.set(0xFF)
        try expander.plug()
        try await bench.level("door", true)
      }
    }
  }
}

extension Alone {
  @Suite("Inputs: expanders, and what else is going on") struct ExpanderCostTests {
    /// What has been used of a processor by all threads of a process, in seconds.
    private func used(_ process: pid_t) throws -> Double {
      let folder = "/proc/\(process)/task"
      return try FileManager.default.contentsOfDirectory(atPath: folder).reduce(0) { sum, task in
        let words = try SimulatedChip.read("\(folder)/\(task)/schedstat").split(separator: " ")
        return sum + (words.first.flatMap { Double($0) } ?? 0) / 1e9
      }
    }

    /// The part of a processor that a process uses, over some time.
    private func load(_ process: pid_t, over time: Duration = .seconds(20)) async throws -> Double {
      let (before, began) = (try used(process), monotonicTime())
      try await Task.sleep(for: time)
      return try (used(process) - before) / (Double(monotonicTime() - began) / 1e9)
    }

    @Test(
      "sixteen lines at 20 ms cost at most 1.3 times what a C program costs, and less than 1 % of a processor more",
      .enabled(if: Selection.isWhole))
    func cost() async throws {
      try await withWorkbench { bench in
        let expander = StubExpander(bus: try StubBus().number, address: 0x20, kind: "pca9555")
        try expander.set(0)
        try expander.plug()
        bench.scene.atEnd { try? expander.unplug() }
        let program = try bench.scene.spawn("looks", [Rig.program("looks"), try expander.path, "16", "20"])
        try await until("it has the lines") { program.outputLines.contains("ready") }
        let floor = try await load(program.pid)
        program.signal(SIGTERM)
        try await program.end()
        let agent = try bench.agent(
          bench.settings((0..<16).map { "{name: line\($0), device: \(expander.device), line: \($0), poll: 20ms}" }))
        for line in 0..<16 { try await bench.level("line\(line)", false) }
        let ours = try await load(agent.process.pid)
        print("Polling 16 lines at 20 ms: \(ours * 100) % of a processor, beside \(floor * 100) %")
        #expect(ours < 1.3 * floor, "\(ours) beside \(floor)")
        #expect(ours < floor + 0.01, "\(ours) beside \(floor)")
      }
    }

    @Test("a bus that is stuck while its lines are requested holds up no line of another chip, and says so")
    func stuck() async throws {
      try await withWorkbench { bench in
        let chip = try bench.chip()
        let expander = try StubBus().expander(0x21)
        try expander.set(0b0001_0000)
        try expander.plug()
        bench.scene.atEnd {
          try? StubBus.hold(false)
          try? expander.unplug()
        }
        try StubBus.hold(true)
        // The expander's come first.
        try bench.agent(
          "{name: gate, device: \(expander.device), line: 4}",
          "{name: water, device: \(expander.device), line: 3, mode: counter, interval: 200ms}",
          "{name: door, chip: \(chip.label), line: 2}")
        try await bench.level("door", false, within: .seconds(10))
        for isHigh in [true, false, true] {
          let before = wallTime()
          try chip.line(2).move(isHigh)
          let door = try await bench.level("door", isHigh)
          #expect(try #require(bench.records("door").last).received - before < 0.5, "\(door)")
        }
        #expect(try bench.readings("gate").allSatisfy { $0.isBad })
        let bad = try await bench.reading("gate", "a bad reading") { $0.isBad }
        #expect(bad.error?.contains("does not return") == true, "\(bad.error ?? "")")
        try StubBus.hold(false)
        try await bench.level("gate", true)
        try await bench.reading("water", "a total") { $0.total == 0 }
        try expander.set(0)
        try await bench.level("gate", false)
      }
    }
  }
}
