import Testing

@testable import LimpetText

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

  @Test(
    "text is filled from the first column on; a word longer than a line stays whole, or goes on in the next one",
    arguments: [
      ("", [""], [""]), ("a  b", ["a b"], ["a b"]),
      ("one two three", ["one", "two", "three"], ["one", "two", "three"]),
      ("a bcdefghijkl m", ["a", "bcdefghijkl", "m"], ["a", "bcdef", "ghijk", "l m"]),
    ])
  func filled(text: String, whole: [String], broken: [String]) {
    #expect(Wrapping.lines(filledWith: text, width: 5) == whole)
    #expect(Wrapping.lines(filledWith: text, width: 5, breaksWords: true) == broken)
  }
}
