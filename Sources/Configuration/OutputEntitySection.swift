/// How Home Assistant shows an output, if the configuration says so.
package enum OutputEntity: String, Sendable, CaseIterable {
  case light, valve
  case toggle = "switch"
}

/// `homeassistant` at an output.
package enum OutputEntityKeys {
  package static let name = "homeassistant"
  package static let entity = Key(
    optional: "as", ValueKind<OutputEntity>.choice,
    help: "Which kind of entity it is: light, valve or switch; without it, the one that fits the type. Not with pulse.",
    example: "light")

  package static let all = [
    entity.declaration, EntityKeys.icon.declaration, EntityKeys.category.declaration, EntityKeys.enabled.declaration,
    EntityKeys.uniqueID.declaration, EntityKeys.migrateFrom.declaration,
  ]
  static let section = Declaration.section(name, all, help: "How Home Assistant shows it.")
}

/// Reads `title` and `homeassistant` of an output.
struct OutputEntitySection {
  let entity: OutputEntity?
  let presentation: Presentation
  let uniqueID: NamedReading.UniqueID?

  init(_ reader: MappingReader, _ type: Field<OutputType>) {
    var presentation = Presentation()
    presentation.title = reader.read(OutputKeys.title).value
    let section = reader.section(OutputEntityKeys.name)
    let entity = section.read(OutputEntityKeys.entity)
    presentation.icon = section.read(EntityKeys.icon).value
    presentation.category = section.read(EntityKeys.category).value
    presentation.isEnabled = section.read(EntityKeys.enabled).value
    uniqueID = presentation.readIdentity(section)
    self.presentation = presentation
    section.reject(unknownTo: OutputEntityKeys.all)
    self.entity = entity.value
    guard let chosen = entity.value, !type.isWrong else { return }
    if let position = reader.position(of: OutputKeys.pulse.name) {
      let pulse = Written(path: reader.path(to: OutputKeys.pulse.name), key: position, value: position)
      reader.conflict(entity.written, pulse, "a pulse is a button; remove homeassistant.as, or pulse")
    }
    let isFit =
      switch (chosen, type.value) {
      case (.valve, .gpio), (.toggle, _): true
      case (.light, let type): type != .fan
      case (.valve, _): false
      }
    if !isFit {
      section.error(
        entity.written, "\(chosen.rawValue) does not fit type \(type.value.rawValue); remove it, or write switch")
    }
  }
}
