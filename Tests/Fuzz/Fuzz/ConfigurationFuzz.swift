import YAML

@testable import Configuration

/// A YAML file from anywhere. Whatever it holds, it is read within the limits, and what is wrong lies inside of it.
enum YAMLFuzz {
  static func run(_ input: UnsafeRawBufferPointer) {
    let document = Document.parse(Array(input))
    for problem in document.problems { check(problem.position, input.count) }
    var (nodes, text) = (0, 0)
    func walk(_ node: Node, _ depth: Int) {
      nodes += 1
      precondition(depth <= Document.Limit.depth, "deeper than the limit")
      check(node.position, input.count)
      switch node.value {
      case .scalar(let scalar): text += scalar.text.utf8.count
      case .sequence(let items): for item in items { walk(item, depth + 1) }
      case .mapping(let entries):
        precondition(Set(entries.map(\.key)).count == entries.count, "a key is there twice")
        for entry in entries {
          nodes += 1
          text += entry.key.utf8.count
          check(entry.keyPosition, input.count)
          walk(entry.value, depth + 1)
        }
      }
    }
    if let root = document.root { walk(root, 1) }
    // Merged keys are charged where they are written; each mapping can repeat what it merges once.
    precondition(nodes <= 2 * Document.Limit.nodes && text <= 2 * Document.Limit.text, "\(nodes) nodes, \(text) bytes")
  }

  static func check(_ position: Position, _ size: Int) {
    // A line has at least its end; behind the last one stands the end of the file.
    precondition(
      (1...size + 2).contains(position.line) && (1...size + 2).contains(position.column), "\(position) of \(size) bytes"
    )
  }
}

/// A configuration from anywhere, with a second file that it may include. Input: a zero byte parts the two.
enum ReaderFuzz {
  static func run(_ input: UnsafeRawBufferPointer) {
    let parts = input.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false).map(Array.init)
    let included = parts.count > 1 ? parts[1] : []
    let files = ConfigurationFiles(
      open: { path, limit in
        switch path {
        case "/c/conf.d/a.yaml": .success(.init(bytes: Array(included.prefix(limit)), mode: 0o600))
        case "/c/secret": .success(.init(bytes: Array(secret.utf8), mode: 0o644))
        default: .failure(.init(code: 2))
        }
      }, list: { _ in .success(["a.yaml"]) })
    let result = Configuration.load(
      bytes: parts[0], mode: 0o644, path: "/c/limpet.yaml", environment: ["A": "1", "B": "b"], files: files)
    precondition(
      (result.configuration == nil) == result.diagnostics.contains { $0.severity == .error },
      "errors and a configuration")
    let isForged = String(decoding: input, as: UTF8.self).contains(mark)
    let positions = result.diagnostics.map(\.position)
    precondition(positions == positions.sorted(), "not in order")
    for diagnostic in result.diagnostics {
      YAMLFuzz.check(diagnostic.position, input.count)
      let shown = [diagnostic.description] + result.excerpts.excerpt(of: diagnostic)
      precondition(isForged || shown.allSatisfy { !$0.contains(mark) }, "tells a secret: \(shown)")
      precondition(!shown.contains { $0.unicodeScalars.contains("\n") }, "not on a line: \(shown)")
    }
    // Twice the same is the same.
    if let configuration = result.configuration {
      let again = Configuration.load(
        bytes: parts[0], mode: 0o644, path: "/c/limpet.yaml", environment: ["A": "1", "B": "b"], files: files)
      precondition(again.configuration == configuration, "read twice, it differs")
    }
    _ = result.json
  }

  private static let mark = "s3cret-"
  // No name, URL or topic holds a control character, so a message about one must not repeat it.
  private static let secret = mark + "\u{1}"
}
