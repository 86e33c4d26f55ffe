import LimpetText

/// The settings of one sensor that its type brings.
public struct SensorSettings: Sendable, Hashable {
  private var settings: [String: Setting]

  package enum Setting: Sendable, Hashable {
    case text(String)
    case pattern(Pattern)
    case flag(Bool)
  }

  /// Texts by the names of their keys; those that are nil are not written.
  package init(_ texts: KeyValuePairs<String, String?> = [:]) {
    settings = [:]
    for (key, text) in texts { settings[key] = text.map { .text($0) } }
  }

  /// - Parameter setting: nil and false are the same as a key that is not written.
  package mutating func set(_ key: String, _ setting: Setting?) {
    settings[key] = setting == .flag(false) ? nil : setting
  }

  /// The text of a key; nil where it is not written.
  package subscript(key: String) -> String? {
    if case .text(let text)? = settings[key] { text } else { nil }
  }

  /// The text of a key that the type's entry requires.
  package func text(_ key: String) -> String {
    guard let text = self[key] else { preconditionFailure("no entry of the table of sensors requires \(key)") }
    return text
  }

  package func pattern(_ key: String) -> Pattern? {
    if case .pattern(let pattern)? = settings[key] { pattern } else { nil }
  }

  package func isSet(_ key: String) -> Bool { settings[key] == .flag(true) }

  /// As the configuration has it; nil where it is not written.
  package func written(_ key: String) -> String? {
    switch settings[key] {
    case .text(let text)?: text
    case .pattern(let pattern)?: pattern.text
    case .flag(let isSet)?: "\(isSet)"
    case nil: nil
    }
  }
}
