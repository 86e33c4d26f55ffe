import Configuration
import LimpetText

/// What mqtt-io 2.x made of its readings in Home Assistant (its `home_assistant.py`): one discovery topic and one unique
/// id each. Both go into the imported entry, so that Home Assistant hands the entity over with its history.
struct MQTTIOEntities {
  private let prefix: String
  private let client: String

  /// nil: mqtt-io did not describe anything.
  init?(_ mqtt: inout ForeignMapping) {
    let topicPrefix = mqtt.text("topic_prefix").map { $0.hasSuffix("/") ? String($0.dropLast()) : $0 } ?? ""
    guard var discovery = mqtt.mapping("ha_discovery"), discovery.flag("enabled") ?? false else { return nil }
    let written = discovery.text("prefix") ?? "homeassistant"
    prefix = written.hasSuffix("/") ? String(written.dropLast()) : written
    client = mqtt.text("client_id") ?? Self.defaultClient(topicPrefix)
    name = discovery.text("name")
  }

  /// The device's name there.
  let name: String?

  private static func defaultClient(_ topicPrefix: String) -> String {
    let digits = SHA1.hash(Array(topicPrefix.utf8)).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }
    return "mqtt-io-" + digits.joined()
  }

  /// What limpet is to do for Home Assistant.
  func write(to file: inout WrittenConfiguration) {
    if let name { file.line("device: {name: \(literal(name))}") }
    let place = prefix == "homeassistant" ? "" : ", prefix: \(literal(prefix))"
    file.line("homeassistant: {enabled: true\(place)}")
    file.comment("Stop mqtt-io before limpet starts: Home Assistant then hands its entities over, with their history")
  }

  /// One entry of the file.
  struct Entry {
    /// As mqtt-io has it.
    let name: String
    /// Of mqtt-io, which the unique id has.
    let module: String
    /// `input`, `output` or `sensor`.
    let place: String
    /// What Home Assistant has it as, unless the file says otherwise.
    let component: String
    /// What limpet can describe it as, and the value of `as` for that; nil: what it is anyway.
    let components: [String: String?]
  }

  /// The keys of an entry that carry its entity on; a comment, where that cannot be.
  func pairs(
    _ mapping: inout ForeignMapping, _ entry: Entry, as name: String, _ file: inout WrittenConfiguration,
    reasons: [String: String]
  ) -> [String] {
    var own = mapping.mapping("ha_discovery") ?? ForeignMapping(nil)
    var pairs: [String] = []
    if let title = own.text("name") { pairs.append("title: \(literal(title))") }
    let component = own.text("component") ?? entry.component
    var inner: [String] = []
    if entry.place != "output", let deviceClass = own.text("device_class") {
      inner.append("class: \(literal(deviceClass))")
    }
    if let icon = own.text("icon") { inner.append("icon: \(literal(icon))") }
    if let kind = entry.components[component] {
      if let kind { inner.append("as: \(kind)") }
      // Home Assistant takes no other characters in a topic: it has never seen such an entity.
      if Self.isTopicLevel(entry.name), Self.isTopicLevel(client) {
        inner.append("unique_id: \(literal("\(client)_\(entry.module)_\(entry.place)_\(entry.name)"))")
        inner.append("migrate_from: \(literal("\(prefix)/\(component)/\(client)/\(entry.name)/config"))")
      }
    } else {
      file.comment(
        "\(name): it was a \(component) in Home Assistant, and is another kind of entity here: clear the topic "
          + "\(prefix)/\(component)/\(client)/\(entry.name)/config to remove the old one", indentation: "  ")
    }
    file.comment(restOf: own, indentation: "  ", reasons: reasons)
    if !inner.isEmpty { pairs.append("homeassistant: {\(inner.joined(separator: ", "))}") }
    return pairs
  }

  private static func isTopicLevel(_ text: String) -> Bool {
    !text.isEmpty && text.unicodeScalars.allSatisfy { $0.isNameCharacter && $0 != "." }
  }
}
