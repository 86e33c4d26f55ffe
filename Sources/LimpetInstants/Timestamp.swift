/// A moment as RFC 3339 writes it, in UTC: `2026-11-20T12:00:00.123Z`.
package struct Timestamp: Sendable, Equatable, CustomStringConvertible {
  /// Since 1970.
  package let microseconds: Int64

  /// How many digits it has as text.
  package enum Precision: Sendable {
    case milliseconds, microseconds
  }

  package init(microseconds: Int64) { self.microseconds = microseconds }

  /// A time beyond what 64 bits hold is the first or the last there is.
  package init(sinceEpoch: Duration) {
    let (seconds, attoseconds) = sinceEpoch.components
    let (product, overflows) = seconds.multipliedReportingOverflow(by: 1_000_000)
    let (sum, exceeds) = product.addingReportingOverflow(
      attoseconds.flooredDivision(by: 1_000_000_000_000).quotient)
    microseconds = overflows || exceeds ? (seconds < 0 ? .min : .max) : sum
  }

  /// From the year 0000 to 9999: what RFC 3339 can write.
  package var isWritable: Bool { -62_167_219_200_000_000..<253_402_300_800_000_000 ~= microseconds }

  /// Since 1970.
  package var milliseconds: Int64 { microseconds.flooredDivision(by: 1000).quotient }

  package var description: String { text(.milliseconds) }

  package func text(_ precision: Precision) -> String {
    String(unsafeUninitializedCapacity: Self.longestText) { write(precision, to: $0) }
  }

  /// Bytes that `write` has room in.
  package static let longestText = 32

  /// Digit by digit: every reading has one of these.
  ///
  /// - Returns: how many bytes of ASCII it has become.
  package func write(_ precision: Precision, to buffer: UnsafeMutableBufferPointer<UInt8>) -> Int {
    let (seconds, microsecond) = microseconds.flooredDivision(by: 1_000_000)
    let (days, second) = seconds.flooredDivision(by: 86_400)
    let (year, month, day) = Self.date(days)
    var end = 0
    func add(_ value: Int64, _ count: Int, then separator: Unicode.Scalar) {
      var rest = value.magnitude
      for place in (end..<end + count).reversed() {
        buffer[place] = UInt8(ascii: "0") + UInt8(rest % 10)
        rest /= 10
      }
      buffer[end + count] = UInt8(ascii: separator)
      end += count + 1
    }
    add(year, 4, then: "-")
    add(month, 2, then: "-")
    add(day, 2, then: "T")
    add(second / 3600, 2, then: ":")
    add(second / 60 % 60, 2, then: ":")
    add(second % 60, 2, then: ".")
    switch precision {
    case .milliseconds: add(microsecond / 1000, 3, then: "Z")
    case .microseconds: add(microsecond, 6, then: "Z")
    }
    return end
  }

  /// The date of a day since 1970-01-01 in the Gregorian calendar. Years begin in March here, so that the leap day is
  /// the last of its year; 146,097 days make 400 years.
  private static func date(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let (era, dayOfEra) = (days + 719_468).flooredDivision(by: 146_097)
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shifted = (5 * dayOfYear + 2) / 153
    let month = shifted < 10 ? shifted + 3 : shifted - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
  }
}

extension Int64 {
  func flooredDivision(by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
    let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
  }
}
