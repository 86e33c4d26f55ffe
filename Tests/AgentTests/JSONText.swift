import NIOCore

/// What a strict reader of RFC 8259 makes of a text: fields in their order, numbers as they are written.
indirect enum JSONText: Equatable {
  case null
  case flag(Bool)
  case number(String)
  case text(String)
  case object([Field])

  struct Field: Equatable {
    let name: String
    let value: JSONText
  }

  enum Flaw: Error { case unexpected(at: Int) }

  /// The names of an object's fields, in their order; a name that comes twice is there twice.
  var names: [String] { if case .object(let fields) = self { fields.map(\.name) } else { [] } }

  subscript(name: String) -> JSONText? {
    if case .object(let fields) = self { fields.first { $0.name == name }?.value } else { nil }
  }

  init(_ buffer: ByteBuffer) throws { try self.init(Array(buffer.readableBytesView)) }

  init(_ bytes: [UInt8]) throws {
    guard String(validating: bytes, as: UTF8.self) != nil else { throw Flaw.unexpected(at: 0) }
    var reader = JSONReader(bytes: bytes)
    self = try reader.value()
    guard reader.position == bytes.count else { throw Flaw.unexpected(at: reader.position) }
  }
}

private struct JSONReader {
  let bytes: [UInt8]
  var position = 0

  private var flaw: JSONText.Flaw { .unexpected(at: position) }

  private mutating func takes(_ text: String) -> Bool {
    guard bytes[position...].starts(with: text.utf8) else { return false }
    position += text.utf8.count
    return true
  }

  private mutating func require(_ text: String) throws { guard takes(text) else { throw flaw } }

  mutating func value() throws -> JSONText {
    if takes("null") { return .null }
    if takes("true") { return .flag(true) }
    if takes("false") { return .flag(false) }
    if takes("\"") { return .text(try restOfText()) }
    return takes("{") ? .object(try restOfObject()) : .number(try number())
  }

  private mutating func restOfObject() throws -> [JSONText.Field] {
    var fields: [JSONText.Field] = []
    guard !takes("}") else { return fields }
    repeat {
      try require("\"")
      let name = try restOfText()
      try require(":")
      fields.append(.init(name: name, value: try value()))
    } while takes(",")
    try require("}")
    return fields
  }

  private mutating func restOfText() throws -> String {
    var text: [UInt8] = []
    while !takes("\"") {
      guard position < bytes.count, bytes[position] >= 0x20 else { throw flaw }
      if takes("\\") {
        text += try restOfEscape()
      } else {
        text.append(bytes[position])
        position += 1
      }
    }
    return String(decoding: text, as: UTF8.self)
  }

  private mutating func restOfEscape() throws -> [UInt8] {
    let simple = ["\"": "\"", "\\": "\\", "/": "/", "b": "\u{8}", "f": "\u{c}", "n": "\n", "r": "\r", "t": "\t"]
    for (name, meaning) in simple where takes(name) { return Array(meaning.utf8) }
    try require("u")
    let digits = String(decoding: bytes[position...].prefix(4), as: UTF8.self)
    guard digits.utf8.count == 4, digits.allSatisfy(\.isHexDigit), let code = UInt32(digits, radix: 16),
      let scalar = Unicode.Scalar(code)
    else { throw flaw }
    position += 4
    return Array(String(scalar).utf8)
  }

  /// `-? (0 | [1-9] [0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?`
  private mutating func number() throws -> String {
    let start = position
    _ = takes("-")
    if !takes("0") { try digits() }
    if takes(".") { try digits() }
    if takes("e") || takes("E") {
      if !takes("-") { _ = takes("+") }
      try digits()
    }
    return String(decoding: bytes[start..<position], as: UTF8.self)
  }

  private mutating func digits() throws {
    let count = bytes[position...].prefix { (0x30...0x39).contains($0) }.count
    guard count > 0 else { throw flaw }
    position += count
  }
}
