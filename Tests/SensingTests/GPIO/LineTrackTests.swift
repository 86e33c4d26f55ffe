import Testing

@testable import Measuring
@testable import Sensing

@Suite struct LineTrackTests {
  typealias Finding = LineTrack.Finding

  private func findings(
    _ mode: GPIOInput.Mode, _ debounce: LineTrack.Debounce = .nobody, from level: Bool = false, at start: Int64 = 1000,
    of events: [(time: Int64, sequence: UInt32, isRising: Bool)]
  ) -> [Finding] {
    var track = LineTrack(mode: mode, debounce: debounce, level: level, at: start)
    var findings = track.begin().map { [$0] } ?? []
    for event in events {
      track.take(
        LineEvent(time: event.time, sequence: event.sequence, isRising: event.isRising), into: &findings)
    }
    if let deadline = track.deadline { track.elapsed(at: deadline, into: &findings) }
    return findings
  }

  private func level(_ level: Bool, _ time: Int64) -> Finding { Finding(content: .level(level), time: time) }
  private func edge(_ isRising: Bool, _ time: Int64, suspect: Bool = false) -> Finding {
    Finding(content: .edge(isRising: isRising, isSuspect: suspect), time: time)
  }
  private func gap(_ lost: UInt64, _ time: Int64) -> Finding { Finding(content: .gap(lost: lost), time: time) }

  @Test("a state begins with the level that was read, then tells every change")
  func state() {
    #expect(
      findings(.state, from: true, of: [(1100, 1, false), (1200, 2, true)])
        == [level(true, 1000), level(false, 1100), level(true, 1200)])
  }

  @Test("an edge from before the level was read is in it already")
  func raced() {
    #expect(findings(.state, from: true, of: [(900, 1, true), (990, 2, false)]) == [level(true, 1000)])
    #expect(
      findings(.state, from: false, of: [(900, 1, true), (990, 2, false), (1001, 3, true)])
        == [level(false, 1000), level(true, 1001)])
  }

  @Test("a state is not told twice, but for after a gap")
  func sameLevel() {
    #expect(
      findings(.state, of: [(1100, 1, true), (1200, 2, true), (1300, 9, true)])
        == [level(false, 1000), level(true, 1100), gap(6, 1300), level(true, 1300)])
  }

  @Test("events are told one by one, gaps and suspects with them")
  func events() {
    #expect(
      findings(.event, of: [(900, 1, true), (1100, 2, false), (1200, 3, false), (1300, 6, false)])
        == [edge(true, 1000), edge(false, 1100), edge(false, 1200, suspect: true), gap(2, 1300), edge(false, 1300)])
  }

  @Test("what the kernel debounced is told with the time of its edge, and never goes back")
  func kernelDebounce() {
    #expect(
      findings(.state, .kernel(50), of: [(1100, 1, true), (1160, 2, false)])
        == [level(false, 1000), level(true, 1050), level(false, 1110)])
    #expect(findings(.event, .kernel(500), of: [(1100, 1, true)]) == [edge(true, 1000)])
  }

  @Test("debouncing here gives the level that lasts")
  func agentDebounce() {
    #expect(
      findings(.state, .agent(50), of: [(1100, 1, true), (1110, 2, false), (1120, 3, true)])
        == [level(false, 1000), level(true, 1120)])
    #expect(
      findings(.event, .agent(50), of: [(1100, 1, true), (1110, 2, false), (1200, 3, true), (1300, 4, false)])
        == [edge(true, 1200), edge(false, 1300)])
  }

  @Test("a gap while debouncing here is told, and the level after it")
  func agentDebounceGap() {
    #expect(
      findings(.state, .agent(50), of: [(1100, 1, true), (1110, 9, true)])
        == [level(false, 1000), gap(7, 1110), level(true, 1110)])
  }

  @Test("a counter tells nothing, counts rising edges, and those that the kernel dropped too")
  func counter() {
    var track = LineTrack(mode: .counter, debounce: .nobody, level: false, at: 0)
    var findings: [Finding] = []
    #expect(track.begin() == nil)
    for sequence in [1, 2, 3, 10, 11] as [UInt32] {
      track.take(LineEvent(time: Int64(sequence), sequence: sequence, isRising: true), into: &findings)
    }
    #expect(findings == [])
    #expect(track.sums.pulses == 11)
  }

  @Test("a counter that is debounced here counts what settled, and says what it could not see")
  func debouncedCounter() {
    var track = LineTrack(mode: .counter, debounce: .agent(10), level: false, at: 0)
    var findings: [Finding] = []
    for (time, sequence, isRising) in [
      (100, 1, true), (102, 2, false), (104, 3, true), (200, 4, false), (300, 8, true),
    ]
      as [(Int64, UInt32, Bool)]
    {
      track.take(LineEvent(time: time, sequence: sequence, isRising: isRising), into: &findings)
    }
    track.elapsed(at: 310, into: &findings)
    #expect(track.sums.pulses == 2)
    #expect(findings == [gap(3, 300)])
  }

  @Test("a debounced state is told first when it has held: a pull that still charges the wire is no level")
  func firstLevel() {
    for debounce in [LineTrack.Debounce.kernel(50), .agent(50)] {
      let delay: Int64 = if case .kernel = debounce { 50 } else { 0 }
      // Low at 1000, and high from 1010 on, which is what is wired to it.
      #expect(findings(.state, debounce, of: [(1010 + delay, 1, true)]) == [level(true, 1010)], "\(debounce)")
      #expect(findings(.state, debounce, of: []) == [level(false, 1000)], "\(debounce)")
    }
    #expect(findings(.state, .agent(50), of: [(1010, 1, true), (1020, 2, false)]) == [level(false, 1020)])
  }

  @Test("a look at the line corrects what an edge that was lost has left wrong, once it has held")
  func look() {
    var track = LineTrack(mode: .state, debounce: .nobody, level: false, at: 1000)
    var found = track.begin().map { [$0] } ?? []
    #expect(track.agrees(with: false) && !track.agrees(with: true))
    track.look(level: false, at: 2000, into: &found)
    track.look(level: true, at: 3000, into: &found)
    // The edge itself, late.
    track.take(LineEvent(time: 2999, sequence: 1, isRising: true), into: &found)
    #expect(found == [level(false, 1000), level(true, 3000)])

    track = LineTrack(mode: .state, debounce: .agent(50), level: false, at: 1000)
    found = []
    track.elapsed(at: 1050, into: &found)
    track.look(level: true, at: 3000, into: &found)
    #expect(found == [level(false, 1000)])
    track.elapsed(at: 3050, into: &found)
    #expect(found == [level(false, 1000), level(true, 3000)])

    track = LineTrack(mode: .event, debounce: .nobody, level: false, at: 1000)
    found = []
    track.look(level: true, at: 3000, into: &found)
    #expect(found == [])
  }

  @Test("a counter knows when its last pulse was")
  func lastPulse() {
    var track = LineTrack(mode: .counter, debounce: .kernel(10), level: false, at: 0)
    var found: [Finding] = []
    track.take(LineEvent(time: 110, sequence: 1, isRising: true), into: &found)
    track.take(LineEvent(time: 160, sequence: 2, isRising: false), into: &found)
    #expect(track.sums.last == 100 && track.sums.pulses == 1)
  }

  // MARK: Gestures

  @Test("a gesture is told when it can be nothing else, debounced by whoever does that", arguments: [0, 1, 2])
  func gestures(debouncing: Int) {
    let ms: Int64 = 1_000_000
    let debounce: LineTrack.Debounce = [.nobody, .kernel(10 * ms), .agent(10 * ms)][debouncing]
    // The kernel tells of an edge when it has held.
    let late = debouncing == 1 ? 10 * ms : 0
    var track = LineTrack(mode: .gesture, debounce: debounce, level: false, at: 0)
    #expect(track.begin() == nil && track.deadline == nil)
    var findings: [Finding] = []
    func event(_ time: Int64, _ sequence: UInt32, _ isRising: Bool) {
      track.take(LineEvent(time: time * ms + late, sequence: sequence, isRising: isRising), into: &findings)
      while let deadline = track.deadline, debouncing == 2, deadline <= (time + 10) * ms {
        track.elapsed(at: deadline, into: &findings)
      }
    }
    event(100, 1, true)
    event(150, 2, false)
    // 1 ms before the second press would be too late.
    event(549, 3, true)
    #expect(findings == [Finding(content: .gesture(.double), time: 100 * ms)])
    event(600, 4, false)
    event(700, 5, true)
    event(750, 6, false)
    #expect(track.deadline == 1150 * ms + late, "what the kernel has debounced comes later")
    track.elapsed(at: 1150 * ms + late - 1, into: &findings)
    #expect(findings.count == 1)
    track.elapsed(at: 1150 * ms + late, into: &findings)
    #expect(findings.last == Finding(content: .gesture(.single), time: 700 * ms))
  }

  @Test("an edge that is still to settle keeps a gesture open")
  func openGesture() {
    let ms: Int64 = 1_000_000
    var track = LineTrack(mode: .gesture, debounce: .agent(50 * ms), level: false, at: 0)
    var findings: [Finding] = []
    for (sequence, time) in ([100, 200, 590] as [Int64]).enumerated() {
      track.take(LineEvent(time: time * ms, sequence: UInt32(sequence + 1), isRising: sequence != 1), into: &findings)
    }
    #expect(track.deadline == 640 * ms)
    track.elapsed(at: 610 * ms, into: &findings)
    #expect(findings.isEmpty, "the press of 590 ms may be the second of a double one")
    track.elapsed(at: 640 * ms, into: &findings)
    #expect(findings == [Finding(content: .gesture(.double), time: 100 * ms)])
  }

  @Test("lost edges end a gesture and are told")
  func lostGesture() {
    var track = LineTrack(mode: .gesture, debounce: .nobody, level: false, at: 0)
    var findings: [Finding] = []
    track.take(LineEvent(time: 100, sequence: 1, isRising: true), into: &findings)
    track.take(LineEvent(time: 200, sequence: 5, isRising: false), into: &findings)
    #expect(findings == [gap(3, 200)] && track.deadline == nil)
  }
}
