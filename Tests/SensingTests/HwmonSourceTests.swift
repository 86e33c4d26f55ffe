import Testing

@testable import Measuring
@testable import Sensing

@Suite struct HwmonSourceTests {
  let tree: TemporaryTree

  init() throws {
    tree = try TemporaryTree()
  }

  /// A chip as sysfs has it: the folder lies below its device, the class links to it.
  func chip(_ number: Int, _ name: String, device: String = "platform/board", _ attributes: [String: String]) throws {
    let folder = "/sys/devices/\(device)/hwmon/hwmon\(number)"
    try tree.write(folder + "/name", name + "\n")
    for (attribute, content) in attributes { try tree.write("\(folder)/\(attribute)", content + "\n") }
    try tree.link("\(folder)/device", to: "../../../\(device.split(separator: "/").last ?? "")")
    try tree.link("/sys/class/hwmon/hwmon\(number)", to: "../../devices/\(device)/hwmon/hwmon\(number)")
  }

  func source(_ chip: String, _ channel: String) -> any SensorSource {
    SensorKind.hwmon(chip: chip, selector: .channel(channel)).source(in: tree.root)
  }

  @Test(
    "each kind of channel is divided and has its unit as the ABI says",
    arguments: [
      ("temp1", "temp1_input", "47774", .number(47.774), "°C"), ("in0", "in0_input", "3301", .number(3.301), "V"),
      ("curr2", "curr2_input", "-512", .number(-0.512), "A"), ("power1", "power1_input", "1250000", .number(1.25), "W"),
      ("power2", "power2_average", "7", .number(0.000007), "W"),
      ("energy1", "energy1_input", "3600000", .number(3.6), "J"),
      ("humidity1", "humidity1_input", "45300", .number(45.3), "%RH"),
      ("fan1", "fan1_input", "2411", .integer(2411), "rpm"),
      ("pwm1", "pwm1", "128", .integer(128), nil),
      ("freq1", "freq1_input", "1500000000", .integer(1_500_000_000), "Hz"),
    ] as [(String, String, String, Value, String?)])
  func kinds(channel: String, attribute: String, content: String, value: Value, unit: String?) throws {
    try chip(0, "chip", [attribute: content, "temp9_max": "1"])
    let measurement = try source("chip", channel).read()
    #expect(measurement.value == value)
    #expect(measurement.unit == unit)
  }

  @Test("the present power is preferred to the average")
  func power() throws {
    try chip(0, "ina226", ["power1_average": "1", "power1_input": "2000000"])
    #expect(try source("ina226", "power1").read().value == .number(2))
  }

  @Test("a channel is found by its label")
  func labels() throws {
    try chip(
      3, "coretemp",
      ["temp1_input": "1000", "temp1_label": "Package id 0", "temp2_input": "2000", "temp2_label": "Core 0"])
    func kind(_ selector: HwmonSelector) -> SensorKind { .hwmon(chip: "coretemp", selector: selector) }
    #expect(kind(.label("Core 0")).labelledChannel(in: tree.root) == "temp2")
    #expect(kind(.label("Core 9")).labelledChannel(in: tree.root) == nil)
    #expect(kind(.channel("temp1")).labelledChannel(in: tree.root) == nil)
    let core = SensorKind.hwmon(chip: "coretemp", selector: .label("Core 0")).source(in: tree.root)
    #expect(try core.read().value == .number(2))
    let wrong = SensorKind.hwmon(chip: "coretemp", selector: .label("Core 9")).source(in: tree.root)
    #expect(
      complaint(of: wrong) == """
        no label of hwmon chip coretemp is named "Core 9" in /sys/class/hwmon/hwmon3; \
        there are: Package id 0 (temp1), Core 0 (temp2)
        """)
  }

  @Test("a label that two channels have is ambiguous")
  func ambiguousLabel() throws {
    try chip(0, "x", ["temp1_input": "1", "temp1_label": "A", "temp2_input": "2", "temp2_label": "A"])
    let source = SensorKind.hwmon(chip: "x", selector: .label("A")).source(in: tree.root)
    #expect(
      complaint(of: source)?.contains(
        #"more than one label of hwmon chip x is named "A": temp1, temp2; use channel: instead of label:"#) == true)
  }

  @Test("old drivers keep name and attributes in device/")
  func oldDriver() throws {
    tree.folder("/sys/class/hwmon/hwmon0")
    try tree.write("/sys/devices/i2c-1/1-0048/name", "lm75\n")
    try tree.write("/sys/devices/i2c-1/1-0048/temp1_input", "21500\n")
    try tree.link("/sys/class/hwmon/hwmon0/device", to: "/sys/devices/i2c-1/1-0048")
    #expect(try source("lm75", "temp1").read().value == .number(21.5))
  }

  @Test("a fault the driver reports is an error, and gone when the driver says so")
  func fault() throws {
    try chip(0, "max31865", ["temp1_input": "850000", "temp1_fault": "1"])
    let source = source("max31865", "temp1")
    #expect(complaint(of: source)?.hasPrefix("fault reported by the sensor") == true)
    try tree.write("/sys/class/hwmon/hwmon0/temp1_fault", "0\n")
    #expect(try source.read().value == .number(850))
  }

  @Test("several chips of one name are told apart by their devices")
  func ambiguousChip() throws {
    try chip(2, "lm75", device: "i2c-1/1-0048", ["temp1_input": "1"])
    try chip(10, "lm75", device: "i2c-1/1-0049", ["temp1_input": "2"])
    #expect(
      complaint(of: source("lm75", "temp1"))?.hasPrefix(
        #"more than one hwmon chip is named "lm75": /sys/devices/i2c-1/1-0048, /sys/devices/i2c-1/1-0049;"#) == true)
  }

  @Test(
    "a device, by its path or the end of it, says which of several chips is meant",
    arguments: [
      ("1-0048", 0.001), ("1-0049", 0.002), ("i2c-1/1-0049", 0.002), ("/sys/devices/i2c-1/1-0048", 0.001),
    ])
  func device(end: String, value: Double) throws {
    try chip(2, "lm75", device: "i2c-1/1-0048", ["temp1_input": "1"])
    try chip(10, "lm75", device: "i2c-1/1-0049", ["temp1_input": "2"])
    let source = SensorKind.hwmon(chip: "lm75", device: end, selector: .channel("temp1")).source(in: tree.root)
    #expect(try source.read().value == .number(value))
  }

  @Test("a device that no chip of the name has is named with those that are", arguments: ["0048", "1-0050", "-0048"])
  func noSuchDevice(end: String) throws {
    try chip(2, "lm75", device: "i2c-1/1-0048", ["temp1_input": "1"])
    try chip(3, "tmp102", device: "i2c-1/1-0050", ["temp1_input": "1"])
    let source = SensorKind.hwmon(chip: "lm75", device: end, selector: .channel("temp1")).source(in: tree.root)
    #expect(
      complaint(of: source)
        == "no device of a hwmon chip lm75 is named \"\(end)\" in /sys/class/hwmon; "
        + "there are: /sys/devices/i2c-1/1-0048")
  }

  @Test("with a device, chips of one name that swap their numbers are still told apart")
  func deviceRenumbered() throws {
    func place(_ first: Int, _ second: Int) throws {
      try chip(first, "lm75", device: "i2c-1/1-0048", ["temp1_input": "1000"])
      try chip(second, "lm75", device: "i2c-1/1-0049", ["temp1_input": "2000"])
    }
    try place(0, 1)
    let source = SensorKind.hwmon(chip: "lm75", device: "1-0048", selector: .channel("temp1")).source(in: tree.root)
    #expect(try source.read().value == .number(1))
    tree.remove("/sys")
    #expect(complaint(of: source)?.contains("there is none at all") == true)
    try place(1, 0)
    #expect(try source.read().value == .number(1))
  }

  @Test("with a device, they are told apart in a tree whose class has folders instead of links, too")
  func deviceRenumberedWithoutLinks() throws {
    func place(_ first: Int, _ second: Int) throws {
      for (number, address, value) in [(first, "1-0048", "1000"), (second, "1-0049", "2000")] {
        try tree.write("/sys/class/hwmon/hwmon\(number)/name", "lm75\n")
        try tree.write("/sys/class/hwmon/hwmon\(number)/temp1_input", value)
        try tree.link("/sys/class/hwmon/hwmon\(number)/device", to: "../../../devices/i2c-1/\(address)")
        tree.folder("/sys/devices/i2c-1/\(address)")
      }
    }
    try place(0, 1)
    let source = SensorKind.hwmon(chip: "lm75", device: "1-0048", selector: .channel("temp1")).source(in: tree.root)
    #expect(try source.read().value == .number(1))
    tree.remove("/sys/class/hwmon")
    try place(1, 0)
    #expect(try source.read().value == .number(1))
  }

  @Test("an alarm leaves the value and says which limit it is past")
  func alarms() throws {
    try chip(
      0, "lm75",
      [
        "temp1_input": "90000", "temp1_max_alarm": "1", "temp1_crit_alarm": "0", "temp10_alarm": "1",
        "temp1_max": "80000",
      ])
    let source = source("lm75", "temp1")
    let measurement = try source.read()
    #expect(measurement.value == .number(90))
    #expect(measurement.doubt == Doubt(.alarm, "the driver reports temp1_max_alarm"))
    try tree.write("/sys/class/hwmon/hwmon0/temp1_crit_alarm", "1\n")
    #expect(try source.read().doubt?.reason == "the driver reports temp1_crit_alarm, temp1_max_alarm")
    try tree.write("/sys/class/hwmon/hwmon0/temp1_max_alarm", "0\n")
    try tree.write("/sys/class/hwmon/hwmon0/temp1_crit_alarm", "nonsense\n")
    #expect(try source.read().doubt == nil, "an alarm that cannot be read takes no value away")
  }

  @Test("a wrong chip and a wrong channel list what there is")
  func wrongNames() throws {
    try chip(2, "pwmfan", ["fan1_input": "1", "pwm1": "255", "pwm1_enable": "1", "fan1_target": "3"])
    try chip(10, "cpu_thermal", device: "platform/thermal", ["temp1_input": "1"])
    #expect(
      complaint(of: source("pwmfna", "fan1"))
        == #"no hwmon chip is named "pwmfna" in /sys/class/hwmon; there are: pwmfan, cpu_thermal"#)
    let channel = #"no channel of hwmon chip pwmfan is named "fan2" in /sys/class/hwmon/hwmon2; there are: fan1, pwm1"#
    #expect(complaint(of: source("pwmfan", "fan2")) == channel)
  }

  @Test("chips numbered anew are found by name, though another took the number")
  func renumbering() throws {
    try chip(0, "a", device: "platform/a", ["temp1_input": "1000"])
    try chip(1, "b", device: "platform/b", ["temp1_input": "2000"])
    let source = source("a", "temp1")
    #expect(try source.read().value == .number(1))
    try tree.move("/sys/class/hwmon/hwmon0", to: "/sys/class/hwmon/hwmon5")
    #expect(try source.read().value == .number(1))
    try tree.move("/sys/class/hwmon/hwmon5", to: "/aside")
    try tree.move("/sys/class/hwmon/hwmon1", to: "/sys/class/hwmon/hwmon5")
    try tree.move("/aside", to: "/sys/class/hwmon/hwmon1")
    #expect(try source.read().value == .number(1))
  }

  @Test("text where a number should be names the attribute")
  func text() throws {
    try chip(0, "x", ["temp1_input": "N/A"])
    #expect(
      complaint(of: source("x", "temp1"))
        == #"/sys/class/hwmon/hwmon0/temp1_input contains "N/A": text, one decimal number was expected"#)
  }

  @Test(
    "names of channels are read strictly",
    arguments: ["temp", "temp01", "temp1_input", "tmp1", "in-1", "1", "", "pwm1x", "In0"])
  func channelNames(name: String) {
    #expect(HwmonChannel(name) == nil)
  }

  @Test("channels are listed for scan in natural order")
  func listing() throws {
    try chip(
      0, "x", ["in10_input": "1", "in9_input": "1", "fan1_input": "1", "in9_label": "12V", "update_interval": "1"])
    let channels = try HwmonChip.all(in: tree.root).first?.channels(in: tree.root) ?? []
    #expect(channels.map(\.channel.description) == ["fan1", "in9", "in10"])
    #expect(channels.map(\.label) == [nil, "12V", nil])
  }

  @Test(
    "an attribute beside the channels has the unit of its channel, an alarm is a flag, the rest is as it stands",
    arguments: [
      ("temp1_max", "85000", .number(85), "°C"), ("temp1_max_hyst", "80000", .number(80), "°C"),
      ("fan1_target", "3000", .integer(3000), "rpm"), ("in0_lcrit_alarm", "1", .flag(true), nil),
      ("intrusion0_alarm", "0", .flag(false), nil), ("temp1_fault", "1", .flag(true), nil),
      ("pwm1_enable", "2", .integer(2), nil), ("temp1_type", "4", .integer(4), nil),
      ("update_interval", "1000", .integer(1000), nil), ("mode", "auto", .text("auto"), nil),
    ] as [(String, String, Value, String?)])
  func attributes(attribute: String, content: String, value: Value, unit: String?) throws {
    try chip(0, "chip", [attribute: content])
    let kind = SensorKind.hwmon(chip: "chip", selector: .attribute(attribute))
    let measurement = try kind.source(in: tree.root).read()
    #expect(measurement.value == value)
    #expect(measurement.unit == unit && kind.unit == unit)
    #expect(kind.source(in: tree.root).notifies == (value == .flag(true) || value == .flag(false)))
    let wrong = SensorKind.hwmon(chip: "chip", selector: .attribute("x")).source(in: tree.root)
    #expect(complaint(of: wrong)?.contains("there are: ") == true)
  }

  @Test("chips of one I²C adapter are on one bus, once they are found")
  func adapters() throws {
    try chip(0, "lm75", device: "platform/i2c-1/1-0048", ["temp1_input": "1"])
    try chip(1, "ina226", device: "platform/i2c-1/i2c-12/12-0040", ["in0_input": "1"])
    try chip(2, "cpu", ["temp1_input": "1"])
    let sources = [source("lm75", "temp1"), source("ina226", "in0"), source("cpu", "temp1")]
    #expect(sources.map(\.bus.isSerial) == [false, false, false])
    for source in sources { source.locate() }
    #expect(
      sources.map(\.bus) == [Bus("i2c-1", isSerial: true), Bus("i2c-1", isSerial: true), Bus("hwmon cpu")])
  }
}
