import YAML

/// Reads the files that `include` names, and joins their keys with those of the first file.
struct Inclusion {
  /// Files beside the first.
  static let limit = 64

  let log: DiagnosticLog
  let files: ConfigurationFiles
  /// Where relative paths begin, with a slash at its end; empty for the current folder.
  let folder: String

  /// The first file's tree, with the keys of the others; nil if one of them cannot be parsed, since the rest cannot be
  /// checked then.
  func joined(_ root: Node?, _ patterns: [Field<String>]) -> Node? {
    var whole = root
    var isReadable = true
    var names: [String] = []
    for pattern in patterns {
      guard let written = pattern.written else { continue }
      for name in paths(pattern.value, written) where !names.contains(name) {
        guard names.count < Self.limit else {
          log.error(written.value, written.path, "names more than \(Self.limit) files; write fewer")
          return nil
        }
        names.append(name)
        guard let document = read(name, written) else { continue }
        isReadable = isReadable && document.problems.isEmpty
        if let added = document.root { whole = join(whole, added) }
      }
    }
    return isReadable ? whole : nil
  }

  /// The files that match a pattern, in the order of their names.
  private func paths(_ pattern: String, _ written: Written) -> [String] {
    let path = pattern.hasPrefix("/") ? pattern : folder + pattern
    let slash = path.lastIndex(of: "/")
    let directory = slash.map { String(path[...$0]) } ?? ""
    let last = slash.map { String(path[path.index(after: $0)...]) } ?? path
    func isPattern(_ text: String) -> Bool { text.contains("*") || text.contains("?") }
    guard !isPattern(String(directory.dropFirst(pattern.hasPrefix("/") ? 0 : folder.count))) else {
      log.error(written.value, written.path, "* and ? stand in a folder's name; they may stand in the last part only")
      return []
    }
    guard isPattern(last) else { return [path] }
    guard case .success(let names) = files.list(directory.isEmpty ? "." : directory) else { return [] }
    return names.filter { !$0.hasPrefix(".") && Self.matches($0, last) }.sorted().map { directory + $0 }
  }

  private func read(_ path: String, _ written: Written) -> Document? {
    switch files.open(path, Document.Limit.input + 1) {
    case .failure(let failure):
      let shown = written.origin == .literal ? path : "(path from elsewhere)"
      log.error(written.value, written.path, ReadingContext.cannotRead(shown, failure))
      return nil
    case .success(let found):
      let number = log.add(SourceFile(name: path, bytes: found.bytes, mode: found.mode))
      let document = Document.parse(found.bytes, file: number)
      for problem in document.problems { log.error(problem.position, nil, problem.message) }
      return document
    }
  }

  private func join(_ whole: Node?, _ added: Node) -> Node? {
    guard case .mapping(let entries) = added.value else {
      if !added.isNull {
        log.error(added.position, nil, "\(added.kind) stands where keys are expected; write \"key: value\" lines")
      }
      return whole
    }
    for entry in entries where entry.key == ConfigurationKeys.include.name {
      log.error(entry.keyPosition, entry.key, "stands in an included file; write it in the first file")
    }
    let allowed = entries.filter { $0.key != ConfigurationKeys.include.name }
    guard let whole, case .mapping(let first) = whole.value else {
      return Node(position: whole?.position ?? added.position, value: .mapping(allowed))
    }
    return Node(position: whole.position, value: .mapping(join(first, allowed, Configuration.declarations, "")))
  }

  private func join(_ first: [Entry], _ added: [Entry], _ declarations: [Declaration], _ prefix: String) -> [Entry] {
    var entries = first
    var places = Dictionary(
      first.enumerated().map { ($0.element.key, $0.offset) }, uniquingKeysWith: { first, _ in first })
    for entry in added {
      guard let index = places[entry.key] else {
        places[entry.key] = entries.count
        entries.append(entry)
        continue
      }
      guard !entry.value.isNull else { continue }
      let content = declarations.first { $0.name == entry.key }?.content
      switch (content, entries[index].value.value, entry.value.value) {
      case (_, .scalar(let scalar), _) where scalar.isNull:
        entries[index] = entry
      case (.section(let keys), .mapping(let left), .mapping(let right)):
        entries[index].value.value = .mapping(join(left, right, keys, "\(prefix)\(entry.key)."))
      case (.entries, .sequence(let left), .sequence(let right)):
        entries[index].value.value = .sequence(left + right)
      default:
        let line = log.line(entries[index].keyPosition, seenFrom: entry.keyPosition)
        log.error(entry.keyPosition, prefix + entry.key, "is already set on \(line); remove one of them")
      }
    }
    return entries
  }

  /// `*` stands for any characters, `?` for one; a greedy walk that goes back to the last `*` only.
  static func matches(_ name: String, _ pattern: String) -> Bool {
    let (name, pattern) = (Array(name), Array(pattern))
    var (place, mark) = (0, 0)
    var star: (pattern: Int, name: Int)?
    while place < name.count {
      if mark < pattern.count, pattern[mark] == "*" {
        star = (mark, place)
        mark += 1
      } else if mark < pattern.count, pattern[mark] == "?" || pattern[mark] == name[place] {
        place += 1
        mark += 1
      } else if let last = star {
        star = (last.pattern, last.name + 1)
        (mark, place) = (last.pattern + 1, last.name + 1)
      } else {
        return false
      }
    }
    return pattern[mark...].allSatisfy { $0 == "*" }
  }
}

extension Node {
  package var isNull: Bool { if case .scalar(let scalar) = value { scalar.isNull } else { false } }
}
