import Foundation
import LimpetInstants
import TestScene
import Testing

@Suite("Why an agent stopped, and for how long it was gone", .showsLogs, .timed)
struct StopReasonTests {
  /// Runs an agent until it is online, stops it, and says what presence and status tell.
  private func stop(_ scene: Scene, under launcher: [String]) async throws -> (presence: String, status: String?) {
    let broker = try await scene.mosquitto()
    let subscriber = try await scene.subscriber(to: broker)
    let agent = try scene.agent(scene.settings(broker, .tcp5), under: launcher)
    try await subscriber.status("online")
    let ending = try await agent.end()
    #expect(ending == .exited(0))
    let offline = try await subscriber.status("offline")
    return (try await subscriber.presence("stop").reason, offline.userProperties["reason"])
  }

  @Test("the service's folder has a file that says why", arguments: ["upgrade", "reboot"])
  func file(_ reason: String) async throws {
    try await withScene { scene in
      try scene.write(reason + "\n", to: "runtime/stop-reason")
      let told = try await stop(scene, under: ["env", "RUNTIME_DIRECTORY=\(scene.folder)/runtime"])
      #expect(told.presence == reason && told.status == reason)
    }
  }

  @Test("a file that says something else is nobody's reason")
  func otherFile() async throws {
    try await withScene { scene in
      try scene.write("because\n", to: "runtime/stop-reason")
      let told = try await stop(scene, under: ["env", "RUNTIME_DIRECTORY=\(scene.folder)/runtime"])
      #expect(told.presence == "shutdown" && told.status == "shutdown")
    }
  }

  @Test(
    "who knows why may hang in the kernel: the stop is clean, and waits half a second",
    .enabled(if: HangingFile.isPossible))
  func hangs() async throws {
    try await withScene { scene in
      let file = try scene.write("upgrade\n", to: "runtime/stop-reason")
      try HangingFile.mount(on: file, scene)
      let told = try await stop(scene, under: ["env", "RUNTIME_DIRECTORY=\(scene.folder)/runtime"])
      #expect(told.presence == "shutdown" && told.status == "shutdown")
    }
  }

  @Test(
    "systemd is about to reboot, or is not", .enabled(if: canMountApart),
    arguments: [
      ("reboot.target", "reboot"), ("kexec.target", "reboot"), ("poweroff.target", "shutdown"),
    ])
  func systemd(_ unit: String, _ reason: String) async throws {
    try await withScene { scene in
      // As `systemctl list-jobs --no-legend --plain` prints.
      let systemctl = try scene.write(
        "#!/bin/sh\n[ \"$*\" = 'list-jobs --no-legend --plain' ] && echo '5 \(unit) start waiting'\n", to: "systemctl")
      try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: systemctl)
      let told = try await stop(
        scene,
        under: [
          "unshare", "--mount", "sh", "-ec",
          """
          mount --bind \(systemctl) /usr/bin/systemctl
          mount -t tmpfs none /run
          mkdir -p /run/systemd/system
          exec "$@"
          """, "sh",
        ])
      #expect(told.presence == reason && told.status == reason)
    }
  }

  @Test("the service's folder has a file that says why it starts: for one start")
  func startReason() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      let file = try scene.write("rollback\n", to: "runtime/start-reason")
      let launcher = ["env", "RUNTIME_DIRECTORY=\(scene.folder)/runtime"]
      for reason in ["rollback", "start"] {
        let before = subscriber.news(of: "limpet/board/presence").count
        let agent = try scene.agent(scene.settings(broker, .tcp5), under: launcher)
        #expect(try await subscriber.presence("birth", skipping: before).reason == reason)
        #expect(!FileManager.default.fileExists(atPath: file))
        let ending = try await agent.end()
        #expect(ending == .exited(0))
        _ = try await subscriber.presence("stop", skipping: before)
      }
    }
  }

  @Test("after a SIGKILL the birth says recovered, and for how long the device was gone", arguments: ["5", "3.1.1"])
  func goneFor(_ version: String) async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      var settings = scene.settings(broker)
      settings.version = version
      try scene.write("", to: "runtime/none")
      let launcher = ["env", "RUNTIME_DIRECTORY=\(scene.folder)/runtime"]
      let first = try scene.agent(settings, under: launcher)
      let birth = try await subscriber.presence("birth")
      #expect(birth.reason == "start" && birth.goneFor == nil)
      let mark = "\(scene.folder)/runtime/alive"
      try await until("the agent leaves its mark") { FileManager.default.fileExists(atPath: mark) }
      _ = try await first.end(SIGKILL)
      // As if that had been an hour ago.
      try FileManager.default.setAttributes([.modificationDate: Date() - 3600], ofItemAtPath: mark)
      let presences = subscriber.news(of: "limpet/board/presence").count
      let second = try scene.agent(settings, under: launcher)
      let again = try await subscriber.presence("birth", skipping: presences)
      #expect(again.reason == "recovered" && again.epoch > birth.epoch)
      #expect((3600...3660).contains(try #require(again.goneFor)))
      // A clean stop leaves nothing to recover from.
      try await second.end()
      let stops = subscriber.news(of: "limpet/board/presence").count
      _ = try scene.agent(settings, under: launcher)
      let last = try await subscriber.presence("birth", skipping: stops)
      #expect(last.reason == "start" && last.goneFor == nil)
    }
  }
}

/// Whether a program may be started that mounts what only it sees.
private let canMountApart: Bool = {
  guard geteuid() == 0, access("/usr/bin/systemctl", X_OK) == 0 else { return false }
  let probe = try? Child(
    ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/run"], environment: [:],
    output: FileManager.default.temporaryDirectory.path + "/limpet-mount-probe-\(getpid())")
  let deadline = ContinuousClock.now + .seconds(10)
  while let probe, probe.ending == nil, ContinuousClock.now < deadline { usleep(1000) }
  for path in [probe?.standardOutput, probe?.standardError] { _ = path.map { unlink($0) } }
  return probe?.ending == .exited(0)
}()
