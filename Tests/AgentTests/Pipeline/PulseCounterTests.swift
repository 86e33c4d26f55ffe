import Instants
import Testing

@testable import Instants
@testable import Platform
@testable import Readings
@testable import Records

struct PulseCounterTests {
  private static let base = BootClock.now
  private var random = SplitMix64(seed: 1)

  private mutating func counter(_ stored: StoredCount? = nil, scale: Double = 1) -> PulseCounter {
    PulseCounter(stored: stored, scale: scale, using: &random)
  }

  @Test("a total goes on from what was stored, in the same generation")
  mutating func goesOn() {
    var counter = counter(StoredCount(pulses: 1000, generation: 7), scale: 0.5)
    let total = counter.total(3, at: Self.base)
    #expect(total == Reading.Total(value: 501.5, rate: 0, generation: 7))
    #expect(counter.stored(3) == StoredCount(pulses: 1003, generation: 7))
  }

  @Test("a counter that begins anew has a generation of its own")
  mutating func anew() {
    let (first, second) = (counter(), counter())
    #expect(first.generation != second.generation)
    #expect(first.generation > 0)
    #expect(first.stored(0).pulses == 0)
  }

  @Test("the rate is that since the last total, in units a second")
  mutating func rate() {
    var counter = counter(scale: 0.5)
    #expect(counter.total(0, at: Self.base).rate == 0)
    #expect(counter.total(40, at: Self.base + .seconds(10)).rate == 2)
    #expect(counter.total(40, at: Self.base + .seconds(20)).rate == 0)
    #expect(counter.total(43, at: Self.base + .milliseconds(20_500)).rate == 3)
    // No time, no rate.
    #expect(counter.total(50, at: Self.base + .milliseconds(20_500)).rate == 0)
  }

  @Test("a total has the decimals of its scale, and no others")
  mutating func decimals() {
    var counter = counter(scale: 0.1)
    #expect(counter.total(3, at: Self.base).value == 0.3)
    #expect(counter.total(12_345_678, at: Self.base).value == 1_234_567.8)
  }
}
