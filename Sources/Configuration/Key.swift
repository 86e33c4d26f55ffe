import Measuring
import YAML

/// Why a scalar is not a value of its kind: "what is wrong; what would be right".
package struct Mismatch: Error {
  package var message: String

  package init(message: String) {
    self.message = message
  }
}

/// How text becomes a value, and the same as data for schema and manual.
package struct ValueKind<Value: Sendable>: Sendable {
  package let shape: Declaration.Shape
  package let parse: @Sendable (String) throws(Mismatch) -> Value

  package init(_ shape: Declaration.Shape, parse: @escaping @Sendable (String) throws(Mismatch) -> Value) {
    self.shape = shape
    self.parse = parse
  }

  /// The same kind with one more step.
  package func map<Other>(_ transform: @escaping @Sendable (Value) throws(Mismatch) -> Other) -> ValueKind<Other> {
    let parse = parse
    return ValueKind<Other>(shape) { text throws(Mismatch) in try transform(try parse(text)) }
  }

  /// The same kind, with `word` for a value of its own.
  package func or(_ word: String, _ value: Value) -> ValueKind<Value> {
    let parse = parse
    // A duration lists its words itself, since its messages contain them.
    let shape = if case .duration = shape { shape } else { Declaration.Shape.or(word: word, shape) }
    return ValueKind(shape) { text throws(Mismatch) in text == word ? value : try parse(text) }
  }

  /// The same kind, with a pattern for what else `parse` requires of a text (ECMA 262, the whole text).
  package func matching(_ pattern: String) -> ValueKind<Value> {
    ValueKind(.matching(pattern: pattern, shape), parse: parse)
  }
}

/// A key of the configuration, declared once: its name, kind, default and help.
package struct Key<Value: Sendable>: Sendable {
  package let declaration: Declaration
  package let kind: ValueKind<Value>
  package let standard: Value

  /// - Parameters:
  ///   - standard: the default as it would be written; it goes through the same reader as the file.
  ///   - help: one sentence.
  ///   - example: what to show in the reference file instead of nothing, or instead of the default.
  package init(_ name: String, _ kind: ValueKind<Value>, default standard: String, help: String, example: String? = nil)
  {
    declaration = Declaration(
      name: name, help: help, need: .standard(standard), content: .scalar(kind.shape),
      examples: example.map { [$0] } ?? [])
    self.kind = kind
    do {
      self.standard = try kind.parse(standard)
    } catch {
      preconditionFailure("the default of \(name) is outside its own bounds: \(error.message)")
    }
  }

  /// A key that may be left out.
  package init<Wrapped>(optional name: String, _ kind: ValueKind<Wrapped>, help: String, example: String? = nil)
  where Value == Wrapped? {
    declaration = Declaration(
      name: name, help: help, need: .optional, content: .scalar(kind.shape), examples: example.map { [$0] } ?? [])
    self.kind = kind.map { $0 }
    standard = nil
  }

  /// A key that must be written. Its value is nil only after an error was recorded.
  /// - Parameter missing: what to write.
  package init<Wrapped>(
    required name: String, _ kind: ValueKind<Wrapped>, missing: String, help: String, example: String? = nil
  )
  where Value == Wrapped? {
    declaration = Declaration(
      name: name, help: help, need: .required(missing), content: .scalar(kind.shape),
      examples: example.map { [$0] } ?? [])
    self.kind = kind.map { $0 }
    standard = nil
  }

  /// A required key that takes one value or a list of them.
  package init<Wrapped>(
    requiredList name: String, _ kind: ValueKind<Wrapped>, missing: String, help: String, example: String? = nil
  )
  where Value == Wrapped? {
    declaration = Declaration(
      name: name, help: help, need: .required(missing), content: .scalars(kind.shape),
      examples: example.map { [$0] } ?? [])
    self.kind = kind.map { $0 }
    standard = nil
  }

  /// A key that may be left out and takes one value or a list of them.
  package init<Wrapped>(optionalList name: String, _ kind: ValueKind<Wrapped>, help: String, example: String? = nil)
  where Value == Wrapped? {
    declaration = Declaration(
      name: name, help: help, need: .optional, content: .scalars(kind.shape), examples: example.map { [$0] } ?? [])
    self.kind = kind.map { $0 }
    standard = nil
  }

  package var name: String { declaration.name }
}

/// The value of a key in a file.
package struct Field<Value> {
  /// The value that was written, or the default, also if the written one is wrong, so that reading goes on.
  package var value: Value
  /// Where it was written; nil where it was not, or was wrong.
  package var written: Written?
  /// The written value is wrong, and reported; rules between keys then skip it.
  package var isWrong = false

  var isWritten: Bool { written != nil }
}

/// Where a key and its value stand.
package struct Written {
  package var path: String
  package var key: Position
  package var value: Position
  /// What the value was made of.
  package var origin = Substitution.Origin.literal
}
