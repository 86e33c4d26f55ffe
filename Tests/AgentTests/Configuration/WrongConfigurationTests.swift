import Foundation
import Testing

@testable import Configuration

/// Configurations as files, in Tests/Configurations: wrong ones with all that is printed for them, and right ones. The
/// schema is held against the same files, and fuzzing begins with them.
enum ConfigurationFixtures {
  static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Configurations").path

  static let environment = [
    "SHED": "shed", "PORT": "1883", "ONE": "1", "FORMAT": "plain", "NOTHING": "~", "LIST": "[a, b]",
  ]

  /// The names of files without their endings.
  static func names(_ kind: String) -> [String] {
    let files = (try? FileManager.default.contentsOfDirectory(atPath: "\(folder)/\(kind)")) ?? []
    return files.filter { $0.hasSuffix(".yaml") }.map { String($0.dropLast(5)) }.sorted()
  }

  static func load(_ kind: String, _ name: String) throws -> LoadResult {
    let bytes = try #require(FileManager.default.contents(atPath: "\(folder)/\(kind)/\(name).yaml"))
    return Configuration.load(
      bytes: Array(bytes), path: "/etc/limpet/limpet.yaml", environment: environment, files: testFiles)
  }
}

struct WrongConfigurationTests {
  @Test("a wrong configuration is refused with every error in it", arguments: ConfigurationFixtures.names("wrong"))
  func wrong(name: String) throws {
    let result = try ConfigurationFixtures.load("wrong", name)
    let expected = try String(
      contentsOfFile: "\(ConfigurationFixtures.folder)/wrong/\(name).txt", encoding: .utf8)
    #expect(printed(result).map { $0 + "\n" }.joined() == expected)
    #expect(result.configuration == nil)
  }

  @Test("a right configuration is read without a word", arguments: ConfigurationFixtures.names("right"))
  func right(name: String) throws {
    let result = try ConfigurationFixtures.load("right", name)
    #expect(printed(result) == [])
    #expect(result.configuration != nil)
  }

  @Test("there are more than a hundred wrong ones")
  func count() {
    #expect(ConfigurationFixtures.names("wrong").count > 100)
    #expect(ConfigurationFixtures.names("right").count > 50)
  }

  @Test("a topic is not longer than MQTT allows")
  func longTopic() {
    expectRefused(
      minimalConfiguration + "topic: \(String(repeating: "x", count: 65536))\n",
      ["3:8: topic: longer than a topic can be; write at most 65535 bytes, names filled in"])
  }

  @Test("a file of nonsense ends with the thousandth error")
  func nonsense() {
    let text = (0..<5000).map { "k\($0): {a: b}\n" }.joined()
    let result = loadConfiguration(text)
    #expect(result.diagnostics.count == DiagnosticLog.limit + 1)
    #expect(result.diagnostics.last?.message == "there are more errors; correct these first")
  }
}
