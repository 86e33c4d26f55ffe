/// Reads a JSON text (RFC 8259): all of it, and nothing that the grammar does not allow.
extension JSONValue {
  /// Objects and lists within each other, at the most: a text of brackets must not end the process.
  package static let depthLimit = 64

  /// nil where it is no JSON text, is not UTF-8, or goes deeper than ``depthLimit``.
  package init?(parsing bytes: some Collection<UInt8>) {
    guard String(validating: bytes, as: UTF8.self) != nil else { return nil }
    var parser = JSONParser(bytes)
    guard let value = parser.value(depth: 0), parser.isAtEnd else { return nil }
    self = value
  }
}

private struct JSONParser {
  private let bytes: [UInt8]
  private var position = 0

  init(_ bytes: some Collection<UInt8>) {
    self.bytes = Array(bytes)
    skipSpaces()
  }

  var isAtEnd: Bool { position == bytes.count }

  mutating func value(depth: Int) -> JSONValue? {
    guard depth < JSONValue.depthLimit, let next else { return nil }
    let value: JSONValue?
    switch Unicode.Scalar(next) {
    case "{": value = object(depth: depth)
    case "[": value = list(depth: depth)
    case "\"": value = text().map { .text($0) }
    case "t": value = word("true") ? .flag(true) : nil
    case "f": value = word("false") ? .flag(false) : nil
    case "n": value = word("null") ? .null : nil
    default: value = number()
    }
    skipSpaces()
    return value
  }

  private mutating func object(depth: Int) -> JSONValue? {
    var fields: [(name: String, value: JSONValue)] = []
    guard take("{") else { return nil }
    if take("}") { return .object(fields) }
    repeat {
      guard let name = text() else { return nil }
      skipSpaces()
      guard take(":"), let value = value(depth: depth + 1) else { return nil }
      fields.append((name, value))
    } while take(",")
    return take("}") ? .object(fields) : nil
  }

  private mutating func list(depth: Int) -> JSONValue? {
    var values: [JSONValue] = []
    guard take("[") else { return nil }
    if take("]") { return .list(values) }
    repeat {
      guard let value = value(depth: depth + 1) else { return nil }
      values.append(value)
    } while take(",")
    return take("]") ? .list(values) : nil
  }

  // MARK: Numbers

  private mutating func number() -> JSONValue? {
    let start = position
    _ = take(byte: "-")
    // No zero in front of other digits.
    if next == UInt8(ascii: "0") { position += 1 } else { guard digits() else { return nil } }
    var isWhole = true
    if take(byte: ".") {
      isWhole = false
      guard digits() else { return nil }
    }
    if take(byte: "e") || take(byte: "E") {
      isWhole = false
      if !take(byte: "+") { _ = take(byte: "-") }
      guard digits() else { return nil }
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if isWhole, let integer = Int64(text) { return .integer(integer) }
    return Double(text).flatMap { $0.isFinite ? .number($0) : nil }
  }

  private mutating func digits() -> Bool {
    let start = position
    while let next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(next) { position += 1 }
    return position > start
  }

  // MARK: Marks and words

  private static let spaces: [UInt8] = [0x20, 0x09, 0x0A, 0x0D]

  private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipSpaces() {
    while let next, Self.spaces.contains(next) { position += 1 }
  }

  private mutating func take(byte: Unicode.Scalar) -> Bool {
    guard next == UInt8(ascii: byte) else { return false }
    position += 1
    return true
  }

  /// A mark, with the spaces behind it.
  private mutating func take(_ mark: Unicode.Scalar) -> Bool {
    guard take(byte: mark) else { return false }
    skipSpaces()
    return true
  }

  private mutating func word(_ word: String) -> Bool {
    guard bytes[position...].starts(with: word.utf8) else { return false }
    position += word.utf8.count
    return true
  }

  // MARK: Texts

  private mutating func text() -> String? {
    guard take(byte: "\"") else { return nil }
    var text: [UInt16] = []
    var start = position
    while let byte = next {
      guard byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || byte < 0x20 else {
        position += 1
        continue
      }
      text += String(decoding: bytes[start..<position], as: UTF8.self).utf16
      position += 1
      if byte == UInt8(ascii: "\"") { return String(decoding: text, as: UTF16.self) }
      guard byte >= 0x20, let unit = readEscape() else { return nil }
      text.append(unit)
      start = position
    }
    return nil
  }

  /// What follows a backslash, as a unit of UTF-16: a character beyond the basic plane is written as two.
  private mutating func readEscape() -> UInt16? {
    guard let letter = next else { return nil }
    position += 1
    switch Unicode.Scalar(letter) {
    case "\"", "\\", "/": return UInt16(letter)
    case "b": return 0x08
    case "f": return 0x0C
    case "n": return 0x0A
    case "r": return 0x0D
    case "t": return 0x09
    case "u":
      let digits = bytes[position...].prefix(4)
      position += digits.count
      guard digits.count == 4, digits.allSatisfy({ Unicode.Scalar($0).properties.isASCIIHexDigit }) else { return nil }
      return UInt16(String(decoding: digits, as: UTF8.self), radix: 16)
    default: return nil
    }
  }
}
