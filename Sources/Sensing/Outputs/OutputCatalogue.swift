import LimpetPlatform
import Measuring

/// The outputs of a board besides its GPIO lines, each with a request that finds it again: for `limpet scan`.
public struct OutputCatalogue: Sendable {
  public struct Entry: Sendable, Hashable {
    public var request: OutputRequest
    /// The characters for names.
    public var word: String
  }

  public let entries: [Entry]

  public init(root: FileRoot) {
    entries =
      Self.lights("leds", in: root).map { Entry(request: .led($0), word: $0) }
      + Self.lights("backlight", in: root).map { Entry(request: .backlight($0), word: "backlight_" + $0) }
      + Self.channels(in: root) + Self.fans(in: root)
  }

  /// LEDs of keyboards and network cards are their drivers' own.
  private static func lights(_ name: String, in root: FileRoot) -> [String] {
    ((try? root.entries(of: "/sys/class/" + name)) ?? []).filter { !$0.hasPrefix("input") && !$0.contains("::lan") }
  }

  private static func channels(in root: FileRoot) -> [Entry] {
    let chips = (try? root.devices(ofClass: "/sys/class/pwm", prefix: "pwmchip")) ?? []
    let devices = chips.map { (try? root.resolve($0 + "/device")) ?? $0 }
    return zip(chips, devices).flatMap { chip, device -> [Entry] in
      let count = (try? root.number(chip + "/npwm")) ?? 0
      let end = FoundSensor.shortEnd(of: device, components: 1, among: devices)
      return (0..<min(count, 32)).map { channel in
        Entry(
          request: .pwm(PWMOutput(device: end, channel: Int(channel), frequency: 1000)), word: "pwm_\(end)_\(channel)")
      }
    }
  }

  private static func fans(in root: FileRoot) -> [Entry] {
    let chips = ((try? HwmonChip.all(in: root)) ?? []).map { (chip: $0, device: $0.device(in: root)) }
    return chips.flatMap { chip, device -> [Entry] in
      let namesakes = chips.filter { $0.chip.name == chip.name }.map(\.device)
      let end = FoundSensor.shortEnd(of: device, components: 1, among: namesakes)
      let channels = ((try? root.entries(of: chip.folder)) ?? []).filter { name in
        name.hasPrefix("pwm") && name.count > 3 && name.dropFirst(3).allSatisfy { ("0"..."9").contains($0) }
      }
      return channels.map { channel in
        Entry(
          request: .fan(FanOutput(chip: chip.name, device: namesakes.count > 1 ? end : nil, channel: channel)),
          word: "\(chip.name)_\(channel)")
      }
    }
  }
}
