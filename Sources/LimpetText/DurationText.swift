/// Durations as they are written: `5s`, `20ms`, `1.5h`, `7d`, `1h30m`. Units are us, ms, s, m, h, d and w.
package enum DurationText {
  /// Longest first; the names are what a file says.
  package static let units: [(name: String, nanoseconds: Int64)] = [
    ("w", 604_800_000_000_000), ("d", 86_400_000_000_000), ("h", 3_600_000_000_000), ("m", 60_000_000_000),
    ("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1000),
  ]

  private static let synonyms = [
    "µs": "us", "μs": "us", "usec": "us", "msec": "ms", "sec": "s", "secs": "s", "second": "s", "seconds": "s",
    "min": "m", "mins": "m", "minute": "m", "minutes": "m", "hr": "h", "hour": "h", "hours": "h", "day": "d",
    "days": "d", "week": "w", "weeks": "w",
  ]

  /// - Parameters:
  ///   - unit: the one to suggest for a bare number.
  ///   - words: what may be written instead.
  package static func parse(
    _ text: String, unit: String = "s", words: [String] = []
  ) throws(ArgumentError) -> Duration {
    let general = ArgumentError(
      description:
        "\(quoted(text)) is not a duration; write a number and a unit (us ms s m h d w), such as 30s or 1h30m"
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
        throw ArgumentError(
          description: "\(quoted(text)) has no unit; write \(isFew ? "\(text)s or " : "")\(text)\(unit)")
      }
      // Larger units first, each once: `30m1h` is more likely a slip than meant.
      guard let index = units.firstIndex(where: { $0.name == name }) else {
        let lowered = name.trimmingSpaces.lowercased()
        let near = synonyms[lowered] ?? units.first { $0.name == lowered }?.name
        guard let near else { throw general }
        let isSpace = name.trimmingSpaces != name
        throw ArgumentError(
          description: isSpace
            ? "\(quoted(text)) has a space before the unit; write the number and \(near) together"
            : "unit \(quoted(name)) is not known; write \(near)")
      }
      guard index >= smallest else { throw general }
      smallest = index + 1
      guard let nanoseconds = quantity.times(units[index].nanoseconds) else {
        throw ArgumentError(description: "\(quoted(text)) is too long or too fine; write 1ns to 292 years")
      }
      let (sum, isOver) = total.addingReportingOverflow(nanoseconds)
      guard !isOver else { throw ArgumentError(description: "\(quoted(text)) is too long; write less than 292 years") }
      total = sum
    }
    guard smallest > units.startIndex else { throw general }
    return .nanoseconds(total)
  }
}

extension String {
  package var trimmingSpaces: String {
    var rest = Substring(self)
    while rest.first == " " { rest.removeFirst() }
    while rest.last == " " { rest.removeLast() }
    return String(rest)
  }
}
