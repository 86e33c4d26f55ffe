import LimpetPlatform
import LimpetText
import Measuring

/// Reads one decimal number, as the kernel prints them: an optional sign, digits, a fraction, an exponent.
///
/// Swift's own initialisers take more (`0x1p3`, `nan`, `inf`), so what they get is checked first. An integer stays exact
/// as long as it fits 64 bits with a sign; one that does not fit 64 bits at all is no measurement.
package func number(in text: some StringProtocol) throws(NumberFlaw) -> Value {
  let words = text.split(whereSeparator: \.isWhitespace)
  guard let word = words.first else { throw .empty }
  guard words.count == 1 else { throw .severalWords }

  if let integer = Int64(word) { return .integer(integer) }
  guard isDecimal(word.utf8) else { throw flaw(of: word) }
  guard let number = Double(word) else { throw .text }
  guard number.isFinite, !isInteger(word.utf8) || UInt64(word) != nil else { throw .tooLarge }
  return .number(number)
}

private func isInteger(_ text: some Sequence<UInt8>) -> Bool {
  text.allSatisfy { (0x30...0x39).contains($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "+") }
}

private func flaw(of word: some StringProtocol) -> NumberFlaw {
  switch word.lowercased().drop(while: { $0 == "-" || $0 == "+" }) {
  case "nan": .notANumber
  case "inf", "infinity": .infinite
  default: .text
  }
}

/// `[+-] digits [. digits] [e [+-] digits]`, with a digit before or after the point.
private func isDecimal(_ text: some Collection<UInt8>) -> Bool {
  var rest = text[...]
  func dropSign() {
    if rest.first == UInt8(ascii: "-") || rest.first == UInt8(ascii: "+") { rest = rest.dropFirst() }
  }
  func dropDigits() -> Bool {
    let before = rest.count
    rest = rest.drop { (0x30...0x39).contains($0) }
    return rest.count < before
  }

  dropSign()
  var hasDigits = dropDigits()
  if rest.first == UInt8(ascii: ".") {
    rest = rest.dropFirst()
    hasDigits = dropDigits() || hasDigits
  }
  guard hasDigits else { return false }
  if rest.first == UInt8(ascii: "e") || rest.first == UInt8(ascii: "E") {
    rest = rest.dropFirst()
    dropSign()
    guard dropDigits() else { return false }
  }
  return rest.isEmpty
}

/// The one number in what a file holds.
package func number(in text: some StringProtocol, of path: String) throws(SensorError) -> Value {
  do {
    return try number(in: text)
  } catch {
    throw .notOneNumber(path: path, content: String(text), flaw: error)
  }
}

/// The one integer in what a file holds.
package func integer(in text: some StringProtocol, of path: String) throws(SensorError) -> Int64 {
  guard case .integer(let integer) = try number(in: text, of: path) else {
    let flaw: NumberFlaw = UInt64(text) == nil ? .notAnInteger : .tooLarge
    throw .notOneNumber(path: path, content: String(text), flaw: flaw)
  }
  return integer
}

extension FileRoot {
  /// The one number a file holds.
  package func number(of path: String) throws(SensorError) -> Value {
    try Sensing.number(in: try reading { () throws(ReadError) in try text(of: path) }, of: path)
  }

  /// A number where a file holds one, else its text: what an attribute without a known unit gives.
  package func numberOrText(of path: String) throws(SensorError) -> Value {
    let text: String
    do { text = try self.text(of: path) } catch { throw .unreadable(error) }
    guard !text.isEmpty else { throw .noValue("is empty", path: path) }
    guard text.utf8.count <= FileSource.textLimit else { throw .textTooLong(path: path, bytes: text.utf8.count) }
    return (try? Sensing.number(in: text)) ?? .text(text)
  }

  /// The one integer a sysfs attribute holds.
  package func integer(of path: String) throws(SensorError) -> Int64 {
    try Sensing.integer(in: try reading { () throws(ReadError) in try text(of: path) }, of: path)
  }
}
