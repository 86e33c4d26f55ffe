import JSON
import LimpetInstants
import LimpetText
import NIOCore

/// What somebody asks of an output.
package struct Command: Sendable, Equatable {
  package enum Wanted: Sendable, Equatable {
    case on, off, toggle
    /// In %.
    case number(Double)
  }

  package var wanted: Wanted
  /// How long it is to last.
  package var duration: Duration?
  /// When it was given, by the clock of who gave it.
  package var time: Timestamp?
  package var id: String?

  package init(_ wanted: Wanted, for duration: Duration? = nil, time: Timestamp? = nil, id: String? = nil) {
    self.wanted = wanted
    self.duration = duration
    self.time = time
    self.id = id
  }

  /// Why a payload is no command.
  package struct Flaw: Error, Equatable {
    package let text: String
  }

  /// What a payload may have, in bytes.
  package static let limit = 1024
  private static let keys = ["value", "for", "time", "id"]
  private static let idLimit = 64
  private static let longest = Duration.seconds(365 * 86_400)

  /// `on`, `off`, `true`, `false` in any case, `toggle`, a number, or a JSON object with `value`, `for`, `time`, `id` and
  /// nothing else: a misspelt `for` would leave it on for ever.
  ///
  /// - Returns: nil: it is empty, and asks for nothing.
  package init?(_ payload: ByteBuffer) throws(Flaw) {
    guard payload.readableBytes > 0 else { return nil }
    guard payload.readableBytes <= Self.limit else {
      throw Flaw(text: "a command has at most \(Self.limit) bytes; this one has \(payload.readableBytes)")
    }
    let bytes = payload.readableBytesView
    guard let text = String(validating: bytes, as: UTF8.self) else { throw Flaw(text: "it is not UTF-8") }
    if text.first(where: { !$0.isWhitespace }) == "{" {
      guard let json = JSONValue(parsing: bytes), case .object(let fields) = json else {
        throw Flaw(text: "it is not JSON")
      }
      try self.init(fields)
    } else {
      try self.init(text)
    }
  }

  /// A word or a number.
  package init(_ text: String) throws(Flaw) {
    let word = text.lowercased()
    switch word {
    case "on", "true": self.init(.on)
    case "off", "false": self.init(.off)
    case "toggle": self.init(.toggle)
    default:
      guard let number = Double(word), number.isFinite else {
        throw Flaw(text: "it is not a command; send on, off, toggle, a number, or a JSON object with value")
      }
      self.init(.number(number))
    }
  }

  private init(_ fields: [(name: String, value: JSONValue)]) throws(Flaw) {
    for (index, field) in fields.enumerated() {
      guard Self.keys.contains(field.name) else {
        throw Flaw(text: "the key \"\(field.name)\" has no meaning; a command has value, for, time and id")
      }
      guard !fields[..<index].contains(where: { $0.name == field.name }) else {
        throw Flaw(text: "the key \"\(field.name)\" is there twice")
      }
    }
    func field(_ name: String) -> JSONValue? { fields.first { $0.name == name }?.value }
    switch field("value") {
    case .flag(let isOn)?: self.init(isOn ? .on : .off)
    case .integer(let number)?: self.init(.number(Double(number)))
    case .number(let number)?: self.init(.number(number))
    case .text(let text)?: try self.init(text)
    case nil: throw Flaw(text: "it has no value")
    default: throw Flaw(text: "value is neither on, off, toggle, true, false nor a number")
    }
    if let written = field("for") {
      guard let text = written.text else {
        throw Flaw(text: "for is not a duration; write a number and a unit, such as \"10s\"")
      }
      let duration: Duration
      do throws(ArgumentError) { duration = try DurationText.parse(text) } catch { throw Flaw(text: "for: \(error)") }
      guard duration > .zero, duration <= Self.longest else {
        throw Flaw(text: "for is \(quoted(text)); write more than 0s, and 365d at most")
      }
      self.duration = duration
    }
    if let written = field("time") {
      guard let text = written.text, let time = Timestamp(parsing: text) else {
        throw Flaw(text: "time is not a time; write one such as 2026-11-20T12:00:00Z")
      }
      self.time = time
    }
    if let written = field("id") {
      let id: String? = if case .integer(let number) = written { String(number) } else { written.text }
      guard let id, (1...Self.idLimit).contains(id.utf8.count) else {
        throw Flaw(text: "id is not a text of 1 to \(Self.idLimit) bytes")
      }
      self.id = id
    }
  }
}
