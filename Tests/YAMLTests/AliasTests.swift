import Testing

@testable import YAML

struct AliasTests {
  @Test(
    "aliases and merge keys are expanded",
    arguments: [
      ("a: &x [1]\nb: *x\n", "{a: [1], b: [1]}"),
      ("a: &x 1\nb: &x 2\nc: *x\n", "{a: 1, b: 2, c: 2}"),
      ("a: &x k\n*x : 1\n", "{a: k, k: 1}"),
      ("a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  c: 3\n", "{a: {b: 1, c: 2}, d: {c: 3, b: 1}}"),
      ("a: &x {b: 1}\nd: {c: 3, <<: *x, b: 2}\n", "{a: {b: 1}, d: {c: 3, b: 2}}"),
      ("a: &x {b: 1}\nc: &y {b: 2, d: 4}\ne:\n  <<: [*x, *y]\n", "{a: {b: 1}, c: {b: 2, d: 4}, e: {b: 1, d: 4}}"),
      ("a: &x {b: 1}\nc: &y {<<: *x, d: 2}\ne: {<<: *y}\n", "{a: {b: 1}, c: {d: 2, b: 1}, e: {d: 2, b: 1}}"),
      ("a: {<<: {b: 1}}\n", "{a: {b: 1}}"),
      ("a: {'<<': 1}\n", "{a: {<<: 1}}"),
    ])
  func expanded(text: String, expected: String) {
    #expect(problems(of: text) == [])
    #expect(outline(Document.parse(Array(text.utf8)).root) == expected)
  }

  @Test("an aliased value stands where it is written")
  func position() {
    let text = "a: &x {b: 1}\nc: *x\nd:\n  <<: *x\n"
    #expect(
      outline(Document.parse(Array(text.utf8)).root, positions: true)
        == "{a@1:1: {b@1:8: 1@1:11}@1:4, c@2:1: {b@1:8: 1@1:11}@1:4, d@3:1: {b@1:8: 1@1:11}@4:3}@1:1")
  }

  @Test(
    "wrong aliases are problems at the alias",
    arguments: [
      ("a: *x\n", "1:4: *x is not known; put it in quotes if it is a text, or write &x at an earlier value"),
      ("a: &x [1, *x]\n", "1:11: *x stands inside &x itself; an alias cannot contain itself"),
      ("a: &x\n  b: {c: *x}\n", "2:10: *x stands inside &x itself; an alias cannot contain itself"),
      ("a: {<<: 1}\n", "1:5: \"<<\" merges mappings, not a single value; write <<: *anchor"),
      ("a: {<<: [{b: 1}, c]}\n", "1:5: \"<<\" merges mappings, not a single value; write <<: *anchor"),
      (
        "a: &x {b: 1}\nc:\n  <<: *x\n  <<: *x\n",
        "4:3: duplicate key \"<<\"; it is already set on line 3; write <<: [*a, *b]"
      ),
    ])
  func wrong(text: String, expected: String) {
    #expect(problems(of: text) == [expected])
  }
}

struct LimitTests {
  @Test("a file of exactly 1 MiB is read, one byte more is refused")
  func input() {
    let full = Array("a: 1\n#".utf8) + Array(repeating: UInt8(ascii: "x"), count: Document.Limit.input - 6)
    #expect(Document.parse(full).problems == [])
    #expect(
      Document.parse(full + [0x78]).problems.map(\.message)
        == ["the file is larger than 1 MiB; a configuration is a few kilobytes"])
  }

  @Test("64 levels are read, 65 are refused where the last one begins")
  func depth() {
    func nested(_ levels: Int) -> String {
      String(repeating: "[", count: levels) + String(repeating: "]", count: levels)
    }
    #expect(problems(of: nested(64)) == [])
    #expect(problems(of: nested(65)) == ["1:65: nested deeper than 64 levels; write it flatter"])
  }

  @Test("aliases cannot nest deeper than the limit either")
  func aliasDepth() {
    func text(_ outer: Int) -> String {
      "a: &x " + String(repeating: "[", count: 40) + String(repeating: "]", count: 40) + "\nb: "
        + String(repeating: "[", count: outer) + "*x" + String(repeating: "]", count: outer)
    }
    #expect(problems(of: text(23)) == [])
    #expect(problems(of: text(24)) == ["2:28: nested deeper than 64 levels; write it flatter"])
  }

  @Test("100,000 nodes are read, one more is refused")
  func nodes() {
    func list(_ count: Int) -> String { "[" + String(repeating: "1,", count: count) + "]" }
    #expect(problems(of: list(Document.Limit.nodes - 1)) == [])
    #expect(
      problems(of: list(Document.Limit.nodes)).map { String($0.drop { $0 != " " }) }
        == [" more than 100,000 keys and values; write fewer, or use fewer aliases"])
  }

  @Test("an alias bomb is refused, not expanded", arguments: ["[", "{"])
  func bomb(bracket: String) {
    let isList = bracket == "["
    var text = "l0: &l0 x\n"
    for level in 1...50 {
      let inner = (0..<9).map { isList ? "*l\(level - 1)" : "k\($0): *l\(level - 1)" }.joined(separator: ", ")
      text += "l\(level): &l\(level) \(isList ? "[\(inner)]" : "{\(inner)}")\n"
    }
    let found = problems(of: text)
    #expect(found.count == 1)
    #expect(found.first?.contains("more than 100,000 keys and values") == true)
  }

  @Test("a long text is not multiplied without bound")
  func textBomb() {
    let text =
      "a: &x " + String(repeating: "y", count: 500_000) + "\nb: [" + String(repeating: "*x, ", count: 50) + "]"
    #expect(problems(of: text) == ["2:33: more than 4 MiB of text; use fewer aliases"])
  }

  @Test(
    "a file of nothing but brackets, anchors or quotes is refused without a crash",
    arguments: ["[", "{", "- ", "&a ", "? ", "\"", "'", "|", "*", "a: ", "!x ", "%", "\t", "<<: "])
  func hostile(unit: String) {
    let text = String(repeating: unit, count: 199_999)
    #expect(!problems(of: text).isEmpty)
  }

  @Test("a file cut off anywhere is read or refused, never a crash")
  func truncated() {
    let text = "a: &x {b: [1, 'ü', \"\\t\"], c: |\n}\nd: *x\n? e\n: - f\n  - <<: *x\n"
    let bytes = Array(text.utf8)
    for end in 0...bytes.count {
      let document = Document.parse(Array(bytes[..<end]))
      #expect(document.root != nil || !document.problems.isEmpty || end == 0)
    }
  }
}
