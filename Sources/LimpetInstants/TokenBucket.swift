/// Lets so many through a second on average, and more at once after a quiet time.
package struct TokenBucket: Sendable {
  private let rate: Int64
  private let burst: Int64
  /// In tokens times nanoseconds a second, so that nothing is rounded.
  private var level: Int64
  private var last: Int64

  private static let second: Int64 = 1_000_000_000

  /// - Parameters:
  ///   - rate: tokens a second, 1 to 1,000,000.
  ///   - burst: tokens that are there at most, and at first, 1 to 1,000,000.
  ///   - now: CLOCK_MONOTONIC, in nanoseconds.
  package init(rate: Int, burst: Int, at now: Int64) {
    self.rate = Int64(rate)
    self.burst = Int64(burst)
    level = Int64(burst) * Self.second
    last = now
  }

  /// Whole tokens that are there.
  package mutating func available(at now: Int64) -> Int {
    // After a long time it is full: bounded first, or the product overflows.
    let passed = min(max(0, now - last), burst * Self.second / rate + 1)
    level = min(burst * Self.second, level + passed * rate)
    last = max(last, now)
    return Int(level / Self.second)
  }

  /// Takes tokens that are there.
  package mutating func take(_ count: Int) { level -= Int64(count) * Self.second }

  /// When `count` tokens, at most a full bucket, will be there.
  package func time(of count: Int) -> Int64 {
    let missing = min(Int64(count), burst) * Self.second - level
    return last + max(0, (missing + rate - 1) / rate)
  }
}
