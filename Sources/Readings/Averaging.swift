import LimpetInstants
import LimpetText
import Measuring

/// Makes one value of the samples of a window; windows follow each other, none overlap.
///
/// Samples that could not be read are left out, unless there are no others.
package struct Averaging {
  private let statistic: Average.Statistic
  private let window: Duration
  private let interval: Duration
  private var started: BootClock.Instant?
  private var numbers: [Double] = []
  private var doubt: Doubt?
  private var failure: Reading.Content?

  package init(_ average: Average, interval: Duration) {
    statistic = average.statistic
    window = average.window
    self.interval = interval
  }

  /// Takes a sample; the last one of a window returns the window's value.
  package mutating func take(_ content: Reading.Content, at time: BootClock.Instant) -> Reading.Content? {
    let start = started ?? time
    started = start
    if let (value, doubt) = content.measured, let number = value.number {
      if numbers.count < Average.sampleLimit { numbers.append(number) }
      self.doubt = doubt ?? self.doubt
    } else {
      failure = content.measured == nil ? content : .bad("no number, so there is no average of it")
    }
    // Reads take a little longer or shorter each time: half an interval allows for that.
    guard start.duration(to: time) + interval * 3 / 2 > window else { return nil }
    defer {
      started = nil
      numbers.removeAll(keepingCapacity: true)
      (doubt, failure) = (nil, nil)
    }
    return value.map { Reading.Content(.number($0), doubt) } ?? failure
  }

  private var value: Double? {
    guard !numbers.isEmpty else { return nil }
    switch statistic {
    case .min: return numbers.min()
    case .max: return numbers.max()
    case .mean: return mean(of: numbers[...])
    case .median:
      let sorted = numbers.sorted()
      return mean(of: sorted[((sorted.count - 1) / 2)...(sorted.count / 2)])
    }
  }

  /// With two digits more than the samples have: more would be the noise of binary fractions.
  private func mean(of numbers: ArraySlice<Double>) -> Double {
    let exact = numbers.reduce(0) { $0 + $1 / Double(numbers.count) }
    let decimals = numbers.reduce(0) { Swift.max($0, $1.decimals ?? 16) }
    return exact.rounded(decimals: decimals + 2)
  }
}
