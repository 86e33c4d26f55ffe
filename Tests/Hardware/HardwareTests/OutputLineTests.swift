import Foundation
import LimpetPlatform
import Measuring
import Sensing
import Testing

extension Together {
  /// The driver on gpio-sim, every change of its lines in the kernel's trace.
  @Suite("Outputs: GPIO lines") struct OutputLineTests {
    private let mark = UUID().uuidString.prefix(6)

    private func withChip(_ name: String, _ body: (SimulatedChip) throws -> Void) throws {
      let chip = try SimulatedChip(label: "\(name)-\(mark)", lines: 8, names: [:], hogs: [])
      defer { chip.remove() }
      try chip.plug()
      try body(chip)
    }

    private func line(
      _ chip: SimulatedChip, _ offset: UInt32 = 3, isActiveLow: Bool = false, drive: GPIOOutput.Drive = .pushPull
    ) -> OutputRequest {
      .gpio(GPIOOutput(chip: chip.label, line: .offset(offset), isActiveLow: isActiveLow, drive: drive))
    }

    @Test(
      "a request makes the line an output with its level in one step, and each drive is one change",
      arguments: [false, true], [OutputLevel.off, .on])
    func request(_ isActiveLow: Bool, _ level: OutputLevel) throws {
      try withChip("request") { chip in
        let (trace, outputs) = (try LineTrace(chip), DrivenOutputs())
        #expect(try outputs.hold(0, line(chip, isActiveLow: isActiveLow), level) == level)
        #expect(try trace.changes(of: 3) == [.set(level.isOn != isActiveLow), .output])
        for number in 1...20 as ClosedRange<UInt64> {
          let wanted: OutputLevel = number.isMultiple(of: 2) ? level : level.isOn ? .off : .on
          #expect(try outputs.drive(0, wanted, number: number) == wanted)
          #expect(try trace.changes(of: 3) == [.set(wanted.isOn != isActiveLow)])
          #expect(try chip.line(3).isHigh == (wanted.isOn != isActiveLow))
        }
        try outputs.release(0, .level(.off))
        #expect(try trace.changes(of: 3) == [.set(isActiveLow)])
        try outputs.stop()
      }
    }

    @Test("what is open drain is let go of where it would be high, and not judged then")
    func openDrain() throws {
      try withChip("drain") { chip in
        let (trace, outputs) = (try LineTrace(chip), DrivenOutputs())
        // A relay board that is active low: off is let go of.
        #expect(try outputs.hold(0, line(chip, isActiveLow: true, drive: .openDrain), .off) == .off)
        let first = try trace.changes(of: 3)
        #expect(first == [.input])
        #expect(try outputs.drive(0, .on, number: 1) == .on)
        let on = try trace.changes(of: 3)
        #expect(on == [.set(false), .output])
        #expect(try outputs.drive(0, .off, number: 2) == nil)
        let off = try trace.changes(of: 3)
        #expect(off == [.set(true), .input])
        try outputs.stop()
      }
    }

    @Test("200 starts and stops make no edge that nobody asked for")
    func starts() throws {
      try withChip("starts") { chip in
        let trace = try LineTrace(chip)
        for round in 0..<200 {
          let outputs = DrivenOutputs()
          #expect(try outputs.hold(0, line(chip), .off) == .off)
          if round.isMultiple(of: 2) { try outputs.release(0, .level(.off)) }
          try outputs.stop()
        }
        let changes = try trace.changes(of: 3)
        #expect(changes.count { $0 == .output } == 200)
        #expect(changes.allSatisfy { $0 == .set(false) || $0 == .output }, "\(changes)")
      }
    }

    @Test("a line that is an output is adopted with the level it has", arguments: [true, false])
    func adopted(_ isHigh: Bool) throws {
      try withChip("adopt") { chip in
        let first = DrivenOutputs()
        _ = try first.hold(0, line(chip), .off)
        try first.release(0, .untouched)
        try first.stop()
        // A line of gpio-sim that nobody holds follows its pull; a real one that stays keeps its level.
        try chip.line(3).move(isHigh)
        let (trace, second) = (try LineTrace(chip), DrivenOutputs())
        #expect(try second.hold(0, line(chip), isHigh ? .off : .on, adopts: true) == (isHigh ? .on : .off))
        #expect(try trace.changes(of: 3) == [.set(isHigh), .output])
        try second.release(0, .untouched)
        #expect(try trace.changes(of: 3) == [])
        try second.stop()
      }
    }

    @Test("what is an input is not adopted")
    func notAdopted() throws {
      try withChip("input") { chip in
        try chip.line(3).move(true)
        let outputs = DrivenOutputs()
        #expect(try outputs.hold(0, line(chip), .off, adopts: true) == .off)
        #expect(try chip.line(3).isHigh == false)
        try outputs.stop()
      }
    }

    @Test("a line that another one holds is said to be busy, and taken when it is free")
    func busy() throws {
      try withChip("busy") { chip in
        let (first, second) = (DrivenOutputs(), DrivenOutputs())
        _ = try first.hold(0, line(chip), .on)
        second.driver.hold(0, line(chip), .off, adopts: false, safe: .level(.off))
        #expect(try second.failure(0).contains("is held by \"limpet\""))
        try first.release(0, .untouched)
        #expect(try second.held(0) == .off)
        try first.stop()
        try second.stop()
      }
    }

    @Test("a chip that is taken away is told, and its line comes back as it was first asked for")
    func returns() throws {
      try withChip("returns") { chip in
        let outputs = DrivenOutputs()
        _ = try outputs.hold(0, line(chip), .off)
        #expect(try outputs.drive(0, .on, number: 1) == .on)
        try chip.unplug()
        #expect(try outputs.failure(0).contains("gone"))
        try chip.plug()
        let trace = try LineTrace(chip)
        #expect(try outputs.held(0, skipping: 2) == .off)
        #expect(try trace.changes(of: 3).contains(.set(true)) == false)
        #expect(try outputs.drive(0, .on, number: 2) == .on)
        try outputs.stop()
      }
    }

    @Test("outputs of a process that died are made safe by what it wrote down before each request")
    func died() throws {
      try withChip("died") { chip in
        let folder = FileManager.default.temporaryDirectory.path + "/limpet-record-\(mark)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let outputs = DrivenOutputs(record: folder + "/outputs")
        for offset in 0..<4 {
          _ = try outputs.hold(
            offset, line(chip, UInt32(offset), isActiveLow: offset == 1), .on,
            safe: offset < 2 ? .level(.off) : .untouched)
        }
        // As with a death, nothing is driven any more, and the record stays.
        try outputs.stop()
        let trace = try LineTrace(chip)
        let outcomes = try SafeOutputs.drive(record: folder + "/outputs", root: FileRoot())
        #expect(outcomes.map(\.result) == [.driven(.off), .driven(.off), .left, .left])
        #expect(!FileManager.default.fileExists(atPath: folder + "/outputs"))
        let expected: [[LineTrace.Change]] = [[.set(false), .output], [.set(true), .output], [], []]
        #expect(try trace.changes(of: 0..<4) == expected)
      }
    }
  }
}
