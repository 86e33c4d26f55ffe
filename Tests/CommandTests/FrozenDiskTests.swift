import Foundation
import LimpetInstants
import MQTT
import TestScene
import Testing

/// A disk that neither answers nor fails, as a worn SD card does at times: ext4 on a loop device, frozen (fsfreeze(8)).
@Suite("A disk that hangs", .showsLogs, .timed, .enabled(if: FrozenDisk.isPossible))
struct FrozenDiskTests {
  @Test("the device is online again as soon as its broker, and says what is wrong; all is well when the disk answers")
  func meanwhile() async throws {
    try await withScene { scene in
      let disk = try await FrozenDisk(scene)
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker, isDurable: true)
      var settings = scene.settings(broker)
      settings.storage = disk.path + "/limpet"
      let agent = try scene.agent(settings)
      try await subscriber.readings("load", atLeast: 2)
      try await disk.freeze()
      try await broker.stop()
      try await broker.start()
      try await until("it connected again") { agent.log.count { $0.contains("connected to ") } >= 2 }
      try await agent.line("the storage has not answered")
      let seen = try subscriber.readings("load").count
      try await subscriber.readings("load", atLeast: seen + 3)
      try await disk.thaw()
      try await agent.line("the storage can be written again")
      let readings = try await subscriber.readings("load", atLeast: seen + 6)
      let numbers = readings.map(\.seq).firstArrivals
      #expect(numbers == Array(1...numbers.count))
      let ending = try await agent.end()
      #expect(ending == .exited(0))
    }
  }

  @Test("one that hangs at the start: the device runs in memory, and opens its storage when that answers")
  func atTheStart() async throws {
    try await withScene { scene in
      let disk = try await FrozenDisk(scene)
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      var settings = scene.settings(broker)
      settings.storage = disk.path + "/limpet"
      try await disk.freeze()
      let agent = try scene.agent(settings)
      try await subscriber.status("online")
      try await subscriber.readings("load", atLeast: 2)
      #expect(agent.log.contains { $0.contains("no answer within") })
      try await disk.thaw()
      try await agent.line("the storage can be written again")
      let ending = try await agent.end()
      #expect(ending == .exited(0))
    }
  }

  @Test("one that hangs at the end: offline is said, and the process ends all the same")
  func atTheEnd() async throws {
    try await withScene { scene in
      let disk = try await FrozenDisk(scene)
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      var settings = scene.settings(broker)
      settings.storage = disk.path + "/limpet"
      let agent = try scene.agent(settings)
      try await subscriber.readings("load", atLeast: 2)
      try await disk.freeze()
      agent.process.signal(SIGTERM)
      try await subscriber.status("offline")
      try await agent.line("the storage has not answered within")
      // The process itself is there until its thread comes back from the disk.
      try await disk.thaw()
      let ending = try await agent.process.end()
      #expect(ending == .exited(0))
    }
  }
}

private struct FrozenDisk {
  let path: String
  private let scene: Scene

  /// Root, loop devices, and the tools.
  static let isPossible: Bool =
    geteuid() == 0 && access("/dev/loop-control", R_OK | W_OK) == 0
    && ["/usr/sbin/mkfs.ext4", "/usr/sbin/fsfreeze"].allSatisfy { (path: String) in access(path, X_OK) == 0 }

  init(_ scene: Scene) async throws {
    self.scene = scene
    path = scene.folder + "/disk"
    let image = scene.folder + "/disk.img"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    #expect(FileManager.default.createFile(atPath: image, contents: nil))
    try #require(truncate(image, 32 << 20) == 0)
    try await run("mkfs.ext4", ["-q", image])
    try await run("mount", ["-o", "loop", image, path])
    let path = path
    scene.atEnd {
      // A frozen file system cannot be unmounted; one that is not answers EINVAL.
      let descriptor = open(path, O_RDONLY | O_CLOEXEC)
      if descriptor >= 0 {
        _ = ioctl(descriptor, 0xC004_5878, 0)  // FITHAW
        close(descriptor)
      }
      umount2(path, Int32(MNT_DETACH))
    }
  }

  func freeze() async throws { try await run("fsfreeze", ["-f", path]) }
  func thaw() async throws { try await run("fsfreeze", ["-u", path]) }

  private func run(_ program: String, _ arguments: [String]) async throws {
    let result = try await scene.run(program, [program] + arguments)
    try #require(result.ending == .exited(0), "\(program) \(arguments)")
  }
}
