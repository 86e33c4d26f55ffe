import Foundation
import TestScene
import Testing

@Suite("limpet scan", .showsLogs, .timed)
struct ScanTests {
  /// What `--json` says of a sensor.
  private struct Found: Decodable {
    let name: String
    let unit: String?
    let quality: String?
    let error: String?
    let configuration: [String: String]
  }

  private struct Output: Decodable {
    let sensors: [Found]
  }

  private func tree(_ board: Board, _ scene: Scene) throws -> BoardTree {
    let tree = try BoardTree(scene, "board")
    for (file, text) in board.files { try tree.write(text, to: file) }
    for (link, target) in board.links { try tree.link(link, to: target) }
    return tree
  }

  private func json(_ tree: BoardTree, _ scene: Scene) async throws -> [Found] {
    let outcome = try await scene.limpet("scan", "--root", tree.path, "--json")
    #expect(outcome.ending == .exited(0) && outcome.errors == [])
    return try JSONDecoder().decode(Output.self, from: Data(outcome.output.joined().utf8)).sensors
  }

  @Test(
    "what scan finds of a board, check accepts and run publishes, with the right value and unit", arguments: Board.all)
  func boards(_ board: Board) async throws {
    try await withScene { scene in
      let tree = try tree(board, scene)
      let found = try await json(tree, scene)
      #expect(Set(board.expected.map(\.name)).subtracting(found.map(\.name)) == [], "found")
      let others = ["clock_synchronized", "disk_free", "disk_used", "read_only"]
      #expect(Set(found.map(\.name)).subtracting(board.expected.map(\.name)) == Set(others), "and nothing else")

      let yaml = try await scene.limpet("scan", "--root", tree.path, "--yaml")
      #expect(yaml.ending == .exited(0))
      #expect(!yaml.output.contains { $0.contains("# - {") }, "every sensor can be read")
      let broker = try await scene.mosquitto()
      var settings = scene.settings(broker)
      settings.sensors = []
      settings.lines = yaml.output
      let file = try scene.write(settings.text, to: "scanned.yaml")
      let check = try await scene.limpet("check", "--config", file, "--root", tree.path)
      #expect(check.ending == .exited(0))
      #expect(!check.output.contains { $0.contains(file) }, "\(check.output)")

      let subscriber = try await scene.subscriber(to: broker)
      _ = try scene.agent(settings, board: tree)
      for sensor in found { try await subscriber.record(of: "limpet/board/\(sensor.name)") }
      for expected in board.expected {
        let record = try await subscriber.record(of: "limpet/board/\(expected.name)")
        let fields = ["\"value\":\(expected.value)"] + (expected.unit.map { ["\"unit\":\"\($0)\""] } ?? [])
        #expect(record.payload.contains(fields.joined(separator: ",") + ","), "\(expected.name)")
        if expected.unit == nil { #expect(!record.payload.contains("\"unit\""), "\(expected.name)") }
        let quality = expected.quality.map { record.payload.contains("\"quality\":\"\($0)\"") }
        #expect(quality ?? !record.payload.contains("\"quality\""), "\(expected.name)")
      }
    }
  }

  @Test("the table has a line for each sensor, with its value, and says where it comes from")
  func table() async throws {
    try await withScene { scene in
      let tree = try tree(.raspberryPi4, scene)
      let outcome = try await scene.limpet("scan", "--root", tree.path)
      #expect(outcome.ending == .exited(0))
      #expect(outcome.output.first == "sensors")
      let words = outcome.output.map { $0.split(separator: " ").map(String.init) }
      let chip = try #require(outcome.output.firstIndex(of: "  iio bme280"), "\(outcome.output)")
      #expect(outcome.output[(chip + 1)...].prefix(3).allSatisfy { $0.hasPrefix("    bme280_") })
      #expect(words.contains(["bme280_temp", "22.36", "°C", "in_temp"]))
      #expect(words.contains(["lm75_1-0048_temp1", "21.5", "°C", "hwmon", "lm75", "temp1", "at", "1-0048"]))
    }
  }

  @Test("a sensor that cannot be read is a comment that says why, and null in JSON")
  func unreadable() async throws {
    try await withScene { scene in
      let tree = try tree(.raspberryPi5, scene)
      try tree.write("N/A\n", to: "/sys/class/hwmon/hwmon1/in2_input")
      let yaml = try await scene.limpet("scan", "--root", tree.path, "--yaml").output
      #expect(
        yaml.contains { $0.hasPrefix("  # - {name: rp1_adc_in2, ") && $0.contains("contains \"N/A\": text") }, "\(yaml)"
      )
      let sensor = try #require(try await json(tree, scene).first { $0.name == "rp1_adc_in2" })
      #expect(sensor.quality == "bad" && sensor.unit == nil && sensor.error?.contains("N/A") == true)
      #expect(sensor.configuration == ["type": "hwmon", "chip": "rp1_adc", "channel": "in2"])
    }
  }

  @Test("a driver that hangs does not hold the others up", .enabled(if: HangingFile.isPossible))
  func hang() async throws {
    try await withScene { scene in
      let tree = try tree(.raspberryPi5, scene)
      try HangingFile.mount(on: tree.path + "/sys/class/hwmon/hwmon2/fan1_input", scene)
      for number in 1...2 {
        let folder = "/sys/devices/w1_bus_master\(number)/28-00000000000\(number)"
        try tree.write("2\(number)000\n", to: folder + "/temperature")
        try tree.link("/sys/bus/w1/devices/28-00000000000\(number)", to: "../../../..\(folder)")
      }
      try HangingFile.mount(on: tree.path + "/sys/devices/w1_bus_master1/28-000000000001/temperature", scene)
      let outcome = try await scene.limpet("scan", "--root", tree.path, "--yaml")
      #expect(outcome.ending == .exited(0))
      #expect(
        outcome.output.contains { $0.contains("# - {name: pwmfan_fan1") && $0.contains("did not return within") })
      #expect(outcome.output.contains { $0.contains("- {name: w1_28-000000000002") && $0.hasSuffix("# 22 °C") })
      #expect(outcome.output.count { $0.contains("# - {") } == 2)
    }
  }

  @Test("a board without sensors, and without a /sys, still has its system values, or nothing")
  func empty() async throws {
    try await withScene { scene in
      let root = scene.folder + "/nothing"
      try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
      let yaml = try await scene.limpet("scan", "--root", root, "--yaml")
      #expect(yaml.ending == .exited(0))
      #expect(yaml.output.contains { $0.hasPrefix("  # - {name: load1, type: system, value: load1}  # cannot") })
      let tree = try BoardTree(scene)
      #expect(try await json(tree, scene).contains { $0.name == "uptime" && $0.quality == nil })
    }
  }

  @Test("a --root that does not exist is a usage error, and no board without sensors")
  func noRoot() async throws {
    try await withScene { scene in
      let outcome = try await scene.limpet("scan", "--root", scene.folder + "/none")
      #expect(outcome.ending == .exited(64))
      #expect(outcome.errors.contains { $0.contains("there is no such folder") }, "\(outcome.errors)")
    }
  }

  @Test("--json and --yaml together are a usage error")
  func usage() async throws {
    try await withScene { scene in
      let outcome = try await scene.limpet("scan", "--json", "--yaml")
      #expect(outcome.ending == .exited(64))
    }
  }
}
