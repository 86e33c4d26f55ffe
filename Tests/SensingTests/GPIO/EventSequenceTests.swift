import Testing

@testable import Sensing

@Suite struct EventSequenceTests {
  private func findings(_ events: [(UInt32, Bool)]) -> [EventSequence.Finding] {
    var sequence = EventSequence()
    return events.map { sequence.take(LineEvent(time: 0, sequence: $0, isRising: $1)) }
  }

  @Test("consecutive events that alternate are all right")
  func complete() {
    #expect(
      findings([(1, true), (2, false), (3, true)])
        == Array(repeating: EventSequence.Finding(lost: 0, isSuspect: false), count: 3))
  }

  @Test("what the kernel dropped is counted, also before the first event")
  func lost() {
    #expect(findings([(4, true), (5, false), (10, true)]).map(\.lost) == [3, 0, 4])
  }

  @Test("the number wraps around")
  func wrap() {
    var sequence = EventSequence()
    _ = sequence.take(LineEvent(time: 0, sequence: .max - 1, isRising: true))
    #expect(sequence.take(LineEvent(time: 0, sequence: .max, isRising: false)).lost == 0)
    #expect(sequence.take(LineEvent(time: 0, sequence: 0, isRising: true)).lost == 0)
    #expect(sequence.take(LineEvent(time: 0, sequence: 3, isRising: true)).lost == 2)
  }

  @Test("two equal edges in a row are suspect, unless something is missing between them")
  func suspect() {
    #expect(findings([(1, true), (2, true), (3, true), (4, false)]).map(\.isSuspect) == [false, true, true, false])
    #expect(findings([(1, true), (3, true)]).map(\.isSuspect) == [false, false])
  }
}
