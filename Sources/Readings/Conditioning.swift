import LimpetText
import Measuring

/// Makes the value to publish from the measured one: it maps texts, calibrates numbers and checks them against their
/// range.
package struct Conditioning: Sendable, Equatable {
  /// The values of texts, and of numbers as they are printed; empty: nothing is mapped.
  package var map: [String: Value] = [:]
  /// value = read × scale + offset.
  package var scale = 1.0
  package var offset = 0.0
  package var range: ValueRange?

  package init(map: [String: Value] = [:], scale: Double = 1, offset: Double = 0, range: ValueRange? = nil) {
    self.map = map
    self.scale = scale
    self.offset = offset
    self.range = range
  }

  package func content(of measurement: Measurement) -> Reading.Content {
    var value = measurement.value
    if !map.isEmpty {
      let text = value.mapKey
      guard let meaning = map[text] else { return .bad("\(quoted(text)) is not in map") }
      value = meaning
    }
    value = value.calibrated(scale: scale, offset: offset)
    guard let number = value.number else { return Reading.Content(value, measurement.doubt) }
    guard number.isFinite else { return .bad("scale and offset make the value too large for a number") }
    if let range, !range.contains(number) {
      return .bad("\(number.shortestDecimal) is outside of range, \(range)")
    }
    return Reading.Content(value, measurement.doubt)
  }
}

extension ValueRange: CustomStringConvertible {
  package func contains(_ number: Double) -> Bool {
    (min.map { number >= $0 } ?? true) && (max.map { number <= $0 } ?? true)
  }

  public var description: String {
    switch (min, max) {
    case (let min?, let max?): "\(min.shortestDecimal) to \(max.shortestDecimal)"
    case (let min?, nil): "from \(min.shortestDecimal)"
    case (nil, let max?): "up to \(max.shortestDecimal)"
    case (nil, nil): "any"
    }
  }
}

extension Value {
  /// The key of a value in a map: numbers as JSON has them.
  fileprivate var mapKey: String { number.map(\.shortestDecimal) ?? description }

  /// Rounded to this many digits behind the point.
  package func rounded(decimals: Int) -> Value {
    switch self {
    case .number(let number): .number(number.rounded(decimals: decimals))
    case .channels(let channels):
      .channels(channels.map { ChannelValue($0.name, $0.value?.rounded(decimals: decimals), unit: $0.unit) })
    case .integer, .text, .flag: self
    }
  }
}

extension Reading.Content {
  package func rounded(decimals: Int) -> Reading.Content {
    measured.map { Reading.Content($0.value.rounded(decimals: decimals), $0.doubt) } ?? self
  }
}
