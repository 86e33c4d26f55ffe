import LimpetText

/// libyaml's words for a syntax error in words that say what to do.
struct SyntaxError {
  var problem: String
  /// What libyaml was doing, and the line where it began to.
  var context: String?
  var contextLine: Int
  /// What stands at the problem mark; nil at the end of the file.
  var character: Unicode.Scalar?

  var message: String {
    if character == "\t" && (problem.contains("tab") || problem.contains("cannot start any token")) {
      return "a tab; YAML indents with spaces only"
    }
    switch problem {
    case "found character that cannot start any token":
      return "a value cannot begin with \(quotedCharacter); put the value in quotes"
    case "mapping values are not allowed in this context":
      return """
        a ":" is not allowed here; check the indentation and that the line above has its ":", or put a value that \
        contains ": " in quotes
        """
    case "could not find expected ':'":
      return "the key on line \(contextLine) has no \":\"; write \"key: value\", with a space after the colon"
    case "did not find expected key":
      return """
        only a key can stand here; indent it like the keys that begin on line \(contextLine), \
        or put the value before it in quotes
        """
    case "did not find expected '-' indicator":
      return "an item was expected; begin it with \"- \", indented as the list that begins on line \(contextLine)"
    case "block sequence entries are not allowed in this context":
      return "a list cannot begin here; write \"- \" on a line of its own, below the key"
    case "did not find expected ',' or '}'":
      return """
        a "," or "}" is missing; the "{" is on line \(contextLine); a value that contains ": " needs quotes, and a ' \
        inside of '...' is written twice
        """
    case "did not find expected ',' or ']'":
      return "a \",\" or \"]\" is missing; the \"[\" is on line \(contextLine)"
    case "did not find expected <document start>":
      return "nothing can follow the end of the document; check brackets and indentation above"
    case "found unknown escape character":
      return "not an escape that YAML knows; write \\\\ for a backslash, or use single quotes"
    case "found unexpected end of stream":
      return "the quotes that open on line \(contextLine) are never closed; close them"
    case "found a tab character where an indentation space is expected":
      return "a tab; YAML indents with spaces only"
    default:
      return "\(context.map { "\($0): " } ?? "")\(problem); see line \(contextLine), or put the value in quotes"
    }
  }

  private var quotedCharacter: String {
    character.map { quoted(String($0)) } ?? "this character"
  }
}
