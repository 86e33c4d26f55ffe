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
