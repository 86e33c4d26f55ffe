import LimpetPlatform
import Measuring
import Testing

@testable import Sensing

/// On made-up trees, whose files take what is written and forbid nothing; what real drivers do is seen in Tests/Hardware.
@Suite("PWM, LEDs, backlights and fans") struct SysfsOutputTests {
  private let tree: TemporaryTree
  private let bench: OutputBench
  private let off = OutputEnd.level(.off)

  init() throws {
    tree = try TemporaryTree()
    bench = OutputBench(root: tree.root)
  }

  private func text(_ path: String) throws -> String { try tree.root.text(of: path) }

  private func pwm(_ device: String = "/sys/devices/platform/soc/fe20c000.pwm", number: Int = 0) throws -> String {
    let folder = "\(device)/pwm/pwmchip\(number)"
    try tree.write(folder + "/npwm", "2\n")
    try tree.write(folder + "/export", "")
    try tree.link(folder + "/device", to: "../..")
    try tree.link("/sys/class/pwm/pwmchip\(number)", to: "../../.." + folder)
    for (name, content) in [
      ("period", "0\n"), ("duty_cycle", "0\n"), ("enable", "0\n"), ("polarity", "normal\n"),
    ] {
      try tree.write("\(folder)/pwm1/\(name)", content)
    }
    return folder
  }

  @Test("a PWM channel has its period, polarity and duty before it is switched on, and off is a duty of 0")
  func pwmChannel() throws {
    let folder = try pwm()
    try bench.it.hold(
      0, .pwm(PWMOutput(device: "fe20c000.pwm", channel: 1, frequency: 1000, isInverted: true)),
      OutputLevel(percent: 25), adopts: false, safe: off)
    #expect(try bench.held(0) == OutputLevel(percent: 25))
    for (name, content) in [
      ("period", "1000000"), ("duty_cycle", "250000"), ("enable", "1"), ("polarity", "inversed"),
    ] {
      #expect(try text("\(folder)/pwm1/\(name)") == content)
    }
    try bench.it.drive(0, OutputLevel(percent: 33.3), number: 1)
    #expect(try bench.driven(0, 1) == OutputLevel(percent: 33.3))
    #expect(try text("\(folder)/pwm1/duty_cycle") == "333000")
    try bench.it.release(0, off)
    try bench.released(0)
    #expect(try text("\(folder)/pwm1/duty_cycle") == "0")
    #expect(try text("\(folder)/pwm1/enable") == "1")
    try bench.stop()
  }

  @Test("a PWM channel that is on is adopted as it is, one with another period is not")
  func pwmAdopted() throws {
    let folder = try pwm()
    for (name, content) in [("period", "1000000\n"), ("duty_cycle", "400000\n"), ("enable", "1\n")] {
      try tree.write("\(folder)/pwm1/\(name)", content)
    }
    func hold(_ place: Int, _ frequency: Double) throws -> OutputLevel? {
      try bench.it.hold(
        place, .pwm(PWMOutput(device: "fe20c000.pwm", channel: 1, frequency: frequency)), .off, adopts: true,
        safe: .untouched)
      let level = try bench.held(place)
      try bench.it.release(place, .untouched)
      try bench.released(place)
      return level
    }
    #expect(try hold(0, 1000) == OutputLevel(percent: 40))
    #expect(try text("\(folder)/pwm1/duty_cycle") == "400000")
    #expect(try hold(1, 100) == .off)
    #expect(try text("\(folder)/pwm1/period") == "10000000")
    try bench.stop()
  }

  @Test("what is wrong with a PWM channel is said")
  func pwmErrors() throws {
    _ = try pwm()
    _ = try pwm("/sys/devices/other/fe20c000.pwm", number: 1)
    let wrong = [
      PWMOutput(device: "1f00098000.pwm", channel: 0, frequency: 1),
      PWMOutput(device: "fe20c000.pwm", channel: 0, frequency: 1),
      PWMOutput(device: "soc/fe20c000.pwm", channel: 2, frequency: 1),
    ]
    for (place, output) in wrong.enumerated() {
      try bench.it.hold(place, .pwm(output), .off, adopts: false, safe: off)
    }
    let devices = "/sys/devices/platform/soc/fe20c000.pwm, /sys/devices/other/fe20c000.pwm"
    #expect(
      try bench.failed(0)
        == "no device of a PWM chip is named \"1f00098000.pwm\" in /sys/class/pwm; there are: \(devices)")
    #expect(
      try bench.failed(1)
        == "more than one device of a PWM chip is named \"fe20c000.pwm\": \(devices); write more of its path")
    #expect(
      try bench.failed(2)
        == "/sys/devices/platform/soc/fe20c000.pwm has no PWM channel 2: it has 2, from 0 on")
    try bench.stop()
  }

  @Test("an LED is taken from its trigger, and anything above off is at least 1")
  func led() throws {
    try tree.write("/sys/class/leds/ACT/brightness", "0\n")
    try tree.write("/sys/class/leds/ACT/max_brightness", "10\n")
    try tree.write("/sys/class/leds/ACT/trigger", "none [mmc0] heartbeat\n")
    try bench.it.hold(0, .led("ACT"), .on, adopts: true, safe: off)
    #expect(try bench.held(0) == .on)
    #expect(try text("/sys/class/leds/ACT/trigger") == "none")
    #expect(try text("/sys/class/leds/ACT/brightness") == "10")
    try bench.it.drive(0, OutputLevel(percent: 0.1), number: 1)
    #expect(try bench.driven(0, 1) == OutputLevel(percent: 0.1))
    #expect(try text("/sys/class/leds/ACT/brightness") == "1")
    try bench.it.hold(1, .led("PWR"), .on, adopts: false, safe: off)
    #expect(try bench.failed(1) == "no LED is named \"PWR\" in /sys/class/leds; there are: ACT")
    try bench.stop()
  }

  @Test("a backlight is dark when it is off")
  func backlight() throws {
    let folder = "/sys/class/backlight/10-0045"
    for (name, content) in [("brightness", "255\n"), ("max_brightness", "255\n"), ("bl_power", "0\n")] {
      try tree.write("\(folder)/\(name)", content)
    }
    try bench.it.hold(0, .backlight("10-0045"), OutputLevel(percent: 1), adopts: true, safe: off)
    #expect(try bench.held(0) == .on)
    try bench.it.drive(0, .off, number: 1)
    #expect(try bench.driven(0, 1) == .off)
    #expect(try text(folder + "/bl_power") == "4")
    try bench.it.drive(0, OutputLevel(percent: 50), number: 2)
    #expect(try bench.driven(0, 2) == OutputLevel(percent: 50))
    #expect(try text(folder + "/brightness") == "128")
    #expect(try text(folder + "/bl_power") == "0")
    try bench.stop()
  }

  @Test("a fan is driven by hand while it is held, and given back at the end")
  func fan() throws {
    for (number, device) in ["1-0018", "1-0019"].enumerated() {
      let folder = "/sys/devices/i2c-1/\(device)/hwmon/hwmon\(number)"
      for (name, content) in [("name", "max6650\n"), ("pwm1", "77\n"), ("pwm1_enable", "2\n")] {
        try tree.write("\(folder)/\(name)", content)
      }
      try tree.link(folder + "/device", to: "../..")
      try tree.link("/sys/class/hwmon/hwmon\(number)", to: "../../.." + folder)
    }
    let folder = "/sys/devices/i2c-1/1-0019/hwmon/hwmon1"
    try bench.it.hold(0, .fan(FanOutput(chip: "max6650", channel: "pwm1")), .on, adopts: false, safe: .former)
    #expect(try bench.failed(0).hasPrefix("more than one hwmon chip is named \"max6650\""))
    try bench.it.hold(
      1, .fan(FanOutput(chip: "max6650", device: "1-0019", channel: "pwm1")), OutputLevel(percent: 40), adopts: true,
      safe: .former)
    #expect(try bench.held(1) == OutputLevel(percent: 40))
    #expect(try text(folder + "/pwm1") == "102")
    #expect(try text(folder + "/pwm1_enable") == "1")
    // A BIOS takes it back.
    try tree.write(folder + "/pwm1_enable", "2\n")
    try bench.it.drive(1, .on, number: 1)
    #expect(try bench.driven(1, 1) == .on)
    #expect(try text(folder + "/pwm1_enable") == "1")
    try bench.it.release(1, .former)
    try bench.released(1)
    #expect(try text(folder + "/pwm1_enable") == "2")
    try bench.stop()
  }

  @Test(
    "a fan that somebody drove by hand is left as it was, and never without any cooling",
    arguments: [("1", "77", "77"), ("1", "0", "255"), (nil, "77", "77"), (nil, "0", "255")]
      as [(String?, String, String)])
  func fanByHand(_ mode: String?, _ before: String, _ after: String) throws {
    try tree.write("/sys/class/hwmon/hwmon0/name", "pwmfan\n")
    try tree.write("/sys/class/hwmon/hwmon0/pwm1", before + "\n")
    if let mode { try tree.write("/sys/class/hwmon/hwmon0/pwm1_enable", mode + "\n") }
    try bench.it.hold(0, .fan(FanOutput(chip: "pwmfan", channel: "pwm1")), .off, adopts: false, safe: .former)
    #expect(try bench.held(0) == .off)
    try bench.it.release(0, .former)
    try bench.released(0)
    #expect(try text("/sys/class/hwmon/hwmon0/pwm1") == after)
    #expect(bench.reports(of: 0).allSatisfy { $0.failure == nil })
    try bench.stop()
  }

  @Test("a fan of which nobody knows who drove it runs at full speed in the end, and stays in the record")
  func fanUnknown() throws {
    let path = tree.path + "/outputs"
    for (name, content) in [("name", "pwmfan\n"), ("pwm1", "0\n"), ("pwm1_enable", "1\n")] {
      try tree.write("/sys/class/hwmon/hwmon0/\(name)", content)
    }
    let fan = OutputRecord.Entry(
      request: .fan(FanOutput(chip: "pwmfan", device: "/sys/class/hwmon/hwmon0", channel: "pwm1")), safe: .former)
    try OutputRecord.write([fan], path)
    let outcomes = try SafeOutputs.drive(record: path, root: tree.root)
    #expect(outcomes.first?.description.contains("limpet does not know what drove this fan before") == true)
    #expect(try text("/sys/class/hwmon/hwmon0/pwm1") == "255")
    #expect(try OutputRecord.read(path) == [fan])
    try bench.stop()
  }

  @Test("a device that comes back under its name is not the one that was held")
  func returns() throws {
    func plug() throws {
      try tree.write("/sys/devices/led/leds/ACT/brightness", "0\n")
      try tree.write("/sys/devices/led/leds/ACT/max_brightness", "1\n")
    }
    try plug()
    try tree.link("/sys/class/leds/ACT", to: "../../devices/led/leds/ACT")
    try bench.it.hold(0, .led("ACT"), .on, adopts: false, safe: off)
    _ = try bench.held(0)
    // Both are there at once, or the second might have the number of the first.
    try tree.move("/sys/devices/led/leds/ACT", to: "/sys/devices/led/leds/OLD")
    try plug()
    _ = try bench.failed(0)
    #expect(try bench.held(0, skipping: 2) == .on)
    #expect(try text("/sys/class/leds/ACT/brightness") == "1")
    try bench.stop()
  }

  @Test(
    "the chip that may hang is the one behind the bus",
    arguments: [
      (
        "/sys/devices/platform/soc/fe804000.i2c/i2c-1/1-0020/leds/a",
        "/sys/devices/platform/soc/fe804000.i2c/i2c-1/1-0020"
      ),
      (
        "/sys/devices/platform/soc/fe204000.spi/spi_master/spi0/spi0.1/gpio",
        "/sys/devices/platform/soc/fe204000.spi/spi_master/spi0/spi0.1"
      ),
      (
        "/sys/devices/platform/soc/fe980000.usb/usb1/1-1/1-1.3/1-1.3:1.0",
        "/sys/devices/platform/soc/fe980000.usb/usb1/1-1/1-1.3/1-1.3:1.0"
      ),
      ("/sys/devices/platform/soc/fe200000.gpio", nil),
      ("/sys/devices/platform/leds/leds/ACT", nil),
    ] as [(String, String?)])
  func buses(_ path: String, _ chip: String?) { #expect(path.chipBehindBus == chip) }
}
