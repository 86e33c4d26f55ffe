import Testing

@testable import LimpetInstants
@testable import Measuring
@testable import Readings
@testable import Records

struct StepCounterTests {
  private static let base = BootClock.Instant(nanoseconds: 1_000_000_000_000)
  private var random = SplitMix64(seed: 1)

  private mutating func counter(_ stored: StoredCount? = nil, _ steps: Int = 1, scale: Double = 1) -> StepCounter {
    StepCounter(stored: stored, stepsPerPeriod: steps, scale: scale, using: &random)
  }

  private func count(_ position: Int64, missed: UInt64 = 0) -> PulseCount {
    var count = PulseCount()
    (count.position, count.missed) = (position, missed)
    return count
  }

  @Test(
    "a step is a period, a half or a quarter of one, and who trembles on a step does not move",
    arguments: [
      (1, [0, 0, 1, 1, 1, 1, 2], [0, 0, -1, -1]), (2, [0, 1, 1, 2, 2, 3, 3], [0, 0, -1, -1]),
      (4, [0, 1, 2, 3, 4, 5, 6], [0, -1, -2, -3]),
    ] as [(Int, [Double], [Double])])
  mutating func steps(per period: Int, forwards: [Double], backwards: [Double]) {
    var counter = counter(nil, period)
    let up = (0..<7).map { counter.total(count($0), at: Self.base).value }
    #expect(up == forwards)
    // Half of a period backwards is still the step before.
    let down = (0..<4).map { counter.total(count(-$0), at: Self.base).value }
    #expect(down[0] == 0 && down[3] == backwards[3] && zip(down, down.dropFirst()).allSatisfy { $0 >= $1 })
  }

  @Test(
    "a position goes on from what was stored, above and below zero",
    arguments: [0, 1, -1, 7, -8, 1_000_000, -1_000_000])
  mutating func stored(steps: Int64) {
    var first = counter()
    _ = first.total(count(steps * 4), at: Self.base)
    let stored = first.stored(count(steps * 4))
    var second = counter(stored)
    let total = second.total(count(0), at: Self.base)
    #expect(total.value == Double(steps))
    #expect(second.generation == first.generation && second.stored(count(0)) == stored)
    #expect(stored.pulses < UInt64(Int64.max))
  }

  @Test("the rate has the direction")
  mutating func rate() {
    var counter = counter(scale: 0.5)
    #expect(counter.total(count(0), at: Self.base).rate == 0)
    #expect(counter.total(count(40), at: Self.base + .seconds(2)).rate == 2.5)
    #expect(counter.total(count(0), at: Self.base + .seconds(4)).rate == -2.5)
  }

  @Test("what was missed is told once")
  mutating func missed() {
    var counter = counter()
    let missed = [3, 3, 5].map { counter.takeMissed(count(0, missed: $0)) }
    #expect(missed == [3, 0, 2])
  }
}
