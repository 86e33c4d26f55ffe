extension Double {
  /// How many digits the shortest decimal of this number has behind its point: 2 for 0.25, 0 for 3, 7 for 5e-07; nil
  /// where it is not finite.
  public var decimals: Int? {
    guard isFinite else { return nil }
    let parts = description.split(separator: "e")
    guard let mantissa = parts.first else { return nil }
    let fraction = mantissa.split(separator: ".").dropFirst().first ?? ""
    let exponent = parts.dropFirst().first.flatMap { Int($0) } ?? 0
    return Swift.max(0, (fraction == "0" ? 0 : fraction.count) - exponent)
  }

  /// The nearest number with so many digits behind its point. What was computed of decimal numbers has as many as they
  /// have together: 300 - 273.15 is 26.85, where binary fractions give 26.850000000000023.
  public func rounded(decimals: Int) -> Double {
    // Beyond 15 digits a Double has no decimals left to round.
    guard (0...15).contains(decimals) else { return self }
    let power = (0..<decimals).reduce(1.0) { power, _ in power * 10 }
    guard abs(self) * power < 1e15 else { return self }
    return (self * power).rounded() / power
  }
}
