import TestScene
import Testing

extension Alone {
  /// What the other tests stand on.
  @Suite("The rig") struct RigTests {
    @Test("each edge that is kept reaches a reader: none is lost, merged or doubled", arguments: [1000, 10_000])
    func keeps(_ rate: Int) async throws {
      try await withWorkbench { bench in
        let chip = try bench.chip()
        let reader = try bench.scene.spawn("edges", [Rig.program("edges"), chip.path, "3", "500"])
        try await until("the line is held") { reader.outputLines.contains("ready") }
        let pulses = try await bench.pulse(chip.line(3), options: "-k -r \(rate) -n 4000")
        #expect(pulses.edges == 4000)
        try await reader.end()
        #expect(reader.outputLines.last == "events 4000 lost 0 alike 0")
      }
    }
  }
}
