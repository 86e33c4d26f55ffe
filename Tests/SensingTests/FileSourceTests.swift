import Testing

@testable import LimpetText
@testable import Measuring
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
      ("", "/v is empty, one number was expected"),
      ("on\n", #"/v contains "on": text, one decimal number was expected"#),
      ("nan\n", #"/v contains "nan": the driver has no number"#),
      ("inf", #"/v contains "inf": infinity is not a measurement"#),
      ("1 2 3", #"/v contains "1 2 3": more than one word, one number was expected"#),
      ("1e999", #"/v contains "1e999": a number too large to represent"#),
      ("\u{1B}[31mred", #"/v contains "\u{1b}[31mred": text, one decimal number was expected"#),
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

  private func read(_ content: FileContent) throws -> Value {
    try FileSource(path: "/v", content: content, root: tree.root).read().value
  }

  @Test("a pattern picks the number: its first group, or all that matches")
  func match() throws {
    try tree.write("/v", "state: ok\ntemp=21.5 C\nhumidity=45\n")
    #expect(try read(FileContent(match: Pattern("temp=([0-9.]+)"))) == .number(21.5))
    #expect(try read(FileContent(match: Pattern("[0-9]+$"))) == .integer(45))
    #expect(try read(FileContent(match: Pattern("^state: (.*)$"), isText: true)) == .text("ok"))
    let source = FileSource(path: "/v", content: FileContent(match: try Pattern("pressure=(.*)")), root: tree.root)
    #expect(complaint(of: source)?.hasSuffix(#"and nothing in it matches "pressure=(.*)""#) == true)
    let state = FileSource(path: "/v", content: FileContent(match: try Pattern("^state: (.*)$")), root: tree.root)
    #expect(complaint(of: state) == #"/v contains "ok": text, one decimal number was expected"#)
  }

  @Test("a text is a value where one is asked for, without the space around it")
  func text() throws {
    try tree.write("/v", " open \n")
    #expect(try read(FileContent(isText: true)) == .text("open"))
    try tree.write("/v", "\n")
    #expect(complaint(of: FileSource(path: "/v", content: FileContent(isText: true), root: tree.root)) != nil)
    try tree.write("/v", String(repeating: "a", count: 2000))
    let long = FileSource(path: "/v", content: FileContent(isText: true), root: tree.root)
    #expect(complaint(of: long) == "/v contains 2000 bytes of text; pick a part of it with match:")
    #expect(try read(FileContent(match: Pattern("^a{3}"), isText: true)) == .text("aaa"))
  }

  @Test("a file of 10 MB is refused, as text and as a number", arguments: [false, true])
  func huge(isText: Bool) throws {
    try tree.write("/v", bytes: [UInt8](repeating: 0x31, count: 10_000_000))
    let source = FileSource(path: "/v", content: FileContent(isText: isText), root: tree.root)
    #expect(complaint(of: source) == "cannot read /v: larger than 64 KiB")
  }

  @Test("a FIFO that nobody writes to is empty, and holds nobody up")
  func fifo() throws {
    try tree.fifo("/v")
    #expect(complaint(of: FileSource(path: "/v", root: tree.root)) == "/v is empty, one number was expected")
  }

  @Test("a file that vanishes between two reads is bad, and good when it is back")
  func vanishes() throws {
    let source = FileSource(path: "/v", root: tree.root)
    try tree.write("/v", "1\n")
    #expect(try source.read().value == .integer(1))
    tree.remove("/v")
    #expect(complaint(of: source) == "cannot resolve /v: No such file or directory")
    try tree.write("/v", "2\n")
    #expect(try source.read().value == .integer(2))
  }

  @Test("a file that vanishes between open and read is bad, whatever the kernel answers")
  func vanishesOpen() {
    // /proc/PID/… of a process that ended answers ESRCH at read(2), as sysfs answers ENODEV.
    #expect(SensorError.unreadable(ReadError(.read, "/v", .errno(19))).meansGone)
    #expect("\(ReadError(.read, "/v", .errno(19)))".contains("the device is gone (ENODEV)"))
  }

  @Test(
    "hexadecimal numbers are read, as drivers print registers",
    arguments: [("0x1f\n", Value.integer(31)), ("-0X10", .integer(-16)), ("0x", nil), ("0xfffffffffffffffff", nil)])
  func hexadecimal(content: String, value: Value?) throws {
    try tree.write("/x", content)
    let source = FileSource(path: "/x", root: tree.root)
    if let value { #expect(try source.read().value == value) } else { #expect(complaint(of: source) != nil) }
  }

  @Test("of a file that is too long to be a value, a pattern is looked for in what it begins with")
  func longFile() throws {
    try tree.write("/x", "level: 12\n" + String(repeating: "é", count: 40_000))
    let match = try Pattern("level: ([0-9]+)")
    #expect(
      try FileSource(path: "/x", content: FileContent(match: match), root: tree.root).read().value == .integer(12))
    #expect(complaint(of: FileSource(path: "/x", root: tree.root)) != nil)
  }
}
