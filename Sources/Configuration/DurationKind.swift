import LimpetText
import Measuring

/// Durations as they are written: `5s`, `20ms`, `1.5h`, `7d`, `1h30m`. Units are us, ms, s, m, h, d and w.
package struct WrittenDuration {
  /// Longest first; the names are what a file says.
  static let units: [(name: String, nanoseconds: Int64)] = [
    ("w", 604_800_000_000_000), ("d", 86_400_000_000_000), ("h", 3_600_000_000_000), ("m", 60_000_000_000),
    ("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1000),
  ]

  private static let synonyms = [
    "µs": "us", "μs": "us", "usec": "us", "msec": "ms", "sec": "s", "secs": "s", "second": "s", "seconds": "s",
    "min": "m", "mins": "m", "minute": "m", "minutes": "m", "hr": "h", "hour": "h", "hours": "h", "day": "d",
    "days": "d", "week": "w", "weeks": "w",
  ]

  /// For arguments of commands.
  package static func argument(_ text: String) throws(ArgumentError) -> Duration {
    do throws(Mismatch) { return try parse(text, unit: "s") } catch { throw ArgumentError(description: error.message) }
  }

  /// - Parameters:
  ///   - unit: the one to suggest for a bare number.
  ///   - words: what may be written instead.
  static func parse(_ text: String, unit: String, words: [String] = []) throws(Mismatch) -> Duration {
    let general = Mismatch(
      message: "\(quoted(text)) is not a duration; write a number and a unit (us ms s m h d w), such as 30s or 1h30m"
        + words.map { ", or \($0)" }.joined())
    var rest = Substring(text).unicodeScalars
    var total: Int64 = 0
    var smallest = units.startIndex
    while !rest.isEmpty {
      guard let quantity = Quantity(from: &rest) else { throw general }
      let name = String(String.UnicodeScalarView(rest.prefix { !$0.isDigit && $0 != "." }))
      rest = rest.dropFirst(name.unicodeScalars.count)
      if name.isEmpty {
        guard rest.isEmpty, total == 0, smallest == units.startIndex else { throw general }
        if quantity.isZero { return .zero }
        let isFew = unit == "ms" && quantity.times(1).map { $0 < 10 } ?? true
        throw Mismatch(message: "\(quoted(text)) has no unit; write \(isFew ? "\(text)s or " : "")\(text)\(unit)")
      }
      // Larger units first, each once: `30m1h` is more likely a slip than meant.
      guard let index = units.firstIndex(where: { $0.name == name }) else {
        let lowered = name.trimmingSpaces.lowercased()
        let near = synonyms[lowered] ?? units.first { $0.name == lowered }?.name
        guard let near else { throw general }
        let isSpace = name.trimmingSpaces != name
        throw Mismatch(
          message: isSpace
            ? "\(quoted(text)) has a space before the unit; write the number and \(near) together"
            : "unit \(quoted(name)) is not known; write \(near)")
      }
      guard index >= smallest else { throw general }
      smallest = index + 1
      guard let nanoseconds = quantity.times(units[index].nanoseconds) else {
        throw Mismatch(message: "\(quoted(text)) is too long or too fine; write 1ns to 292 years")
      }
      let (sum, isOver) = total.addingReportingOverflow(nanoseconds)
      guard !isOver else { throw Mismatch(message: "\(quoted(text)) is too long; write less than 292 years") }
      total = sum
    }
    guard smallest > units.startIndex else { throw general }
    return .nanoseconds(total)
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

extension String {
  var trimmingSpaces: String {
    var rest = Substring(self)
    while rest.first == " " { rest.removeFirst() }
    while rest.last == " " { rest.removeLast() }
    return String(rest)
  }
}
