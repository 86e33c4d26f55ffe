import Text

extension Configuration.HomeAssistant {
  package func topic(device: String) -> String { "\(prefix)/device/limpet_\(Self.objectID(device))/config" }

  package var birthTopic: String { "\(prefix)/status" }

  /// Letters, digits, `_` and `-` are all that Home Assistant takes in its topics.
  private static func objectID(_ device: String) -> String { String(device.map { $0 == "." ? "_" : $0 }) }
}

/// Names in the Homie convention 5: "A topic level ID MAY ONLY contain lowercase letters from a to z, numbers from 0 to 9
/// as well as the hyphen character".
package enum HomieID {
  /// The name of the configuration, as near as the convention has it.
  package static func of(_ name: String) -> String {
    String(
      String.UnicodeScalarView(
        name.lowercased().unicodeScalars.map { $0.isDigit || ("a"..."z").contains($0) ? $0 : "-" }))
  }
}

extension Configuration.Homie {
  /// What the topics of a device begin with.
  ///
  /// - Parameter device: its id; the placeholder `{device}` stays one.
  package func base(device: String) -> String { "\(domain)/5/\(device == "{device}" ? device : HomieID.of(device))" }
}
