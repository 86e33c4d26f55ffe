import Sensing

/// Decides which samples of one sensor become readings: all of them, or those that moved far enough, and one whenever
/// the last is older than `maxAge`. A change between good and bad, and another reason for bad, always is one.
struct ReadingPolicy {
  private let change: SensorConfiguration.Change?
  private let maxAge: Duration?
  private var last: (content: Reading.Content, time: ContinuousClock.Instant)?

  init(change: SensorConfiguration.Change?, maxAge: Duration?) {
    self.change = change
    self.maxAge = maxAge
  }

  mutating func publishes(_ content: Reading.Content, at time: ContinuousClock.Instant) -> Bool {
    guard let last, let change, !isTooOld(last.time, at: time), !moved(from: last.content, to: content, change) else {
      last = (content, time)
      return true
    }
    return false
  }

  private func isTooOld(_ last: ContinuousClock.Instant, at time: ContinuousClock.Instant) -> Bool {
    maxAge.map { last.duration(to: time) >= $0 } ?? false
  }

  private func moved(
    from old: Reading.Content, to new: Reading.Content, _ change: SensorConfiguration.Change
  ) -> Bool {
    guard case .good(let old) = old, case .good(let new) = new, let old = old.number, let new = new.number else {
      return old != new
    }
    let step =
      switch change {
      case .absolute(let step): step
      case .percent(let percent): abs(old) * percent / 100
      }
    // A millionth may be missing: decimal numbers are off by a little as binary fractions, and 0.3 - 0.2 is below 0.1.
    return new != old && abs(new - old) >= step * 0.999_999
  }
}

extension Value {
  /// The value as a number, where it is one.
  var number: Double? {
    switch self {
    case .number(let value): value
    case .integer(let value): Double(value)
    case .text, .flag: nil
    }
  }

  /// value × scale + offset. A scale like 0.001 divides by 1000: that rounds once and gives the decimal that was meant.
  func calibrated(scale: Double, offset: Double) -> Value {
    guard scale != 1 || offset != 0, let number else { return self }
    let divisor = (1 / scale).rounded()
    let scaled = abs(scale) < 1 && abs(1 / scale - divisor) < 1e-9 ? number / divisor : number * scale
    return .number(scaled + offset)
  }
}
