import LimpetInstants
import Testing

@testable import Measuring
@testable import Sensing

@Suite struct PolledChipTests {
  typealias Finding = LineTrack.Finding

  private func line(_ mode: GPIOInput.Mode, debounce: Duration = .zero, maxRate: Int = 1000) -> PolledChip.Line {
    let line = GPIOLine(offset: 3, name: nil, consumer: nil, isUsed: false, isOutput: false, isActiveLow: false)
    let chip = GPIOChip(path: "/dev/gpiochip0", name: "gpiochip0", label: "pcf8574", lines: [line])
    let input = GPIOInput(
      chip: nil, line: .offset(3), bias: .asIs, isActiveLow: false, debounce: debounce, mode: mode, isForced: false,
      maxRate: maxRate)
    return PolledChip.Line(
      index: 0, input: input, place: GPIOPlace(line, of: chip), counted: PulseCount(pulses: 10, last: nil))
  }

  private static let start = BootTime.monotonic()

  /// What looks every 20 ms find.
  private func findings(_ line: inout PolledChip.Line, _ levels: [Bool]) -> [String] {
    levels.enumerated().flatMap { step, level in
      line.take(level, isAnew: false, at: Self.start + Int64(step) * 20_000_000).map { finding in
        let time = (finding.time - Self.start) / 1_000_000
        return switch finding.content {
        case .level(let level): "\(level) \(time)"
        case .edge(let isRising, _): "\(isRising ? "rising" : "falling") \(time)"
        default: "\(finding.content)"
        }
      }
    }
  }

  @Test("looks at a line are told as edges would be, and debounced by the same rules")
  func looks() {
    let levels = [false, false, true, false, true, true, true, true, false]
    var state = line(.state)
    #expect(findings(&state, levels) == ["false 0", "true 40", "false 60", "true 80", "false 160"])
    var debounced = line(.state, debounce: .milliseconds(50))
    #expect(findings(&debounced, levels) == ["true 80"])
    var event = line(.event)
    #expect(findings(&event, levels) == ["rising 40", "falling 60", "rising 80", "falling 160"])
    var counter = line(.counter)
    #expect(findings(&counter, levels) == [])
    let count = counter.count(BootTime())
    #expect(count.pulses == 12 && count.last != nil)
  }

  @Test("after a while in which the chip did not answer a state is told anew")
  func anew() {
    var state = line(.state)
    #expect(findings(&state, [true, true]) == ["true 0"])
    let again = state.take(true, isAnew: true, at: Self.start + 1_000_000_000)
    #expect(again.map(\.content) == [.level(true)])
  }

  @Test("no more is told than the rate allows, and the last level is")
  func rate() {
    var state = line(.state, maxRate: 4)
    let found = findings(&state, (0..<200).map { $0 % 2 == 0 } + Array(repeating: false, count: 20))
    #expect((10...22).contains(found.count))
    #expect(found.last?.hasPrefix("false") == true)
  }
}
