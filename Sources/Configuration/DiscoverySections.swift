import LimpetText
import Measuring

enum HomeAssistantKeys {
  static let enabled = Key("enabled", .boolean, default: "false", help: "Describe this device and its readings.")
  static let prefix = Key(
    "prefix", .discoveryPrefix, default: "homeassistant",
    help: "The first part of Home Assistant's discovery topics, as set in Home Assistant.")

  static let area = Key(
    optional: "suggested_area", .text(bytes: 1...64), help: "The area that Home Assistant proposes for the device.",
    example: "Greenhouse")

  static let supportURL = Key(
    optional: "support_url", .pageURL, help: "A page for who needs help with the device; Home Assistant links to it.",
    example: "https://wiki.example.com/boards")

  static let all = [enabled.declaration, prefix.declaration, area.declaration, supportURL.declaration]
}

enum HomieKeys {
  static let enabled = Key("enabled", .boolean, default: "false", help: "Be a Homie device too.")
  static let domain = Key(
    "domain", .topicLevel, default: "homie", help: "The first level of its topics; 5 and the device follow.")

  static let all = [enabled.declaration, domain.declaration]
}

extension ValueKind where Value == String {
  /// Levels of a topic that others follow.
  static let discoveryPrefix = plainTopic.map { text throws(Mismatch) in
    guard !text.hasPrefix("/"), !text.hasSuffix("/") else {
      throw Mismatch(message: "\(quoted(text)) begins or ends with a slash; remove that")
    }
    return text
  }.matching("[^/](.*[^/])?")

  /// A page that a browser opens. Home Assistant takes no other scheme there (`cv.configuration_url` of its helpers), and
  /// refuses the whole description for it.
  static let pageURL = text(bytes: 1...256).map { text throws(Mismatch) in
    let rest = ["http://", "https://"].first { text.hasPrefix($0) }.map { text.dropFirst($0.count) }
    guard let rest, let host = rest.split(separator: "/", omittingEmptySubsequences: false).first, !host.isEmpty,
      !text.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7F })
    else {
      throw Mismatch(
        message: "\(quoted(text)) is not the address of a page; write it as https://wiki.example.com/boards")
    }
    return text
  }.matching("https?://[^/\\s][^\\s]*")

  static let topicLevel = plainTopic.map { text throws(Mismatch) in
    guard !text.contains("/") else {
      throw Mismatch(message: "\(quoted(text)) is several levels of a topic; write one, without a slash")
    }
    return text
  }.matching("[^/]*")

  private static let plainTopic = ValueKind<TopicTemplate>.topic().map { $0.description }
}

/// Reads `homeassistant` and `homie`.
struct DiscoverySections {
  let homeAssistant: Configuration.HomeAssistant
  let homie: Configuration.Homie
  /// The keys that decide on topics, for rules with others.
  let prefix: Field<String>
  let domain: Field<String>

  init(_ reader: MappingReader) {
    let homeAssistant = reader.section("homeassistant")
    prefix = homeAssistant.read(HomeAssistantKeys.prefix)
    var described = Configuration.HomeAssistant(
      isEnabled: homeAssistant.read(HomeAssistantKeys.enabled).value, prefix: prefix.value)
    described.area = homeAssistant.read(HomeAssistantKeys.area).value
    described.supportURL = homeAssistant.read(HomeAssistantKeys.supportURL).value
    self.homeAssistant = described
    homeAssistant.reject(unknownTo: HomeAssistantKeys.all)
    Self.warn("homeassistant", homeAssistant, HomeAssistantKeys.all, of: reader)
    let homie = reader.section("homie")
    domain = homie.read(HomieKeys.domain)
    self.homie = Configuration.Homie(isEnabled: homie.read(HomieKeys.enabled).value, domain: domain.value)
    homie.reject(unknownTo: HomieKeys.all)
    Self.warn("homie", homie, HomieKeys.all, of: reader)
  }

  /// Who writes keys of it means it to be there.
  private static func warn(_ name: String, _ section: MappingReader, _ keys: [Declaration], of reader: MappingReader) {
    guard let position = reader.position(of: name), section.position(of: "enabled") == nil,
      keys.contains(where: { section.position(of: $0.name) != nil })
    else { return }
    reader.log.warning(position, name, "is not enabled; write enabled: true below it")
  }
}

/// Rules between descriptions for home automation and the rest: their topics belong to nothing else, and in Homie,
/// whose names have lower-case letters, digits and hyphens only, every reading still has a name of its own.
struct DiscoveryRules {
  let sections: DiscoverySections
  let device: Configuration.Identifier
  let topic: Field<TopicTemplate>
  let presence: Field<TopicTemplate>
  let log: DiagnosticLog

  func check(_ readings: [NamedReading], _ sensors: [SensorConfiguration]) {
    let device = if case .given(let id) = device { id } else { "{device}" }
    let homeAssistant = sections.homeAssistant
    let homie = sections.homie
    var taken: [(topic: String, what: String)] = []
    if homeAssistant.isEnabled, !sections.prefix.isWrong {
      taken = [(homeAssistant.topic(device: device), "the description for Home Assistant")]
      taken += homeAssistant.birthTopics.map { ($0, "where Home Assistant says that it has started") }
    }
    let base = homie.isEnabled && !sections.domain.isWrong ? homie.base(device: device) + "/" : nil
    func owner(_ topic: String) -> String? {
      if let base, topic.hasPrefix(base) { return "where this device is one of Homie" }
      return taken.first { $0.topic == topic }?.what
    }
    let status = presence.value.expanded(device: device)
    if !presence.isWrong, let owner = owner(status) {
      let written = [presence.written, sections.prefix.written, sections.domain.written].compactMap { $0 }
        .max { $0.key < $1.key }
      if let written {
        log.error(written.key, written.path, "the status topic \(quoted(status)) is \(owner); write another")
      }
    }
    for reading in readings where !topic.isWrong {
      let topic = topic.value.expanded(device: device, name: reading.name)
      if let owner = owner(topic) {
        log.error(
          reading.written.key, reading.written.path,
          "\(quoted(reading.name)) has the topic \(quoted(topic)), \(owner); write another topic")
      }
    }
    if base != nil { checkNames(readings, sensors) }
    checkUniqueIDs(readings, device)
  }

  /// Home Assistant takes the first of two entities with one unique id, and leaves out the other.
  private func checkUniqueIDs(_ readings: [NamedReading], _ device: String) {
    var owners = Dictionary(readings.map { ("\(device)/\($0.name)", $0.name) }) { first, _ in first }
    for reading in readings.sorted(by: { $0.written.key < $1.written.key }) {
      guard let id = reading.uniqueID else { continue }
      if let other = owners.updateValue(reading.name, forKey: id.text), other != reading.name {
        log.error(
          id.written.value, id.written.path,
          "\(quoted(id.text)) is already the unique id of \(quoted(other)); write another")
      }
    }
  }

  private func checkNames(_ readings: [NamedReading], _ sensors: [SensorConfiguration]) {
    var names: [String: String] = [:]
    for reading in readings.sorted(by: { $0.written.key < $1.written.key }) {
      let id = HomieID.of(reading.name)
      if let other = names[id], other != reading.name {
        log.error(
          reading.written.key, reading.written.path,
          "in Homie \(quoted(reading.name)) and \(quoted(other)) are both \(quoted(id)); write another name")
      }
      names[id] = names[id] ?? reading.name
    }
    for sensor in sensors {
      guard case .channels(let members) = sensor.source, let reading = readings.first(where: { $0.name == sensor.name })
      else { continue }
      let ids = members.map { HomieID.of($0.name) }
      if let index = ids.indices.first(where: { ids[..<$0].contains(ids[$0]) }) {
        log.error(
          reading.written.key, reading.written.path,
          "in Homie two channels of \(quoted(sensor.name)) are \(quoted(ids[index])); give them entries of their own")
      }
    }
  }
}
