import LimpetText

extension Configuration.HomeAssistant {
  package func topic(device: String) -> String { "\(prefix)/device/limpet_\(Self.objectID(device))/config" }

  /// The topics on which Home Assistant publishes that it has started: beside its prefix for discovery, and the default
  /// one, since these are two settings there.
  package var birthTopics: [String] {
    let usual = "homeassistant/status"
    return "\(prefix)/status" == usual ? [usual] : ["\(prefix)/status", usual]
  }

  /// Letters, digits, `_` and `-` are all that Home Assistant takes in its topics. An id with other characters gets some
  /// digits of its hash, or `cd.e` and `cd_e` would be one device.
  private static func objectID(_ device: String) -> String {
    guard device.contains(".") else { return device }
    let digits = SHA256.hash(Array(device.utf8)).prefix(3).map {
      String($0 >> 4, radix: 16) + String($0 & 15, radix: 16)
    }
    return String(device.map { $0 == "." ? "_" : $0 }) + "_" + digits.joined()
  }
}

/// Names in the Homie convention 5: "A topic level ID MAY ONLY contain lowercase letters from a to z, numbers from 0 to 9
/// as well as the hyphen character".
package enum HomieID {
  /// The name of the configuration, in the nearest form that the convention allows.
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
