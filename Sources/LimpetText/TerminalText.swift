/// Text from the control socket, for a terminal. Whoever may bind the socket's path decides what comes from there, and
/// root may be who asks: nothing of it may move the cursor, set a title or turn the direction of writing.
package enum TerminalText {
  /// Lines stay; every other scalar that is not seen becomes `\u{1b}`.
  package static func escaped(_ text: String) -> String {
    escaped(text, but: ["\n"]) { "\\u{\(String($0.value, radix: 16))}" }
  }

  /// As JSON writes it (RFC 8259, 7), so that an object of JSON stays one.
  package static func escapedJSON(_ text: String) -> String {
    escaped(text, but: []) { scalar in
      String(scalar).utf16.map { unit in
        "\\u" + String(unit, radix: 16).aligned(to: 4, filling: "0")
      }.joined()
    }
  }

  private static func escaped(
    _ text: String, but kept: Set<Unicode.Scalar>, _ escape: (Unicode.Scalar) -> String
  ) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      if kept.contains(scalar) || isSeen(scalar) {
        result.unicodeScalars.append(scalar)
      } else {
        result += escape(scalar)
      }
    }
    return result
  }

  private static func isSeen(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .surrogate, .lineSeparator, .paragraphSeparator: false
    default: true
    }
  }
}
