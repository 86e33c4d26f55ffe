/// Foreign text for a message: control characters escaped, cut after `limit` characters.
package func printable(_ text: some StringProtocol, limit: Int = 40) -> String {
  var result = ""
  for character in text.prefix(limit) {
    for scalar in character.unicodeScalars {
      switch scalar.properties.generalCategory {
      case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator:
        result += "\\u{\(String(scalar.value, radix: 16))}"
      default:
        result.unicodeScalars.append(scalar)
      }
    }
  }
  return text.dropFirst(limit).isEmpty ? result : result + "..."
}
