/// Where all chance of a run comes from (SplitMix64: Steele, Lea and Flood 2014).
///
/// What is drawn is a function of the seed and of names and numbers that the caller gives, never of how often somebody
/// drew before: an action that is taken out of a script shifts nobody else's luck.
package struct Seed: Sendable, Hashable, CustomStringConvertible {
  package let value: UInt64

  package init(_ value: UInt64) { self.value = value }

  /// A seed of its own for a part of the world.
  package func of(_ part: UInt64) -> Seed { Seed(Self.mix(value &+ Self.step &* (part &+ 1))) }

  /// A seed of its own for the thing with that number in a part of the world.
  package func of(_ part: UInt64, _ number: UInt64) -> Seed { of(part).of(number) }

  /// A number from 0 to below `bound`; 0 where that is 0.
  package func number(below bound: UInt64) -> UInt64 {
    Self.mix(value).multipliedFullWidth(by: bound).high
  }

  /// A length from zero up to `longest`, in whole nanoseconds.
  package func duration(upTo longest: Duration) -> Duration {
    .nanoseconds(Int64(number(below: UInt64(max(0, longest.wholeNanoseconds)) + 1)))
  }

  /// True so many times in a thousand.
  package func isTrue(perMille: UInt64) -> Bool { number(below: 1000) < perMille }

  /// A sequence of numbers, where one draws many.
  package var generator: SeededGenerator { SeededGenerator(state: value) }

  package var description: String { "0x" + String(value, radix: 16) }

  static let step: UInt64 = 0x9e37_79b9_7f4a_7c15

  static func mix(_ state: UInt64) -> UInt64 {
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}

/// SplitMix64 as a generator.
package struct SeededGenerator: RandomNumberGenerator, Sendable {
  fileprivate var state: UInt64

  package mutating func next() -> UInt64 {
    state &+= Seed.step
    return Seed.mix(state)
  }

  /// A number from 0 to below `bound`; 0 where that is 0.
  package mutating func number(below bound: UInt64) -> UInt64 { next().multipliedFullWidth(by: bound).high }

  /// A length between two, each order of magnitude as likely as the next: a power of two is drawn, then a place between
  /// it and the one above. Whole numbers alone, so that every processor draws the same.
  package mutating func duration(from shortest: Duration, to longest: Duration) -> Duration {
    let low = UInt64(max(1, shortest.wholeNanoseconds))
    let high = max(low, UInt64(max(1, longest.wholeNanoseconds)))
    let least = UInt64(UInt64.bitWidth - 1 - low.leadingZeroBitCount)
    let most = UInt64(UInt64.bitWidth - 1 - high.leadingZeroBitCount)
    let power = least + number(below: most - least + 1)
    let floor = UInt64(1) << power
    let drawn = floor + number(below: floor)
    return .nanoseconds(Int64(min(max(drawn, low), high)))
  }
}
