import Foundation
import Testing

@testable import Agent
@testable import LimpetText

@Suite("TerminalText")
struct TerminalTextTests {
  @Test(
    "what a terminal would obey is escaped, and lines stay",
    arguments: [
      ("connected\nload 0.5 °C", "connected\nload 0.5 °C"),
      ("\u{1b}]0;owned\u{7}", "\\u{1b}]0;owned\\u{7}"),
      ("a\rb\u{8}\u{7f}", "a\\u{d}b\\u{8}\\u{7f}"),
      ("\u{9b}31m", "\\u{9b}31m"),
      ("\u{202e}gnp.exe\u{2066}", "\\u{202e}gnp.exe\\u{2066}"),
      ("a\u{2028}b", "a\\u{2028}b"),
    ])
  func text(_ text: String, _ escaped: String) { #expect(TerminalText.escaped(text) == escaped) }

  @Test("JSON says the same when it is read")
  func json() throws {
    let json = "{\"name\":\"\u{9b}31m \u{202e} \u{e0001} °C\\u001b\"}"
    let escaped = TerminalText.escapedJSON(json)
    #expect(escaped == "{\"name\":\"\\u009b31m \\u202e \\udb40\\udc01 °C\\u001b\"}")
    let read = try JSONDecoder().decode([String: String].self, from: Data(escaped.utf8))
    #expect(try read == JSONDecoder().decode([String: String].self, from: Data(json.utf8)))
  }
}
