import Testing

struct SourceExcerptsTests {
  private func excerpts(_ text: String) -> [[String]] {
    let result = loadConfiguration(text)
    return result.diagnostics.map(result.excerpts.excerpt)
  }

  @Test("the line is shown with a caret below the place")
  func caret() {
    #expect(
      excerpts(minimalConfiguration + "  keepalive: 30\n") == [
        ["  3 |   keepalive: 30", "    |              ^"]
      ])
  }

  @Test("a long line is cut around the place, and fits into 80 columns")
  func long() throws {
    let long = String(repeating: "x", count: 300)
    let lines = excerpts(minimalConfiguration + "device: {name: \(long), id: a b, colour: red}\n")[1]
    #expect(lines.allSatisfy { $0.count <= 80 })
    let caret = try #require(lines.last?.firstIndex(of: "^"))
    let shown = try #require(lines.first)
    #expect(shown[caret...].hasPrefix("a b"))
  }

  @Test("a place behind the end of the file has no line")
  func end() {
    #expect(excerpts(minimalConfiguration + "qos: 'x\n") == [[]])
    #expect(excerpts("") == [[]])
  }

  @Test(
    "no line shows a secret, however it is misplaced",
    arguments: [
      "broker: {url: h, password: s3cret}\n", "broker:\n  url: h\n  pasword: s3cret\n",
      "broker: {pass_word: s3cret, x: 1}\n", "broker:\n  password s3cret\n  x: 1\n",
      "broker:\n  url: mqtt://u:s3cret@h\n", "broker:\n  url: 'foo://u:s3cret@h h'\n",
      "broker:\n  url: wsss://h?token=s3cret\n", "broker:\n  password: |\n    s3cret\n   x: 1\n",
      "broker:\n  password:\n    - s3cret\n", "broker:\n  password:\n    s3cret: x\n", "broker: password:s3cret\n",
      "broker:\n  username: s3cret@h\n  password: @s3cret\n",
    ])
  func secrets(text: String) {
    let found = excerpts(text)
    #expect(!found.isEmpty)
    #expect(!found.joined().contains { $0.contains("s3cret") }, "\(found)")
  }
}
