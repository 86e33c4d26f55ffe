import LimpetText
import NIOCore

/// A JSON object (RFC 8259) that is written field by field, in the order of the calls.
package struct JSONObject {
  /// An array until it is complete: there are as many small steps as a reading has marks, and this is the shorter way.
  private var bytes: [UInt8]

  package init(capacity: Int = 128) {
    bytes = Array(unsafeUninitializedCapacity: max(1, capacity)) { buffer, count in
      buffer[0] = UInt8(ascii: "{")
      count = 1
    }
  }

  /// The object, complete.
  package consuming func finish() -> ByteBuffer {
    bytes.append(UInt8(ascii: "}"))
    return ByteBuffer(bytes: bytes)
  }

  package mutating func add(_ name: StaticString, _ text: String) {
    addName(name)
    bytes.appendJSON(text)
  }

  package mutating func add(_ name: StaticString, _ flag: Bool) {
    addName(name)
    bytes.appendLiteral(flag ? "true" : "false")
  }

  package mutating func add(_ name: StaticString, _ number: UInt64) {
    addName(name)
    bytes.append(number)
  }

  /// JSON has no words for infinities and NaN: they are null (RFC 8259, section 6).
  package mutating func add(_ name: StaticString, _ number: Double) {
    guard number.isFinite else { return addNull(name) }
    addName(name)
    bytes.append(number.shortestDecimal)
  }

  package mutating func addNull(_ name: StaticString) {
    addName(name)
    bytes.appendLiteral("null")
  }

  /// A list of values that are JSON already.
  package mutating func add(_ name: StaticString, list values: [ByteBuffer]) {
    add(name, values) { $0.append($1) }
  }

  /// A list of texts.
  package mutating func add(_ name: StaticString, texts: [String]) {
    add(name, texts) { $0.appendJSON($1) }
  }

  private mutating func add<Item>(
    _ name: StaticString, _ items: [Item], _ append: (inout [UInt8], Item) -> Void
  ) {
    addName(name)
    bytes.append(UInt8(ascii: "["))
    for (index, item) in items.enumerated() {
      if index > 0 { bytes.append(UInt8(ascii: ",")) }
      append(&bytes, item)
    }
    bytes.append(UInt8(ascii: "]"))
  }

  /// A field whose value somebody else writes, as JSON, behind the bytes that are there.
  package mutating func add(_ name: StaticString, writing write: (inout [UInt8]) -> Void) {
    addName(name)
    write(&bytes)
  }

  /// A value that is JSON already.
  package mutating func add(_ name: StaticString, json value: ByteBuffer) {
    addName(name)
    bytes.append(value)
  }

  /// Text, or null.
  package mutating func add(_ name: StaticString, _ text: String?) {
    if let text { add(name, text) } else { addNull(name) }
  }

  private mutating func addName(_ name: StaticString) {
    bytes.appendLiteral(bytes.count > 1 ? ",\"" : "\"")
    bytes.appendLiteral(name)
    bytes.appendLiteral("\":")
  }
}

extension [UInt8] {
  package mutating func appendLiteral(_ text: StaticString) { text.withUTF8Buffer { append(contentsOf: $0) } }

  /// Without a text of its own, as the times below: every reading has one of each.
  fileprivate mutating func append(_ number: UInt64) {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digits in
      var (start, rest) = (digits.endIndex, number)
      repeat {
        start -= 1
        digits[start] = UInt8(ascii: "0") + UInt8(rest % 10)
        rest /= 10
      } while rest > 0
      append(contentsOf: UnsafeMutableBufferPointer(rebasing: digits[start...]))
    }
  }

  fileprivate mutating func append(_ text: String) { append(contentsOf: text.utf8) }

  fileprivate mutating func append(_ bytes: ByteBuffer) { append(contentsOf: bytes.readableBytesView) }

  package mutating func appendJSON(_ text: String) {
    append(UInt8(ascii: "\""))
    defer { append(UInt8(ascii: "\"")) }
    var text = text
    text.withUTF8 { appendEscaped($0) }
  }

  private mutating func appendEscaped(_ text: UnsafeBufferPointer<UInt8>) {
    guard text.contains(where: { $0 < 0x20 || $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "\\") }) else {
      return append(contentsOf: text)
    }
    for byte in text {
      switch byte {
      case UInt8(ascii: "\""): appendLiteral("\\\"")
      case UInt8(ascii: "\\"): appendLiteral("\\\\")
      case 0..<0x20:
        append("\\u" + String(byte, radix: 16).aligned(to: 4, filling: "0"))
      default: append(byte)
      }
    }
  }
}
