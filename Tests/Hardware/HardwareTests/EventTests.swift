import Foundation
import TestScene
import Testing

extension Together {
  @Suite("Inputs: mode event") struct EventTests {
    @Test("every edge is a reading: its direction, its level, its number, its time")
    func edges() async throws {
      try await withWorkbench { bench in
        let chip = try bench.chip()
        try bench.agent("{name: bell, chip: \(chip.label), line: 3, mode: event}")
        try await bench.isHeld(chip, 3)
        let pulses = try await bench.pulse(chip.line(3), options: "-k -v -r 50 -n 40")
        let edges = try await bench.readings("bell", atLeast: 40)
        #expect(edges.map(\.edge) == (0..<40).map { $0 % 2 == 0 ? "rising" : "falling" })
        #expect(edges.map(\.level) == (0..<40).map { $0 % 2 == 0 })
        #expect(edges.map(\.seq) == Array(1...40))
        #expect(edges.allSatisfy { $0.quality == nil && $0.suspect == nil && $0.lost == nil })
        for (edge, time) in zip(edges, pulses.times) {
          #expect(try abs(edge.seconds - time) < 0.05)
        }
        let times = try edges.map { try $0.seconds }
        #expect(zip(times, times.dropFirst()).allSatisfy { $0 < $1 })
        #expect(try await bench.scene.retained(by: bench.broker)["limpet/board/bell"] == nil)
      }
    }

    @Test("active_low turns level and edge around")
    func activeLow() async throws {
      try await withWorkbench { bench in
        let chip = try bench.chip()
        try bench.agent("{name: bell, chip: \(chip.label), line: 0, mode: event, active_low: true}")
        try await bench.isHeld(chip, 0)
        try chip.line(0).move(true)
        // Two edges at once would be one to the kernel.
        try await bench.readings("bell", atLeast: 1)
        try chip.line(0).move(false)
        let edges = try await bench.readings("bell", atLeast: 2)
        #expect(edges.map(\.edge) == ["falling", "rising"])
        #expect(edges.map(\.level) == [false, true])
      }
    }

    @Test("an event with debounce is a change that lasted")
    func debounce() async throws {
      try await withWorkbench { bench in
        let chip = try bench.chip()
        try bench.agent("{name: bell, chip: \(chip.label), line: 0, mode: event, debounce: 200ms}")
        try await bench.isHeld(chip, 0)
        try await bench.pulse(chip.line(0), options: "-g 0,2,2,2,2")
        try await bench.readings("bell", atLeast: 1)
        try await bench.pulse(chip.line(0), options: "-g 0,2,2")
        let edges = try await bench.readings("bell", atLeast: 2)
        #expect(edges.map(\.edge) == ["rising", "falling"])
      }
    }
  }
}
