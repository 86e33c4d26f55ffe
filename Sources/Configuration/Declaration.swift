/// What a key is, as data: the readers, the errors and their suggestions come from it, and so do the schema, the
/// reference file and the manual page. `Configuration.declarations` is the whole tree.
public struct Declaration: Sendable {
  public var name: String
  /// One sentence.
  public var help: String
  public var need: Need
  public var content: Content
  /// Examples as they would be written, if no default shows the form; for entries, whole ones in flow style.
  public var examples: [String] = []
  /// For entries: those that are active in the reference file, so they work on every board.
  public var samples: [String] = []

  public enum Need: Sendable, Equatable {
    /// It must be written; the text says what to write.
    case required(String)
    /// It may be left out; what then takes its place, if anything, is in the help.
    case optional
    /// As it would be written in a file.
    case standard(String)
  }

  public indirect enum Content: Sendable {
    case scalar(Shape)
    /// One scalar or a list of them.
    case scalars(Shape)
    case section([Declaration])
    /// A mapping whose keys are texts of the writer's own, each with one value: true, false, a number or a text.
    case texts
    /// A list of mappings. Each may have the keys of `common` and those of the variant that its key `selector` names.
    case entries(common: [Declaration], selector: String?, variants: [Variant])
  }

  /// The keys that belong to one choice of a selector, such as `zone` to `type: thermal`.
  public struct Variant: Sendable {
    public var name: String
    public var keys: [Declaration]
  }

  /// The values of a scalar.
  public enum Shape: Sendable, Equatable {
    /// UTF-8 bytes.
    case text(bytes: ClosedRange<Int>)
    /// Made of these characters only.
    case identifier(characters: String, count: ClosedRange<Int>)
    case choice([String])
    case boolean
    case integer(ClosedRange<Int>)
    /// A finite decimal number.
    case number(isZeroAllowed: Bool)
    case percentOrNumber
    /// With units; `orZero` also accepts zero, `words` are accepted too, and `wholeSeconds` excludes fractions.
    case duration(ClosedRange<Duration>, orZero: Bool, wholeSeconds: Bool, words: [String])
    /// Bytes, with units.
    case size(ClosedRange<Int>)
    /// With the placeholders in braces.
    case topic(placeholders: [String])
    case url(schemes: [String])
    case path
    /// A text that must also match this ECMA 262 regular expression as a whole.
    indirect case matching(pattern: String, Shape)
    /// Or this word, which has a meaning of its own.
    indirect case or(word: String, Shape)
  }
}

extension Declaration {
  /// The default as it would be written; nil where there is none.
  public var standard: String? { if case .standard(let text) = need { text } else { nil } }

  public var isRequired: Bool { if case .required = need { true } else { false } }

  package static func section(_ name: String, _ keys: [Declaration], help: String) -> Declaration {
    Declaration(name: name, help: help, need: .optional, content: .section(keys))
  }
}
