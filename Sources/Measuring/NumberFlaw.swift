/// Why a text is not the one decimal number that it should be.
public enum NumberFlaw: Error, Sendable, Hashable {
  case empty
  case severalWords
  case notANumber
  case infinite
  case text
  /// Past the range of a Double, or digits past 64 bits, which no kernel prints.
  case tooLarge
  /// A fraction where the kernel ABI has an integer.
  case notAnInteger

  package func sentence(about content: String) -> String {
    switch self {
    case .empty: "is empty, one number was expected"
    case .severalWords: "contains \"\(content)\": more than one word, one number was expected"
    case .notANumber: "contains \"\(content)\": the driver has no number"
    case .infinite: "contains \"\(content)\": infinity is not a measurement"
    case .text: "contains \"\(content)\": text, one decimal number was expected"
    case .tooLarge: "contains \"\(content)\": a number too large to represent"
    case .notAnInteger: "contains \"\(content)\": an integer was expected"
    }
  }
}
