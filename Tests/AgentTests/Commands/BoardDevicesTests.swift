import Foundation
import LimpetPlatform
import Testing

@testable import Configuration
@testable import Diagnosis
@testable import Sensing

/// Outputs besides lines in `limpet check`.
struct BoardDevicesTests {
  private func summary(_ files: [String: String]) throws -> OutputSummary {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("limpet-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    for (path, text) in files {
      let file = folder + path
      try FileManager.default.createDirectory(
        atPath: (file as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
      try text.write(toFile: file, atomically: true, encoding: .utf8)
    }
    let result = loadConfiguration(
      "broker: {url: mqtt://h}\noutputs:\n  - {name: a, type: led, led: ACT}\n  - {name: b, type: led, led: PWR}\n")
    let configuration = try #require(result.configuration, "\(printed(result))")
    return OutputSummary(
      configuration: configuration, device: "shed", board: nil,
      devices: BoardDevices(
        configuration, root: FileRoot(folder), account: OutputFinding.Account(user: 64_000, groups: [64_000])))
  }

  private static let led = [
    "/sys/class/leds/ACT/brightness": "0\n", "/sys/class/leds/ACT/max_brightness": "255\n",
    "/sys/class/leds/ACT/trigger": "[none]\n",
  ]
  private static let unit = ["/usr/lib/systemd/system/limpet.service": "[Service]\nProtectKernelTunables=yes\n"]
  private static let dropIn = [
    "/etc/systemd/system/limpet.service.d/outputs.conf": "[Service]\nProtectKernelTunables=no\n"
  ]

  @Test("check says what is there, what is not, and what the service may not write, with what mends it")
  func missing() throws {
    let summary = try summary(Self.led.merging(Self.unit) { $1 })
    #expect(summary.rows[0].text.hasSuffix("; LED ACT"))
    #expect(summary.rows[1].text.contains("; cannot be driven now: ") && summary.rows[1].text.contains("PWR"))
    #expect(summary.json[1].compact.contains(#""error":""#))
    #expect(summary.warnings.count == 2)
    #expect(summary.warnings.first?.contains("/sys/class/leds/ACT/brightness and 1 more") == true)
    #expect(summary.warnings.first?.contains("60-limpet.rules") == true)
    #expect(summary.warnings.last?.contains("outputs.conf") == true)
  }

  @Test("with the drop-in the service sees /sys as it is; without a service there is nothing to say of it")
  func dropIn() throws {
    let files = Self.led.merging(Self.unit) { $1 }.merging(Self.dropIn) { $1 }
    #expect(try summary(files).warnings.count == 1)
    #expect(try summary(Self.led).warnings.count == 1)
  }
}
