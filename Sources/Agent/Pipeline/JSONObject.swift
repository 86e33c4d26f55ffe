import NIOCore
import Sensing

/// A JSON object (RFC 8259) that is written field by field, in the order of the calls.
struct JSONObject {
  private(set) var buffer = ByteBuffer()

  init(capacity: Int = 128) {
    buffer.reserveCapacity(capacity)
    buffer.writeInteger(UInt8(ascii: "{"))
  }

  /// The object, complete.
  consuming func finish() -> ByteBuffer {
    buffer.writeInteger(UInt8(ascii: "}"))
    return buffer
  }

  mutating func add(_ name: StaticString, _ text: String) {
    addName(name)
    buffer.writeJSONString(text)
  }

  mutating func add(_ name: StaticString, _ flag: Bool) {
    addName(name)
    buffer.writeStaticString(flag ? "true" : "false")
  }

  mutating func add(_ name: StaticString, _ number: UInt64) {
    addName(name)
    buffer.writeString(String(number))
  }

  /// JSON has no words for infinities and NaN: they are null (RFC 8259, section 6).
  mutating func add(_ name: StaticString, _ number: Double) {
    guard number.isFinite else { return addNull(name) }
    addName(name)
    buffer.writeString(number.shortestDecimal)
  }

  mutating func addNull(_ name: StaticString) {
    addName(name)
    buffer.writeStaticString("null")
  }

  mutating func add(_ name: StaticString, _ value: Value) {
    addName(name)
    buffer.writeJSON(value)
  }

  /// An object of its own; what has no value is null.
  mutating func add(_ name: StaticString, _ members: [(name: String, value: Value?)]) {
    addName(name)
    buffer.writeJSON(members)
  }

  /// An object of nothing else.
  static func of(_ members: [(name: String, value: Value?)]) -> ByteBuffer {
    var buffer = ByteBuffer()
    buffer.writeJSON(members)
    return buffer
  }

  /// A list of values that are JSON already.
  mutating func add(_ name: StaticString, list values: [ByteBuffer]) {
    addName(name)
    buffer.writeInteger(UInt8(ascii: "["))
    for (index, value) in values.enumerated() {
      if index > 0 { buffer.writeInteger(UInt8(ascii: ",")) }
      buffer.writeImmutableBuffer(value)
    }
    buffer.writeInteger(UInt8(ascii: "]"))
  }

  /// A list of texts.
  mutating func add(_ name: StaticString, texts: [String]) {
    add(
      name,
      list: texts.map { text in
        var value = ByteBuffer()
        value.writeJSONString(text)
        return value
      })
  }

  /// A value that is JSON already.
  mutating func add(_ name: StaticString, json value: ByteBuffer) {
    addName(name)
    buffer.writeImmutableBuffer(value)
  }

  /// Text, or null.
  mutating func add(_ name: StaticString, _ text: String?) {
    if let text { add(name, text) } else { addNull(name) }
  }

  private mutating func addName(_ name: StaticString) {
    if buffer.readableBytes > 1 { buffer.writeInteger(UInt8(ascii: ",")) }
    buffer.writeInteger(UInt8(ascii: "\""))
    buffer.writeStaticString(name)
    buffer.writeStaticString("\":")
  }
}

extension ByteBuffer {
  fileprivate mutating func writeJSON(_ value: Value) {
    switch value {
    case .number(let number): writeString(number.isFinite ? number.shortestDecimal : "null")
    case .integer(let integer): writeString(String(integer))
    case .text(let text): writeJSONString(text)
    case .flag(let flag): writeStaticString(flag ? "true" : "false")
    case .channels(let channels): writeJSON(channels.map { ($0.name, $0.value) })
    }
  }

  fileprivate mutating func writeJSON(_ members: [(name: String, value: Value?)]) {
    writeInteger(UInt8(ascii: "{"))
    for (index, member) in members.enumerated() {
      if index > 0 { writeInteger(UInt8(ascii: ",")) }
      writeJSONString(member.name)
      writeInteger(UInt8(ascii: ":"))
      if let value = member.value { writeJSON(value) } else { writeStaticString("null") }
    }
    writeInteger(UInt8(ascii: "}"))
  }

  mutating func writeJSONString(_ text: String) {
    writeInteger(UInt8(ascii: "\""))
    defer { writeInteger(UInt8(ascii: "\"")) }
    guard text.utf8.contains(where: { $0 < 0x20 || $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "\\") }) else {
      writeString(text)
      return
    }
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""): writeStaticString("\\\"")
      case UInt8(ascii: "\\"): writeStaticString("\\\\")
      case 0..<0x20:
        let digits = String(byte, radix: 16)
        writeString("\\u" + String(repeating: "0", count: 4 - digits.count) + digits)
      default: writeInteger(byte)
      }
    }
  }
}

extension Double {
  /// The shortest text that reads as the same number, a whole one without a fraction: 21.5, 3, 1e-07.
  var shortestDecimal: String {
    let whole = rounded(.towardZero)
    return whole == self && abs(self) < 9_007_199_254_740_992 ? String(Int64(whole)) : description
  }
}
