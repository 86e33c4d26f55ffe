/// A JSON document (RFC 8259) that is small enough to be held as a tree; the fields of objects keep their order.
indirect enum JSONValue: Sendable {
  case null
  case flag(Bool)
  case integer(Int)
  case text(String)
  case list([JSONValue])
  case object([(name: String, value: JSONValue)])

  static func texts(_ texts: [String]) -> JSONValue { .list(texts.map { .text($0) }) }

  /// With two spaces for each level, as people read it.
  var indented: String { rendered(margin: "\n") + "\n" }

  /// On one line.
  var compact: String { rendered(margin: nil) }

  private func rendered(margin: String?) -> String {
    switch self {
    case .null: return "null"
    case .flag(let flag): return flag ? "true" : "false"
    case .integer(let number): return String(number)
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
