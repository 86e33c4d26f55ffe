import Foundation
import LimpetInstants
import LimpetText
import TestScene
import Testing

@Suite("Sensors that hang or fail", .showsLogs, .timed)
struct HungSensorTests {
  /// How late each reading is against the grid of its interval, in seconds, from the one that was earliest.
  private func delays(of readings: [Reading], interval: Double) throws -> [Double] {
    let times = try readings.map { try $0.date.timeIntervalSince1970 }
    let offsets = times.map { time in
      let periods = ((time - times[0]) / interval).rounded()
      return time - times[0] - periods * interval
    }
    let earliest = offsets.min() ?? 0
    return offsets.map { $0 - earliest }
  }

  /// The 99th percentile over several names, after their start.
  private func lateness(of names: [String], device: String, _ subscriber: Subscriber) throws -> Double {
    let sorted = try names.flatMap { name in
      try delays(of: subscriber.readings(name, of: device).suffix(Self.window), interval: 0.1)
    }.sorted()
    return sorted[sorted.count * 99 / 100]
  }

  /// Reads of each that are judged together.
  private static let window = 75

  @Test(
    "one sensor that hangs and one that fails every other read leave the others' timing unchanged",
    .enabled(if: HangingFile.isPossible))
  func timing() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      let board = try BoardTree(scene)
      try board.write("1\n", to: "/run/hung")
      try HangingFile.mount(on: board.path + "/run/hung", scene)
      try board.write("1\n", to: "/run/flaky")
      let healthy = (1...10).map { "s\($0)" }
      var settings = scene.settings(broker)
      settings.sensors =
        [
          "{name: hung, type: file, path: /run/hung, interval: 100ms, timeout: 50ms}",
          "{name: flaky, type: file, path: /run/flaky, interval: 50ms}",
        ] + healthy.map { "{name: \($0), type: system, value: load1, interval: 100ms}" }
      _ = try scene.agent(settings, board: board)
      // The same without the two: what this machine makes late by itself is late there too.
      var calm = settings
      (calm.device, calm.storage) = ("calm", scene.folder + "/calm-storage")
      calm.sensors.removeFirst(2)
      _ = try scene.agent(calm, board: board, name: "calm")
      var round = 0
      // The 99th percentiles with the two and without, of the last reads: a machine that is busy for a moment makes one of
      // the agents late and not the other, a sensor that holds up the others makes them late for ever.
      try await until("the others are as punctual as without the two", within: .seconds(60)) {
        round += 1
        try board.write(round % 2 == 0 ? "1\n" : "N/A\n", to: "/run/flaky")
        // Going through all that was heard takes longer than a round: now and then is enough.
        guard round % 25 == 0,
          ["board", "calm"].allSatisfy({ subscriber.records(of: "limpet/\($0)/s10").count >= Self.window + 5 })
        else { return false }
        let measured = try lateness(of: healthy, device: "board", subscriber)
        return try measured < lateness(of: healthy, device: "calm", subscriber) + 0.05
      }
      for name in healthy {
        let readings = try subscriber.readings(name)
        #expect(readings.allSatisfy { $0.quality == nil } && readings.map(\.seq) == Array(1...readings.count))
      }
      let hung = try subscriber.readings("hung")
      #expect(hung.first?.error == "the read did not return within 0.05 seconds; its thread waits for the kernel")
      #expect(hung.dropFirst().allSatisfy { $0.error == "not read again: the last read has not returned" })
      let flaky = try subscriber.readings("flaky")
      #expect(flaky.contains { $0.quality == nil } && flaky.contains { $0.quality == "bad" })
    }
  }

  @Test(
    "a 1-Wire bus that hangs is bad, and the sensors of another master are read on",
    .enabled(if: HangingFile.isPossible))
  func oneWireBuses() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      let board = try BoardTree(scene)
      for number in 1...2 {
        let folder = "/sys/devices/w1_bus_master\(number)/28-00000000000\(number)"
        try board.write("2\(number)000\n", to: folder + "/temperature")
        try board.link("/sys/bus/w1/devices/28-00000000000\(number)", to: "../../../..\(folder)")
      }
      try HangingFile.mount(on: board.path + "/sys/devices/w1_bus_master1/28-000000000001/temperature", scene)
      var settings = scene.settings(broker)
      settings.sensors = (1...2).map {
        "{name: w\($0), type: w1, id: 28-00000000000\($0), interval: 100ms, timeout: 100ms}"
      }
      let agent = try scene.agent(settings, board: board)
      try await until("the second is read") { try subscriber.readings("w2").last?.value == 22 }
      try await until("the first is bad") { try subscriber.readings("w1").last?.quality == "bad" }
      #expect(try subscriber.readings("w1").allSatisfy { $0.quality == "bad" })
      _ = try await agent.end()
    }
  }

  /// What a file may hold instead of a number, and what is said of it.
  static let faults: [(content: [UInt8], error: String)] = [
    ([], "is empty, one number was expected"), (Array("warm\n".utf8), "contains \"warm\": text"),
    ([UInt8](repeating: 0x31, count: 10_000_000), "larger than 64 KiB"),
    (Array("NaN\n".utf8), "contains \"NaN\": the driver has no number"),
    (Array("-inf".utf8), "infinity is not a measurement"), (Array("1e999".utf8), "too large to represent"),
    (Array(String(repeating: "9", count: 400).utf8), "too large to represent"),
    (Array("99999999999999999999999\n".utf8), "too large to represent"), ([0xFF, 0x31], "not UTF-8 text"),
    (Array("1 2".utf8), "more than one word"),
  ]

  @Test(
    "whatever a file holds instead of a number is a bad reading that says so, and no value", arguments: faults.indices)
  func contents(_ index: Int) async throws {
    let (content, error) = Self.faults[index]
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      let board = try BoardTree(scene)
      try board.write("1\n", to: "/run/value")
      try Data(content).write(to: URL(fileURLWithPath: board.path + "/run/value"))
      var settings = scene.settings(broker)
      settings.sensors = ["{name: value, type: file, path: /run/value, interval: 50ms}"]
      _ = try scene.agent(settings, board: board)
      let reading = try await subscriber.readings("value", atLeast: 1)[0]
      #expect(reading.quality == "bad" && reading.value == nil)
      #expect(reading.error?.contains(error) == true, "\(reading.error ?? "")")
      try board.write("7\n", to: "/run/value")
      try await until("it is good again") { try subscriber.readings("value").last?.value == 7 }
    }
  }

  @Test("a file that vanishes again and again while it is read gives values and reasons, and ends nothing")
  func vanishing() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      let board = try BoardTree(scene)
      var settings = scene.settings(broker)
      settings.sensors = ["{name: value, type: file, path: /run/value, interval: 10ms}"]
      let agent = try scene.agent(settings, board: board)
      var isThere = false
      try await until("many reads", within: .seconds(30)) {
        // Another way at each look, which come in another rhythm than the reads.
        if isThere { try board.remove("/run/value") } else { try board.write("7\n", to: "/run/value") }
        isThere.toggle()
        return subscriber.records(of: "limpet/board/value").count >= 150
      }
      let readings = try subscriber.readings("value")
      #expect(readings.allSatisfy { $0.value == 7 || $0.error?.hasSuffix("No such file or directory") == true })
      #expect(readings.contains { $0.value == 7 } && readings.contains { $0.value == nil })
      let ending = try await agent.end()
      #expect(ending == .exited(0))
    }
  }
}
