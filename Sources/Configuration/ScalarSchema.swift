import JSON

/// One scalar's shape in the words of JSON Schema: a list of alternatives, each the fields of an object.
struct ScalarSchema {
  typealias Fields = [(name: String, value: JSONValue)]

  let shape: Declaration.Shape

  init(_ shape: Declaration.Shape) {
    self.shape = shape
  }

  /// Text, also where a YAML reader finds a number or a flag in it.
  private static let anyScalar = JSONValue.texts(["string", "number", "boolean"])
  private static let digits = #"[0-9]+(\.[0-9]+)?"#
  private static let decimal = #"[+-]?([0-9]+(\.[0-9]+)?|\.[0-9]+)([eE][+-]?[0-9]+)?"#

  var alternatives: [Fields] {
    switch shape {
    case .text(let bytes): [Self.text(bytes)]
    case .path: [Self.text(1...4095)]
    case .identifier(let characters, let count):
      [Self.pattern("^[\(characters)]{\(count.lowerBound),\(count.upperBound)}$")]
    case .topic(let placeholders):
      // Topics that begin with `$` belong to the server; wildcards and other braces are forbidden.
      [
        Self.pattern(
          #"^(?!\$)([^+#{}\u0000-\u001f\u007f-\u009f]|\{("# + placeholders.joined(separator: "|") + #")\})+$"#)
      ]
    case .choice(let words): [[("enum", .list(words.flatMap { [.text($0)] + Self.numbers($0) + Self.flags($0) }))]]
    case .boolean:
      [
        [("type", .text("boolean"))],
        Self.string("^(\(["true", "false", "yes", "no", "on", "off"].map(Self.anyCase).joined(separator: "|")))$"),
      ]
    case .integer(let range):
      [
        [("type", .text("integer")), ("minimum", .integer(range.lowerBound)), ("maximum", .integer(range.upperBound))],
        Self.string("^-?[0-9]+$"),
      ]
    case .number(let isZeroAllowed):
      [
        [("type", .text("number"))] + (isZeroAllowed ? [] : [("not", .object([("const", .integer(0))]))]),
        Self.string("^\(Self.decimal)$"),
      ]
    case .percentOrNumber:
      [
        [("type", .text("number")), ("exclusiveMinimum", .integer(0))],
        Self.string("^(?=.*[1-9])\(Self.decimal.dropFirst("[+-]?".count))%?$"),
      ]
    case .duration(let range, let orZero, _, let words):
      [Self.string("^(?=[0-9])\(WrittenDuration.units.map { "(\(Self.digits)\($0.name))?" }.joined())$")]
        + (orZero || range.contains(.zero) ? Self.zero : []) + words.map { [("const", .text($0))] }
    case .size(let range):
      [Self.string("^\(Self.digits)(\(WrittenSize.units.map(\.name).joined(separator: "|")))$")]
        + (range.contains(0) ? Self.zero : [])
    case .url(let schemes):
      [Self.string("^(\(schemes.map(Self.anyCase).joined(separator: "|")))://[^\\s#]+$")]
    case .matching(let pattern, let inner):
      ScalarSchema(inner).alternatives.map { fields in
        fields + [("allOf", .list([.object([("pattern", .text("^(\(pattern))$"))])]))]
      }
    case .or(let word, let inner): ScalarSchema(inner).alternatives + [[("const", .text(word))]]
    }
  }

  /// What is written as a value of its type.
  func value(_ written: String) -> JSONValue {
    switch shape {
    case .boolean: .flag(written == "true")
    case .integer, .number, .percentOrNumber: Int(strict: written).map { .integer($0) } ?? .text(written)
    case .matching(_, let inner), .or(_, let inner): ScalarSchema(inner).value(written)
    default: .text(written)
    }
  }

  private static func text(_ bytes: ClosedRange<Int>) -> Fields {
    // JSON Schema counts characters, of which there are no more than bytes.
    [("type", anyScalar), ("minLength", .integer(min(1, bytes.lowerBound))), ("maxLength", .integer(bytes.upperBound))]
  }

  private static func pattern(_ pattern: String) -> Fields {
    [("type", anyScalar), ("pattern", .text(pattern))]
  }

  private static func string(_ pattern: String) -> Fields {
    [("type", .text("string")), ("pattern", .text(pattern))]
  }

  /// Zero needs no unit.
  private static let zero: [Fields] = [[("const", .integer(0))], string(#"^0+(\.0+)?$"#)]

  private static func numbers(_ word: String) -> [JSONValue] { Int(strict: word).map { [.integer($0)] } ?? [] }

  /// What a reader of YAML 1.1 makes of the word.
  private static func flags(_ word: String) -> [JSONValue] {
    switch word {
    case "on": [.flag(true)]
    case "off": [.flag(false)]
    default: []
    }
  }

  /// ECMA 262 has no way to ignore case within a pattern.
  private static func anyCase(_ word: String) -> String {
    word.map { $0.isLetter ? "[\($0.uppercased())\($0.lowercased())]" : String($0) }.joined()
  }
}
