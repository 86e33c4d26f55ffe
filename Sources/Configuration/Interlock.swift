import LimpetText

/// What an output has to do with others: its `interlock`, and the keys that have another meaning with one, whichever of
/// the two outputs names the other.
struct Interlock {
  /// The output that it is of.
  var owner = ""
  /// As they are written.
  let names: [Field<String>]
  /// `start: restore`
  var restores: Written?
  /// `stop: on`
  var stopsOn: Written?
  /// `dead_time`, where it is any.
  var deadTime: Written?
  private let reader: MappingReader
  /// Where the key stands.
  private let written: Written?

  init(_ reader: MappingReader) {
    self.reader = reader
    written = reader.position(of: OutputKeys.interlock.name).map {
      Written(path: reader.path(to: OutputKeys.interlock.name), key: $0, value: $0)
    }
    names = reader.readList(OutputKeys.interlock, limit: 16)
  }

  /// - Parameter known: the outputs of the file.
  static func check(_ all: [Interlock], known: Set<String>) {
    for interlock in all {
      interlock.checkNames(known)
      interlock.checkKeys(namedBy: all.first { $0.names(interlock.owner) }?.owner)
    }
  }

  private func names(_ other: String) -> Bool {
    owner != other && names.contains { !$0.isWrong && $0.value == other }
  }

  /// Partners are outputs of this file, and others.
  private func checkNames(_ known: Set<String>) {
    for field in names where !field.isWrong {
      let name = field.value
      if name == owner {
        reader.error(field.written, "an output cannot exclude itself; name another")
      } else if !known.contains(name) {
        let near = Suggestion(candidates: Array(known)).nearest(to: name)
        reader.error(
          field.written,
          "there is no output \(quoted(name))" + (near.map { "; did you mean \($0)?" } ?? "; name one of outputs"))
      }
    }
  }

  /// - Parameter other: an output that names this one.
  private func checkKeys(namedBy other: String?) {
    clash(restores, other, "start: restore with interlock could bring both outputs on")
    clash(stopsOn, other, "stop: on with interlock could leave both outputs on")
    if written == nil, other == nil {
      reader.error(deadTime, "dead_time has no meaning without interlock; remove it, or name the other output")
    }
  }

  private func clash(_ key: Written?, _ other: String?, _ text: String) {
    guard let key else { return }
    if let written {
      reader.conflict(key, written, "\(text); remove one of them")
    } else if let other {
      reader.error(key, "\(text), and \(quoted(other)) names this one; remove one of them")
    }
  }
}
