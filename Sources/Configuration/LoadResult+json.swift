import JSON

extension LoadResult {
  /// `{"valid":true,"diagnostics":[]}` on one line.
  public var json: String {
    JSONValue.object([("valid", .flag(configuration != nil)), ("diagnostics", diagnosticsJSON)]).compact
  }

  package var diagnosticsJSON: JSONValue {
    let found = diagnostics.map { diagnostic -> JSONValue in
      .object([
        ("severity", .text(diagnostic.severity.rawValue)), ("file", .text(diagnostic.file)),
        ("line", .integer(diagnostic.position.line)), ("column", .integer(diagnostic.position.column)),
        ("path", diagnostic.path.map { .text($0) } ?? .null), ("message", .text(diagnostic.message)),
      ])
    }
    return .list(found)
  }
}
