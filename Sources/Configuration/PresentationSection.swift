import LimpetText

/// How people see a reading: its title, and its entity in Home Assistant.
public struct Presentation: Sendable, Equatable {
  /// nil: made of the name.
  public var title: String?
  /// `device_class`; nil: what follows from unit and source; empty: none.
  public var deviceClass: String?
  public var icon: String?
  public var category: Category?
  public var isEnabled = true
  /// Digits that are shown.
  public var precision: Int?
  public var platform: Platform?
  /// `unique_id`; nil: made of the device and the name.
  public var uniqueID: String?
  /// Where another program described the entity that this one carries on.
  public var migrateFrom: String?

  public init() {}

  public enum Category: String, Sendable, CaseIterable {
    /// Below "Diagnostic" on the device's page, and not on automatic dashboards.
    case diagnostic
    case none
  }

  public enum Platform: String, Sendable, CaseIterable {
    case sensor
    case binarySensor = "binary_sensor"
  }
}

/// `homeassistant` at an input or a sensor.
enum EntityKeys {
  static let name = "homeassistant"

  static let title = Key(
    optional: "title", .text(bytes: 1...128), help: "The reading's name for people; without it, made of name.",
    example: "Front door")
  static let deviceClass = Key(
    optional: "class", .deviceClass,
    help:
      "Its device_class, such as door, motion or water; without it, the one that fits the source; with none, it has no "
      + "class.",
    example: "door")
  static let icon = Key(optional: "icon", .icon, help: "Its icon, of Material Design Icons.", example: "mdi:door")
  static let category = Key(
    optional: "category", ValueKind<Presentation.Category>.choice,
    help: "diagnostic puts it below the others; readings of type system are diagnostic unless this is none.",
    example: "diagnostic")
  static let enabled = Key(
    "enabled", .boolean, default: "true", help: "Whether Home Assistant enables it when it first sees it.")
  static let precision = Key(
    optional: "precision", .integer(0...9),
    help: "Decimal places that Home Assistant shows; without it, those of round.",
    example: "1")
  static let platform = Key(
    optional: "as", ValueKind<Presentation.Platform>.choice,
    help: "Which kind of entity it is; without it, the kind that fits. Not for modes event and counter.",
    example: "binary_sensor")

  static let uniqueID = Key(
    optional: "unique_id", .uniqueID,
    help: "Its unique_id, to carry on an entity that another program made; without it, DEVICE/NAME. One value only.",
    example: "pi_input_door")
  static let migrateFrom = Key(
    optional: "migrate_from", .discoveryTopic,
    help:
      "The discovery topic on which another program described it alone, such as "
      + "homeassistant/binary_sensor/pi/door/config: limpet takes the entity over, once, and clears the topic; stop the "
      + "other program first.",
    example: "ha/sensor/pi/a/config")

  static let all = [
    deviceClass.declaration, icon.declaration, category.declaration, enabled.declaration, precision.declaration,
    platform.declaration, uniqueID.declaration, migrateFrom.declaration,
  ]

  static let section = Declaration.section(name, all, help: "How Home Assistant shows it.")
}

extension Presentation {
  /// Reads which entity it is.
  mutating func readIdentity(_ section: MappingReader) -> NamedReading.UniqueID? {
    let id = section.read(EntityKeys.uniqueID)
    uniqueID = id.value
    migrateFrom = section.read(EntityKeys.migrateFrom).value
    guard let text = id.value, let written = id.written else { return nil }
    return NamedReading.UniqueID(text: text, written: written)
  }
}

/// Reads `title` and `homeassistant`.
struct PresentationSection {
  let presentation: Presentation
  /// Where `homeassistant.as` stands.
  let platform: Written?
  /// Where `homeassistant.class` stands.
  let deviceClass: Written?
  let uniqueID: NamedReading.UniqueID?

  init(_ reader: MappingReader) {
    var presentation = Presentation()
    presentation.title = reader.read(EntityKeys.title).value
    let section = reader.section(EntityKeys.name)
    let deviceClass = section.read(EntityKeys.deviceClass)
    presentation.deviceClass = deviceClass.value
    self.deviceClass = deviceClass.written
    presentation.icon = section.read(EntityKeys.icon).value
    presentation.category = section.read(EntityKeys.category).value
    presentation.isEnabled = section.read(EntityKeys.enabled).value
    presentation.precision = section.read(EntityKeys.precision).value
    let platform = section.read(EntityKeys.platform)
    presentation.platform = platform.value
    self.platform = platform.written
    uniqueID = presentation.readIdentity(section)
    section.reject(unknownTo: EntityKeys.all)
    self.presentation = presentation
  }
}

extension ValueKind where Value == String {
  /// A class of a sensor, a binary sensor or an event (developers.home-assistant.io).
  static let deviceClass = ValueKind(.choice(DeviceClasses.all)) { text throws(Mismatch) in
    guard DeviceClasses.all.contains(text) else {
      let near = Suggestion(candidates: DeviceClasses.all).nearest(to: text).map { "; did you mean \(quoted($0))?" }
      throw Mismatch(
        message: "\(quoted(text)) is not a class of Home Assistant\(near ?? "; its page \"Binary sensor\" lists them")")
    }
    return text == "none" ? "" : text
  }

  /// What stands on one line.
  static let uniqueID = ValueKind.text(bytes: 1...255).map { text throws(Mismatch) in
    guard text.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control }) else {
      throw Mismatch(message: "contains a control character, such as the end of a line; remove it")
    }
    return text
  }.matching("[^\\u0000-\\u001F\\u007F-\\u009F]{1,255}")

  /// Where an entity is described alone: PREFIX/COMPONENT/[NODE/]OBJECT/config. Home Assistant sees no other topics.
  static let discoveryTopic = ValueKind<TopicTemplate>.topic().map { $0.description }.map { text throws(Mismatch) in
    let levels = text.split(separator: "/", omittingEmptySubsequences: false)
    guard levels.count >= 4, levels.last == "config", !levels.contains(""), !text.contains(" "),
      levels.dropLast().suffix(2).joined().unicodeScalars.allSatisfy({ $0.isNameCharacter && $0 != "." })
    else {
      throw Mismatch(
        message: "\(quoted(text)) is not a discovery topic; write one such as homeassistant/sensor/node/name/config")
    }
    return text
  }.matching("([^/ ]+/)+([A-Za-z0-9_-]+/){2}config")

  static let icon = ValueKind(.text(bytes: 5...64)) { text throws(Mismatch) in
    let isRight =
      text.utf8.count <= 64 && text.split(separator: ":", omittingEmptySubsequences: false).count == 2
      && text.unicodeScalars.allSatisfy { $0.isNameCharacter || $0 == ":" } && !text.hasPrefix(":")
      && !text.hasSuffix(":")
    guard isRight else { throw Mismatch(message: "\(quoted(text)) is not an icon; write one such as mdi:door") }
    return text
  }.matching("[A-Za-z0-9._-]+:[A-Za-z0-9._-]+")
}
