import LimpetPlatform
import Measuring
import Testing

@testable import Sensing

@Suite("Outputs of a process that died") struct SafeOutputsTests {
  private let tree: TemporaryTree
  private var path: String { tree.path + "/outputs" }

  init() throws { tree = try TemporaryTree() }

  private func led(_ name: String) throws {
    try tree.write("/sys/class/leds/\(name)/brightness", "128\n")
    try tree.write("/sys/class/leds/\(name)/max_brightness", "255\n")
  }

  private func brightness(_ name: String) throws -> String {
    try tree.root.text(of: "/sys/class/leds/\(name)/brightness")
  }

  @Test("each is put into its safe state by the record, which goes")
  func all() throws {
    for name in ["a", "b", "c", "d"] { try led(name) }
    let safe: [OutputEnd] = [.level(.off), .level(.on), .untouched, .level(OutputLevel(percent: 20))]
    try OutputRecord.write(
      zip(["a", "b", "c", "d"], safe).map { OutputRecord.Entry(request: .led($0), safe: $1) }, path)
    let outcomes = try SafeOutputs.drive(record: path, root: tree.root)
    #expect(
      outcomes.map(\.description) == [
        "LED a: off", "LED b: on", "LED c: left as it is (stop: keep)", "LED d: 20 %",
      ])
    #expect(try ["a", "b", "c", "d"].map(brightness) == ["0", "255", "128", "51"])
    #expect(!FileRoot().exists(path))
    #expect(try SafeOutputs.drive(record: path, root: tree.root) == [])
  }

  @Test("what cannot be made safe is said, holds up no other, and stays in the record")
  func missing() throws {
    try led("a")
    let gone = OutputRecord.Entry(request: .led("gone"), safe: .level(.off))
    try OutputRecord.write([gone, OutputRecord.Entry(request: .led("a"), safe: .level(.off))], path)
    let outcomes = try SafeOutputs.drive(record: path, root: tree.root, within: .milliseconds(300))
    #expect(
      outcomes.map(\.description) == [
        "LED gone: not put into its safe state: no LED is named \"gone\" in /sys/class/leds; there are: a",
        "LED a: off",
      ])
    #expect(try brightness("a") == "0")
    #expect(try OutputRecord.read(path) == [gone])
    try led("gone")
    _ = try SafeOutputs.drive(record: path, root: tree.root)
    #expect(try brightness("gone") == "0")
    #expect(!FileRoot().exists(path))
  }

  @Test("a fan is given back to who drove it")
  func fan() throws {
    for (name, content) in [("name", "pwmfan\n"), ("pwm1", "200\n"), ("pwm1_enable", "1\n")] {
      try tree.write("/sys/class/hwmon/hwmon0/\(name)", content)
    }
    try OutputRecord.write(
      [
        OutputRecord.Entry(
          request: .fan(FanOutput(chip: "pwmfan", device: "/sys/class/hwmon/hwmon0", channel: "pwm1")), safe: .former,
          former: "2")
      ], path)
    #expect(
      try SafeOutputs.drive(record: path, root: tree.root).map(\.description) == [
        "pwm1 of /sys/class/hwmon/hwmon0: given back to its former driver"
      ])
    #expect(try tree.root.text(of: "/sys/class/hwmon/hwmon0/pwm1_enable") == "2")
    #expect(try tree.root.text(of: "/sys/class/hwmon/hwmon0/pwm1") == "200")
  }
}
