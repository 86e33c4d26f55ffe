/// Text from the file as a message shows it: in quotes, on one line, not too long.
public func quoted(_ text: some StringProtocol) -> String {
  let limit = 60
  let start = String(String.UnicodeScalarView(text.unicodeScalars.prefix(limit)))
  return "\"\(escaped(start))\(text.unicodeScalars.count > limit ? "..." : "")\""
}

/// Text on one line: what would break it, or cannot be seen, stands there as its number.
public func escaped(_ text: some StringProtocol) -> String {
  var shown = ""
  for scalar in text.unicodeScalars {
    switch scalar.properties.generalCategory {
    case .control, .lineSeparator, .paragraphSeparator, .format: shown += "\\u{\(String(scalar.value, radix: 16))}"
    default: shown.unicodeScalars.append(scalar)
    }
  }
  return shown
}
