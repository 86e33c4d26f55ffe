import ArgumentParser
import Foundation
import Testing

@testable import limpet

/// Tests/Texts/run looks at the rest of these texts.
@Suite("Command lines that texts show")
struct TextsTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  struct Line: CustomTestStringConvertible, Sendable {
    var file: String
    var text: String
    var testDescription: String { "\(file): \(text)" }
  }

  static let lines: [Line] = {
    let manuals = (try? FileManager.default.contentsOfDirectory(atPath: root.path + "/packaging/manuals")) ?? []
    let pages = ["README.md", "Sources/README.md"] + manuals.map { "packaging/manuals/\($0)" }
    return pages.sorted().flatMap { file -> [Line] in
      let text = (try? String(contentsOf: root.appendingPathComponent(file), encoding: .utf8)) ?? ""
      return commands(text).map { Line(file: file, text: $0) }
    }
  }()

  /// What is code in Markdown and begins with `limpet` and a space, but for synopses and what limpet prints of itself.
  private static func commands(_ text: String) -> [String] {
    var commands: [String] = []
    var isFenced = false
    for line in text.components(separatedBy: "\n") {
      if line.hasPrefix("```") {
        isFenced.toggle()
        continue
      }
      let inline = line.components(separatedBy: "`").enumerated().filter { $0.offset % 2 == 1 }.map(\.element)
      for part in (isFenced ? [line] : inline).flatMap({ $0.components(separatedBy: "&&") }) {
        var command = part.trimmingCharacters(in: .whitespaces)
        for prefix in ["$ ", "sudo "] where command.hasPrefix(prefix) { command.removeFirst(prefix.count) }
        let isOther = command.hasPrefix("limpet 0.") || command.contains("COMMAND") || command.contains("[")
        if command.hasPrefix("limpet "), !isOther { commands.append(command) }
      }
    }
    return commands
  }

  /// As a shell takes it apart: quotes, and an end at what leads elsewhere or is a comment.
  private static func words(_ command: String) -> [String] {
    var words: [String] = []
    var word: String?
    var quote: Character?
    for character in command {
      if let open = quote {
        if character == open { quote = nil } else { word?.append(character) }
      } else if character == "'" || character == "\"" {
        quote = character
        word = word ?? ""
      } else if character == " " {
        if let word { words.append(word) }
        word = nil
      } else if "|>;&".contains(character) || (character == "#" && word == nil) {
        break
      } else {
        word = (word ?? "") + String(character)
      }
    }
    if let word { words.append(word) }
    return words
  }

  @Test("each parses", arguments: lines)
  func parses(line: Line) throws {
    let arguments = Array(Self.words(line.text).dropFirst())
    // The name of a command, not a line to type: what it needs besides is not there.
    let names = Limpet.configuration.subcommands.compactMap { $0.configuration.commandName }
    if arguments.count == 1, names.contains(arguments[0]) { return }
    #expect(throws: Never.self) { try Limpet.parseAsRoot(arguments) }
  }

  @Test("there are some of each command, and a misspelt one does not parse")
  func counterpart() throws {
    let names = Set(Self.lines.compactMap { Self.words($0.text).dropFirst().first })
    let commands = Limpet.configuration.subcommands.compactMap { $0.configuration.commandName }
    #expect(Set(commands).subtracting(names) == [])
    #expect(throws: (any Error).self) { try Limpet.parseAsRoot(["check", "--offlin"]) }
  }
}
