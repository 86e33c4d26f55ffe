import Glibc
import Testing

@testable import LimpetPlatform
@testable import LimpetText

@Suite struct FileRootTests {
  let tree: TemporaryTree

  init() throws {
    tree = try TemporaryTree()
  }

  @Test("the root itself reads the machine's own files")
  func system() throws {
    #expect(try FileRoot().text(of: "/proc/sys/kernel/ostype") == "Linux")
    #expect(try FileRoot().resolve("/proc/self/../sys/./kernel//ostype") == "/proc/sys/kernel/ostype")
  }

  @Test(
    "NUL, newline and space are trimmed around a text, not inside",
    arguments: [
      ("pwmfan\n", "pwmfan"), ("1000000\0", "1000000"), (" CPU fan \n", "CPU fan"), ("", ""), ("\n\0 \n", ""),
      ("a\nb", "a\nb"),
    ])
  func trimming(content: String, text: String) throws {
    try tree.write("/name", content)
    #expect(try tree.root.text(of: "/name") == text)
  }

  @Test("up to 64 KiB are read, one byte more is an error")
  func size() throws {
    try tree.write("/full", bytes: Array(repeating: 0x61, count: 65_536))
    try tree.write("/over", bytes: Array(repeating: 0x61, count: 65_537))
    #expect(try tree.root.bytes(of: "/full").count == 65_536)
    let error = #expect(throws: ReadError.self) { try tree.root.bytes(of: "/over") }
    #expect(error?.description == "cannot read /over: larger than 64 KiB")
    #expect(throws: ReadError("/dev/zero", .tooLarge)) { try FileRoot().bytes(of: "/dev/zero") }
  }

  @Test("text that is no UTF-8 is an error")
  func encoding() throws {
    try tree.write("/latin", bytes: [0x67, 0xE9, 0x0A])
    #expect(throws: ReadError("/latin", .notUTF8)) { try tree.root.text(of: "/latin") }
  }

  @Test("a FIFO never blocks: without a writer it is empty, with a silent one EAGAIN")
  func nonblocking() throws {
    try tree.fifo("/fifo")
    #expect(try tree.root.bytes(of: "/fifo").isEmpty)
    let writer = open(tree.path + "/fifo", O_RDWR | O_CLOEXEC)
    defer { close(writer) }
    #expect(throws: ReadError("/fifo", .errno(EAGAIN))) { try tree.root.bytes(of: "/fifo") }
  }

  @Test("errors say what was tried, the path inside the root, and errno's text")
  func errors() throws {
    let error = #expect(throws: ReadError.self) { try FileRoot().bytes(of: "/sys/nowhere") }
    #expect(error?.description == "cannot open /sys/nowhere: No such file or directory")
    let inside = #expect(throws: ReadError.self) { try tree.root.bytes(of: "/sys/nowhere") }
    #expect(inside?.path == "/sys/nowhere")
    tree.folder("/sys")
    #expect(throws: ReadError("/sys", .errno(EISDIR))) { try tree.root.bytes(of: "/sys") }
    #expect(throws: ReadError(.list, "/none", .errno(ENOENT))) { try FileRoot().entries(of: "/none") }
  }

  @Test("a path that is relative, empty or holds a NUL is refused", arguments: ["", "sys/class", "/sys\0/etc"])
  func paths(path: String) {
    #expect(throws: ReadError(.open, path, .invalidPath)) { try FileRoot().bytes(of: path) }
    #expect(throws: ReadError(.open, path, .invalidPath)) { try tree.root.bytes(of: path) }
  }

  @Test("entries come in natural order, without . and ..")
  func entries() throws {
    for name in ["hwmon10", "hwmon2", "hwmon1", "a"] { tree.folder("/sys/class/hwmon/\(name)") }
    #expect(try tree.root.entries(of: "/sys/class/hwmon") == ["a", "hwmon1", "hwmon2", "hwmon10"])
  }

  @Test("links are followed inside the root, relative and absolute, in the middle and at the end")
  func links() throws {
    try tree.write("/sys/devices/platform/fan/hwmon/hwmon2/name", "pwmfan\n")
    try tree.link("/sys/class/hwmon/hwmon2", to: "../../devices/platform/fan/hwmon/hwmon2")
    try tree.link("/sys/devices/platform/fan/hwmon/hwmon2/device", to: "../../../fan")
    try tree.write("/sys/firmware/devicetree/base/model", "Board\0")
    try tree.link("/proc/device-tree", to: "/sys/firmware/devicetree/base")
    try tree.link("/model", to: "/proc/device-tree/model")
    #expect(try tree.root.text(of: "/sys/class/hwmon/hwmon2/name") == "pwmfan")
    #expect(try tree.root.resolve("/sys/class/hwmon/hwmon2/device") == "/sys/devices/platform/fan")
    #expect(try tree.root.text(of: "/model") == "Board")
    #expect(try tree.root.entries(of: "/proc/device-tree") == ["model"])
  }

  @Test("nothing leads out of the root: neither .. nor an absolute link")
  func confinement() throws {
    try tree.write("/etc/passwd", "inside")
    try tree.link("/up", to: "../../../../../../etc/passwd")
    try tree.link("/absolute", to: "/etc/passwd")
    for path in ["/../../../../etc/passwd", "/up", "/absolute"] {
      #expect(try tree.root.text(of: path) == "inside")
    }
    try tree.link("/machine", to: "/proc/sys/kernel/ostype")
    #expect(throws: ReadError(.resolve, "/machine", .errno(ENOENT))) { try tree.root.text(of: "/machine") }
  }

  @Test("forty links are followed, forty-one and a circle are not")
  func linkLimit() throws {
    try tree.write("/link0", "end")
    for number in 1...41 { try tree.link("/link\(number)", to: "link\(number - 1)") }
    #expect(try tree.root.text(of: "/link40") == "end")
    #expect(throws: ReadError(.resolve, "/link41", .errno(ELOOP))) { try tree.root.text(of: "/link41") }
    try tree.link("/circle", to: "/circle")
    #expect(throws: ReadError(.resolve, "/circle", .errno(ELOOP))) { try tree.root.text(of: "/circle") }
  }

  @Test(
    "numbers in names order by their value",
    arguments: [
      ("hwmon2", "hwmon10"), ("a", "b"), ("a", "a1"), ("", "a"), ("in9", "in10"), ("a1b2", "a1b10"), ("a1", "a01"),
      ("x99999999999999999999998", "x99999999999999999999999"),
    ])
  func natural(first: String, second: String) {
    #expect(naturallyPrecedes(first, second))
    #expect(!naturallyPrecedes(second, first))
    #expect(!naturallyPrecedes(first, first))
  }

  @Test(
    "what drivers answer is explained",
    arguments: [
      (ENODATA, "no valid reading at the moment (ENODATA)"), (EIO, "did not answer, check its wiring and power (EIO)"),
      (EREMOTEIO, "(EREMOTEIO)"), (ENODEV, "the device is gone (ENODEV)"), (EACCES, "let limpet's user read it"),
      (EAGAIN, "no value ready (EAGAIN)"), (ETIMEDOUT, "did not answer in time"), (EBUSY, "another program"),
    ])
  func advice(code: CInt, text: String) {
    #expect(ReadError(.read, "/sys/x", .errno(code)).description.contains(text))
  }
}

extension ReadError {
  fileprivate init(_ path: String, _ reason: Reason) {
    self.init(.read, path, reason)
  }
}
