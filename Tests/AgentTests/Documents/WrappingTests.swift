import Testing

@testable import Text

struct WrappingTests {
  @Test(
    "a line is broken between words, below its text",
    arguments: [
      ("short", ["short"]),
      ("broker    one two three four five", ["broker    one two", "          three four", "          five"]),
      ("a.yaml:1:2: key: is wrong; write this", ["a.yaml:1:2: key: is", "    wrong; write", "    this"]),
      ("  limpet/x/load: system load1, every 10 s", ["  limpet/x/load:", "    system load1,", "    every 10 s"]),
      ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bb", ["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "    bb"]),
    ])
  func lines(line: String, expected: [String]) {
    #expect(Wrapping.lines(line, width: 20) == expected)
  }
}
