import LimpetText
import Measuring

/// A topic to publish to, with placeholders for the device's id and the reading's name.
public struct TopicTemplate: Sendable, Hashable, CustomStringConvertible {
  public enum Placeholder: String, Sendable, CaseIterable {
    case device, name
  }

  package enum Part: Sendable, Hashable {
    case text(String)
    case placeholder(Placeholder)
  }

  package let parts: [Part]

  /// The topic of one device and reading. A nil part stays a placeholder.
  public func expanded(device: String?, name: String? = nil) -> String {
    parts.map { part in
      switch part {
      case .text(let text): text
      case .placeholder(.device): device ?? "{device}"
      case .placeholder(.name): name ?? "{name}"
      }
    }.joined()
  }

  /// As it was written.
  public var description: String { expanded(device: nil) }

  public func contains(_ placeholder: Placeholder) -> Bool { parts.contains(.placeholder(placeholder)) }

  /// Reads a topic name [MQTT-4.7.1-1] [MQTT-4.7.3-1..3].
  package init(_ text: String, allowing allowed: [Placeholder]) throws(Mismatch) {
    guard !text.isEmpty else { throw Mismatch(message: "empty; a topic has at least one character") }
    guard !text.hasPrefix("$") else {
      throw Mismatch(message: "begins with \"$\"; those topics belong to the broker, write another first level")
    }
    for scalar in text.unicodeScalars {
      if scalar == "+" || scalar == "#" {
        throw Mismatch(message: "contains the wildcard \"\(scalar)\"; a topic to publish to has none")
      }
      if scalar.properties.generalCategory == .control {
        throw Mismatch(message: "contains a control character; remove it")
      }
    }
    var parts: [Part] = []
    var rest = Substring(text)
    var bytes = 0
    while let brace = rest.firstIndex(where: { $0 == "{" || $0 == "}" }) {
      let before = rest[..<brace]
      guard rest[brace] == "{", let end = rest[brace...].firstIndex(of: "}") else {
        throw Mismatch(message: "has a brace without its partner; placeholders are \(Self.list(allowed))")
      }
      let word = String(rest[rest.index(after: brace)..<end])
      guard let placeholder = allowed.first(where: { $0.rawValue == word }) else {
        let near = Suggestion(candidates: allowed.map(\.rawValue)).nearest(to: word)
        let advice = near.map { "; did you mean {\($0)}?" } ?? "; placeholders are \(Self.list(allowed))"
        throw Mismatch(message: "contains \(quoted("{\(word)}")), which has no meaning here\(advice)")
      }
      if !before.isEmpty { parts.append(.text(String(before))) }
      parts.append(.placeholder(placeholder))
      // Names and ids have up to 64 bytes.
      bytes += before.utf8.count + 64
      rest = rest[rest.index(after: end)...]
    }
    if !rest.isEmpty { parts.append(.text(String(rest))) }
    guard bytes + rest.utf8.count <= 65535 else {
      throw Mismatch(message: "longer than a topic can be; write at most 65535 bytes, names filled in")
    }
    self.parts = parts
  }

  /// What is probably not meant; nil: nothing.
  var doubt: String? {
    let text = description
    for placeholder in Placeholder.allCases {
      let word = placeholder.rawValue
      for other in ["%\(word)%", "<\(word)>", "$\(word)", "[\(word)]"] where text.contains(other) {
        return "\(quoted(other)) stands in the topic as it is written; the placeholder is {\(word)}"
      }
    }
    if text.hasPrefix("/") { return "begins with \"/\", so its first level is empty; remove that" }
    if text.hasSuffix("/") { return "ends with \"/\", so its last level is empty; remove that" }
    return nil
  }

  private static func list(_ placeholders: [Placeholder]) -> String {
    Suggestion.list(placeholders.map { "{\($0.rawValue)}" })
  }
}

extension ValueKind where Value == TopicTemplate {
  package static func topic(_ placeholders: TopicTemplate.Placeholder...) -> Self {
    ValueKind(.topic(placeholders: placeholders.map(\.rawValue))) { text throws(Mismatch) in
      try TopicTemplate(text, allowing: placeholders)
    }
  }
}
