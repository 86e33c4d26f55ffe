import LimpetText
import Measuring

/// Reads the keys of one sensor's type, by the type's entry in the table.
struct SensorKindReader {
  private let reader: MappingReader
  private let type: SensorType
  private var fields: [String: Field<SensorSettings.Setting?>] = [:]
  private var settings = SensorSettings()
  /// What is read; nil after an error.
  private(set) var kind: SensorKind?

  /// - Parameter isMapped: whether `map` is written, which turns texts into values.
  init(_ reader: MappingReader, _ type: SensorType, isMapped: Bool) {
    self.reader = reader
    self.type = type
    for key in type.entry.keys {
      let field = reader.read(key.key)
      fields[key.name] = field
      settings.set(key.name, field.value)
      if case .flag(isImpliedByMap: true) = key.kind, isMapped { settings.set(key.name, .flag(true)) }
    }
    let isConditionMet = checkConditions()
    let kinds = type.entry.selection.map { selected(by: $0) } ?? .one(type, settings)
    kind = isComplete && isConditionMet && isFlawless ? kinds : nil
  }

  /// Whether all required keys are there.
  private var isComplete: Bool {
    type.entry.keys.allSatisfy { key in
      if case .required = key.need { fields[key.name]?.value != nil } else { true }
    }
  }

  private var isFlawless: Bool {
    guard isComplete, let flaw = type.entry.flaw(settings) else { return true }
    reader.error(fields[flaw.key]?.written, flaw.message)
    return false
  }

  /// Keys that belong to certain words of another key stand only beside these words. If that key is wrong, they are not
  /// checked.
  private func checkConditions() -> Bool {
    var isMet = true
    for key in type.entry.keys {
      guard case .with(let other, let words, let missing) = key.need, let field = fields[key.name],
        let word = settings[other]
      else { continue }
      guard words.contains(word) else {
        reader.error(field.written, "belongs to \(other) \(Suggestion.list(words)), not \(word); remove it")
        continue
      }
      if !field.isWritten, !field.isWrong { reader.missing(key.name, missing) }
      if field.value == nil { isMet = false }
    }
    return isMet
  }

  // MARK: Which of several

  private func selected(by selection: SensorKey.Selection) -> SensorKind? {
    let choices = selection.keys.compactMap { fields[$0] }
    let written = choices.filter(\.isWritten)
    if written.count > 1 { reader.conflict(written[0].written, written[1].written, selection.conflict) }
    if let names = names(selection, insteadOf: written) {
      return names.isEmpty ? nil : .channels(names.map { member($0, of: selection) })
    }
    guard written.isEmpty else { return .one(type, settings) }
    if let key = selection.keys.first, !choices.contains(where: \.isWrong) { reader.missing(key, selection.missing) }
    return nil
  }

  /// The entries of a list that replaces other keys; nil if it is not written.
  private func names(
    _ selection: SensorKey.Selection, insteadOf others: [Field<SensorSettings.Setting?>]
  ) -> [String]? {
    let key = selection.severalKey
    guard let position = reader.position(of: key.name) else { return nil }
    var names: [String] = []
    for item in reader.readList(key, limit: 32) {
      guard case .text(let name) = item.value else { continue }
      if names.contains(name), let written = item.written {
        reader.log.error(written.value, written.path, "\(quoted(name)) is in the list already; remove it")
      }
      names.append(name)
    }
    let list = Written(path: reader.path(to: key.name), key: position, value: position)
    for other in others {
      reader.conflict(other.written, list, "\(key.name) takes the place of this key; remove one of them")
    }
    return names
  }

  private func member(_ name: String, of selection: SensorKey.Selection) -> SensorKind.NamedKind {
    var settings = settings
    for key in selection.keys { settings.set(key, key == selection.keys.first ? .text(name) : nil) }
    return SensorKind.NamedKind(name, .one(type, settings))
  }
}
