import Foundation
import TestScene
import Testing

extension Together {
  @Suite("limpet scan and check name chips and lines") struct ScanTests {
    private func scan(_ bench: Workbench, _ arguments: [String]) async throws -> Scene.Outcome {
      let child = try await bench.scene.run(
        "scan-\(bench.scene.nextCommand())", [Rig.limpet, "scan"] + arguments)
      return Scene.Outcome(ending: try #require(child.ending), output: child.outputLines, errors: child.errorLines)
    }

    private func chip(_ bench: Workbench) throws -> SimulatedChip {
      try bench.chip(
        names: [1: "DOOR-\(bench.mark)"],
        hogs: [.init(offset: 2, consumer: "reset-\(bench.mark)", direction: "output-low")])
    }

    @Test("scan lists a chip with its label, and lines with name, consumer and direction")
    func text() async throws {
      try await withWorkbench { bench in
        let chip = try chip(bench)
        let outcome = try await scan(bench, [])
        #expect(outcome.ending == .exited(0))
        let text = outcome.output.joined(separator: "\n")
        for word in [chip.label, try chip.name, "DOOR-\(bench.mark)", "reset-\(bench.mark)"] {
          #expect(text.contains(word), "\(word)")
        }
        let hog = outcome.output.first { $0.contains("reset-\(bench.mark)") }
        #expect(hog?.contains("output") == true, "\(hog ?? "")")
        let door = outcome.output.first { $0.contains("DOOR-\(bench.mark)") }
        #expect(door?.contains("input") == true, "\(door ?? "")")
      }
    }

    @Test("scan --json is JSON that says the same")
    func json() async throws {
      try await withWorkbench { bench in
        let chip = try chip(bench)
        let outcome = try await scan(bench, ["--json"])
        #expect(outcome.ending == .exited(0))
        let text = outcome.output.joined(separator: "\n")
        _ = try JSONSerialization.jsonObject(with: Data(text.utf8))
        for word in [chip.label, "DOOR-\(bench.mark)", "reset-\(bench.mark)"] {
          #expect(text.contains("\"\(word)\""), "\(word)")
        }
      }
    }

    @Test("scan --yaml is a configuration as it is, whose inputs are commented out")
    func yaml() async throws {
      try await withWorkbench { bench in
        _ = try chip(bench)
        let outcome = try await scan(bench, ["--yaml"])
        #expect(outcome.ending == .exited(0))
        #expect(outcome.output.contains { $0.hasPrefix("#") && $0.contains("inputs:") })
        #expect(!outcome.output.contains { !$0.hasPrefix("#") && $0.contains("inputs:") })
      }
    }

    @Test("check and run say which line of which chip an input is")
    func summary() async throws {
      try await withWorkbench { bench in
        let name = "DOOR-\(bench.mark)"
        let chip = try bench.chip(names: [6: name])
        let settings = bench.settings(["{name: door, line: \(name)}"])
        let file = try bench.scene.write(settings.text, to: "check.yaml")
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file)
        let outcome = try await bench.scene.limpet("check", "--config", file)
        #expect(outcome.ending == .exited(0))
        let line = outcome.output.first { $0.contains(chip.label) }
        #expect(line?.contains(name) == true && line?.contains("6") == true, "\(outcome.output)")
        let agent = try bench.agent(settings)
        let log = try await agent.line(chip.label)
        #expect(log.contains(name) && log.contains("6"))
      }
    }
  }
}
