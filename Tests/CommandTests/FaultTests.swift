import CMQTTSQLite
import Foundation
import LimpetInstants
import MQTT
import TestScene
import Testing

@Suite("Faults of the machine", .showsLogs, .timed)
struct FaultTests {
  /// An agent whose storage is no use works all the same, and says so once.
  private func expectToRunOn(_ scene: Scene, storage: String, saying words: String) async throws {
    let broker = try await scene.mosquitto()
    let subscriber = try await scene.subscriber(to: broker)
    var settings = scene.settings(broker)
    settings.storage = storage
    let agent = try scene.agent(settings)
    try await subscriber.status("online")
    let readings = try await subscriber.readings("load", atLeast: 5)
    #expect(readings.map(\.seq) == Array(1...readings.count))
    #expect(readings[0].restarted == true, "numbers may have been used before")
    let errors = agent.log.filter { $0.contains(" error: ") }
    #expect(errors.count == 1, "\(errors)")
    #expect(errors.first?.contains(storage) == true && errors.first?.contains(words) == true, "\(errors)")
    let promises = agent.log.filter { $0.contains(" info: the buffer: ") || $0.contains(" info: the session: ") }
    #expect(promises.count == 2 && promises.allSatisfy { !$0.contains("disk") }, "in memory (U4): \(promises)")
    let ending = try await agent.end()
    #expect(ending == .exited(0))
    try await subscriber.status("offline")
  }

  @Test("the storage folder is a file: runs on in memory, and says so in one line")
  func storageIsFile() async throws {
    try await withScene { scene in
      let file = try scene.write("", to: "not-a-folder")
      try await expectToRunOn(scene, storage: file, saying: "Not a directory")
    }
  }

  @Test("the storage folder cannot be made: runs on in memory, and says so in one line")
  func storageNotWritable() async throws {
    // Not even root can make a folder there.
    try await withScene { scene in
      try await expectToRunOn(scene, storage: "/proc/limpet", saying: "No such file")
    }
  }

  @Test("the storage is full from the start: runs on in memory, and says so in one line", .enabled(if: canMount))
  func storageFull() async throws {
    try await withScene { scene in
      let disk = try await Disk(scene, kilobytes: 64)
      try disk.fill()
      try await expectToRunOn(scene, storage: disk.path, saying: "full")
    }
  }

  @Test(
    "the storage fills up while it runs: says so once, loses nothing, and says when it works again",
    .enabled(if: canMount))
  func storageFillsUp() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker, isDurable: true)
      let disk = try await Disk(scene, kilobytes: 512)
      var settings = scene.settings(broker)
      settings.storage = disk.path
      let agent = try scene.agent(settings)
      try await subscriber.readings("load", atLeast: 2)
      try disk.fill()
      // What waits for longer than a second is written, and there is soon no room for it.
      try await broker.stop()
      try await agent.line("limpet goes on in memory")
      try await broker.start()
      try await until("it connected again") { agent.log.count { $0.contains("connected to ") } >= 2 }
      #expect(agent.log.count { $0.contains(" error: ") } == 1)
      try disk.free()
      try await broker.stop()
      try await broker.start()
      try await agent.line("the storage can be written again")
      let seen = try subscriber.readings("load").count
      let readings = try await subscriber.readings("load", atLeast: seen + 5)
      let numbers = readings.map(\.seq).firstArrivals
      #expect(numbers == Array(1...numbers.count))
      let ending = try await agent.end()
      #expect(ending == .exited(0))
    }
  }

  /// The share of one processor that an agent takes for some seconds in which little is to be done.
  private func share(_ agent: Agent, over duration: Duration = .seconds(3)) async throws -> Double {
    let (started, before) = (ContinuousClock.now, try agent.processorSeconds)
    try await pause(for: duration)
    return try (agent.processorSeconds - before) / ((ContinuousClock.now - started) / .seconds(1))
  }

  @Test("an agent whose storage cannot be opened sleeps between its tries")
  func storageFailsQuietly() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      var settings = scene.settings(broker)
      settings.storage = "/proc/limpet"
      settings.sensors = ["{name: load, type: system, value: load1, interval: 10s}"]
      let agent = try scene.agent(settings)
      try await agent.line("connected to ")
      let share = try await share(agent)
      #expect(share < 0.1, "of one processor, in a debug build")
    }
  }

  @Test("an agent that starts on a full disk sleeps between its tries", .enabled(if: canMount))
  func fullDiskQuietly() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      let disk = try await Disk(scene, kilobytes: 1024)
      var settings = scene.settings(broker)
      settings.storage = disk.path
      settings.sensors = ["{name: load, type: system, value: load1, interval: 10s}"]
      let first = try scene.agent(settings)
      try await subscriber.readings("load", atLeast: 1)
      _ = try await first.end()
      try disk.fill()
      let second = try scene.agent(settings)
      try await second.line("connected to ")
      let share = try await share(second)
      #expect(share < 0.1, "of one processor, in a debug build")
      try disk.free()
      try await second.line("the storage can be written again", within: .seconds(30))
      // The next write is behind that of the instance.
      _ = try await second.end()
      let instances = try execute("SELECT count(*) FROM instance", in: disk.path + "/session.db")
      #expect(instances == "2", "also that of a run which could not store it at its start")
    }
  }

  @Test("a damaged storage is kept aside, and the agent begins anew")
  func storageDamaged() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      try scene.write(String(repeating: "no database\n", count: 1000), to: "storage/session.db")
      let agent = try scene.agent(scene.settings(broker))
      let readings = try await subscriber.readings("load", atLeast: 2)
      #expect(readings[0].seq == 1 && readings[0].restarted == true && readings[1].restarted == nil)
      let line = try await agent.line("the storage was damaged")
      #expect(line.contains("/storage/session.db.corrupt-"))
      #expect(agent.log.count { $0.contains(" error: ") } == 1)
    }
  }

  @Test(
    "a row of the storage that says nothing is set aside or counted, and the agent goes on, at every start",
    arguments: [
      "INSERT INTO message (token, identifier, released, packet, stored) VALUES (1, 1, 0, x'FFFF', 0)",
      "INSERT INTO reading VALUES (-1, 1, x'00')",
      "INSERT INTO reading SELECT 1000000, number, x'FF' FROM reading_stream",
      "UPDATE reading_boot SET start = 9223372036854775807",
      "UPDATE reading_boot SET number = 2147483648",
      "UPDATE reading_boot SET number = 2147483647",
      "INSERT INTO farewell (server, client, topic, offline, qos) VALUES ('s', 'c', 't', 'offline', 2147483648)",
    ])
  func rowDamaged(_ sql: String) async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      let settings = scene.settings(broker)
      let first = try scene.agent(settings)
      try await subscriber.readings("load", atLeast: 5)
      let ending = try await first.end()
      #expect(ending == .exited(0))
      try execute(sql, in: "\(scene.folder)/storage/session.db")
      for run in 2...3 {
        let seen = try subscriber.readings("load").count
        let agent = try scene.agent(settings)
        try await subscriber.readings("load", atLeast: seen + 5)
        #expect(!agent.says("in memory") && !agent.says("begins a new one"))
        #expect(run == 2 || !agent.says("are unreadable"), "the second start has nothing to repair")
        let ending = try await agent.end()
        #expect(ending == .exited(0))
      }
      let numbers = try subscriber.readings("load").map(\.seq)
      #expect(numbers == Array(1...numbers.count))
    }
  }

  @Test(
    "a damaged page of a large table is found at the start or later: the file is kept aside, and what counts goes on",
    arguments: ["message", "reading"])
  func tableDamaged(_ table: String) async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      let settings = scene.settings(broker)
      let first = try scene.agent(settings)
      try await subscriber.readings("load", atLeast: 5)
      _ = try await first.end()
      let path = "\(scene.folder)/storage/session.db"
      let page = try #require(
        try execute("SELECT rootpage FROM sqlite_schema WHERE name = '\(table)'", in: path).flatMap { Int($0) })
      var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
      bytes.replaceSubrange((page - 1) * 512..<page * 512, with: Data(repeating: 0xA5, count: 512))
      try bytes.write(to: URL(fileURLWithPath: path))
      let seen = try subscriber.readings("load").map(\.seq)
      let second = try scene.agent(settings)
      try await second.line("keeps the damaged file as")
      try await subscriber.readings("load", atLeast: seen.count + 5)
      try await until("the storage works") { !second.says("in memory") || second.says("can be written again") }
      let end = try await second.end()
      #expect(end == .exited(0))
      let third = try scene.agent(settings)
      try await third.line("connected to ")
      #expect(!third.says(" error: "), "whole again")
      _ = try await third.end()
      let numbers = try subscriber.readings("load").map(\.seq)
      #expect(numbers == numbers.sorted() && Set(numbers).count == numbers.count, "no number comes twice")
      let statuses = subscriber.news(of: "limpet/board/status")
      let epochs = statuses.compactMap { $0.userProperties["epoch"].flatMap { Int($0) } }
      #expect(epochs == epochs.sorted())
      // A session that is lost with its table is thrown away by a connection of its own, which has an epoch too.
      let births = statuses.filter { $0.payload == "online" }.compactMap { $0.userProperties["epoch"] }
      #expect(Set(births).count == 3, "\(births)")
    }
  }

  @Test("the password is in no output, whatever is wrong")
  func password() async throws {
    try await withScene { scene in
      let secret = "sw0rdf1sh!secret"
      let broker = try await scene.mosquitto(users: ["greenhouse": "opensesame"])
      var good = scene.settings(broker)
      good.broker += ["username: greenhouse", "password: \"\(secret)\""]
      let agent = try scene.agent(good)
      try await agent.line("not connected: refused")

      let url = "mqtt://127.0.0.1:\(broker.port)"
      let wrong = [
        good.text + "nonsense: 1\n",
        "broker: {url: \(url), password: [\(secret)]}\n", "broker: {url: \(url), pasword: \"\(secret)\"}\n",
        "broker: {url: \(url), password: {\(secret): 1}}\n", "broker: {url: \"mqtt://user:\(secret)@127.0.0.1\"}\n",
        "broker: {url: \(url), version: \"3.1.1\", password: \"\(secret)\"}\n",
        "broker: {url: \(url), password: \"\(secret)\", password: \"\(secret)\"}\n",
        "broker: {url: \(url), password: \"\(secret)\", password_file: \(secret)\n",
        "broker: {url: \(url), password: \"\(secret)}\n", "broker: {url: \(url)}\npassword: \(secret)\n",
        "broker: {url: \"ws://127.0.0.1/mqtt?token=\(secret)\"}\n",
      ]
      for (number, text) in wrong.enumerated() {
        let file = try scene.write(text, to: "wrong\(number).yaml")
        for command in ["check", "probe", "run"] {
          // A warning alone does not end `run`; all but the last are errors.
          guard command != "run" || number < wrong.count - 1 else { continue }
          _ = try await scene.limpet(command, "--config", file)
        }
      }
      _ = try await scene.limpet("check", "--config", scene.folder + "/agent.yaml")
      _ = try await scene.limpet("probe", "--config", scene.folder + "/agent.yaml")
      let asArgument = try await scene.limpet("probe", "--url", "mqtt://user:\(secret)@127.0.0.1:\(broker.port)")
      #expect(asArgument.ending == .exited(64))
      _ = try await agent.end()
      let files = try FileManager.default.contentsOfDirectory(atPath: scene.folder)
        .filter { $0.hasSuffix(".out") || $0.hasSuffix(".err") }
      #expect(files.count > 20)
      for file in files {
        let text = try String(contentsOfFile: scene.folder + "/" + file, encoding: .utf8)
        #expect(!text.contains(secret), "\(file): \(text)")
      }
    }
  }

  @Test("a buffer that is full drops the oldest, says how many, and the gap shows in seq")
  func bufferFull() async throws {
    try await withScene { scene in
      let port = try freePort()
      var settings = scene.settings(port: port)
      settings.storage += ", max_size: 1MB"
      // Each reading is an error with a long path in it.
      let path = "/" + String(repeating: "missing-", count: 30)
      settings.sensors = (1...12).map { "{name: s\($0), type: file, path: \(path), interval: 10ms}" }
      let agent = try scene.agent(settings)
      let line = try await agent.line("the buffer is full (storage.max_size): ")
      #expect(line.contains(" error: "))
      let broker = try await scene.fakeBroker(port: port)
      let connection = try await broker.connection(1)
      try await until("readings come") { connection.publishes("s1").count > 100 }
      let numbers = try connection.publishes("s1").map { try Reading(json: String(buffer: $0.message.payload)).seq }
      #expect(numbers[0] > 1, "the oldest went")
      #expect(numbers == Array(numbers[0]..<numbers[0] + numbers.count), "and nothing else")
      #expect(agent.log.count { $0.contains("the buffer is full") } < 20, "not a line for each")
    }
  }

  @Test("a daemon whose broker is away sleeps between its attempts")
  func idle() async throws {
    try await withScene { scene in
      var settings = scene.settings(port: try freePort())
      settings.broker = ["reconnect: {min: 200ms, max: 1s}"]
      settings.sensors = (1...10).map { "{name: s\($0), type: system, value: load1, interval: 10s}" }
      let agent = try scene.agent(settings)
      try await agent.line("not connected: ")
      let (started, before) = (ContinuousClock.now, try agent.processorSeconds)
      try await until("attempts were made") { agent.log.count { $0.contains("not connected: ") } >= 8 }
      let share = try (agent.processorSeconds - before) / ((ContinuousClock.now - started) / .seconds(1))
      #expect(share < 0.2, "of one processor, in a debug build")
    }
  }
}

/// Runs SQL on a database that nobody has open.
///
/// - Returns: the first value of the first row, as text.
@discardableResult
private func execute(_ sql: String, in path: String) throws -> String? {
  var database: OpaquePointer?
  try #require(sqlite3_open_v2(path, &database, SQLITE_OPEN_READWRITE, nil) == SQLITE_OK)
  defer { sqlite3_close_v2(database) }
  var statement: OpaquePointer?
  try #require(sqlite3_prepare_v2(database, sql, -1, &statement, nil) == SQLITE_OK)
  defer { sqlite3_finalize(statement) }
  let result = sqlite3_step(statement)
  try #require(result == SQLITE_ROW || result == SQLITE_DONE)
  return result == SQLITE_ROW ? sqlite3_column_text(statement, 0).map { String(cString: $0) } : nil
}

/// A file system of its own, in memory.
private struct Disk {
  let path: String

  init(_ scene: Scene, kilobytes: Int) async throws {
    path = scene.folder + "/disk"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    let path = path
    let mount = try await scene.run("mount", ["mount", "-t", "tmpfs", "-o", "size=\(kilobytes)k", "tmpfs", path])
    try #require(mount.ending == .exited(0))
    scene.atEnd { umount2(path, Int32(MNT_DETACH)) }
  }

  /// Leaves not one byte.
  func fill() throws {
    _ = FileManager.default.createFile(atPath: path + "/ballast", contents: nil)
    let file = try #require(FileHandle(forWritingAtPath: path + "/ballast"))
    defer { try? file.close() }
    for size in [65536, 4096] {
      while (try? file.write(contentsOf: Data(count: size))) != nil {}
    }
  }

  func free() throws { try FileManager.default.removeItem(atPath: path + "/ballast") }
}

/// Whether this process may mount: root in most containers may not.
private let canMount: Bool = {
  let folder = FileManager.default.temporaryDirectory.path + "/limpet-mount-\(getpid())"
  guard mkdir(folder, 0o700) == 0 else { return false }
  defer { rmdir(folder) }
  guard mount("tmpfs", folder, "tmpfs", 0, "size=64k") == 0 else { return false }
  umount2(folder, Int32(MNT_DETACH))
  return true
}()
