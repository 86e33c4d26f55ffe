import Foundation
import Testing

@testable import Documents

@Suite("Manual pages from Markdown")
struct PageTests {
  private func lines(_ markdown: String) throws -> [String] {
    let page = try Page("# x(7): what it is\n\n\(markdown)\n", date: "November 30, 2026")
    return page.manual.text.split(separator: "\n").map(String.init).dropFirst(6).map { $0 }
  }

  @Test("the first line is the page's name, section and summary")
  func title() throws {
    let text = try Page("# limpet.yaml(5): configuration of limpet\n", date: "November 30, 2026").manual.text
    #expect(text.hasPrefix(".Dd November 30, 2026\n.Dt LIMPET.YAML 5\n"))
    #expect(text.hasSuffix(".Sh NAME\n.Nm limpet.yaml\n.Nd configuration of limpet\n"))
    for wrong in ["", "limpet", "# limpet", "# limpet(1)", "# limpet(one): x"] {
      #expect(throws: Page.Flaw.self) { try Page(wrong, date: "") }
    }
  }

  @Test("headings, and paragraphs with a line for each sentence")
  func paragraphs() throws {
    #expect(
      try lines("## Two words\n\nOne. Two\nlines.\n\nNext.\n\n### run\n\nText.")
        == [".Sh TWO WORDS", "One.", "Two lines.", ".Pp", "Next.", ".Ss run", "Text."])
  }

  @Test(
    "inside of a paragraph",
    arguments: [
      ("`--root DIR` is *not* **all**", #"\fB\-\-root DIR\fR is \fInot\fR \fBall\fR"#),
      (#"a \\ and \*.yaml and \<x"#, #"a \e and *.yaml and <x"#), ("`a\\b`", #"\fBa\eb\fR"#),
      (
        "[limpet(1)](limpet.1.md), [Homie](https://homieiot.github.io)", "limpet(1), Homie <https://homieiot.github.io>"
      ),
      ("a [b] c", "a [b] c"), ("'tis", #"\&'tis"#), (".hidden", #"\&.hidden"#),
    ])
  func inline(markdown: String, roff: String) throws {
    #expect(try lines("## A\n\n" + markdown) == [".Sh A", roff])
  }

  @Test("code stays as it is, and needs an end")
  func code() throws {
    #expect(
      try lines("```sh\nlimpet run --config c\n\n.x\n```")
        == [".Bd -literal -offset indent", #"limpet run \-\-config c"#, "", #"\&.x"#, ".Ed"].filter { !$0.isEmpty })
    #expect(throws: Page.Flaw.self) { try lines("```\nx") }
  }

  @Test("a list of code with its meaning is one of terms, any other has bullets")
  func lists() throws {
    #expect(
      try lines("- `a: b`: one\n  more\n- `\"q\"`: two")
        == [".Bl -tag -width Ds", ".It Sy \"a: b\"", "one more", ".It Sy \"\\(dqq\\(dq\"", "two", ".El"])
    #expect(try lines("- `a` one\n- two") == [".Bl -bullet", ".It", #"\fBa\fR one"#, ".It", "two", ".El"])
  }

  @Test("a table is a list of terms; further columns have their titles")
  func table() throws {
    #expect(
      try lines("| key | rule | default |\n|---|---|---|\n| `a` | one \\| two | 3 |\n| b | x | |")
        == [
          ".Bl -tag -width Ds", ".It Sy \"a\"", "one | two.", "Default: 3.", ".It Sy \"b\"", "x", ".El",
        ])
  }

  @Test("limpet.yaml(5) has the keys as the declarations say; write it anew with packaging/documents")
  func isCurrent() throws {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("packaging/manuals/limpet.yaml.5.md")
    #expect(try String(contentsOf: file, encoding: .utf8).contains(KeyList().text))
  }
}
