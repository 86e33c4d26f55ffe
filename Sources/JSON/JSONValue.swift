import LimpetText

/// A JSON document (RFC 8259) that is small enough to be held as a tree; the fields of objects keep their order.
package indirect enum JSONValue: Sendable {
  case null
  case flag(Bool)
  case integer(Int64)
  /// One with a fraction, an exponent, or beyond what an `Int64` holds.
  case number(Double)
  case text(String)
  case list([JSONValue])
  case object([(name: String, value: JSONValue)])

  /// The field of an object; of several with one name the last, as RFC 8259, section 4, finds usual. nil: there is none,
  /// or this is no object.
  package subscript(name: String) -> JSONValue? {
    guard case .object(let fields) = self else { return nil }
    return fields.last { $0.name == name }?.value
  }

  package var text: String? { if case .text(let text) = self { text } else { nil } }
  package var integer: Int64? { if case .integer(let number) = self { number } else { nil } }
  package var flag: Bool? { if case .flag(let flag) = self { flag } else { nil } }

  /// What a list of texts holds; nil: it is none.
  package var texts: [String]? {
    guard case .list(let values) = self else { return nil }
    let texts = values.compactMap(\.text)
    return texts.count == values.count ? texts : nil
  }

  package static func integer(_ number: Int) -> JSONValue { .integer(Int64(number)) }

  package static func texts(_ texts: [String]) -> JSONValue { .list(texts.map { .text($0) }) }

  /// With two spaces for each level, as people read it.
  package var indented: String { rendered(margin: "\n") + "\n" }

  /// On one line.
  package var compact: String { rendered(margin: nil) }

  private func rendered(margin: String?) -> String {
    switch self {
    case .null: return "null"
    case .flag(let flag): return flag ? "true" : "false"
    case .integer(let number): return String(number)
    // JSON has no words for infinities and NaN (RFC 8259, section 6).
    case .number(let number): return number.isFinite ? number.shortestDecimal : "null"
    case .text(let text): return Self.quoted(text)
    case .list(let values):
      // Lists of words stay on one line: they are choices.
      let isShort = values.allSatisfy { if case .text = $0 { true } else { false } }
      return Self.block("[", "]", values.map { value in { value.rendered(margin: $0) } }, isShort ? nil : margin)
    case .object(let fields):
      let colon = margin == nil ? ":" : ": "
      return Self.block(
        "{", "}", fields.map { field in { Self.quoted(field.name) + colon + field.value.rendered(margin: $0) } }, margin
      )
    }
  }

  private static func block(
    _ open: String, _ close: String, _ parts: [(String?) -> String], _ margin: String?
  ) -> String {
    guard !parts.isEmpty else { return open + close }
    guard let margin else { return open + parts.map { $0(nil) }.joined(separator: ",") + close }
    let inner = margin + "  "
    return open + inner + parts.map { $0(inner) }.joined(separator: "," + inner) + margin + close
  }

  private static func quoted(_ text: String) -> String {
    var bytes: [UInt8] = []
    bytes.appendJSON(text)
    return String(decoding: bytes, as: UTF8.self)
  }
}
