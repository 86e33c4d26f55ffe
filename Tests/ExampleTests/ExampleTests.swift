import Foundation
import Testing

@Test("the README's example of the library is the code that is compiled here")
func readmeExample() throws {
  let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
  let source = try String(contentsOf: folder.appendingPathComponent("Example.swift"), encoding: .utf8)
  let lines = source.split(separator: "\n", omittingEmptySubsequences: false)
  let begin = try #require(lines.firstIndex { $0.hasSuffix("// README: begin") })
  let end = try #require(lines.firstIndex { $0.hasSuffix("// README: end") })
  let example = lines[begin + 1..<end].map { "    " + $0.dropFirst(2) }.joined(separator: "\n")
  let readme = folder.deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("README.md")
  #expect(try String(contentsOf: readme, encoding: .utf8).contains("\n" + example + "\n"))
}
