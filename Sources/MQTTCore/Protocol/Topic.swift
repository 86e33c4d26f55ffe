import NIOCore

/// Why a text cannot be a topic name or a topic filter (MQTT 5.0 §4.7).
public enum TopicError: Error, Hashable, CustomStringConvertible {
  /// No character at all ([MQTT-4.7.3-1]).
  case empty
  /// Over 65,535 bytes of UTF-8 ([MQTT-4.7.3-3]).
  case tooLong(bytes: Int)
  /// With U+0000 ([MQTT-4.7.3-2]).
  case containsNull
  /// A topic name with `+` or `#` ([MQTT-3.3.2-2]).
  case wildcardInName
  /// `#` that is not the last level alone, or `+` that does not stand alone in its level ([MQTT-4.7.1-1], [MQTT-4.7.1-2]).
  case misplacedWildcard
  /// `$share/` without a name or a filter ([MQTT-4.8.2-1], [MQTT-4.8.2-2]).
  case sharedSubscription

  /// What a topic must be, for the person who wrote it. It does not repeat the topic.
  public var description: String {
    switch self {
    case .empty: "a topic has at least one character"
    case .tooLong(let bytes): "the topic has \(bytes) bytes; at most 65,535 are allowed"
    case .containsNull: "a topic must not contain the character U+0000"
    case .wildcardInName: "a topic that is published to must not contain + or #"
    case .misplacedWildcard: "+ and # stand alone between slashes, and # only at the end"
    case .sharedSubscription: "a shared subscription is written $share/NAME/FILTER, NAME without / + #"
    }
  }
}

/// A topic that messages are published to: UTF-8, without wildcards.
///
/// It keeps the bytes as they came off the wire, so that decoding a PUBLISH allocates nothing.
public struct TopicName: Sendable, Hashable, CustomStringConvertible {
  let bytes: ByteBuffer

  /// - Throws: `empty`, `tooLong`, `containsNull` or `wildcardInName`.
  public init(_ text: String) throws(TopicError) {
    guard !text.isEmpty else { throw .empty }
    let count = text.utf8.count
    guard count <= Int(UInt16.max) else { throw .tooLong(bytes: count) }
    for byte in text.utf8 {
      if byte == 0 { throw .containsNull }
      if byte == UInt8(ascii: "+") || byte == UInt8(ascii: "#") { throw .wildcardInName }
    }
    bytes = ByteBuffer(string: text)
  }

  /// Bytes that have been checked by the decoder; empty where a topic alias stands for the name.
  init(validated bytes: ByteBuffer) { self.bytes = bytes }

  /// No name: what a PUBLISH carries whose topic alias says it all (MQTT 5.0 §3.3.2.3.4).
  static let aliased = TopicName(validated: ByteBuffer())

  var isEmpty: Bool { bytes.readableBytes == 0 }

  /// Bytes of UTF-8.
  package var length: Int { bytes.readableBytes }

  /// The name as text; empty if a topic alias replaces it and is not resolved yet.
  public var description: String { String(buffer: bytes) }
}

/// A topic in the source is the programmer's: one that cannot be ends the program.
extension TopicName: ExpressibleByStringLiteral {
  /// An invalid topic ends the program.
  public init(stringLiteral text: String) {
    do { self = try TopicName(text) } catch { preconditionFailure("the topic \"\(text)\": \(error)") }
  }
}

/// A filter in the source is the programmer's: one that cannot be ends the program.
extension TopicFilter: ExpressibleByStringLiteral {
  /// An invalid filter ends the program.
  public init(stringLiteral text: String) {
    do { self = try TopicFilter(text) } catch { preconditionFailure("the topic filter \"\(text)\": \(error)") }
  }
}

/// What a subscription matches: a topic in which levels may be wildcards (MQTT 5.0 §4.7.1).
public struct TopicFilter: Sendable, Hashable, CustomStringConvertible {
  /// The filter as SUBSCRIBE carries it, with `$share/NAME/`.
  public let description: String

  /// - Throws: `empty`, `tooLong`, `containsNull`, `misplacedWildcard` or `sharedSubscription`.
  public init(_ text: String) throws(TopicError) {
    guard !text.isEmpty else { throw .empty }
    guard text.utf8.count <= Int(UInt16.max) else { throw .tooLong(bytes: text.utf8.count) }
    if text.utf8.contains(0) { throw .containsNull }
    var levels = text.utf8.topicLevels[...]
    if levels.first?.elementsEqual("$share".utf8) == true {
      guard levels.count >= 3, let name = levels.dropFirst().first, !name.isEmpty, !name.contains(where: \.isWildcard),
        !levels.dropFirst(2).joined().isEmpty || levels.count > 3
      else { throw .sharedSubscription }
      levels = levels.dropFirst(2)
    }
    for (index, level) in zip(levels.indices, levels) where level.contains(where: \.isWildcard) {
      guard level.count == 1, level.first == UInt8(ascii: "+") || index == levels.endIndex - 1 else {
        throw .misplacedWildcard
      }
    }
    description = text
  }

  /// Byte by byte, as servers compare filters ([MQTT-3.10.4-1]); Swift takes two spellings of a letter for the same.
  public static func == (left: TopicFilter, right: TopicFilter) -> Bool {
    left.description.utf8.elementsEqual(right.description.utf8)
  }

  /// Goes with `==`: byte by byte.
  public func hash(into hasher: inout Hasher) {
    for byte in description.utf8 { hasher.combine(byte) }
  }

  /// `$share/NAME/FILTER` (MQTT 5.0 §4.8.2).
  public var isShared: Bool { description.utf8.starts(with: "$share/".utf8) }

  /// Whether a message to `topic` matches, after §4.7.1 and §4.7.2: wildcards at the start never match `$` topics.
  public func matches(_ topic: TopicName) -> Bool {
    let wanted = description.utf8.topicLevels.dropFirst(isShared ? 2 : 0)
    let levels = topic.bytes.readableBytesView.topicLevels
    if levels.first?.first == UInt8(ascii: "$") && wanted.first?.first?.isWildcard == true { return false }
    for (level, index) in zip(wanted, 0...) {
      if level.elementsEqual("#".utf8) { return true }
      guard index < levels.count, level.elementsEqual("+".utf8) || level.elementsEqual(levels[index]) else {
        return false
      }
    }
    return wanted.count == levels.count
  }
}

/// Topics are compared byte by byte, never as Swift's characters: those join a `/` to an accent that follows it, and
/// take two spellings of a letter for the same ([MQTT-4.7.3-4]).
extension Collection<UInt8> {
  fileprivate var topicLevels: [SubSequence] {
    split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
  }
}

extension UInt8 {
  fileprivate var isWildcard: Bool { self == UInt8(ascii: "+") || self == UInt8(ascii: "#") }
}
