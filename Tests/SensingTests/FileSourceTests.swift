import Testing

@testable import Sensing

@Suite struct FileSourceTests {
  let tree: TemporaryTree

  init() throws {
    tree = try TemporaryTree()
  }

  @Test(
    "a file gives its one number, without a unit",
    arguments: [("255\n", .integer(255)), (" 1.25\t\n", .number(1.25))] as [(String, Value)])
  func numbers(content: String, value: Value) throws {
    try tree.write("/sys/class/leds/led0/brightness", content)
    let source = SensorKind.file(path: "/sys/class/leds/led0/brightness").source(in: tree.root)
    let measurement = try source.read()
    #expect(measurement.value == value)
    #expect(measurement.unit == nil)
    #expect(source.bus == Bus("file /sys/class/leds/led0"))
  }

  @Test(
    "each content that is no number has its own sentence",
    arguments: [
      ("", "/v is empty, one number was expected"), ("on\n", #"/v holds "on": text, one decimal number was expected"#),
      ("nan\n", #"/v holds "nan": not a number, as the driver says itself"#),
      ("inf", #"/v holds "inf": infinity is no measurement"#),
      ("1 2 3", #"/v holds "1 2 3": more than one word, one number was expected"#),
      ("1e999", #"/v holds "1e999": a number too large to represent"#),
      ("\u{1B}[31mred", #"/v holds "\u{1b}[31mred": text, one decimal number was expected"#),
    ])
  func refusals(content: String, sentence: String) throws {
    try tree.write("/v", content)
    #expect(complaint(of: FileSource(path: "/v", root: tree.root)) == sentence)
  }

  @Test("a long content is shortened")
  func long() throws {
    try tree.write("/v", String(repeating: "a", count: 5000))
    #expect((complaint(of: FileSource(path: "/v", root: tree.root)) ?? "").count < 120)
  }

  @Test("a missing file and a binary one say so")
  func unreadable() throws {
    #expect(complaint(of: FileSource(path: "/none", root: tree.root))?.hasSuffix("No such file or directory") == true)
    try tree.write("/v", bytes: [0xFF, 0xFE])
    #expect(complaint(of: FileSource(path: "/v", root: tree.root)) == "cannot read /v: not UTF-8 text")
  }
}
