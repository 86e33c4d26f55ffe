import Foundation
import Testing

/// Code that documentation shows is code that is compiled here.
@Suite struct ExampleTests {
  private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
  private static let root = folder.deletingLastPathComponent().deletingLastPathComponent()

  /// The snippets of the folder beside this file, by name, without the indentation of their first line.
  private static func snippets() throws -> [String: String] {
    var snippets: [String: String] = [:]
    for file in try files(folder.appendingPathComponent("Snippets"), "swift") {
      var name: String?
      var lines: [Substring] = []
      for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: false)
      {
        guard let mark = line.range(of: "// snippet: ") else {
          if name != nil { lines.append(line) }
          continue
        }
        if let name, line[mark.upperBound...] == "end" {
          let indent = line.prefix { $0 == " " }.count
          snippets[name] = lines.map { String($0.dropFirst(indent)) }.joined(separator: "\n")
        }
        name = line[mark.upperBound...] == "end" ? nil : String(line[mark.upperBound...])
        lines = []
      }
    }
    return snippets
  }

  private static func files(_ folder: URL, _ suffix: String) throws -> [URL] {
    try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
      .filter { $0.pathExtension == suffix }
  }

  /// What stands between ```swift and ```.
  private static func blocks(_ text: String) -> [String] {
    text.components(separatedBy: "\n```swift\n").dropFirst().map { $0.components(separatedBy: "\n```")[0] }
  }

  @Test("every Swift block of the library's documentation is compiled, and every snippet is shown")
  func documentation() throws {
    let snippets = try Self.snippets()
    #expect(snippets.count > 10)
    var unshown = Set(snippets.keys)
    let documents = try Self.files(Self.root.appendingPathComponent("Sources/MQTT/MQTT.docc"), "md")
    #expect(documents.count > 2)
    for document in documents {
      for block in Self.blocks(try String(contentsOf: document, encoding: .utf8)) {
        let name = snippets.first { $0.value == block }?.key
        #expect(name != nil, "\(document.lastPathComponent): \(block)")
        if let name { unshown.remove(name) }
      }
    }
    #expect(unshown.isEmpty)
  }

  @Test("the README's example of the library is the first snippet")
  func readme() throws {
    let start = try #require(try Self.snippets()["start"])
    let readme = try String(contentsOf: Self.root.appendingPathComponent("README.md"), encoding: .utf8)
    #expect(Self.blocks(readme) == ["import MQTT\n\n\(start)"])
  }

  @Test("the README names every product of the library, as Package.swift has them")
  func products() throws {
    let readme = try String(contentsOf: Self.root.appendingPathComponent("README.md"), encoding: .utf8)
    let package = try String(contentsOf: Self.root.appendingPathComponent("Package.swift"), encoding: .utf8)
    for product in package.components(separatedBy: ".library(name: \"").dropFirst() {
      let name = product.prefix { $0 != "\"" }
      #expect(readme.contains(".product(name: \"\(name)\", package: \"limpet\")"), "\(name)")
    }
  }

  @Test("every public declaration of MQTT and MQTTStore says what it is")
  func comments() throws {
    // What a protocol says of them is enough.
    let known = [
      "typealias Element", "typealias Failure", "unownedExecutor", "var description", "let description",
      "mutating func next", "func makeAsyncIterator", "func enqueue(_ job",
    ]
    for module in ["MQTT", "MQTTStore"] {
      let folder = Self.root.appendingPathComponent("Sources/\(module)")
      let names = try #require(FileManager.default.enumerator(atPath: folder.path)).compactMap { $0 as? String }
      for name in names where name.hasSuffix(".swift") {
        let text = try String(contentsOf: folder.appendingPathComponent(name), encoding: .utf8)
        var above = ""
        for line in text.components(separatedBy: "\n").map({ $0.trimmingCharacters(in: .whitespaces) }) {
          if line.hasPrefix("public "), !known.contains(where: line.contains) {
            #expect(above.hasPrefix("///"), "\(module)/\(name): \(line)")
          }
          if !line.hasPrefix("@") && !line.hasPrefix("#") { above = line }
        }
      }
    }
  }

  @Test("no text of the library names keys or files that only the agent has (M27)")
  func wordsOfTheAgent() throws {
    let words = try Regex("\"[^\"]*(limpet\\.yaml|\\b(broker|presence|storage|device)\\.[a-z_]+)")
    var seen = 0
    for target in ["MQTT", "MQTTCore", "MQTTService", "MQTTStore"] {
      let folder = Self.root.appendingPathComponent("Sources/\(target)")
      let paths = try #require(FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil))
      for case let file as URL in paths where file.pathExtension == "swift" {
        seen += 1
        for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
          #expect(line.firstMatch(of: words) == nil, "\(file.lastPathComponent): \(line)")
        }
      }
    }
    #expect(seen > 50)
  }
}
