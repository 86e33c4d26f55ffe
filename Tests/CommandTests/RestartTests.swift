import Foundation
import MQTT
import TestScene
import Testing

@Suite("What an agent knows survives a restart", .showsLogs, .timed)
struct RestartTests {
  @Test(
    "after a clean stop the numbers go on exactly, the epoch rises, the instance is another",
    arguments: [
      Way.tcp5, .tcp311,
    ])
  func cleanRestart(_ way: Way) async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      var settings = scene.settings(broker, way)
      settings.sensors.append("{name: once, type: system, value: uptime, interval: 1h}")
      var instances: Set<String> = []
      for run in 1...3 {
        let births = subscriber.news(of: "limpet/board/presence").count
        let agent = try scene.agent(settings)
        let presence = try await subscriber.presence("birth", skipping: births)
        #expect(presence.epoch == run && presence.reason == "start")
        #expect(presence.sessionPresent == (run > 1))
        instances.insert(presence.instance)
        try await subscriber.readings("load", atLeast: run * 4)
        try await subscriber.readings("once", atLeast: run)
        let ending = try await agent.end()
        #expect(ending == .exited(0))
      }
      #expect(instances.count == 3)
      try await subscriber.status("offline", skipping: 5)
      for name in ["load", "once"] {
        let readings = try subscriber.readings(name)
        #expect(readings.map(\.seq) == Array(1...readings.count), "\(name)")
        #expect(readings.allSatisfy { $0.restarted == nil }, "\(name)")
      }
      let statuses = subscriber.news(of: "limpet/board/status")
      #expect(statuses.map(\.payload) == ["online", "offline", "online", "offline", "online", "offline"])
      if way == .tcp5 {
        #expect(statuses.map { $0.userProperties["epoch"] } == ["1", "1", "2", "2", "3", "3"])
        #expect(Set(statuses.map { $0.userProperties["instance"] }).count == 3)
      }
    }
  }

  @Test(
    "a second agent of the same storage does not run: it names the first, and touches neither broker nor storage",
    arguments: ["", ", sync: never"])
  func secondAgent(_ sync: String) async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      var settings = scene.settings(broker)
      try FileManager.default.createDirectory(atPath: settings.storage, withIntermediateDirectories: true)
      settings.storage += sync
      let first = try scene.agent(settings)
      try await subscriber.status("online")
      try await subscriber.readings("load", atLeast: 2)
      let second = try scene.agent(settings, name: "second")
      let ending = try await second.process.end()
      #expect(ending == .exited(1))
      let line = try await second.line(" critical: ")
      #expect(line.contains("another limpet (process \(first.process.pid)) uses this folder. Stop it, or give"))
      #expect(!second.says("connected"))
      let seen = try subscriber.readings("load").count
      try await subscriber.readings("load", atLeast: seen + 5)
      #expect(subscriber.news(of: "limpet/board/status").map(\.payload) == ["online"])
      #expect(first.log.count { $0.contains("connected to ") } == 1)
      let last = try await first.end()
      #expect(last == .exited(0))
      let numbers = try subscriber.readings("load").map(\.seq)
      #expect(numbers == Array(1...numbers.count))
    }
  }

  /// A broker that takes what comes, and acknowledges no reading.
  private func deafBroker(_ scene: Scene, port: Int) async throws -> FakeBroker {
    try await scene.fakeBroker(port: port) { packet, connection in
      if case .publish(let publish) = packet, publish.message.topic.description == "limpet/board/load" { return }
      FakeBroker.obliging(packet, connection)
    }
  }

  private func numbers(_ connection: FakeConnection) throws -> [Int] {
    try connection.publishes("load").map { try Reading(json: String(buffer: $0.message.payload)).seq }
  }

  @Test("what was under way outlives a kill of both sides, resumed or not", arguments: [false, true])
  func cleanStartKilled(_ isClean: Bool) async throws {
    try await withScene { scene in
      let port = try freePort()
      let deaf = try await deafBroker(scene, port: port)
      var settings = scene.settings(port: port)
      settings.broker.append("clean_start: \(isClean)")
      settings.storage += ", sync: 100ms"
      let first = try scene.agent(settings)
      let connection = try await deaf.connection(1)
      try await until("some are under way") { connection.publishes("load").count >= 10 }
      let sent = try numbers(connection).prefix(10)
      try await until("more than the delay has passed") { connection.publishes("load").count > 40 }
      _ = try await first.end(SIGKILL)
      await deaf.end()
      let broker = try await scene.fakeBroker(port: port)
      _ = try scene.agent(settings)
      try await until("they come again") {
        let all = try broker.connections.flatMap { try numbers($0) }
        return Set(sent).isSubset(of: all)
      }
    }
  }

  @Test("what a storage has that opens late is sent once: the next start does not send it again")
  func openedLate() async throws {
    try await withScene { scene in
      let port = try freePort()
      let deaf = try await deafBroker(scene, port: port)
      var settings = scene.settings(port: port)
      settings.lines = ["control: \(scene.folder)/limpet.sock"]
      let storage = settings.storage
      settings.storage += ", sync: 100ms"
      let first = try scene.agent(settings)
      let connection = try await deaf.connection(1)
      try await until("some are under way") { connection.publishes("load").count > 40 }
      let sent = try numbers(connection).prefix(10)
      _ = try await first.end(SIGKILL)
      await deaf.end()
      // A disk that is not there yet.
      try FileManager.default.moveItem(atPath: storage, toPath: storage + ".real")
      try scene.write("", to: "storage")
      let broker = try await scene.fakeBroker(port: port)
      let second = try scene.agent(settings)
      try await second.line("limpet goes on in memory: identity")
      try FileManager.default.removeItem(atPath: storage)
      try FileManager.default.moveItem(atPath: storage + ".real", toPath: storage)
      try await second.line("the storage can be written again", within: .seconds(30))
      let old = Set(sent)
      try await until("they are sent") {
        try old.isSubset(of: broker.connections.flatMap { try numbers($0) })
      }
      let ending = try await second.end()
      #expect(ending == .exited(0))
      let before = broker.connections.count
      _ = try scene.agent(settings)
      let next = try await broker.connection(before + 1)
      try await until("the third one sends") { next.publishes("load").count > 20 }
      let again = try broker.connections.dropFirst(before).flatMap { try numbers($0) }
      #expect(old.isDisjoint(with: again))
    }
  }

  @Test("an agent that starts while another is about to end waits for it")
  func overlap() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      let settings = scene.settings(broker)
      let first = try scene.agent(settings)
      try await subscriber.readings("load", atLeast: 2)
      let second = try scene.agent(settings, name: "second")
      let line = try await second.line("waiting 5 s for it to end")
      #expect(line.contains("process \(first.process.pid)"))
      _ = try await first.end()
      try await second.line("connected to ")
      let ending = try await second.end()
      #expect(ending == .exited(0))
    }
  }

  @Test("a sample that is being taken at SIGTERM is sent, or takes no number")
  func sampleAtStop() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      let board = try BoardTree(scene)
      // A search through all of these takes longer than the interval, so that one is always going on.
      for number in 1...1000 { try board.hwmon(number, name: "chip\(number)", [:]) }
      var settings = scene.settings(broker)
      settings.sensors = ["{name: lost, type: hwmon, chip: missing, channel: temp1, interval: 20ms}"]
      for round in 1...4 {
        let seen = try subscriber.readings("lost").count
        let agent = try scene.agent(settings, board: board)
        try await subscriber.readings("lost", atLeast: seen + 1)
        let ending = try await agent.end()
        #expect(ending == .exited(0))
        #expect(!agent.says("not sent"))
        try await subscriber.status("offline", skipping: round * 2 - 1)
      }
      let numbers = try subscriber.readings("lost").map(\.seq)
      #expect(numbers == Array(1...numbers.count))
    }
  }

  @Test("after a SIGKILL a name goes on at its block's end, and says restarted once")
  func killedRestart() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      let settings = scene.settings(broker)
      var expected = 1
      for run in 1...3 {
        let births = subscriber.news(of: "limpet/board/presence").count
        let seen = try subscriber.readings("load").count
        let agent = try scene.agent(settings)
        let presence = try await subscriber.presence("birth", skipping: births)
        #expect(presence.epoch == run)
        #expect(presence.reason == (run == 1 ? "start" : "recovered"))
        // What was under way is sent again, with its own number.
        let readings = try await eventually("4 new readings") {
          let new = try subscriber.readings("load").dropFirst(seen).filter { $0.seq >= expected }
          return new.count >= 4 ? new : nil
        }
        #expect(readings.map(\.seq) == Array(expected..<expected + readings.count))
        #expect(readings.map(\.restarted) == readings.indices.map { run > 1 && $0 == 0 ? true : nil })
        _ = try await agent.end(SIGKILL)
        try await subscriber.status("offline", skipping: run * 2 - 1)
        expected += 1000
      }
    }
  }

  @Test("a block that is used up is followed by the next, without a gap")
  func blocks() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto(lines: ["max_queued_messages 0"])
      let subscriber = try await scene.subscriber(to: broker)
      var settings = scene.settings(broker)
      settings.sensors = ["{name: fast, type: system, value: load1, interval: 10ms}"]
      let agent = try scene.agent(settings)
      // The next block is reserved when half of one is used.
      let readings = try await subscriber.readings("fast", atLeast: 520)
      #expect(readings.map(\.seq) == Array(1...readings.count))
      _ = try await agent.end(SIGKILL)
      let last = try #require(try subscriber.readings("fast").last).seq
      _ = try scene.agent(settings)
      let again = try await eventually("a new reading") {
        try subscriber.readings("fast").first { $0.restarted == true }
      }
      // A name has at most the block that it is using, and the next.
      #expect((last + 1...last + 2001).contains(again.seq))
      #expect((again.seq - 1) % 500 == 0, "a block's end")
    }
  }

  @Test("a name that is new in the configuration begins at 1, and one that comes back goes on")
  func names() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      var settings = scene.settings(broker)
      let both = ["a", "b"].map { "{name: \($0), type: system, value: load1, interval: 50ms}" }
      for sensors in [[both[0]], [both[1]], both] {
        settings.sensors = sensors
        let births = subscriber.news(of: "limpet/board/presence").count
        let counts = try ["a", "b"].map { try subscriber.readings($0).count }
        let agent = try scene.agent(settings)
        _ = try await subscriber.presence("birth", skipping: births)
        for (index, name) in ["a", "b"].enumerated() where sensors.contains(both[index]) {
          try await subscriber.readings(name, atLeast: counts[index] + 2)
        }
        let ending = try await agent.end()
        #expect(ending == .exited(0))
      }
      for name in ["a", "b"] {
        let readings = try subscriber.readings(name)
        #expect(readings.map(\.seq) == Array(1...readings.count), "\(name)")
      }
    }
  }

  @Test("two agents of different devices on one storage: the second does not run, and names the first")
  func sharedStorage() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      var settings = scene.settings(broker)
      let first = try scene.agent(settings)
      try await subscriber.status("online")
      settings.device = "other"
      let second = try scene.agent(settings, name: "second")
      let ending = try await second.process.end()
      #expect(ending == .exited(1))
      try await second.line("another limpet (process \(first.process.pid)) uses this folder")
      #expect(subscriber.news(of: "limpet/other/status").isEmpty)
    }
  }
}

@Suite("device.id: auto", .showsLogs, .timed)
struct IdentityTests {
  /// The id that an agent publishes under, on a board and a storage.
  private func identity(_ scene: Scene, _ broker: Mosquitto, _ board: BoardTree, storage: String) async throws
    -> (id: String, log: [String])
  {
    var settings = scene.settings(broker)
    settings.device = nil
    settings.storage = "\(scene.folder)/\(storage)"
    settings.sensors = []
    let subscriber = try await scene.subscriber(to: broker, "limpet/+/status")
    let agent = try scene.agent(settings, board: board)
    let record = try await eventually("a status") { subscriber.records.first { !$0.isRetained } }
    let ending = try await agent.end()
    #expect(ending == .exited(0))
    await subscriber.end()
    return (String(record.topic.split(separator: "/")[1]), agent.log)
  }

  private static let serialNumber = "/proc/device-tree/serial-number"

  @Test("the serial number makes it: 22 letters and digits, the same after a restart and with another storage")
  func serialNumber() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let board = try BoardTree(scene)
      try board.write("10000000a1b2c3d4\0", to: Self.serialNumber)
      try board.write("0123456789abcdef0123456789abcdef\n", to: "/etc/machine-id")
      let first = try await identity(scene, broker, board, storage: "a")
      #expect(first.id.wholeMatch(of: /[0-9a-zA-Z]{22}/) != nil)
      #expect(first.log.contains { $0.contains("this device is \(first.id), made from the board's serial number") })
      let second = try await identity(scene, broker, board, storage: "a")
      #expect(second.id == first.id)
      let other = try await identity(scene, broker, board, storage: "b")
      #expect(other.id == first.id, "it is made, not drawn")
      try board.write("10000000a1b2c3d4\n", to: Self.serialNumber)
      let trimmed = try await identity(scene, broker, board, storage: "c")
      #expect(trimmed.id == first.id, "the NUL is no part of it")
      #expect(!(first.log + second.log).contains { $0.contains("a1b2c3d4") }, "the serial number stays here")
      #expect(broker.log.contains { $0.contains(" as \(first.id) (") }, "it is the client id too")
    }
  }

  @Test(
    "a serial number of zeros or Fs is none: machine-id is taken",
    arguments: [
      "0000000000000000\0", "ffffffffffffffff\0", "FFFFFFFFFFFFFFFF\n", "\0", "",
    ])
  func noSerialNumber(_ text: String) async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let board = try BoardTree(scene)
      try board.write("0123456789abcdef0123456789abcdef\n", to: "/etc/machine-id")
      let expected = try await identity(scene, broker, board, storage: "a")
      #expect(expected.log.contains { $0.contains("made from /etc/machine-id") })
      try board.write(text, to: Self.serialNumber)
      let found = try await identity(scene, broker, board, storage: "b")
      #expect(found.id == expected.id)
    }
  }

  @Test("a storage that came to another board: a new identity, and the log says so")
  func movedStorage() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let board = try BoardTree(scene)
      try board.write("10000000a1b2c3d4\0", to: Self.serialNumber)
      let first = try await identity(scene, broker, board, storage: "a")
      try board.write("10000000ffff0001\0", to: Self.serialNumber)
      let second = try await identity(scene, broker, board, storage: "a")
      #expect(second.id != first.id && second.id.wholeMatch(of: /[0-9a-zA-Z]{22}/) != nil)
      let line = try #require(second.log.first { $0.contains("this storage comes from another board") })
      #expect(line.contains("warning: ") && line.contains(first.id) && line.contains(second.id))
      let third = try await identity(scene, broker, board, storage: "a")
      #expect(third.id == second.id && !third.log.contains { $0.contains("another board") })
    }
  }

  @Test("a board without any number gets a random identity that it keeps")
  func random() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let board = try BoardTree(scene)
      let first = try await identity(scene, broker, board, storage: "a")
      #expect(first.id.wholeMatch(of: /[0-9a-zA-Z]{22}/) != nil)
      #expect(first.log.contains { $0.contains("made from a random number") })
      let again = try await identity(scene, broker, board, storage: "a")
      #expect(again.id == first.id)
      let other = try await identity(scene, broker, board, storage: "b")
      #expect(other.id != first.id)
    }
  }
}
