extension Double {
  /// The shortest text that reads as the same number, a whole one without a fraction: 21.5, 3, 1e-07.
  package var shortestDecimal: String {
    let whole = rounded(.towardZero)
    return whole == self && abs(self) < 9_007_199_254_740_992 ? String(Int64(whole)) : description
  }
}
