import LimpetInstants
import LimpetText
import Measuring

/// Decides which samples of one sensor become readings: all of them, or those that moved far enough, and one whenever
/// the last is older than `maxAge`. A change between good and bad, or of the reason for bad, always becomes one.
package struct ReadingPolicy {
  private let change: ChangeThreshold?
  private let maxAge: Duration?
  private var last: (content: Reading.Content, time: BootClock.Instant)?

  package init(change: ChangeThreshold?, maxAge: Duration?) {
    self.change = change
    self.maxAge = maxAge
  }

  package mutating func publishes(_ content: Reading.Content, at time: BootClock.Instant) -> Bool {
    guard let last, let change, !isTooOld(last.time, at: time), !moved(from: last.content, to: content, change) else {
      last = (content, time)
      return true
    }
    return false
  }

  private func isTooOld(_ last: BootClock.Instant, at time: BootClock.Instant) -> Bool {
    // Reads take a little longer or shorter each time; without a margin a quick one would wait an interval more.
    maxAge.map { last.duration(to: time) >= $0 - $0 / 100 } ?? false
  }

  private func moved(
    from old: Reading.Content, to new: Reading.Content, _ change: ChangeThreshold
  ) -> Bool {
    guard let (old, oldDoubt) = old.measured, let (new, newDoubt) = new.measured, oldDoubt == newDoubt else {
      return old != new
    }
    return moved(from: old, to: new, change)
  }

  /// Whether at least one of the channels has changed.
  private func moved(from old: Value, to new: Value, _ change: ChangeThreshold) -> Bool {
    if case .channels(let old) = old, case .channels(let new) = new, old.map(\.name) == new.map(\.name) {
      return zip(old, new).contains { old, new in
        guard let old = old.value, let new = new.value else { return old.value != new.value }
        return moved(from: old, to: new, change)
      }
    }
    guard let old = old.number, let new = new.number else { return old != new }
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
  /// value × scale + offset, rounded to the decimals that the three have together: 300 - 273.15 is 26.85, where binary
  /// fractions give 26.850000000000023.
  func calibrated(scale: Double, offset: Double) -> Value {
    guard scale != 1 || offset != 0, let number else { return self }
    let exact = number * scale + offset
    guard let valueDecimals = number.decimals, let scaleDecimals = scale.decimals, let offsetDecimals = offset.decimals
    else { return .number(exact) }
    return .number(exact.rounded(decimals: max(valueDecimals + scaleDecimals, offsetDecimals)))
  }
}
