/// A number before a unit, exact: `1.5` is 15 tenths. A binary fraction would not be exactly 0.1s.
package struct Quantity {
  private var digits: Int64
  private var places: Int

  /// Takes the number at the head of `text`; nil where there is none or it has more than 18 digits.
  package init?(from text: inout Substring.UnicodeScalarView) {
    let whole = text.prefix(while: \.isDigit)
    var rest = text.dropFirst(whole.count)
    var fraction = rest.prefix(0)
    if rest.first == "." {
      fraction = rest.dropFirst().prefix(while: \.isDigit)
      guard !fraction.isEmpty else { return nil }
      rest = rest.dropFirst(1 + fraction.count)
    }
    guard !whole.isEmpty, whole.count + fraction.count <= 18,
      let digits = Int64(String(whole) + String(fraction))
    else { return nil }
    self.digits = digits
    places = fraction.count
    text = rest
  }

  package var isZero: Bool { digits == 0 }

  /// The number of base units; nil if it is no whole number, or too large.
  package func times(_ unit: Int64) -> Int64? {
    // Trailing zeros are dropped first: `1.000000000000000h` must not overflow because of them.
    var digits = digits
    var divisor: Int64 = 1
    for _ in 0..<places {
      if digits % 10 == 0, divisor == 1 {
        digits /= 10
      } else {
        divisor *= 10
      }
    }
    let (product, isOver) = digits.multipliedReportingOverflow(by: unit)
    return isOver || product % divisor != 0 ? nil : product / divisor
  }
}
