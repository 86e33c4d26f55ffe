import LimpetInstants
import Testing

@testable import LimpetInstants
@testable import LimpetPlatform
@testable import Measuring
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
    let total = counter.total(PulseCount(pulses: 3), at: Self.base)
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
    #expect(counter.total(PulseCount(pulses: 0), at: Self.base).rate == 0)
    #expect(counter.total(PulseCount(pulses: 40), at: Self.base + .seconds(10)).rate == 2)
    #expect(counter.total(PulseCount(pulses: 40), at: Self.base + .seconds(20)).rate == 0)
    #expect(counter.total(PulseCount(pulses: 43), at: Self.base + .milliseconds(20_500)).rate == 3)
    // No time, no rate.
    #expect(counter.total(PulseCount(pulses: 50), at: Self.base + .milliseconds(20_500)).rate == 0)
  }

  @Test("a total has the decimals of its scale, and no others")
  mutating func decimals() {
    var counter = counter(scale: 0.1)
    #expect(counter.total(PulseCount(pulses: 3), at: Self.base).value == 0.3)
    #expect(counter.total(PulseCount(pulses: 12_345_678), at: Self.base).value == 1_234_567.8)
  }

  @Test("a slow meter has one rate in every total, and less when no pulse comes in time")
  mutating func slow() {
    // 100 W: 1,000 pulses a kWh make one in 36 s.
    var counter = counter(scale: 3_600_000 / 1000)
    let rates = (0...30).map { round in
      let time = Self.base + .seconds(10 * round)
      let pulses = min(round * 10 / 36, 5)
      let last = pulses == 0 ? nil : Self.base + .seconds(36 * pulses)
      return counter.total(PulseCount(pulses: UInt64(pulses), last: last), at: time).rate
    }
    #expect(rates[8...21].allSatisfy { abs($0 - 100) < 0.001 })
    // The last came at 180 s: at 220 s the next is late, and at 300 s there is less than a pulse in 120 s.
    #expect(abs(rates[22] - 90) < 0.001 && abs(rates[30] - 30) < 0.001)
    #expect(zip(rates[21...], rates[22...]).allSatisfy { $0 > $1 })
  }

  @Test("a counter that goes down has a rate below zero that rises towards it")
  mutating func falling() {
    var counter = counter(scale: -2)
    _ = counter.total(PulseCount(pulses: 1, last: Self.base), at: Self.base)
    let second = PulseCount(pulses: 2, last: Self.base + .seconds(4))
    #expect(counter.total(second, at: Self.base + .seconds(5)).rate == -0.5)
    #expect(counter.total(second, at: Self.base + .seconds(12)).rate == -0.25)
  }

  @Test("a fast meter is not slower for what is not counted yet")
  mutating func fast() {
    var counter = counter(scale: 0.5)
    // 500 pulses a second, of which the last 20 ms are yet to be counted.
    let rates = (1...6).map { round in
      let pulse = Self.base + .milliseconds(500 * round - 20)
      let count = PulseCount(pulses: UInt64(250 * round - 10), last: pulse)
      return counter.total(count, at: Self.base + .milliseconds(500 * round)).rate
    }
    #expect(rates.first == 0 && rates.dropFirst().allSatisfy { abs($0 - 250) < 0.001 }, "\(rates)")
    let count = PulseCount(pulses: 1490, last: Self.base + .milliseconds(2980))
    #expect(counter.total(count, at: Self.base + .milliseconds(3980)).rate == 0.5)
  }
}
