import Measuring
import Testing

@testable import Sensing

@Suite("What can be driven besides lines") struct OutputCatalogueTests {
  @Test("LEDs, backlights, PWM channels and fans are found by names that stay")
  func all() throws {
    let tree = try TemporaryTree()
    for name in ["ACT", "input3::capslock"] { try tree.write("/sys/class/leds/\(name)/brightness", "0\n") }
    try tree.write("/sys/class/backlight/10-0045/brightness", "0\n")
    try tree.write("/sys/devices/i2c-1/1-0040/pwm/pwmchip0/npwm", "2\n")
    try tree.link("/sys/devices/i2c-1/1-0040/pwm/pwmchip0/device", to: "../..")
    try tree.link("/sys/class/pwm/pwmchip0", to: "../../devices/i2c-1/1-0040/pwm/pwmchip0")
    for (name, content) in [("name", "pwmfan\n"), ("pwm1", "0\n"), ("pwm1_enable", "1\n"), ("fan1_input", "0\n")] {
      try tree.write("/sys/class/hwmon/hwmon0/\(name)", content)
    }
    let entries = OutputCatalogue(root: tree.root).entries
    #expect(
      entries.map(\.request) == [
        .led("ACT"), .backlight("10-0045"), .pwm(PWMOutput(device: "1-0040", channel: 0, frequency: 1000)),
        .pwm(PWMOutput(device: "1-0040", channel: 1, frequency: 1000)),
        .fan(FanOutput(chip: "pwmfan", device: nil, channel: "pwm1")),
      ])
    #expect(
      entries.map(\.word) == ["ACT", "backlight_10-0045", "pwm_1-0040_0", "pwm_1-0040_1", "pwmfan_pwm1"])
  }
}
