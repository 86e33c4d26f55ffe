import Foundation
import MQTT
import TestScene
import Testing

@Suite("Readings of a board reach a broker", .showsLogs, .timed)
struct ReadingsTests {
  struct Expected: Sendable, CustomTestStringConvertible {
    let name: String
    let value: Double
    let unit: String?
    var testDescription: String { name }

    init(_ name: String, _ value: Double, _ unit: String?) {
      self.name = name
      self.value = value
      self.unit = unit
    }
  }

  /// What `everySensor` reads from `board`.
  static let values = [
    Expected("load1", 0.25, nil), Expected("load5", 0.5, nil), Expected("load15", 0.75, nil),
    Expected("uptime", 12345.67, "s"), Expected("memory", 2_147_483_648, "B"),
    Expected("cpu", 48.312, "°C"), Expected("frost", -5.5, "°C"),
    Expected("board_temp", 41.25, "°C"), Expected("rail", 3.312, "V"), Expected("current", 0.75, "A"),
    Expected("power", 12.5, "W"), Expected("fan", 2450, "rpm"), Expected("by_label", 11.904, "V"),
    Expected("brightness", 50, "%"), Expected("kelvin", 27, "°C"),
  ]

  static let everySensor = [
    "{name: load1, type: system, value: load1}", "{name: load5, type: system, value: load5}",
    "{name: load15, type: system, value: load15}", "{name: uptime, type: system, value: uptime}",
    "{name: memory, type: system, value: memory_available}", "{name: cpu, type: thermal, zone: cpu-thermal}",
    "{name: frost, type: thermal, zone: outside}", "{name: board_temp, type: hwmon, chip: lm75, channel: temp1}",
    "{name: rail, type: hwmon, chip: ina219, channel: in1}",
    "{name: current, type: hwmon, chip: ina219, channel: curr1}",
    "{name: power, type: hwmon, chip: ina219, channel: power1}",
    "{name: fan, type: hwmon, chip: pwmfan, channel: fan1}",
    "{name: by_label, type: hwmon, chip: nct6775, label: +12V}",
    "{name: brightness, type: file, path: /sys/class/leds/led0/brightness, scale: 0.5, offset: -50, unit: \"%\"}",
    "{name: kelvin, type: file, path: /run/kelvin, offset: -273, unit: °C}",
  ]

  func board(_ scene: Scene) throws -> BoardTree {
    let board = try BoardTree(scene)
    try board.thermalZone(0, type: "outside", temperature: -5500)
    try board.thermalZone(1, type: "cpu-thermal", temperature: 48312)
    try board.hwmon(0, name: "lm75", ["temp1_input": "41250"])
    try board.hwmon(1, name: "ina219", ["in1_input": "3312", "curr1_input": "750", "power1_input": "12500000"])
    try board.hwmon(2, name: "pwmfan", ["fan1_input": "2450", "pwm1": "128"])
    try board.hwmon(
      10, name: "nct6775", ["in0_input": "1000", "in0_label": "Vcore", "in3_input": "11904", "in3_label": "+12V"])
    try board.write("200\n", to: "/sys/class/leds/led0/brightness")
    try board.write("300", to: "/run/kelvin")
    return board
  }

  @Test("system, thermal, hwmon and file sensors are published with their value and unit")
  func valuesAndUnits() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      var settings = scene.settings(broker)
      settings.sensors = Self.everySensor
      let started = Date()
      _ = try scene.agent(settings, board: board(scene))
      for expected in Self.values {
        let reading = try await subscriber.readings(expected.name, atLeast: 1)[0]
        #expect(reading.value == expected.value, "\(expected.name)")
        #expect(reading.unit == expected.unit, "\(expected.name)")
        #expect(reading.quality == nil && reading.error == nil && reading.restarted == nil, "\(expected.name)")
        #expect(reading.seq == 1, "\(expected.name)")
        #expect(try started.addingTimeInterval(-0.1)...Date() ~= reading.date, "\(expected.name)")
      }
      #expect(subscriber.records(of: "limpet/board/fan").map(\.qos) == [.atLeastOnce])
    }
  }

  @Test(
    "scale and offset give the decimal number that was meant",
    arguments: [
      ("300", 1, -273.15, "26.85"), ("4", 0.1, 0.3, "0.7"), ("21507", 0.001, 0, "21.507"), ("3", 0.1, 0, "0.3"),
    ])
  func decimals(_ text: String, _ scale: Double, _ offset: Double, _ expected: String) async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      let board = try BoardTree(scene)
      try board.write(text, to: "/run/value")
      var settings = scene.settings(broker)
      settings.sensors = ["{name: value, type: file, path: /run/value, scale: \(scale), offset: \(offset)}"]
      _ = try scene.agent(settings, board: board)
      let record = try await subscriber.record(of: "limpet/board/value")
      #expect(record.payload.contains("\"value\":\(expected),"))
    }
  }

  @Test("each name counts its readings from 1, sampled every interval, the first at once")
  func sequence() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      var settings = scene.settings(broker)
      settings.sensors = [
        "{name: fast, type: system, value: load1, interval: 100ms}",
        "{name: slow, type: system, value: uptime, interval: 1h}",
      ]
      _ = try scene.agent(settings)
      let readings = try await subscriber.readings("fast", atLeast: 12)
      #expect(readings.map(\.seq) == Array(1...readings.count))
      let times = try readings.map { try $0.date.timeIntervalSince1970 }
      #expect(times == times.sorted())
      let mean = try (#require(times.last) - times[1]) / Double(times.count - 2)
      #expect((0.09...0.13).contains(mean), "seconds between readings")
      #expect(try subscriber.readings("slow").map(\.seq) == [1])
    }
  }

  @Test("a sensor that cannot be read says why, is tried again, and stops no other")
  func badSensors() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      let board = try board(scene)
      try board.makeFolder("/run/folder")
      try board.write("warm\n", to: "/run/text")
      try board.hwmon(20, name: "max31865", ["temp1_input": "850000", "temp1_fault": "1"])
      var settings = scene.settings(broker)
      settings.sensors = [
        "{name: missing, type: file, path: /run/missing, interval: 100ms}",
        "{name: folder, type: file, path: /run/folder, interval: 100ms}",
        "{name: text, type: file, path: /run/text, interval: 100ms, unit: °C}",
        "{name: zone, type: thermal, zone: gpu-thermal, interval: 100ms}",
        "{name: wire, type: hwmon, chip: max31865, channel: temp1, interval: 100ms}",
        "{name: load, type: system, value: load1, interval: 100ms}",
      ]
      let agent = try scene.agent(settings, board: board)
      let reasons = [
        "missing": "/run/missing: No such file or directory", "folder": "/run/folder: Is a directory",
        "text": "/run/text contains \"warm\"", "zone": "no thermal zone is named \"gpu-thermal\"",
        "wire": "fault reported by the sensor",
      ]
      for (name, reason) in reasons {
        let reading = try await subscriber.readings(name, atLeast: 2)[1]
        #expect(reading.quality == "bad" && reading.value == nil && reading.seq == 2, "\(name)")
        #expect(reading.error?.contains(reason) == true, "\(name): \(reading.error ?? "no error")")
        #expect(agent.log.count { $0.contains(" warning: \(name): ") } == 1, "the log says it once")
      }
      #expect(subscriber.records(of: "limpet/board/text")[0].payload.contains("\"value\":null"))
      try await subscriber.readings("load", atLeast: 3)
      #expect(try subscriber.readings("load").allSatisfy { $0.value == 0.25 })

      try board.write("7\n", to: "/run/missing")
      try board.remove("/run/folder")
      try board.write("8\n", to: "/run/folder")
      try board.write("9\n", to: "/run/text")
      try board.thermalZone(7, type: "gpu-thermal", temperature: 10_000)
      try board.write("0\n", to: "/sys/class/hwmon/hwmon20/temp1_fault")
      for (name, value) in ["missing": 7, "folder": 8, "text": 9, "zone": 10, "wire": 850] as [String: Double] {
        try await until("\(name) is good again") { try subscriber.readings(name).contains { $0.value == value } }
        let readings = try subscriber.readings(name)
        #expect(readings.map(\.seq) == Array(1...readings.count), "\(name)")
        try await agent.line("\(name): can be read again")
      }
    }
  }

  @Test("a machine that is busy for a moment makes no healthy sensor bad")
  func busyMachine() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      var settings = scene.settings(broker)
      settings.sensors = (1...10).map { "{name: s\($0), type: system, value: load1, interval: 10ms}" }
      let agent = try scene.agent(settings)
      for round in 1...30 {
        try await subscriber.readings("s1", atLeast: round * 3)
        agent.process.signal(SIGSTOP)
        try await pause(for: .milliseconds(25))
        agent.process.signal(SIGCONT)
      }
      let bad = try (1...10).flatMap { try subscriber.readings("s\($0)") }.compactMap(\.error)
      #expect(bad.isEmpty, "\(bad.count) readings, the first: \(bad.first ?? "")")
    }
  }

  @Test("a hwmon chip keeps its name when the kernel numbers it anew")
  func renumbered() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      let board = try board(scene)
      var settings = scene.settings(broker)
      settings.sensors = ["{name: temp, type: hwmon, chip: lm75, channel: temp1, interval: 100ms}"]
      _ = try scene.agent(settings, board: board)
      try await subscriber.readings("temp", atLeast: 1)
      try board.hwmon(30, name: "lm75", ["temp1_input": "42000"])
      try board.write("ds1621\n", to: "/sys/class/hwmon/hwmon0/name")
      try await until("it is read at its new place") { try subscriber.readings("temp").contains { $0.value == 42 } }
      #expect(try subscriber.readings("temp").allSatisfy { $0.value == 41.25 || $0.value == 42 || $0.quality == "bad" })
    }
  }

  @Test("with change, a value that moved is published, and one that did not after max_age")
  func changeAndAge() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      let board = try board(scene)
      try board.write("100\n", to: "/run/value")
      var settings = scene.settings(broker)
      settings.sensors = [
        "{name: step, type: file, path: /run/value, interval: 20ms, change: 5}",
        "{name: aged, type: file, path: /run/value, interval: 20ms, change: 5, max_age: 500ms}",
        "{name: percent, type: file, path: /run/value, interval: 20ms, change: 10%}",
        "{name: every, type: file, path: /run/value, interval: 20ms}",
      ]
      _ = try scene.agent(settings, board: board)
      /// Waits until a value has been sampled several times.
      func sampled(_ value: Double) async throws {
        try await until("\(value) was sampled") { try subscriber.readings("every").count { $0.value == value } >= 5 }
      }
      for value in [100, 104, 105, 101, 99, 110, 109] {
        try board.write("\(value)\n", to: "/run/value")
        try await sampled(Double(value))
      }
      try await subscriber.readings("aged", atLeast: 6)
      let steps = try subscriber.readings("step").map { $0.error ?? "\($0.value ?? 0)" }
      #expect(steps == ["100.0", "105.0", "99.0", "110.0"])
      let percents = try subscriber.readings("percent").map { $0.error ?? "\($0.value ?? 0)" }
      #expect(percents == ["100.0", "110.0"])
      let aged = try subscriber.readings("aged")
      #expect(aged.map(\.seq) == Array(1...aged.count))
      for (earlier, later) in zip(aged, aged.dropFirst()) where earlier.value == later.value {
        let age = try later.date.timeIntervalSince(earlier.date)
        #expect((0.48...0.9).contains(age), "seconds between two readings of one value")
      }
    }
  }

  @Test("several channels of a device are one reading; a map of texts, a range, an average and rounding are kept")
  func conditioned() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      let board = try board(scene)
      try board.hwmon(20, name: "sht3x", ["temp1_input": "21537", "humidity1_input": "45300"])
      try board.write("open\n", to: "/run/door")
      try board.write("level: 1234 mm\nstate: ok\n", to: "/run/tank")
      var settings = scene.settings(broker)
      settings.sensors = [
        "{name: air, type: hwmon, chip: sht3x, channels: [temp1, humidity1], round: 1}",
        "{name: door, type: file, path: /run/door, map: {open: true, shut: false}, interval: 50ms}",
        "{name: tank, type: file, path: /run/tank, match: 'level: ([0-9]+)', scale: 0.001, unit: m, round: 2}",
        "{name: state, type: file, path: /run/tank, match: 'state: (.*)', text: yes}",
        "{name: hot, type: hwmon, chip: sht3x, channel: temp1, range: {min: -40, max: 20}}",
        "{name: mean, type: hwmon, chip: sht3x, channel: temp1, interval: 20ms, average: mean, window: 200ms}",
      ]
      _ = try scene.agent(settings, board: board)
      func payload(_ name: String) async throws -> String {
        try await subscriber.record(of: "limpet/board/\(name)").payload
      }
      #expect(
        try await payload("air").contains(
          #""values":{"temp1":21.5,"humidity1":45.3},"units":{"temp1":"°C","humidity1":"%RH"},"seq":1"#))
      #expect(try await payload("door").contains(#""value":true,"seq":1"#))
      #expect(try await payload("tank").contains(#""value":1.23,"unit":"m","seq":1"#))
      #expect(try await payload("state").contains(#""value":"ok","seq":1"#))
      #expect(
        try await payload("hot").contains(
          #""value":null,"unit":"°C","quality":"bad","error":"21.537 is outside of range, -40 to 20""#))
      try board.write("ajar\n", to: "/run/door")
      try await until("what the map lacks is bad") {
        subscriber.records(of: "limpet/board/door").last?.payload.contains(#""error":"\"ajar\" is not in map""#) == true
      }
      let means = try await subscriber.readings("mean", atLeast: 4)
      #expect(means.allSatisfy { $0.value == 21.537 })
      let times = try means.map { try $0.date.timeIntervalSince1970 }
      // A sample that a busy machine takes late ends its window late.
      #expect((0.15...0.6).contains((times[3] - times[0]) / 3), "seconds between two windows")
    }
  }

  @Test("format plain is the value alone, with the rest as user properties on MQTT 5", arguments: [Way.tcp5, .tcp311])
  func plain(_ way: Way) async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      var settings = scene.settings(broker, way)
      settings.lines = ["format: plain"]
      settings.sensors = [
        "{name: cpu, type: thermal, zone: cpu-thermal}", "{name: fan, type: hwmon, chip: pwmfan, channel: fan1}",
        "{name: missing, type: file, path: /run/missing}",
      ]
      _ = try scene.agent(settings, board: board(scene))
      let cpu = try await subscriber.record(of: "limpet/board/cpu")
      let missing = try await subscriber.record(of: "limpet/board/missing")
      #expect(cpu.payload == "48.312")
      #expect(try await subscriber.record(of: "limpet/board/fan").payload == "2450")
      #expect(missing.payload == "")
      guard way == .tcp5 else {
        #expect(cpu.userProperties.isEmpty)
        return
      }
      // A machine whose clock nobody disciplines says so.
      #expect(Set(cpu.userProperties.keys).subtracting(["time_uncertain"]) == ["time", "unit", "seq", "quality"])
      #expect(cpu.userProperties["unit"] == "°C" && cpu.userProperties["seq"] == "1")
      #expect(cpu.userProperties["quality"] == "good" && missing.userProperties["quality"] == "bad")
      #expect(missing.userProperties["error"]?.contains("No such file") == true)
    }
  }

  @Test("readings have the configured QoS, and the broker keeps only what DESIGN says", arguments: [0, 1])
  func qosAndRetain(_ qos: Int) async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      var settings = scene.settings(broker)
      settings.lines = ["qos: \(qos)", "topic: plant/{device}/r/{name}"]
      settings.sensors = [
        "{name: load, type: system, value: load1, interval: 100ms}",
        "{name: kept, type: system, value: uptime, interval: 1h, retain: true}",
      ]
      let readings = try await scene.subscriber(to: broker, "plant/#")
      _ = try scene.agent(settings)
      try await until("readings came") { readings.records(of: "plant/board/r/load").count > 2 }
      try await readings.record(of: "plant/board/r/kept")
      #expect(readings.records.allSatisfy { Int($0.qos.rawValue) == qos && !$0.isRetained })
      try await subscriber.status("online")
      // As in "Received PUBLISH from board (d0, q1, r0, m3, 'plant/board/r/load', ... (88 bytes))".
      func received(_ topic: String) -> [String] {
        broker.log.filter { $0.contains("Received PUBLISH from board (d0, ") && $0.contains("'\(topic)'") }
          .map { line in String(line.drop { $0 != "(" }.dropFirst("(d0, ".count).prefix("q1, r0".count)) }
      }
      #expect(Set(received("plant/board/r/load")) == ["q\(qos), r0"])
      #expect(Set(received("plant/board/r/kept")) == ["q\(qos), r1"])
      #expect(Set(received("limpet/board/status")) == ["q1, r1"])
      #expect(Set(received("limpet/board/presence")) == ["q1, r1"])
      #expect(
        try await Set(scene.retained(by: broker, "#").keys) == [
          "limpet/board/status", "limpet/board/presence", "plant/board/r/kept",
        ])
    }
  }
}
