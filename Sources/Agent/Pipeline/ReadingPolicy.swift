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
    // Reads take a little longer or shorter each time; without a margin one that was quick would wait an interval more.
    maxAge.map { last.duration(to: time) >= $0 - $0 / 100 } ?? false
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

  /// value × scale + offset, rounded to the decimals that the three have together: 300 - 273.15 is 26.85, where binary
  /// fractions give 26.850000000000023.
  func calibrated(scale: Double, offset: Double) -> Value {
    guard scale != 1 || offset != 0, let number else { return self }
    let exact = number * scale + offset
    guard let valueDecimals = number.decimals, let scaleDecimals = scale.decimals, let offsetDecimals = offset.decimals
    else { return .number(exact) }
    let decimals = max(valueDecimals + scaleDecimals, offsetDecimals)
    let power = (0..<decimals).reduce(1.0) { power, _ in power * 10 }
    // Beyond 15 digits a Double has no decimals left to round.
    guard decimals <= 15, abs(exact) * power < 1e15 else { return .number(exact) }
    return .number((exact * power).rounded() / power)
  }
}

extension Double {
  /// How many digits the shortest decimal of this number has behind its point; nil where it takes an exponent.
  fileprivate var decimals: Int? {
    let text = description
    guard isFinite, !text.contains("e") else { return nil }
    let fraction = text.split(separator: ".").dropFirst().first ?? ""
    return fraction == "0" ? 0 : fraction.count
  }
}
