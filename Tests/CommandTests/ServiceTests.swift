import Foundation
import LimpetInstants
import LimpetPlatform
import TestScene
import Testing

@Suite("The agent as a service of systemd", .showsLogs, .timed)
struct ServiceTests {
  @Test("without a broker it becomes ready, says what to set, and is alive as often as it is asked to be")
  func withoutBroker() async throws {
    try await withScene { scene in
      let socket = try ServiceSocket(scene.folder + "/notify")
      let agent = try scene.agent(
        scene.settings(port: 1), under: ["env", "NOTIFY_SOCKET=\(socket.name)", "WATCHDOG_USEC=200000"])
      try await until("ready") { socket.notices.contains("READY=1") }
      try await until("it says why") {
        socket.notices.contains {
          $0.hasPrefix("STATUS=not connected: ") && $0.contains("refused") && $0.contains("next try at ")
            && $0.hasSuffix("broker.url in the configuration says where the broker is")
        }
      }
      let alive = socket.notices.count { $0 == "WATCHDOG=1" }
      try await until("alive") { socket.notices.count { $0 == "WATCHDOG=1" } >= alive + 3 }
      #expect(socket.notices.count { $0 == "READY=1" } == 1)
      agent.process.signal(SIGKILL)
    }
  }

  @Test("its status follows the connection; the end is told, and asks for time while it lasts")
  func status() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let socket = try ServiceSocket("@limpet-" + UUID().uuidString.prefix(8))
      let agent = try scene.agent(scene.settings(broker), under: ["env", "NOTIFY_SOCKET=\(socket.name)"])
      let url = broker.url(.tcp5)
      try await until("connected") { socket.notices.contains("STATUS=connected to \(url), MQTT 5") }
      #expect(socket.notices.contains("STATUS=connecting to \(url)"))
      try await broker.stop()
      try await until("lost") { socket.notices.last { $0.hasPrefix("STATUS=") }?.contains("not connected") == true }
      // It has been there once: nothing has to be set.
      #expect(socket.notices.last?.contains("broker.url") == false)
      try await broker.start()
      try await until("connected again") {
        socket.notices.last { $0.hasPrefix("STATUS=") } == "STATUS=connected to \(url), MQTT 5"
      }
      #expect(try await agent.end() == .exited(0))
      let notices = socket.notices
      let stopping = try #require(notices.firstIndex(of: "STOPPING=1"))
      #expect(notices[stopping...].contains("EXTEND_TIMEOUT_USEC=15000000"))
      #expect(notices.contains("WATCHDOG=1") == false)
    }
  }

  @Test(
    "a sensor that does not answer holds the start up no longer than its timeout",
    .enabled(if: HangingFile.isPossible))
  func hungSensor() async throws {
    try await withScene { scene in
      let board = try BoardTree(scene)
      try board.write("1\n", to: "/run/hung")
      try HangingFile.mount(on: board.path + "/run/hung", scene)
      let socket = try ServiceSocket(scene.folder + "/notify")
      var settings = scene.settings(port: 1)
      settings.sensors.append("{name: hung, type: file, path: /run/hung, interval: 1h, timeout: 2s}")
      let started = ContinuousClock.now
      let agent = try scene.agent(settings, board: board, under: ["env", "NOTIFY_SOCKET=\(socket.name)"])
      try await until("ready") { socket.notices.contains("READY=1") }
      #expect(started.duration(to: .now) > .seconds(1.9))
      agent.process.signal(SIGKILL)
    }
  }
}
