import JSON
import LimpetInstants
import LimpetText
import Measuring
import NIOCore

/// Values and times as readings have them.
extension JSONObject {
  package mutating func add(_ name: StaticString, _ time: Timestamp, _ precision: Timestamp.Precision) {
    add(name) { $0.append(time, precision) }
  }

  package mutating func add(_ name: StaticString, _ value: Value) {
    add(name) { $0.appendJSON(value) }
  }

  /// As an object; a channel without a value is null.
  package mutating func add(_ name: StaticString, _ members: [(name: String, value: Value?)]) {
    add(name) { $0.appendJSON(members) }
  }

  /// An object of nothing else.
  package static func of(_ members: [(name: String, value: Value?)]) -> ByteBuffer {
    var bytes: [UInt8] = []
    bytes.appendJSON(members)
    return ByteBuffer(bytes: bytes)
  }
}

extension [UInt8] {
  /// Without a text of its own: every reading has one.
  fileprivate mutating func append(_ time: Timestamp, _ precision: Timestamp.Precision) {
    append(UInt8(ascii: "\""))
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Timestamp.longestText) { text in
      let count = time.write(precision, to: text)
      append(contentsOf: UnsafeMutableBufferPointer(rebasing: text[..<count]))
    }
    append(UInt8(ascii: "\""))
  }

  fileprivate mutating func appendJSON(_ value: Value) {
    switch value {
    case .number(let number):
      if number.isFinite { append(contentsOf: number.shortestDecimal.utf8) } else { appendLiteral("null") }
    case .integer(let integer): append(contentsOf: String(integer).utf8)
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
}
