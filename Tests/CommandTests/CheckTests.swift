import Foundation
import TestScene
import Testing

@Suite("limpet check", .showsLogs, .timed)
struct CheckTests {
  private func check(
    _ scene: Scene, _ text: String, root: String? = nil, _ arguments: String...
  ) async throws -> Scene.Outcome {
    let file = try scene.write(text, to: "c.yaml")
    let child = try await scene.run(
      "check\(scene.nextCommand())",
      [Scene.program, "check", "--config", file, "--root", root ?? scene.folder] + arguments)
    return Scene.Outcome(
      ending: try #require(child.ending), output: child.outputLines, errors: child.errorLines)
  }

  @Test("a configuration that is right: exit 0, and what will be where")
  func summary() async throws {
    try await withScene { scene in
      let outcome = try await check(
        scene,
        """
        device: {id: shed}
        broker: {url: mqtts://mqtt.example.com, keepalive: 20s}
        storage: {path: /var/lib/limpet}
        sensors:
          - {name: cpu, type: thermal, zone: cpu-thermal, change: 0.5, max_age: 5m, unit: °C}
          - {name: load, type: system, value: load1, interval: 10s}
        """)
      #expect(outcome.ending == .exited(0))
      #expect(outcome.errors == [])
      let text = outcome.output.joined(separator: "\n")
      // README, "No reading is lost": 64 MB.
      for part in [
        "shed", "mqtts://mqtt.example.com:8883", "limpet/shed/status", "limpet/shed/cpu", "limpet/shed/load",
        "every 10 s", "offline at most 36 s after this device disappears", "64 MB", "the broker keeps it for 7 d",
        "limpet saves unacknowledged messages to disk: QoS 1 after 1 s, QoS 2 at once",
      ] {
        #expect(text.contains(part), "\(part)")
      }
    }
  }

  @Test("a buffer that the memory could not hold is warned of, with the figures, also where the service has less")
  func memory() async throws {
    try await withScene { scene in
      let board = try BoardTree(scene)
      try board.write("0::/user.slice\n", to: "/proc/self/cgroup")
      try board.write("268435456\n", to: "/sys/fs/cgroup/system.slice/limpet.service/memory.max")
      let text = "device: {id: shed}\nbroker: {url: mqtt://mqtt.example.com}\nstorage: {max_size: "
      let large = try await check(scene, text + "500MB}\n", root: board.path)
      #expect(large.ending == .exited(0))
      let warning = try #require(large.output.first { $0.contains("warning: storage.max_size is 500 MB") })
      #expect(warning.contains("keeps 67.1 MB of readings"))
      let small = try await check(scene, text + "64MB}\n", root: board.path)
      #expect(!small.output.contains { $0.contains("warning") })
    }
  }

  @Test("a 1-Wire bus that is too slow for its intervals is warned of")
  func busyBus() async throws {
    try await withScene { scene in
      let board = try BoardTree(scene)
      let head = "device: {id: shed}\nbroker: {url: mqtt://mqtt.example.com}\nsensors:\n"
      func warnings(_ interval: String) async throws -> [String] {
        let sensors = (10..<30).map { "  - {name: t\($0), type: w1, id: 28-0000000000\($0), interval: \(interval)}\n" }
        let outcome = try await check(scene, head + sensors.joined(), root: board.path)
        return outcome.output.filter { $0.contains("warning") && $0.contains("1-Wire") }
      }
      let warning = try #require(try await warnings("10s").first)
      #expect(warning.contains("20 1-Wire sensors take about 15 s to be read one after the other"))
      #expect(try await warnings("30s") == [])
    }
  }

  @Test("the summary says of each sensor what is read, in which unit, when, and where the kernel acts on it")
  func sensors() async throws {
    try await withScene { scene in
      let board = try BoardTree(scene)
      try board.thermalZone(0, type: "cpu-thermal", temperature: 48312)
      for (number, (type, temperature)) in [("passive", "80000"), ("critical", "110000")].enumerated() {
        try board.write(type + "\n", to: "/sys/class/thermal/thermal_zone0/trip_point_\(number)_type")
        try board.write(temperature + "\n", to: "/sys/class/thermal/thermal_zone0/trip_point_\(number)_temp")
      }
      let outcome = try await check(
        scene,
        """
        device: {id: shed}
        broker: {url: mqtt://mqtt.example.com}
        sensors:
          - {name: cpu, type: thermal, zone: cpu-thermal, change: 0.5, max_age: 5m}
          - {name: other, type: thermal, zone: gpu-thermal}
          - {name: board, type: hwmon, chip: lm75, device: 1-0048, channel: temp1, interval: 1m}
          - {name: label, type: hwmon, chip: lm75, label: Core 0}
          - {name: air, type: hwmon, chip: sht3x, channels: [temp1, humidity1]}
          - {name: soil, type: iio, device: ads1015, channel: in_voltage0, average: mean, window: 1m}
          - {name: tank, type: w1, id: 28-0316a2795bff}
          - {name: battery, type: power_supply, supply: BAT0, property: capacity, change: 5%}
          - {name: disk, type: system, value: disk_free, path: /}
          - {name: level, type: file, path: /run/tank, match: "level: ([0-9]+)", unit: mm}
          - {name: door, type: file, path: /run/door, map: {open: 1, shut: 0}}
          - {name: air_f, type: thermal, zone: air, unit: °F, scale: 1.8, offset: 32, range: {min: -40, max: 185}}
          - {name: kelvin, type: file, path: /run/kelvin, offset: -273.15, range: {min: 0}}

        """, root: board.path, "--offline")
      #expect(outcome.ending == .exited(0))
      let lines = outcome.output.drop { $0 != "readings" }.dropFirst()
      #expect(
        Array(lines) == [
          "  limpet/shed/cpu      thermal zone cpu-thermal (passive 80 °C, critical 110 °C) in °C, every 10 s, "
            + "if it moved by 0.5 °C or is 5 min old",
          "  limpet/shed/other    thermal zone gpu-thermal in °C, every 10 s",
          "  limpet/shed/board    hwmon lm75 temp1 at 1-0048 in °C, every 60 s",
          "  limpet/shed/label    hwmon lm75 \"Core 0\", every 10 s",
          "  limpet/shed/air      hwmon sht3x temp1, humidity1, every 10 s",
          "  limpet/shed/soil     iio ads1015 in_voltage0 in V, every 10 s, the mean of 60 s",
          "  limpet/shed/tank     1-Wire 28-0316a2795bff in °C, every 10 s",
          "  limpet/shed/battery  power supply BAT0 capacity in %, every 10 s, if it moved by 5 %",
          "  limpet/shed/disk     system disk_free / in B, every 10 s",
          "  limpet/shed/level    file /run/tank matching level: ([0-9]+) in mm, every 10 s",
          "  limpet/shed/door     file /run/door, every 10 s, by map",
          "  limpet/shed/air_f    thermal zone air in °F, every 10 s, × 1.8 + 32, range -40 to 185",
          "  limpet/shed/kelvin   file /run/kelvin, every 10 s, × 1 - 273.15, range from 0",
        ])
    }
  }

  @Test("each sensor is read once: its value as it would be published, or the error that run would have")
  func values() async throws {
    try await withScene { scene in
      let board = try BoardTree(scene)
      try board.thermalZone(0, type: "cpu-thermal", temperature: 50000)
      try board.write("level: 12\n", to: "/run/tank")
      let text = """
        device: {id: shed}
        broker: {url: mqtt://mqtt.example.com}
        sensors:
          - {name: cpu, type: thermal, zone: cpu-thermal, unit: °F}
          - {name: gpu, type: thermal, zone: gpu-thermal}
          - {name: level, type: file, path: /run/tank, match: "level: ([0-9]+)", unit: mm}

        """
      let outcome = try await check(scene, text, root: board.path)
      #expect(outcome.ending == .exited(0))
      let rows = outcome.output.filter { $0.hasPrefix("  ") }
      #expect(rows.contains { $0.hasPrefix("  limpet/shed/cpu    122 °F  thermal zone cpu-thermal") }, "\(rows)")
      #expect(rows.contains { $0.hasPrefix("  limpet/shed/level  12 mm ") }, "\(rows)")
      #expect(rows.contains { $0.hasPrefix("      cannot be read now: ") && $0.contains("gpu-thermal") }, "\(rows)")
      #expect(outcome.output.contains { $0.contains("warning: 1 of 3 sensors cannot be read now (gpu)") })
      let json = try await check(scene, text, root: board.path, "--json")
      #expect(json.output.first?.contains(#""name":"cpu","topic":"limpet/shed/cpu""#) == true)
      #expect(json.output.first?.contains(#""unit":"°F","value":122"#) == true, "\(json.output)")
      let offline = try await check(scene, text, root: board.path, "--offline")
      #expect(!offline.output.contains { $0.contains("122 °F") || $0.contains("cannot be read") })
    }
  }

  @Test("errors: exit 78, every one with file, line and column, and a suggestion")
  func errors() async throws {
    try await withScene { scene in
      let outcome = try await check(
        scene,
        """
        broker:
          url: mqtt://localhost:99999
          kepalive: 30s
          connect_timeout: fast
        sensors:
          - {name: load, type: system, value: load2}
          - {name: load, type: system, value: load1}
        """)
      #expect(outcome.ending == .exited(78))
      let lines = outcome.output + outcome.errors
      let file = scene.folder + "/c.yaml"
      let expected = [
        (":2:8: broker.url: ", "99999"), (":3:3: broker.kepalive: ", "keepalive"),
        (":4:20: broker.connect_timeout: ", "fast"), (":6:39: sensors[0].value: ", "load1"),
        (":7:6: sensors[1].name: ", "load"),
      ]
      #expect(lines.count == expected.count)
      for ((place, word), line) in zip(expected, lines) {
        #expect(line.hasPrefix(file + place) && line.contains(word), "\(line)")
      }
    }
  }

  @Test("bad files are one line each, exit 78, for check, run and probe", arguments: ["check", "run", "probe"])
  func badFiles(_ command: String) async throws {
    try await withScene { scene in
      let folder = scene.folder + "/a-folder"
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      let cases = [
        (scene.folder + "/missing.yaml", "No such file"), (folder, "Is a directory"),
        (try scene.write("broker: {url: mqtt://localhost\n", to: "brace.yaml"), ":2:1: "),
        (try scene.write("broker:\n\turl: mqtt://localhost\n", to: "tab.yaml"), ":2:1: "),
        (try scene.write("broker: {url: localhost}\n", to: "none.yaml"), ":1:15: broker.url: "),
        (try scene.write("broker: {url: \"mqtt://localhost:0\"}\n", to: "port.yaml"), ":1:15: broker.url: "),
        (try scene.write("", to: "empty.yaml"), ":1:1: "),
        (try scene.write("broker: {url: mqtt://a, password_file: missing}\n", to: "password.yaml"), ":1:40: "),
      ]
      for (file, part) in cases {
        let outcome = try await scene.limpet(command, "--config", file)
        #expect(outcome.ending == .exited(78), "\(file)")
        let lines = outcome.output + outcome.errors
        #expect(lines.count == 1, "\(lines)")
        #expect(lines.first?.hasPrefix(file) == true && lines.first?.contains(part) == true, "\(lines)")
      }
      let bytes = scene.folder + "/binary.yaml"
      try Data([0x7F, 0x45, 0x4C, 0x46, 0xFF, 0x00, 0x80]).write(to: URL(fileURLWithPath: bytes))
      let outcome = try await scene.limpet(command, "--config", bytes)
      #expect(outcome.ending == .exited(78))
      #expect((outcome.output + outcome.errors).allSatisfy { $0.hasPrefix(bytes) })
    }
  }

  @Test(
    "wrong options are a usage error, exit 64",
    arguments: [
      ["frobnicate"], ["chek"], ["run", "--config"], ["check", "--nonsense"], ["probe", "--url"],
    ])
  func usage(_ arguments: [String]) async throws {
    try await withScene { scene in
      let child = try await scene.run("usage", [Scene.program] + arguments)
      #expect(child.ending == .exited(64))
      #expect(child.outputLines == [])
      #expect(!child.errorLines.isEmpty)
      if arguments == ["chek"] {
        #expect(child.errorLines == [#"limpet: "chek" is not a command; did you mean "check"?"#])
      }
    }
  }

  @Test("the summary says who the device is, from the board under --root")
  func identity() async throws {
    try await withScene { scene in
      let board = try BoardTree(scene)
      let text = "broker: {url: mqtt://localhost}\n"
      let random = try await check(scene, text, root: board.path)
      #expect(random.output.contains { $0.hasPrefix("device ") && $0.contains("random") })
      try board.write("0123456789abcdef0123456789abcdef\n", to: "/etc/machine-id")
      let machine = try await check(scene, text, root: board.path)
      #expect(machine.output.contains { $0.contains("machine-id") })
      try board.write("10000000a1b2c3d4\0", to: "/proc/device-tree/serial-number")
      let serial = try await check(scene, text, root: board.path)
      let line = try #require(serial.output.first { $0.hasPrefix("device ") })
      #expect(line.contains("serial number") && line.contains(/\b[0-9a-zA-Z]{22}\b/))
      #expect(!serial.output.contains { $0.contains("a1b2c3d4") })
    }
  }

  @Test("--json: one object with what is wrong, exit 78; or nothing, exit 0")
  func json() async throws {
    try await withScene { scene in
      let file = try scene.write("broker:\n  url: mqtt://h\n  kepalive: 1\n", to: "c.yaml")
      let outcome = try await scene.limpet("check", "--json", "--config", file)
      #expect(outcome.ending == .exited(78))
      #expect(
        outcome.output == [
          #"{"valid":false,"diagnostics":[{"severity":"error","file":"\#(file)","line":3,"column":3,"#
            + #""path":"broker.kepalive","message":"unknown key; did you mean \"keepalive\"?"}]}"#
        ])
      let right = try scene.write("broker:\n  url: mqtt://h\n", to: "c.yaml")
      let valid = try await scene.limpet("check", "--json", "--config", right)
      #expect(valid.ending == .exited(0))
      #expect(valid.output.count == 1)
      #expect(valid.output.first?.hasPrefix(#"{"valid":true,"diagnostics":[],"warnings":["#) == true, "\(valid.output)")
      #expect(valid.output.first?.contains(#""broker":"mqtt://h:1883; MQTT 5"#) == true, "\(valid.output)")
    }
  }

  @Test("variables of the environment, files beside the first, and what mqtt-io had")
  func elsewhere() async throws {
    try await withScene { scene in
      _ = try scene.write("sensors: [{name: load, type: system, value: load1}]\n", to: "more.yaml")
      let file = try scene.write(
        "include: more*.yaml\nbroker: {url: 'mqtt://localhost${PATH_THAT_IS_NOT_SET}'}\n", to: "c.yaml")
      let outcome = try await scene.limpet("check", "--config", file)
      #expect(
        outcome.output == [
          "\(file):2:15: broker.url: ${PATH_THAT_IS_NOT_SET} is not set in the environment; set it, or write the value"
        ])
      let old = try scene.write(
        "mqtt: {host: localhost, topic_prefix: home}\ngpio_modules: [{name: r, module: raspberrypi}]\n"
          + "digital_inputs: [{name: door, module: r, pin: 17}]\n", to: "mqtt-io.yml")
      let imported = try await scene.limpet("import", "mqtt-io", old)
      #expect(imported.ending == .exited(0))
      let new = try scene.write(imported.output.joined(separator: "\n") + "\n", to: "new.yaml")
      let checked = try await scene.limpet("check", "--config", new)
      #expect(checked.ending == .exited(0))
      #expect(checked.output.contains { $0.contains("home/input/door") })
      let missing = try await scene.limpet("import", "mqtt-io", scene.folder + "/none.yml")
      #expect(missing.ending == .exited(1))
      #expect(missing.errors.first?.contains("No such file or directory") == true)
    }
  }

  /// The configurations that the repository carries; none while there is no such folder.
  static let samples: [String] = {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("etc").path
    let files = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return files.filter { $0.hasSuffix(".yaml") }.sorted().map { folder + "/" + $0 }
  }()

  @Test("every sample configuration of the repository is right, without a warning", arguments: samples)
  func sample(_ file: String) async throws {
    try await withScene { scene in
      let outcome = try await scene.limpet("check", "--config", file)
      #expect(outcome.ending == .exited(0))
      #expect(!(outcome.output + outcome.errors).contains { $0.contains(file) }, "\(outcome.output + outcome.errors)")
    }
  }
}
