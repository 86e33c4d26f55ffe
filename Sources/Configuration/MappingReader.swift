import LimpetText
import Measuring
import YAML

/// Reads the keys of one mapping by their declarations and records what is wrong with them.
package final class MappingReader {
  /// `broker.tls`, `sensors[2]`; empty for the file itself.
  package let path: String
  package let log: DiagnosticLog
  private let substitution: Substitution
  /// Where a missing key is reported: the mapping's first key, or where the mapping would be.
  package let start: Position
  private let entries: [String: Entry]
  private let order: [String]
  /// Keys that the section's reader knows.
  private var asked: Set<String> = []
  /// A list or a text stands in place of the mapping: missing keys are not reported.
  private var isMapping: Bool

  /// - Parameter node: nil or an empty value reads as a mapping without keys.
  package init(_ node: Node?, path: String, start: Position, log: DiagnosticLog, substitution: Substitution) {
    self.path = path
    self.log = log
    self.substitution = substitution
    var found: [Entry] = []
    var isMapping = true
    switch node?.value {
    case .mapping(let entries):
      found = entries
    case .scalar(let scalar) where scalar.isNull:
      break
    case nil:
      break
    case .scalar, .sequence:
      // The text itself may be a secret: `broker: password:x`.
      isMapping = false
      log.error(
        node?.position ?? start, path.isEmpty ? nil : path,
        "\(node?.kind ?? "") stands where keys are expected; \(Synonyms.keys(of: path, insteadOf: node))")
    }
    // Merged keys stand last but are written earlier, elsewhere.
    self.start = found.first?.keyPosition ?? start
    self.isMapping = isMapping
    order = found.map(\.key)
    entries = Dictionary(found.map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first })
  }

  package func path(to key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

  /// Where a key was written, whatever its value.
  package func position(of key: String) -> Position? { entries[key]?.keyPosition }

  private func entry(_ name: String) -> Entry? {
    asked.insert(name)
    return entries[name]
  }

  /// Entries of a list: more than any board has lines and sensors.
  private static let listLimit = 4096

  // MARK: Values

  package func read<Value>(_ key: Key<Value>) -> Field<Value> {
    guard let entry = entry(key.name) else {
      if case .required(let advice) = key.declaration.need { missing(key.name, advice) }
      return Field(value: key.standard, written: nil)
    }
    let path = path(to: key.name)
    guard let (value, origin) = parse(entry.value, key, path) else {
      return Field(value: key.standard, written: nil, isWrong: true)
    }
    let written = Written(path: path, key: entry.keyPosition, value: entry.value.position, origin: origin)
    return Field(value: value, written: written)
  }

  /// One value, or a list of 1 to `limit`.
  func readList<Value>(_ key: Key<Value?>, limit: Int) -> [Field<Value>] {
    guard let entry = entry(key.name), case .sequence(let items) = entry.value.value else {
      let field = read(key)
      return field.value.map { [Field(value: $0, written: field.written)] } ?? []
    }
    let path = path(to: key.name)
    guard (1...limit).contains(items.count) else {
      log.error(entry.value.position, path, "a list of \(items.count); write 1 to \(limit) values")
      return []
    }
    return items.enumerated().compactMap { index, item in
      let place = "\(path)[\(index)]"
      guard case (let value?, let origin)? = parse(item, key, place) else { return nil }
      return Field(
        value: value, written: Written(path: place, key: item.position, value: item.position, origin: origin))
    }
  }

  private func parse<Value>(_ node: Node, _ key: Key<Value>, _ path: String) -> (Value, Substitution.Origin)? {
    guard case .scalar(let scalar) = node.value else {
      log.error(
        node.position, path,
        "\(node.kind) stands where a single value is expected; \(Synonyms.value(of: path) ?? key.expectation)")
      return nil
    }
    guard !scalar.isNull else {
      let removal = if case .required = key.declaration.need { "" } else { ", or remove the key" }
      log.error(node.position, path, "has no value; \(key.expectation)\(removal)")
      return nil
    }
    guard let expanded = expand(scalar, node.position, path) else { return nil }
    if scalar.isPlain, let first = scalar.text.first, "\u{201C}\u{201D}\u{201E}\u{2018}\u{2019}".contains(first) {
      log.error(node.position, path, "begins with a curly quote, which YAML does not know; write straight ones")
      return nil
    }
    do {
      return (try key.kind.parse(expanded.text), expanded.origin)
    } catch {
      // The value of a variable or a file may be a secret, and messages repeat values.
      let message =
        expanded.origin == .literal
        ? error.message : "\(quoted(scalar.text)) does not fit with its variables filled in; \(key.expectation)"
      log.error(node.position, path, message)
      return nil
    }
  }

  private func expand(_ scalar: Scalar, _ position: Position, _ path: String) -> Substitution.Expanded? {
    do {
      return try substitution.expand(scalar.text)
    } catch {
      log.error(position, path, error.message)
      return nil
    }
  }

  /// A mapping of texts to values: at least one, `limit` at most.
  func readTexts(_ declaration: Declaration, limit: Int) -> Field<[String: Value]> {
    guard let entry = entry(declaration.name) else { return Field(value: [:], written: nil) }
    let path = path(to: declaration.name)
    guard case .mapping(let items) = entry.value.value, (1...limit).contains(items.count) else {
      log.error(
        entry.value.position, path,
        "write 1 to \(limit) texts and what they stand for, such as {\"open\": 1, \"closed\": 0}")
      return Field(value: [:], written: nil, isWrong: true)
    }
    var values: [String: Value] = [:]
    for item in items {
      guard case .scalar(let scalar) = item.value.value else {
        log.error(
          item.value.position, "\(path).\(item.key)", "\(item.value.kind) stands where a single value is expected")
        continue
      }
      guard let expanded = expand(scalar, item.value.position, "\(path).\(item.key)") else { continue }
      values[item.key] = expanded.origin == .literal ? Value(written: scalar, expanded.text) : .text(expanded.text)
    }
    let written = Written(path: path, key: entry.keyPosition, value: entry.value.position)
    return Field(value: values, written: written, isWrong: values.count < items.count)
  }

  // MARK: Sections

  /// The keys below `name`. Without them, missing keys are reported here.
  package func section(_ name: String) -> MappingReader {
    let entry = entry(name)
    let section = MappingReader(
      entry?.value, path: path(to: name), start: entry?.keyPosition ?? start, log: log,
      substitution: substitution)
    section.isMapping = section.isMapping && isMapping
    return section
  }

  /// The mappings of a list.
  package func list(_ name: String) -> [MappingReader] {
    guard let entry = entry(name) else { return [] }
    let path = path(to: name)
    switch entry.value.value {
    case .sequence(let items):
      guard items.count <= Self.listLimit else {
        log.error(entry.value.position, path, "a list of \(items.count); write at most \(Self.listLimit) entries")
        return []
      }
      // Counted from 0 in each included file, as a reader of that file would.
      var counts: [Int: Int] = [:]
      return items.map { item in
        let index = counts[item.position.file, default: 0]
        counts[item.position.file] = index + 1
        return MappingReader(
          item, path: "\(path)[\(index)]", start: item.position, log: log, substitution: substitution)
      }
    case .scalar(let scalar) where scalar.isNull:
      return []
    default:
      log.error(
        entry.value.position, path,
        "\(entry.value.kind) stands where a list is expected; begin each entry with \"- \", as in - name: \(Self.example(entry))"
      )
      return []
    }
  }

  /// The name in a mapping such as `sensors: {cpu: {type: thermal}}`.
  private static func example(_ entry: Entry) -> String {
    guard case .mapping(let entries) = entry.value.value, let first = entries.first, case .mapping = first.value.value,
      let name = try? ValueKind<String>.name.parse(first.key)
    else { return "door" }
    return name
  }

  // MARK: Mistakes

  package func missing(_ key: String, _ advice: String) {
    if isMapping { log.error(start, path(to: key), "missing; \(advice)") }
  }

  /// Records a rule between keys that does not hold.
  package func error(_ written: Written?, _ message: String) {
    if let written { log.error(written.key, written.path, message) }
  }

  /// Records a conflict at the later one of two keys; keys that were not written have no position.
  package func conflict(_ first: Written?, _ second: Written?, _ message: String) {
    error([first, second].compactMap { $0 }.max { $0.key < $1.key }, message)
  }

  /// Reports every key that is not declared.
  /// - Parameters:
  ///   - elsewhere: explains a key that is known in another place; nil where it is not.
  func reject(unknownTo keys: [Declaration], elsewhere: (String) -> String? = { _ in nil }) {
    let names = keys.map(\.name)
    // Otherwise nobody could write it, and no schema or manual would have it.
    assert(asked.isSubset(of: names), "\(asked.subtracting(names)) of \(path) are read and not declared")
    for name in order where !names.contains(name) && !log.isFull {
      guard let position = entries[name]?.keyPosition else { continue }
      // `{password:x}` is a key without a value, and may hold a secret.
      if let colon = name.firstIndex(of: ":") {
        let word = String(name[..<colon])
        log.error(
          position, path.isEmpty ? nil : path,
          "unknown key; write a space after the colon of \(names.contains(word) ? quoted(word) : "this key")")
        continue
      }
      if let space = name.unicodeScalars.first(where: { $0.properties.isWhitespace && !$0.isASCII }) {
        let code = String(space.value, radix: 16, uppercase: true)
        log.error(
          position, path.isEmpty ? nil : path,
          "unknown key; it contains a character that only looks like a space (U+\(code.aligned(to: 4, filling: "0"))); write plain spaces"
        )
        continue
      }
      if !name.isEmpty, name.allSatisfy({ $0.isASCII && $0.isNumber }) {
        log.error(
          position, path(to: name), "unknown key; if it follows a decimal comma, write a point, such as 0.5")
        continue
      }
      let shown = name.allSatisfy { $0.isLetter || $0.isNumber || "_-.".contains($0) } ? name : quoted(name)
      let place = path(to: String(shown.prefix(64)))
      if let explanation = elsewhere(name) {
        log.error(position, place, explanation)
      } else if let advice = Synonyms.advice(for: name, in: path) {
        log.error(position, place, "unknown key; \(advice)")
      } else if let near = Suggestion(candidates: names).nearest(to: name) {
        log.error(position, place, "unknown key; did you mean \(quoted(near))?")
      } else if let home = Configuration.home(of: name), home != place {
        log.error(position, place, "unknown key; did you mean \(quoted(home))?")
      } else {
        log.error(position, place, "unknown key; the keys here are \(Set(names).sorted().joined(separator: ", "))")
      }
    }
  }
}

extension Value {
  /// A number or a flag where it is written as one, without quotes; else a text.
  fileprivate init(written scalar: Scalar, _ text: String) {
    switch text {
    case "true" where scalar.isPlain: self = .flag(true)
    case "false" where scalar.isPlain: self = .flag(false)
    case let text where scalar.isPlain && Double.isDecimal(text):
      self =
        Int64(text).map { .integer($0) }
        ?? (Double(text).map { $0.isFinite ? .number($0) : .text(text) } ?? .text(text))
    default: self = .text(text)
    }
  }
}

extension Key {
  /// "write a duration, such as 30s".
  fileprivate var expectation: String {
    switch declaration.need {
    case .required(let advice): advice
    case .standard(let text): "write \(declaration.content.noun), such as \(text)"
    case .optional: "write \(declaration.content.noun)"
    }
  }
}
