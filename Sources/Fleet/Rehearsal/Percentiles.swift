import LimpetInstants

/// Counts of durations, for percentiles: a table of fixed size, however many are counted. Its results are at most 3 %
/// too long, to the microsecond.
struct Percentiles: Sendable {
  private static let steps = 32
  /// More than an hour is counted as the longest there is.
  private static let limit: UInt64 = 1 << 32
  private var counts = [UInt32](repeating: 0, count: Self.place(of: Self.limit) + 1)
  private(set) var count: UInt64 = 0
  private(set) var longest = Duration.zero

  mutating func add(_ duration: Duration) {
    longest = max(longest, duration)
    count += 1
    let place = Self.place(of: min(UInt64(max(0, duration.wholeNanoseconds / 1000)), Self.limit))
    if counts[place] < .max { counts[place] += 1 }
  }

  /// No less than this share of all were as short; nil: there is none.
  ///
  /// - Parameter share: 0...1.
  func duration(at share: Double) -> Duration? {
    guard count > 0 else { return nil }
    let wanted = max(1, UInt64((Double(count) * share).rounded(.up)))
    var sum: UInt64 = 0
    for (place, count) in counts.enumerated() {
      sum += UInt64(count)
      if sum >= wanted { return min(longest, .microseconds(Int64(Self.end(of: place)))) }
    }
    return longest
  }

  /// Exact below 32 µs; then 32 places for each doubling.
  private static func place(of microseconds: UInt64) -> Int {
    guard microseconds >= UInt64(steps) else { return Int(microseconds) }
    let shift = 63 - microseconds.leadingZeroBitCount - steps.trailingZeroBitCount
    return shift * steps + Int(microseconds >> shift)
  }

  /// The longest of a place, in microseconds.
  private static func end(of place: Int) -> UInt64 {
    guard place >= steps else { return UInt64(place) }
    let shift = place / steps - 1
    return (UInt64(place - shift * steps) + 1) << shift - 1
  }
}
