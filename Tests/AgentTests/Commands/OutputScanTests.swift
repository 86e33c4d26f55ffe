import Measuring
import Testing

@testable import Configuration
@testable import Diagnosis
@testable import Sensing

struct OutputScanTests {
  @Test("what may be switched is proposed as comments, which are a configuration without their signs")
  func yaml() throws {
    let entries: [OutputCatalogue.Entry] = [
      OutputCatalogue.Entry(request: .led("ACT"), word: "ACT"),
      OutputCatalogue.Entry(request: .backlight("10-0045"), word: "backlight_10-0045"),
      OutputCatalogue.Entry(
        request: .pwm(PWMOutput(device: "1-0040", channel: 3, frequency: 1000)), word: "pwm_1-0040_3"),
      OutputCatalogue.Entry(
        request: .fan(FanOutput(chip: "pwmfan", device: nil, channel: "pwm1")), word: "pwmfan_pwm1"),
    ]
    let yaml = OutputScan(entries).yaml
    #expect(yaml.split(separator: "\n").allSatisfy { $0.hasPrefix("# ") })
    let lines = yaml.split(separator: "\n").dropFirst().map { $0.dropFirst(2) }.joined(separator: "\n")
    let result = loadConfiguration("broker: {url: mqtt://h}\n" + lines + "\n")
    #expect(printed(result) == [])
    #expect(result.configuration?.outputs.map(\.name) == ["act", "backlight_10-0045", "pwm_1-0040_3", "pwmfan_pwm1"])
    #expect(result.configuration?.outputs.map(\.request) == entries.map(\.request))
    #expect(OutputScan([]).yaml == "# outputs: no LED, PWM channel, backlight or fan was found")
  }
}
