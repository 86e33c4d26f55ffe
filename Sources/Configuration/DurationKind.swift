import LimpetText
import Measuring

/// Durations as a configuration has them.
package struct WrittenDuration {
  static var units: [(name: String, nanoseconds: Int64)] { DurationText.units }

  /// For arguments of commands.
  package static func argument(_ text: String) throws(ArgumentError) -> Duration {
    try DurationText.parse(text)
  }

  /// See `DurationText.parse`.
  static func parse(_ text: String, unit: String, words: [String] = []) throws(Mismatch) -> Duration {
    do throws(ArgumentError) { return try DurationText.parse(text, unit: unit, words: words) } catch {
      throw Mismatch(message: error.description)
    }
  }

  /// The shortest way to write a duration, for messages: `1h30m`, `500ms`, `0s`.
  static func text(_ duration: Duration) -> String {
    let (seconds, attoseconds) = duration.components
    var text = ""
    var rest = seconds
    // Without weeks: people say 14 days.
    for unit in units where unit.nanoseconds >= 1_000_000_000 && unit.name != "w" {
      let size = unit.nanoseconds / 1_000_000_000
      if rest / size > 0 { text += "\(rest / size)\(unit.name)" }
      rest %= size
    }
    let microseconds = attoseconds / 1_000_000_000_000
    if microseconds % 1000 != 0 {
      text += "\(microseconds)us"
    } else if microseconds != 0 {
      text += "\(microseconds / 1000)ms"
    }
    return text.isEmpty ? "0s" : text
  }
}

extension ValueKind where Value == Duration {
  /// - Parameters:
  ///   - wholeSeconds: MQTT counts these in seconds.
  ///   - orZero: 0 is allowed although the range begins above it.
  ///   - unit: to suggest where none was written.
  package static func duration(
    _ range: ClosedRange<Duration>, wholeSeconds: Bool = false, orZero: Bool = false, unit: String = "s",
    words: [String] = []
  ) -> Self {
    let shape = Declaration.Shape.duration(range, orZero: orZero, wholeSeconds: wholeSeconds, words: words)
    return ValueKind(shape) { text throws(Mismatch) in
      let value = try WrittenDuration.parse(text, unit: unit, words: words)
      if orZero, value == .zero { return value }
      guard range.contains(value) else {
        let bounds = "\(WrittenDuration.text(range.lowerBound)) to \(WrittenDuration.text(range.upperBound))"
        throw Mismatch(message: "\(quoted(text)) is out of range; write \(orZero ? "0s, or " : "")\(bounds)")
      }
      guard !wholeSeconds || value.components.attoseconds == 0 else {
        throw Mismatch(message: "\(quoted(text)) is not whole seconds; MQTT counts it in seconds")
      }
      return value
    }
  }
}

extension Duration {
  package static func minutes(_ count: Int) -> Duration { .seconds(count * 60) }
  static func hours(_ count: Int) -> Duration { .minutes(count * 60) }
  package static func days(_ count: Int) -> Duration { .hours(count * 24) }
}
