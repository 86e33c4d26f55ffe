import Measuring
import Testing

@testable import Sensing

@Suite("Outputs besides lines, found for check") struct OutputFindingTests {
  @Test("what is not there, and what the service may not write")
  func finds() throws {
    let tree = try TemporaryTree()
    for (name, text) in [("brightness", "0"), ("max_brightness", "255"), ("trigger", "[none]")] {
      try tree.write("/sys/class/leds/ACT/\(name)", text)
    }
    func denied(_ account: OutputFinding.Account?) throws -> [String] {
      try #require(OutputFinding.of(.led("ACT"), root: tree.root, account: account)).get().denied
    }
    #expect(
      try denied(.init(user: 64_000, groups: [64_000]))
        == ["brightness", "trigger"].map { "/sys/class/leds/ACT/\($0)" })
    #expect(try denied(nil) == [])
    #expect(try denied(.init(user: 0, groups: [0])) == [])
    guard case .failure(let failure)? = OutputFinding.of(.led("PWR"), root: tree.root, account: nil) else {
      Issue.record("it was found")
      return
    }
    #expect("\(failure)".contains("PWR") && "\(failure)".contains("ACT"))
    let line = OutputFinding.of(.gpio(GPIOOutput(chip: nil, line: .offset(1))), root: tree.root, account: nil)
    if case .some = line { Issue.record("a line is none of these") }
  }
}
