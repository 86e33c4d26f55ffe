import NIOCore
import Sensing

/// A JSON object (RFC 8259) that is written field by field, in the order of the calls.
struct JSONObject {
  /// An array until it is complete: there are as many small steps as a reading has marks, and this is the shorter way.
  private var bytes: [UInt8]

  init(capacity: Int = 128) {
    bytes = Array(unsafeUninitializedCapacity: max(1, capacity)) { buffer, count in
      buffer[0] = UInt8(ascii: "{")
      count = 1
    }
  }

  /// The object, complete.
  consuming func finish() -> ByteBuffer {
    bytes.append(UInt8(ascii: "}"))
    return ByteBuffer(bytes: bytes)
  }

  mutating func add(_ name: StaticString, _ text: String) {
    addName(name)
    bytes.appendJSON(text)
  }

  mutating func add(_ name: StaticString, _ flag: Bool) {
    addName(name)
    bytes.appendLiteral(flag ? "true" : "false")
  }

  mutating func add(_ name: StaticString, _ number: UInt64) {
    addName(name)
    bytes.append(number)
  }

  mutating func add(_ name: StaticString, _ time: Timestamp, _ precision: Timestamp.Precision) {
    addName(name)
    bytes.append(time, precision)
  }

  /// JSON has no words for infinities and NaN: they are null (RFC 8259, section 6).
  mutating func add(_ name: StaticString, _ number: Double) {
    guard number.isFinite else { return addNull(name) }
    addName(name)
    bytes.append(number.shortestDecimal)
  }

  mutating func addNull(_ name: StaticString) {
    addName(name)
    bytes.appendLiteral("null")
  }

  mutating func add(_ name: StaticString, _ value: Value) {
    addName(name)
    bytes.appendJSON(value)
  }

  /// An object of its own; what has no value is null.
  mutating func add(_ name: StaticString, _ members: [(name: String, value: Value?)]) {
    addName(name)
    bytes.appendJSON(members)
  }

  /// An object of nothing else.
  static func of(_ members: [(name: String, value: Value?)]) -> ByteBuffer {
    var bytes: [UInt8] = []
    bytes.appendJSON(members)
    return ByteBuffer(bytes: bytes)
  }

  /// A list of values that are JSON already.
  mutating func add(_ name: StaticString, list values: [ByteBuffer]) {
    add(name, values) { $0.append($1) }
  }

  /// A list of texts.
  mutating func add(_ name: StaticString, texts: [String]) {
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

  /// A value that is JSON already.
  mutating func add(_ name: StaticString, json value: ByteBuffer) {
    addName(name)
    bytes.append(value)
  }

  /// Text, or null.
  mutating func add(_ name: StaticString, _ text: String?) {
    if let text { add(name, text) } else { addNull(name) }
  }

  private mutating func addName(_ name: StaticString) {
    bytes.appendLiteral(bytes.count > 1 ? ",\"" : "\"")
    bytes.appendLiteral(name)
    bytes.appendLiteral("\":")
  }
}

extension [UInt8] {
  fileprivate mutating func appendLiteral(_ text: StaticString) { text.withUTF8Buffer { append(contentsOf: $0) } }

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

  fileprivate mutating func append(_ time: Timestamp, _ precision: Timestamp.Precision) {
    append(UInt8(ascii: "\""))
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Timestamp.longestText) { text in
      let count = time.write(precision, to: text)
      append(contentsOf: UnsafeMutableBufferPointer(rebasing: text[..<count]))
    }
    append(UInt8(ascii: "\""))
  }

  fileprivate mutating func append(_ text: String) { append(contentsOf: text.utf8) }

  fileprivate mutating func append(_ bytes: ByteBuffer) { append(contentsOf: bytes.readableBytesView) }

  fileprivate mutating func appendJSON(_ value: Value) {
    switch value {
    case .number(let number): append(number.isFinite ? number.shortestDecimal : "null")
    case .integer(let integer): append(String(integer))
    case .text(let text): appendJSON(text)
    case .flag(let flag): appendLiteral(flag ? "true" : "false")
    case .channels(let channels): appendJSON(channels.map { ($0.name, $0.value) })
    }
  }

  fileprivate mutating func appendJSON(_ members: [(name: String, value: Value?)]) {
    append(UInt8(ascii: "{"))
    for (index, member) in members.enumerated() {
      if index > 0 { append(UInt8(ascii: ",")) }
      appendJSON(member.name)
      append(UInt8(ascii: ":"))
      if let value = member.value { appendJSON(value) } else { appendLiteral("null") }
    }
    append(UInt8(ascii: "}"))
  }

  mutating func appendJSON(_ text: String) {
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
        let digits = String(byte, radix: 16)
        append("\\u" + String(repeating: "0", count: 4 - digits.count) + digits)
      default: append(byte)
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
