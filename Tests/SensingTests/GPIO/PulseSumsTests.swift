import Testing

@testable import Measuring
@testable import Sensing

@Suite struct PulseSumsTests {
  private typealias Spans = PulseCount.Spans

  /// Rises at the first time, falls at the second, and so on.
  private func sums(_ times: [Int64]) -> PulseSums {
    var sums = PulseSums(isHigh: false, at: 0)
    for (number, time) in times.enumerated() { sums.take(isRising: number % 2 == 0, at: time) }
    return sums
  }

  @Test("pulses that have ended have a width, and from one rise to the next is a cycle")
  func whole() {
    let sums = sums([100, 130, 200, 240, 300])
    #expect(sums.pulses == 3 && sums.first == 100 && sums.last == 300)
    #expect(sums.widths == Spans(count: 2, total: 70))
    #expect(sums.cycles == Spans(count: 2, total: 200) && sums.highTime == 70)
    #expect(sums.isHigh && sums.since == 300)
  }

  @Test("a pulse whose beginning was not seen counts for nothing")
  func begun() {
    var sums = PulseSums(isHigh: true, at: 50)
    #expect(sums.isHigh && sums.since == 50)
    sums.take(isRising: false, at: 100)
    sums.take(isRising: true, at: 200)
    #expect(sums.pulses == 1 && sums.widths == Spans() && sums.cycles == Spans())
  }

  @Test("a cycle of which an edge was lost is not among the sums, and a lost pulse is where each edge is one")
  func lost() {
    var both = sums([100, 130])
    both.lose(3, arePulses: false, before: 200)
    for (time, isRising) in [(200, true), (230, false), (300, true)] as [(Int64, Bool)] {
      both.take(isRising: isRising, at: time)
    }
    #expect(both.pulses == 3 && both.cycles == Spans(count: 1, total: 100) && both.widths == Spans(count: 2, total: 60))
    var rises = PulseSums(isHigh: false, at: 0)
    rises.take(isRising: true, at: 100)
    rises.lose(4, arePulses: true, before: 500)
    #expect(rises.pulses == 5 && rises.last == 500)
  }

  @Test("two edges of one direction make no cycle: the one between them was not seen")
  func twice() {
    var sums = PulseSums(isHigh: false, at: 0)
    for (time, isRising) in [(100, true), (130, false), (190, false), (200, true), (210, true), (230, false)]
      as [(Int64, Bool)]
    {
      sums.take(isRising: isRising, at: time)
    }
    #expect(sums.cycles == Spans() && sums.widths == Spans(count: 2, total: 50) && sums.pulses == 3)
  }

  @Test("after a look another pulse is the first")
  func marked() {
    var sums = sums([100, 130])
    sums.mark()
    #expect(sums.first == nil && sums.last == 100)
    sums.take(isRising: true, at: 200)
    sums.take(isRising: true, at: 300)
    #expect(sums.first == 200)
  }

  @Test("sums go on behind those of a request that is gone")
  func following() {
    var earlier = PulseCount(pulses: 3)
    (earlier.widths, earlier.cycles, earlier.highTime) = (Spans(count: 2, total: 5), Spans(count: 1, total: 9), 4)
    var count = PulseCount(pulses: 1)
    (count.widths, count.cycles, count.highTime) = (Spans(count: 1, total: 1), Spans(count: 1, total: 2), 1)
    count = count.following(earlier)
    #expect(count.pulses == 4 && count.widths == Spans(count: 3, total: 6))
    #expect(count.cycles == Spans(count: 2, total: 11) && count.highTime == 5)
  }
}
