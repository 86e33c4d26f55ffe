// What swift-argument-parser takes of the module of this name, for the program as it is shipped: with Swift's own one
// 4.8 MB would be in it, for `--experimental-dump-help` alone. The build finds this one first (packaging/release).

public protocol LocalizedError: Error {
  var errorDescription: String? { get }
}

extension LocalizedError {
  public var errorDescription: String? { nil }
}

public struct Data: Sendable {
  fileprivate let text: String
}

extension String {
  public enum Encoding: Sendable { case utf8 }

  public init?(data: Data, encoding: Encoding) { self = data.text }
}

/// Writes JSON (RFC 8259) with members in the order of their names, whatever is asked for.
public final class JSONEncoder {
  public struct OutputFormatting: OptionSet, Sendable {
    public let rawValue: UInt

    public init(rawValue: UInt) { self.rawValue = rawValue }

    public static let prettyPrinted = OutputFormatting(rawValue: 1)
    public static let sortedKeys = OutputFormatting(rawValue: 2)
  }

  public var outputFormatting: OutputFormatting = []

  public init() {}

  public func encode<T: Encodable>(_ value: T) throws -> Data {
    let node = Node()
    try node.encode(value)
    return Data(text: node.text)
  }
}

private final class Node: Encoder {
  enum Content {
    case scalar(String)
    case list([Node])
    case members([String: Node])
  }

  var content = Content.scalar("null")
  var codingPath: [any CodingKey] { [] }
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  func encode<T: Encodable>(_ value: T) throws {
    switch value {
    case let text as String: content = .scalar(text.quoted)
    case let flag as Bool: content = .scalar("\(flag)")
    case let number as any BinaryInteger: content = .scalar("\(number)")
    case let number as Double where number.isFinite: content = .scalar("\(number)")
    default: try value.encode(to: self)
    }
  }

  func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
    KeyedEncodingContainer(Members(node: self))
  }
  func unkeyedContainer() -> any UnkeyedEncodingContainer { Elements(node: self) }
  func singleValueContainer() -> any SingleValueEncodingContainer { Scalar(node: self) }

  func member(_ name: String) -> Node {
    var members: [String: Node] = if case .members(let members) = content { members } else { [:] }
    let node = members[name] ?? Node()
    members[name] = node
    content = .members(members)
    return node
  }

  func element() -> Node {
    let node = Node()
    content = .list(elements + [node])
    return node
  }

  var elements: [Node] { if case .list(let elements) = content { elements } else { [] } }

  var text: String {
    switch content {
    case .scalar(let text): text
    case .list(let elements): "[\(elements.map(\.text).joined(separator: ","))]"
    case .members(let members):
      "{\(members.sorted { $0.key < $1.key }.map { "\($0.key.quoted):\($0.value.text)" }.joined(separator: ","))}"
    }
  }
}

private struct Members<Key: CodingKey>: KeyedEncodingContainerProtocol {
  let node: Node
  var codingPath: [any CodingKey] { [] }

  init(node: Node) {
    self.node = node
    node.content = .members([:])
  }

  func encodeNil(forKey key: Key) { _ = node.member(key.stringValue) }
  func encode<T: Encodable>(_ value: T, forKey key: Key) throws { try node.member(key.stringValue).encode(value) }
  func nestedContainer<Nested: CodingKey>(
    keyedBy type: Nested.Type, forKey key: Key
  ) -> KeyedEncodingContainer<Nested> {
    node.member(key.stringValue).container(keyedBy: type)
  }
  func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
    node.member(key.stringValue).unkeyedContainer()
  }
  func superEncoder() -> any Encoder { node.member("super") }
  func superEncoder(forKey key: Key) -> any Encoder { node.member(key.stringValue) }
}

private struct Elements: UnkeyedEncodingContainer {
  let node: Node
  var codingPath: [any CodingKey] { [] }
  var count: Int { node.elements.count }

  init(node: Node) {
    self.node = node
    node.content = .list([])
  }

  func encodeNil() { _ = node.element() }
  func encode<T: Encodable>(_ value: T) throws { try node.element().encode(value) }
  func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
    node.element().container(keyedBy: type)
  }
  func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { node.element().unkeyedContainer() }
  func superEncoder() -> any Encoder { node.element() }
}

private struct Scalar: SingleValueEncodingContainer {
  let node: Node
  var codingPath: [any CodingKey] { [] }

  func encodeNil() { node.content = .scalar("null") }
  func encode<T: Encodable>(_ value: T) throws { try node.encode(value) }
}

extension String {
  fileprivate var quoted: String {
    var text = "\""
    for character in unicodeScalars {
      switch character {
      case "\"", "\\": text += "\\\(character)"
      case "\n": text += "\\n"
      case "\t": text += "\\t"
      case "\u{0}"..."\u{1F}":
        let digits = String(character.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: text.unicodeScalars.append(character)
      }
    }
    return text + "\""
  }
}
