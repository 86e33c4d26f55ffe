import Foundation
import Testing

@testable import Configuration
@testable import Documents

struct ReferenceFileTests {
  @Test("etc/limpet.yaml is what the declarations say; write it anew with packaging/documents")
  func isCurrent() throws {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("etc/limpet.yaml")
    #expect(try String(contentsOf: file, encoding: .utf8) == ReferenceFile().text)
  }

  @Test("every example of the reference is right when its comment sign is taken away", arguments: DeclaredKey.all)
  func examples(key: DeclaredKey) throws {
    // These name files that are there on a real machine only, or stand beside another key.
    let others = [
      "broker.password": "s3cret", "broker.tls.certificate": nil, "broker.tls.key": nil, "include": "conf.d/*.yaml",
      "homeassistant.suggested_area": nil, "homeassistant.support_url": nil,
    ]
    let example = key.declaration.examples.first
    guard let text = others.keys.contains(key.path) ? others[key.path] ?? nil : example else { return }
    #expect(printed(loadConfiguration(key.file(text))) == [])
  }

  @Test("the examples of entries are right", arguments: ConfigurationKeys.all.map(\.name))
  func entries(name: String) throws {
    let declaration = try #require(ConfigurationKeys.all.first { $0.name == name })
    guard case .entries = declaration.content else { return }
    let entries = (declaration.samples + declaration.examples).map { "  - \($0)\n" }.joined()
    let result = loadConfiguration(minimalConfiguration + "\(name):\n" + entries)
    #expect(printed(result) == [])
    #expect(entries.contains("\n"))
  }

  @Test("no line is longer than 120 characters, and none ends with a space")
  func width() {
    for line in ReferenceFile().text.split(separator: "\n") {
      #expect(line.count <= 120 && line.last != " ", "\(line)")
    }
  }
}
