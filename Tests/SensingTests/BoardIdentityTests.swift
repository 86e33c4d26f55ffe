import Testing

@testable import Measuring

@Suite struct BoardIdentityTests {
  static let machineID = "0123456789abcdef0123456789abcdef"
  let tree: TemporaryTree

  init() throws {
    tree = try TemporaryTree()
  }

  func read() -> BoardIdentity? { BoardIdentity.read(in: tree.root) }

  @Test("the device tree's serial number comes first, through the kernel's absolute link")
  func deviceTree() throws {
    try tree.write("/sys/firmware/devicetree/base/serial-number", "10000000deadbeef\0")
    try tree.link("/proc/device-tree", to: "/sys/firmware/devicetree/base")
    try tree.write("/etc/machine-id", Self.machineID + "\n")
    #expect(read() == BoardIdentity(source: .deviceTree, text: "10000000deadbeef"))
  }

  @Test("without /proc/device-tree it is taken from /sys")
  func sysfs() throws {
    try tree.write("/sys/firmware/devicetree/base/serial-number", "SN-42\n\0")
    #expect(read() == BoardIdentity(source: .deviceTree, text: "SN-42"))
  }

  @Test(
    "a serial number that boards share is none: the machine id is taken",
    arguments: ["", "\0", "0000000000000000\0", "ffffffffffffffff\0", "FFFFffff", "\u{7}", "a\0b"])
  func noSerial(content: String) throws {
    try tree.write("/proc/device-tree/serial-number", content)
    try tree.write("/etc/machine-id", Self.machineID.uppercased() + "\n")
    #expect(read() == BoardIdentity(source: .machineID, text: Self.machineID))
  }

  @Test(
    "a machine id that is none leaves nothing",
    arguments: ["", "uninitialized\n", "0123", String(repeating: "0", count: 32), String(repeating: "g", count: 32)])
  func noMachineID(content: String) throws {
    try tree.write("/etc/machine-id", content)
    #expect(read() == nil)
  }

  @Test("a machine without any has no identity")
  func nothing() {
    #expect(read() == nil)
  }
}
