import LimpetText

/// Text as YAML has it in `{key: text}`: plain where that cannot be taken for anything else, else in double quotes.
package func yamlScalar(_ text: String) -> String {
  let isPlain =
    text.first.map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "/") } ?? false
    && text.unicodeScalars.allSatisfy { $0.isNameCharacter || "/@+".unicodeScalars.contains($0) }
    && !["null", "Null", "NULL"].contains(text)
  if isPlain { return text }
  var quoted = "\""
  for scalar in text.unicodeScalars {
    switch scalar {
    case "\"", "\\":
      quoted += "\\"
      quoted.unicodeScalars.append(scalar)
    case _ where scalar.properties.generalCategory == .control:
      quoted += "\\x" + String(scalar.value, radix: 16).aligned(to: 2, filling: "0")
    default: quoted.unicodeScalars.append(scalar)
    }
  }
  return quoted + "\""
}
