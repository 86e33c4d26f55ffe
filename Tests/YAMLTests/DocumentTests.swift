import Testing

@testable import YAML

/// The tree as one line, so that a test can say what it expects: scalars as text (plain ones bare), `@line:column`
/// only where asked for.
func outline(_ node: Node?, positions: Bool = false) -> String {
  guard let node else { return "nothing" }
  let place = positions ? "@\(node.position.line):\(node.position.column)" : ""
  switch node.value {
  case .scalar(let scalar):
    return (scalar.isPlain ? scalar.text : "'\(scalar.text)'") + place
  case .sequence(let items):
    return "[" + items.map { outline($0, positions: positions) }.joined(separator: ", ") + "]" + place
  case .mapping(let entries):
    let inner = entries.map { entry in
      let keyPlace = positions ? "@\(entry.keyPosition.line):\(entry.keyPosition.column)" : ""
      return "\(entry.key)\(keyPlace): \(outline(entry.value, positions: positions))"
    }
    return "{" + inner.joined(separator: ", ") + "}" + place
  }
}

func problems(of text: String) -> [String] {
  Document.parse(Array(text.utf8)).problems.map { "\($0.position.line):\($0.position.column): \($0.message)" }
}

struct DocumentTests {
  @Test(
    "a file becomes a tree of text",
    arguments: [
      ("a: 1\nb: on\n", "{a: 1, b: on}"),
      ("a: '1'\nb: \"x\\ty\"\n", "{a: '1', b: 'x\ty'}"),
      ("a:\n  - 1\n  - {b: c}\n", "{a: [1, {b: c}]}"),
      ("a: |\n  one\n  two\n", "{a: 'one\ntwo\n'}"),
      ("a: >-\n  one\n  two\n", "{a: 'one two'}"),
      ("a: !!str 5\n", "{a: '5'}"),
      ("a:\t1\n", "{a: 1}"),
      ("\u{FEFF}a: °C\r\nb: ü\r\n", "{a: °C, b: ü}"),
      ("", "nothing"),
      ("\u{FEFF}", "nothing"),
      ("# a comment\n\n", "nothing"),
      ("---\na: 1\n...\n", "{a: 1}"),
    ])
  func tree(text: String, expected: String) {
    let document = Document.parse(Array(text.utf8))
    #expect(document.problems == [])
    #expect(outline(document.root) == expected)
  }

  @Test("keys and values know their line and column, counted in characters")
  func positions() {
    let text = "a: 1\nü°: {b: [x, y]}\nc:\n  - d: '1'\n"
    #expect(
      outline(Document.parse(Array(text.utf8)).root, positions: true)
        == "{a@1:1: 1@1:4, ü°@2:1: {b@2:6: [x@2:10, y@2:13]@2:9}@2:5, c@3:1: [{d@4:5: '1'@4:8}@4:5]@4:3}@1:1")
  }

  @Test(
    "a byte order mark and CRLF do not move columns and lines", arguments: ["\u{FEFF}a: 1\r\nb: 2\r\n", "a: 1\rb: 2"])
  func lineEnds(text: String) {
    #expect(outline(Document.parse(Array(text.utf8)).root, positions: true) == "{a@1:1: 1@1:4, b@2:1: 2@2:4}@1:1")
  }

  @Test(
    "only plain empty, ~ and null are null",
    arguments: [
      ("a:", true), ("a: ~", true), ("a: null", true), ("a: ''", false), ("a: 'null'", false), ("a: no", false),
    ])
  func null(text: String, isNull: Bool) throws {
    guard case .mapping(let entries) = Document.parse(Array(text.utf8)).root?.value,
      case .scalar(let scalar) = entries.first?.value.value
    else {
      Issue.record("no mapping with a scalar")
      return
    }
    #expect(scalar.isNull == isNull)
  }

  @Test(
    "a syntax error is one problem at libyaml's mark, says what to do, and leaves no tree",
    arguments: [
      ("a: 1\n\tb: 2\n", "2:1: a tab; YAML indents with spaces only"),
      ("a:\n\tb: 1\n", "2:1: a tab; YAML indents with spaces only"),
      ("a:\r\n\tb: 1\r\n", "2:1: a tab; YAML indents with spaces only"),
      ("a: |\n\t x\n", "2:1: a tab; YAML indents with spaces only"),
      ("a: 'x\nb: 2\n", "3:1: the quotes that open on line 1 are never closed; close them"),
      (
        "a: b: c\n",
        "1:5: a \":\" is not allowed here; check the indentation and that the line above has its \":\", or put a value "
          + "that contains \": \" in quotes"
      ),
      ("a: [1, 2\nb: 3\n", "2:2: a \",\" or \"]\" is missing; the \"[\" is on line 1"),
      (
        "a: {x: 1\nb: 3\n",
        "2:2: a \",\" or \"}\" is missing; the \"{\" is on line 1; a value that contains \": \" needs quotes, and a ' inside "
          + "of '...' is written twice"
      ),
      (
        "a:\n  b: 1\n c: 2\n",
        "3:2: only a key can stand here; indent it like the keys that begin on line 1, "
          + "or put the value before it in quotes"
      ),
      (
        "topic: {device}/status\n",
        "1:16: only a key can stand here; indent it like the keys that begin on line 1, "
          + "or put the value before it in quotes"
      ),
      ("- a\nb: 1\n", "2:1: an item was expected; begin it with \"- \", indented as the list that begins on line 1"),
      ("a: - b\n", "1:4: a list cannot begin here; write \"- \" on a line of its own, below the key"),
      ("a: @x\n", "1:4: a value cannot begin with \"@\"; put the value in quotes"),
      ("a: \"\\d\"\n", "1:5: not an escape that YAML knows; write \\\\ for a backslash, or use single quotes"),
      (
        "a:\n  c: 1\n  b:30s\n",
        "4:1: the key on line 3 has no \":\"; write \"key: value\", with a space after the colon"
      ),
      ("{a: 1}}\n", "1:7: nothing can follow the end of the document; check brackets and indentation above"),
      (
        "%YAML 3.0\n---\na: 1\n",
        "1:1: found incompatible YAML document; see line 1, or put the value in quotes"
      ),
    ])
  func syntax(text: String, expected: String) {
    #expect(problems(of: text) == [expected])
    #expect(Document.parse(Array(text.utf8)).root == nil)
  }

  @Test("what the file says is shown on one line, whatever it holds")
  func quotedText() {
    #expect(
      problems(of: "\"a\\nb\": 1\n\"a\\nb\": 2\n") == [
        "2:1: duplicate key \"a\\u{a}b\"; it is already set on line 1; remove one of them"
      ])
    #expect(
      problems(of: "a: !<x%0Ay> 2\n") == ["1:4: the tag \"x\\u{a}y\" has no meaning here; remove it"])
  }

  @Test("duplicate keys are collected at the later key, the first value stays, and parsing goes on")
  func duplicates() {
    let text = "a: 1\nb: {c: 1, c: 2}\na: 3\n\"a\": 4\nd: 5\n"
    #expect(
      problems(of: text) == [
        "2:11: duplicate key \"c\"; it is already set on line 2; remove one of them",
        "3:1: duplicate key \"a\"; it is already set on line 1; remove one of them",
        "4:1: duplicate key \"a\"; it is already set on line 1; remove one of them",
      ])
    #expect(outline(Document.parse(Array(text.utf8)).root) == "{a: 1, b: {c: 1}, d: 5}")
  }

  @Test(
    "keys that are not scalars, tags and second documents are problems",
    arguments: [
      ("? [a]\n: 1\nb: 2\n", "1:3: a key cannot be a list; write a word"),
      ("{b: 1}: 2\n", "1:1: a key cannot be a mapping of keys; write a word"),
      ("a: !foo x\n", "1:4: the tag \"!foo\" has no meaning here; remove it"),
      ("a: 1\n---\nb: 1\n", "2:1: a second document begins here; write one document, without \"---\""),
    ])
  func refused(text: String, expected: String) {
    #expect(problems(of: text) == [expected])
  }

  @Test(
    "bytes that are no text are a problem with line and column",
    arguments: [
      (Array("a: 1\nü: ".utf8) + [0xFF], 2, 4, "this byte is not UTF-8; save the file as UTF-8"),
      (Array("a: ".utf8) + [0xC3], 1, 4, "this byte is not UTF-8; save the file as UTF-8"),
      (Array("a: ".utf8) + [0xED, 0xA0, 0x80], 1, 4, "this byte is not UTF-8; save the file as UTF-8"),
      ([0xFF, 0xFE, 0x61, 0x00], 1, 1, "the file is UTF-16; save it as UTF-8"),
      (
        Array("a: 1\nb: x\u{1}".utf8), 2, 5,
        "the control character U+0001 is not allowed; remove it, or write it as an escape in double quotes"
      ),
      (
        Array("a: \0".utf8), 1, 4,
        "the control character U+0000 is not allowed; remove it, or write it as an escape in double quotes"
      ),
    ] as [([UInt8], Int, Int, String)])
  func bytes(bytes: [UInt8], line: Int, column: Int, message: String) {
    #expect(
      Document.parse(bytes).problems == [Problem(position: Position(line: line, column: column), message: message)])
  }
}
