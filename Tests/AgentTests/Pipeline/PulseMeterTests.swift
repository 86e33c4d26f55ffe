import Testing

@testable import LimpetInstants
@testable import Measuring
@testable import Readings

struct PulseMeterTests {
  private static let base = BootClock.Instant(nanoseconds: 1_000_000_000_000)

  /// A line that rises at each period's beginning and is high for a part of it, from `begin` to `end` seconds after the
  /// base, as it is seen at `time`, marked at `mark`.
  private func count(
    period: Double, high: Double, from begin: Double = 0, until end: Double = .infinity, at time: Double,
    mark: Double = -1
  ) -> PulseCount {
    func instant(_ seconds: Double) -> BootClock.Instant { Self.base + .nanoseconds(Int64((seconds * 1e9).rounded())) }
    var count = PulseCount()
    count.since = Self.base
    var rise = begin
    var number = 0
    while rise <= min(time, end) {
      count.pulses += 1
      count.last = instant(rise)
      if count.first == nil, rise > mark { count.first = instant(rise) }
      if number > 0 {
        count.cycles = count.cycles + PulseCount.Spans(count: 1, total: Int64((period * 1e9).rounded()))
        count.highTime += Int64((high * 1e9).rounded())
      }
      (count.isHigh, count.since) = (true, instant(rise))
      if rise + high <= time {
        count.widths = count.widths + PulseCount.Spans(count: 1, total: Int64((high * 1e9).rounded()))
        (count.isHigh, count.since) = (false, instant(rise + high))
      }
      number += 1
      rise = begin + Double(number) * period
    }
    return count
  }

  private func values(
    _ quantity: PulseMeter.Quantity, scale: Double = 1, at times: [Double], _ count: (Double, Double) -> PulseCount
  ) -> [Double?] {
    var meter = PulseMeter(quantity, scale: scale)
    meter.begin(count(0, -1), at: Self.base)
    var mark = 0.0
    return times.map { time in
      defer { mark = time }
      return meter.measure(count(time, mark), at: Self.base + .nanoseconds(Int64(time * 1e9)))
    }
  }

  private func isNear(_ value: Double?, _ right: Double, within tolerance: Double) -> Bool {
    value.map { abs($0 - right) < tolerance } ?? false
  }

  @Test("nothing is measured before the line is found")
  func unfound() {
    var meter = PulseMeter(.frequency, scale: 1)
    let value = meter.measure(PulseCount(pulses: 3), at: Self.base)
    #expect(value == nil)
  }

  @Test("a line that rose after the time that counts was taken has a width of 0, and none below")
  func roseLater() {
    var meter = PulseMeter(.width, scale: 1)
    meter.begin(PulseCount(pulses: 0), at: Self.base)
    var count = PulseCount(pulses: 1)
    (count.isHigh, count.since) = (true, Self.base + .microseconds(5_000_300))
    let value = meter.measure(count, at: Self.base + .seconds(5))
    #expect(value == 0)
  }

  @Test("frequency and duty are exact from the first interval on, whatever the interval", arguments: [0.001, 0.02, 1])
  func exact(period: Double) {
    let times = [10.0, 20, 30]
    for value in values(.frequency, at: times, { count(period: period, high: period / 4, from: 0.3, at: $0, mark: $1) })
    {
      #expect(isNear(value, 1 / period, within: 0.001 / period))
    }
    for value in values(.duty, at: times, { count(period: period, high: period / 4, from: 0.3, at: $0, mark: $1) }) {
      #expect(isNear(value, 25, within: 0.01))
    }
    for value in values(.width, at: times, { count(period: period, high: period / 4, from: 0.3, at: $0, mark: $1) }) {
      #expect(isNear(value, period / 4, within: 1e-6))
    }
  }

  @Test("a line that stands has no frequency, and the level is its duty")
  func still() {
    let low = PulseCount(since: Self.base, isHigh: false)
    let high = PulseCount(since: Self.base, isHigh: true)
    #expect(values(.frequency, at: [10, 20]) { _, _ in low } == [0, 0])
    #expect(values(.duty, at: [10, 20]) { _, _ in low } == [0, 0])
    #expect(values(.duty, at: [10, 20]) { _, _ in high } == [100, 100])
    #expect(values(.width, at: [10, 20]) { _, _ in low } == [0, 0])
    #expect(values(.width, at: [10, 20]) { _, _ in high } == [10, 20], "a pulse that goes on has its length so far")
  }

  @Test("what is slower than the interval stands until its next cycle is overdue")
  func slow() {
    let line = { (time: Double, mark: Double) in self.count(period: 36, high: 9, until: 73, at: time, mark: mark) }
    let times = (1...14).map { Double($0) * 10 }
    let frequencies = values(.frequency, at: times, line).map { ($0 ?? -1) * 36 }
    #expect(frequencies[3...9].allSatisfy { abs($0 - 1) < 0.001 }, "\(frequencies)")
    #expect(zip(frequencies[9...], frequencies[10...]).allSatisfy { $0 > $1 } && frequencies[13] > 0)
    let duties = values(.duty, at: times, line)
    // The first cycle ends at 36 s; the last at 72 s, and the level has stood from 81 s on for more than a cycle at 120 s.
    #expect(duties[0] == nil && duties[3...10].allSatisfy { $0 == 25 }, "\(duties)")
    #expect(duties[11...].allSatisfy { $0 == 0 })
    let widths = values(.width, at: times, line)
    #expect(widths[4...10].allSatisfy { $0 == 9 } && widths[11...].allSatisfy { $0 == 0 }, "\(widths)")
  }

  @Test("what starts after a pause has its own frequency at once")
  func afterPause() {
    var meter = PulseMeter(.frequency, scale: 1)
    meter.begin(PulseCount(), at: Self.base)
    let before = count(period: 1, high: 0.5, until: 9, at: 10)
    let first = meter.measure(before, at: Self.base + .seconds(10))
    #expect(isNear(first, 1, within: 0.001))
    var after = count(period: 0.1, high: 0.05, from: 3605, at: 3610, mark: 10)
    after.pulses += before.pulses
    let second = meter.measure(after, at: Self.base + .seconds(3610))
    #expect(isNear(second, 10, within: 0.001))
  }

  @Test("a look for another reason does not take the first pulse away")
  func seen() {
    var meter = PulseMeter(.frequency, scale: 1)
    meter.begin(PulseCount(), at: Self.base)
    meter.see(count(period: 0.1, high: 0.05, from: 5, at: 6, mark: 0))
    let later = count(period: 0.1, high: 0.05, from: 5, at: 10, mark: 6)
    let value = meter.measure(later, at: Self.base + .seconds(10))
    #expect(isNear(value, 10, within: 0.001))
  }

  @Test("another unit is another factor, rounded to millionths")
  func scaled() {
    let values = values(.frequency, scale: 60.0 / 2, at: [10]) {
      self.count(period: 0.07, high: 0.01, at: $0, mark: $1)
    }
    #expect(values == [428.571429])
  }
}

extension PulseCount {
  fileprivate init(since: BootClock.Instant, isHigh: Bool) {
    self.init()
    self.since = since
    self.isHigh = isHigh
  }
}
