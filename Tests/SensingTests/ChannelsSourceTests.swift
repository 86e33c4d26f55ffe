import Testing

@testable import Measuring
@testable import Sensing

@Suite struct ChannelsSourceTests {
  let tree: TemporaryTree

  init() throws {
    tree = try TemporaryTree()
    try tree.write("/sys/class/hwmon/hwmon0/name", "sht3x\n")
    try tree.write("/sys/class/hwmon/hwmon0/temp1_input", "21500\n")
    try tree.write("/sys/class/hwmon/hwmon0/humidity1_input", "45300\n")
  }

  var source: any SensorSource {
    SensorKind.channels(
      ["temp1", "humidity1"].map { .init($0, .hwmon(chip: "sht3x", selector: .channel($0))) }
    ).source(in: tree.root)
  }

  @Test("channels are read together, each with its unit, in their order")
  func values() throws {
    let measurement = try source.read()
    #expect(
      measurement.value
        == .channels([
          ChannelValue("temp1", .number(21.5), unit: "°C"), ChannelValue("humidity1", .number(45.3), unit: "%RH"),
        ]))
    #expect(measurement.doubt == nil && measurement.unit == nil)
    #expect(source.bus == Bus("hwmon sht3x"))
  }

  @Test("a channel that fails leaves a hole and its reason, and the others stand")
  func hole() throws {
    try tree.write("/sys/class/hwmon/hwmon0/humidity1_input", "N/A\n")
    let measurement = try source.read()
    #expect(
      measurement.value
        == .channels([ChannelValue("temp1", .number(21.5), unit: "°C"), ChannelValue("humidity1", nil)]))
    #expect(measurement.doubt?.grade == .bad)
    #expect(measurement.doubt?.reason.hasPrefix("humidity1: /sys/class/hwmon/hwmon0/humidity1_input contains") == true)
  }

  @Test("the worst quality is that of the whole")
  func worst() throws {
    try tree.write("/sys/class/hwmon/hwmon0/temp1_alarm", "1\n")
    #expect(try source.read().doubt == Doubt(.alarm, "temp1: the driver reports temp1_alarm"))
    try tree.write("/sys/class/hwmon/hwmon0/humidity1_input", "N/A\n")
    #expect(try source.read().doubt?.grade == .bad)
  }

  @Test("the read fails when every channel does")
  func allFail() {
    tree.remove("/sys/class/hwmon/hwmon0")
    #expect(complaint(of: source)?.hasPrefix("no hwmon chip is named") == true)
  }
}
