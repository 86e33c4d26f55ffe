import LimpetInstants
import Testing

@testable import Sensing

@Suite struct TokenBucketTests {
  private let second: Int64 = 1_000_000_000

  @Test("it is full at first, and again after a quiet time")
  func burst() {
    var bucket = TokenBucket(rate: 2000, burst: 1000, at: 0)
    #expect(bucket.available(at: 0) == 1000)
    bucket.take(1000)
    #expect(bucket.available(at: 0) == 0)
    #expect(bucket.available(at: second / 4) == 500)
    #expect(bucket.available(at: 3600 * 24 * 365 * 100 * second) == 1000)
  }

  @Test("over a long time it lets through its rate, whatever the rhythm", arguments: [1, 3, 7, 50, 2000, 100_000])
  func rate(rate: Int) {
    var bucket = TokenBucket(rate: rate, burst: 2, at: 0)
    var taken = 0
    for step in 0...Int64(rate) * 20 {
      let count = bucket.available(at: step * second * 10 / (Int64(rate) * 20))
      bucket.take(count)
      taken += count
    }
    #expect((rate * 10 - 1...rate * 10 + 2).contains(taken))
  }

  @Test("it says when there will be tokens, not a nanosecond too early")
  func time() {
    var bucket = TokenBucket(rate: 3, burst: 10, at: 0)
    bucket.take(10)
    let time = bucket.time(of: 2)
    #expect(bucket.available(at: time - 1) == 1)
    #expect(bucket.available(at: time) == 2)
    #expect(bucket.time(of: 1000) == bucket.time(of: 10))
  }

  @Test("a clock that stands still or goes back gives nothing away")
  func backwards() {
    var bucket = TokenBucket(rate: 1000, burst: 10, at: second)
    bucket.take(10)
    #expect(bucket.available(at: 0) == 0)
    #expect(bucket.available(at: second) == 0)
    #expect(bucket.available(at: second + 1_000_000) == 1)
  }
}
