import LimpetText

extension Declaration.Content {
  /// What to write, in a few words.
  package var noun: String {
    switch self {
    case .section: "keys"
    case .texts: "keys and what they stand for"
    case .entries: "a list"
    case .scalar(let shape), .scalars(let shape): shape.noun
    }
  }

  /// The form of its values, if it has one of its own.
  package var shape: Declaration.Shape? {
    switch self {
    case .scalar(let shape), .scalars(let shape): shape
    case .section, .texts, .entries: nil
    }
  }
}

extension Declaration.Shape {
  package var noun: String {
    switch self {
    case .text, .identifier: "a text"
    case .choice(let words): Suggestion.list(words)
    case .boolean: "true or false"
    case .integer: "a whole number"
    case .number: "a number"
    case .percentOrNumber: "a number or a percentage"
    case .duration: "a duration"
    case .size: "a size"
    case .topic: "a topic"
    case .url: "a URL"
    case .path: "a path"
    case .matching(_, let shape), .or(_, let shape): shape.noun
    }
  }

  /// What its values are, with their bounds, for the reference and the manual: `0s to 1h`; nil where the noun and the
  /// help say it all.
  package var bounds: String? {
    switch self {
    case .identifier(let characters, let count):
      count.lowerBound == count.upperBound
        ? nil : "\(count.lowerBound) to \(count.upperBound) of \(characters)"
    case .text(let bytes) where bytes.upperBound <= 256: "\(bytes.lowerBound) to \(bytes.upperBound) bytes"
    case .choice(let words): Suggestion.list(words)
    case .integer(let range): "\(range.lowerBound) to \(range.upperBound)"
    case .number(let isZeroAllowed): isZeroAllowed ? nil : "a number, not 0"
    case .percentOrNumber: "a number or a percentage, above 0"
    case .duration(let range, let orZero, let wholeSeconds, let words):
      (orZero ? "0s, or " : "")
        + "\(WrittenDuration.text(range.lowerBound)) to \(WrittenDuration.text(range.upperBound))"
        + (wholeSeconds ? ", whole seconds" : "") + words.map { ", or \($0)" }.joined()
    case .size(let range): "\(WrittenSize.text(range.lowerBound)) to \(WrittenSize.text(range.upperBound))"
    case .matching(_, let shape), .or(_, let shape): shape.bounds
    case .text, .boolean, .topic, .url, .path: nil
    }
  }
}
