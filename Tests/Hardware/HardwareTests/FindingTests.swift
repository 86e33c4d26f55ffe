import Foundation
import TestScene
import Testing

extension Together {
  @Suite("Inputs: how chips and lines are found") struct FindingTests {
    enum Way: String, CaseIterable, CustomTestStringConvertible {
      case name = "by the line's name, on any chip"
      case labelAndOffset = "by the chip's label and an offset"
      case labelAndName = "by the chip's label and the line's name"
      case chipNameAndOffset = "by the chip's name and an offset"
      case pathAndOffset = "by the chip's path and an offset"
      var testDescription: String { rawValue }
    }

    @Test("a line is found", arguments: Way.allCases)
    func found(_ way: Way) async throws {
      try await withWorkbench { bench in
        let name = "DOOR-\(bench.mark)"
        _ = try bench.chip("other", names: [1: "OTHER-\(bench.mark)"])
        let chip = try bench.chip("this", names: [6: name])
        let keys =
          switch way {
          case .name: "line: \(name)"
          case .labelAndOffset: "chip: \(chip.label), line: 6"
          case .labelAndName: "chip: \(chip.label), line: \(name)"
          case .chipNameAndOffset: "chip: \(try chip.name), line: 6"
          case .pathAndOffset: "chip: \(try chip.path), line: 6"
          }
        let agent = try bench.agent("{name: door, \(keys)}")
        #expect(try await bench.reading("door").level == false)
        try chip.line(6).move(true)
        try await bench.level("door", true)
        try await agent.line(chip.label)
      }
    }

    @Test("a name that two chips have: bad quality, both are listed; good when one of them has gone")
    func duplicate() async throws {
      try await withWorkbench { bench in
        let name = "DOOR-\(bench.mark)"
        let first = try bench.chip("first", names: [1: name])
        let second = try bench.chip("second", names: [4: name])
        try bench.agent("{name: door, line: \(name)}", "{name: sure, chip: \(first.label), line: 2}")
        let reading = try await bench.reading("door")
        #expect(reading.isBad)
        let error = reading.error ?? ""
        #expect(error.contains(first.label) && error.contains(second.label) && error.contains(name), "\(error)")
        try await bench.level("sure", false)
        try second.unplug()
        try await bench.level("door", false)
      }
    }

    @Test("a name, an offset, a chip that is not there: bad quality that says what is missing")
    func missing() async throws {
      try await withWorkbench { bench in
        let chip = try bench.chip(lines: 4)
        try bench.agent(
          "{name: nameless, line: NOWHERE-\(bench.mark)}", "{name: beyond, chip: \(chip.label), line: 4}",
          "{name: chipless, chip: nochip-\(bench.mark), line: 0}", "{name: sure, chip: \(chip.label), line: 0}")
        let wanted = [
          ("nameless", "NOWHERE-\(bench.mark)"), ("beyond", chip.label), ("chipless", "nochip-\(bench.mark)"),
        ]
        for (name, word) in wanted {
          let reading = try await bench.reading(name)
          #expect(reading.isBad && reading.error?.contains(word) == true, "\(name): \(reading.error ?? "")")
        }
        try await bench.level("sure", false)
      }
    }
  }
}
