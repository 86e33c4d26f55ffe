import Sensing
import TestScene
import Testing

@testable import Agent
@testable import LimpetPlatform
@testable import Outbox

@Suite("MemoryLimit")
struct MemoryLimitTests {
  @Test(
    "the least of the machine's memory and the control groups' limits holds",
    arguments: [
      ("MemTotal:        1000 kB\nMemFree: 5 kB\n", [], 1_024_000), ("MemTotal: 1000 kB", ["max"], 1_024_000),
      ("MemTotal: 1000 kB", ["max", "500000", "600000"], 500_000), ("", ["268435456"], 268_435_456),
      ("MemTotal: 9223372036854775807 kB", ["4096"], 4096),
      ("MemTotal: 8000000 kB", ["max"], Int(clamping: 8_192_000_000 as Int64)),
      ("", ["max"], nil), ("MemTotal: kB", [], nil), ("MemTotal: 0 kB", [], nil), ("", ["-5"], nil),
    ] as [(String, [String], Int?)])
  func least(_ information: String, _ groups: [String], _ bytes: Int?) {
    #expect(MemoryLimit(memoryInformation: information, groups: groups)?.bytes == bytes)
  }

  @Test("the group that the process is in counts with those above it, and another one where it is named")
  func groups() async throws {
    try await withScene { scene in
      let board = try BoardTree(scene)
      try board.write("0::/a/b.service\n", to: "/proc/self/cgroup")
      try board.write("max\n", to: "/sys/fs/cgroup/a/b.service/memory.max")
      let root = FileRoot(board.path)
      #expect(MemoryLimit.read(in: root)?.bytes == Int(clamping: 3_884_000 * 1024 as Int64))
      try board.write("67108864\n", to: "/sys/fs/cgroup/a/memory.max")
      #expect(MemoryLimit.read(in: root)?.bytes == 67_108_864)
      try board.write("33554432\n", to: "/sys/fs/cgroup/c/memory.max")
      #expect(MemoryLimit.read(in: root, besides: ["/c"])?.outboxShare == 8_388_608)
    }
  }
}
