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

  @Test(
    "drop-ins are read by their names wherever they are, and of one name the first folder's counts (systemd.unit(5))",
    arguments: [
      // The name decides, not the folder.
      (["/usr/lib limpet.service.d/90.conf no", "/etc limpet.service.d/10.conf yes"], false),
      (["/usr/lib limpet.service.d/10.conf no", "/etc limpet.service.d/90.conf yes"], true),
      // Of one name that of /etc, then that of /run.
      (["/etc limpet.service.d/a.conf no", "/usr/lib limpet.service.d/a.conf yes"], false),
      (["/run limpet.service.d/a.conf yes", "/usr/lib limpet.service.d/a.conf no"], true),
      // Those of all services, but for the name of one of its own.
      (["/etc service.d/a.conf no"], false),
      (["/etc service.d/a.conf no", "/usr/lib limpet.service.d/a.conf yes"], true),
      (["/etc service.d/b.conf no", "/etc limpet.service.d/a.conf yes"], false),
      // No word of systemd's, and no files that it reads.
      (["/etc limpet.service.d/a.conf never"], true), (["/etc limpet.service.d/a.conf.disabled no"], true),
      (["/etc limpet-.service.d/a.conf no"], true),
    ])
  func order(_ dropIns: [String], _ isReadOnly: Bool) throws {
    var files = Self.led.merging(Self.unit) { $1 }
    for dropIn in dropIns {
      let words = dropIn.split(separator: " ")
      files["\(words[0])/systemd/system/\(words[1])"] = "[Service]\nProtectKernelTunables=\(words[2])\n"
    }
    #expect(try summary(files).warnings.contains { $0.contains("read-only") } == isReadOnly)
  }

  @Test("a word in another section is none")
  func section() throws {
    let dropIn = ["/etc/systemd/system/limpet.service.d/a.conf": "[Unit]\nProtectKernelTunables=no\n"]
    let warnings = try summary(Self.led.merging(Self.unit) { $1 }.merging(dropIn) { $1 }).warnings
    #expect(warnings.contains { $0.contains("read-only") })
  }
}
