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

  static let all = [
    deviceClass.declaration, icon.declaration, category.declaration, enabled.declaration, precision.declaration,
    platform.declaration,
  ]

  static let section = Declaration.section(name, all, help: "How Home Assistant shows it.")
}

/// Reads `title` and `homeassistant`.
struct PresentationSection {
  let presentation: Presentation
  /// Where `homeassistant.as` stands.
  let platform: Written?
  /// Where `homeassistant.class` stands.
  let deviceClass: Written?

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

  static let icon = ValueKind(.text(bytes: 5...64)) { text throws(Mismatch) in
    let isRight =
      text.utf8.count <= 64 && text.split(separator: ":", omittingEmptySubsequences: false).count == 2
      && text.unicodeScalars.allSatisfy { $0.isNameCharacter || $0 == ":" } && !text.hasPrefix(":")
      && !text.hasSuffix(":")
    guard isRight else { throw Mismatch(message: "\(quoted(text)) is not an icon; write one such as mdi:door") }
    return text
  }.matching("[A-Za-z0-9._-]+:[A-Za-z0-9._-]+")
}
