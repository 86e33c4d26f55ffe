/// What counts as a digit, a name or a number in texts that people write.
extension Unicode.Scalar {
  package var isDigit: Bool { ("0"..."9").contains(self) }
  package var isNameCharacter: Bool {
    isDigit || ("A"..."Z").contains(self) || ("a"..."z").contains(self) || "._-".unicodeScalars.contains(self)
  }
}

extension Int {
  /// Decimal digits with at most a sign; `Int.init` alone would take the same, this says so.
  package init?(strict text: String) {
    let digits = text.hasPrefix("-") ? text.dropFirst() : text[...]
    guard !digits.isEmpty, digits.unicodeScalars.allSatisfy(\.isDigit), let number = Int(text) else { return nil }
    self = number
  }
}

extension Double {
  /// `[+-]digits[.digits][e[+-]digits]`, with digits on at least one side of the point: no nan, inf, hex or spaces.
  package static func isDecimal(_ text: String) -> Bool {
    var rest = Substring(text).unicodeScalars
    func digits() -> Int {
      let count = rest.prefix(while: \.isDigit).count
      rest = rest.dropFirst(count)
      return count
    }
    func take(_ characters: Unicode.Scalar...) -> Bool {
      guard let first = rest.first, characters.contains(first) else { return false }
      rest = rest.dropFirst()
      return true
    }
    _ = take("+", "-")
    let whole = digits()
    let fraction = take(".") ? digits() : nil
    guard whole > 0 || fraction ?? 0 > 0, fraction != 0 else { return false }
    if take("e", "E") {
      _ = take("+", "-")
      guard digits() > 0 else { return false }
    }
    return rest.isEmpty
  }
}
