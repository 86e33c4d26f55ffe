import Foundation
import Testing

/// Every statement of the specifications that binds a client, and every behaviour, is in the name of a test.
@Suite("What the tests hold")
struct NormCoverageTests {
  /// The display names of all tests of the package, with the file that each is in.
  private static let names: [(file: String, name: String)] = {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    let files = FileManager.default.enumerator(
      at: folder, includingPropertiesForKeys: nil, options: .skipsHiddenFiles)
    return (files?.compactMap { $0 as? URL } ?? []).filter { $0.pathExtension == "swift" }.flatMap { url in
      let source = (try? String(contentsOf: url, encoding: .utf8)) ?? ""
      let file = url.deletingPathExtension().lastPathComponent
      return displayNames(in: source).map { (file, $0) }
    }
  }()

  private static func displayNames(in source: String) -> [String] {
    // In two, so that this line is no test.
    source.components(separatedBy: "@Test" + "(").dropFirst().compactMap { rest in
      let literal = rest.drop(while: \.isWhitespace)
      let quote = literal.hasPrefix("\"\"\"") ? "\"\"\"" : "\""
      guard literal.hasPrefix(quote) else { return nil }
      return literal.dropFirst(quote.count).components(separatedBy: quote).first
    }
  }

  /// What stands in brackets in the names, such as `MQTT-3.1.2-24`, with the files that say so.
  private static let tags: [String: Set<String>] = names.reduce(into: [:]) { tags, test in
    for part in test.name.split(separator: "[").dropFirst() {
      tags[String(part.prefix { $0 != "]" }), default: []].insert(test.file)
    }
  }

  struct Statement: Sendable, CustomTestStringConvertible {
    let tag: String
    let files: [String]
    let says: String

    var testDescription: String { "\(tag): \(says)" }

    static func all(_ table: String, suffix: String = "") -> [Statement] {
      table.split(separator: "\n").map { line in
        let fields = line.components(separatedBy: " | ")
        precondition(fields.count == 3, "\(line)")
        return Statement(
          tag: "MQTT-\(fields[0])\(suffix)", files: fields[1].components(separatedBy: ", "), says: fields[2])
      }
    }
  }

  static let statements =
    Statement.all(Norms.both) + Statement.all(Norms.v5) + Statement.all(Norms.v311, suffix: " v3.1.1")
    + Statement.all(Norms.servers)

  @Test("a statement is in the name of a test, in the files that the table says", arguments: statements)
  func isHeld(statement: Statement) {
    let files = Self.tags[statement.tag, default: []]
    #expect(Set(statement.files).isSubset(of: files), "\(statement.tag) is in \(files.sorted())")
  }

  @Test("the table has every statement once, and all that a name mentions")
  func isComplete() {
    let listed = Self.statements.map(\.tag)
    #expect(Set(listed).count == listed.count)
    let mentioned = Self.tags.keys.filter { $0.hasPrefix("MQTT-") }
    #expect(Set(mentioned).subtracting(listed).sorted() == [])
    #expect(listed.count > 200 && Self.names.count > 300, "the sources were read")
  }

  @Test("a behaviour is in the name of a test, unless it is left out for a reason", arguments: Norms.behaviours)
  func isAdopted(number: Int) {
    let isHeld = Self.tags["behaviour \(number)"] != nil
    #expect(isHeld == (Norms.behavioursLeftOut[number] == nil))
  }
}
