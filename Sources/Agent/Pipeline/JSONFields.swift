/// The top level of a JSON object (RFC 8259): texts are read, everything else stays as it is written.
struct JSONFields {
  enum Value: Equatable {
    case text(String)
    /// A number, `true`, `false`, `null`, or a whole object or list.
    case other(String)
  }

  private var values: [String: Value] = [:]

  subscript(name: String) -> Value? { values[name] }

  /// nil where it is no object, or not whole.
  init?(_ bytes: some Collection<UInt8>) {
    guard String(validating: bytes, as: UTF8.self) != nil else { return nil }
    var reader = JSONFieldReader(bytes)
    guard reader.take("{") else { return nil }
    if !reader.take("}") {
      repeat {
        guard let name = reader.text(), reader.take(":"), let value = reader.value() else { return nil }
        values[name] = value
      } while reader.take(",")
      guard reader.take("}") else { return nil }
    }
    guard reader.isAtEnd else { return nil }
  }
}

extension JSONFields.Value {
  /// What a list of texts holds; nil: it is none.
  var texts: [String]? {
    guard case .other(let list) = self else { return nil }
    var reader = JSONFieldReader(list.utf8)
    guard reader.take("[") else { return nil }
    var texts: [String] = []
    if reader.take("]") { return texts }
    repeat {
      guard let text = reader.text() else { return nil }
      texts.append(text)
    } while reader.take(",")
    return reader.take("]") && reader.isAtEnd ? texts : nil
  }

  /// What an object holds; nil: it is none.
  var fields: JSONFields? {
    guard case .other(let object) = self else { return nil }
    return JSONFields(object.utf8)
  }
}

private struct JSONFieldReader {
  private let bytes: [UInt8]
  private var position = 0

  init(_ bytes: some Collection<UInt8>) {
    self.bytes = Array(bytes)
    skipSpaces()
  }

  var isAtEnd: Bool { position == bytes.count }

  /// A mark, with the spaces behind it.
  mutating func take(_ mark: Unicode.Scalar) -> Bool {
    guard next == UInt8(ascii: mark) else { return false }
    position += 1
    skipSpaces()
    return true
  }

  mutating func text() -> String? {
    let text = readText()
    skipSpaces()
    return text
  }

  mutating func value() -> JSONFields.Value? {
    if next == UInt8(ascii: "\"") { return text().map { .text($0) } }
    let start = position
    var depth = 0
    loop: while let byte = next {
      switch byte {
      case UInt8(ascii: "\""):
        guard readText() != nil else { return nil }
        continue loop
      case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
      case UInt8(ascii: "}"), UInt8(ascii: "]"):
        if depth == 0 { break loop }
        depth -= 1
      case UInt8(ascii: ","):
        if depth == 0 { break loop }
      default: break
      }
      position += 1
    }
    let written = bytes[start..<position]
    let end = written.lastIndex { !Self.spaces.contains($0) }
    guard depth == 0, let end else { return nil }
    return .other(String(decoding: written[...end], as: UTF8.self))
  }

  private static let spaces: [UInt8] = [0x20, 0x09, 0x0A, 0x0D]

  private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipSpaces() {
    while let next, Self.spaces.contains(next) { position += 1 }
  }

  private mutating func readText() -> String? {
    guard next == UInt8(ascii: "\"") else { return nil }
    position += 1
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
