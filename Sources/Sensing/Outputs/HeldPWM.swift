import Glibc
import LimpetPlatform
import LimpetText
import Measuring

/// A channel of a PWM chip (the kernel's Documentation/driver-api/pwm.rst, "Using PWMs with the sysfs interface").
struct FoundPWM: FoundOutput {
  private static let classFolder = "/sys/class/pwm"

  private let output: PWMOutput
  private let root: FileRoot
  /// Of the chip, without links.
  private let folder: String
  private let device: String

  init(_ output: PWMOutput, root: FileRoot) throws(OutputError) {
    let chips = try writing { () throws(ReadError) in
      try root.devices(ofClass: Self.classFolder, prefix: "pwmchip")
    }.map { folder in (folder: (try? root.resolve(folder)) ?? folder, device: Self.device(of: folder, in: root)) }
    let matches = chips.filter { $0.device.isPath(endingIn: output.device) }
    guard let match = matches.first else {
      throw .notFound(
        .noSuchName(
          output.device, what: "device of a PWM chip", place: Self.classFolder, existing: chips.map(\.device)))
    }
    guard matches.count == 1 else {
      throw .notFound(
        .ambiguous(
          output.device, what: "device of a PWM chip", candidates: matches.map(\.device),
          instead: "write more of its path"))
    }
    (self.output, self.root, folder, device) = (output, root, match.folder, match.device)
    let channels = try root.number(folder + "/npwm")
    guard output.channel < channels else {
      throw .noSuchChannel(output.channel, chip: device, channels: Int(clamping: channels))
    }
  }

  private static func device(of folder: String, in root: FileRoot) -> String {
    (try? root.resolve(folder + "/device")) ?? (try? root.resolve(folder)) ?? folder
  }

  var identity: String { "\(folder):\(output.channel)" }
  var bus: String? { device.chipBehindBus }
  var former: String? { nil }
  var attributes: [String] {
    let channel = "\(folder)/pwm\(output.channel)"
    guard root.exists(channel) else { return [folder + "/export"] }
    return ["period", "duty_cycle", "enable", "polarity"].map { "\(channel)/\($0)" }.filter(root.exists)
  }
  var request: OutputRequest {
    var same = output
    same.device = device
    return .pwm(same)
  }
  var description: String { "PWM channel \(output.channel) of \(printable(device, limit: 256))" }

  func take(_ level: OutputLevel, adopts: Bool, former: String?) throws(OutputError) -> Taken {
    let channel = "\(folder)/pwm\(output.channel)"
    if !root.exists(channel) {
      do { try root.write("\(output.channel)", to: folder + "/export") } catch {
        guard error.reason != .errno(EBUSY) else { throw .occupied(description) }
        throw .file(error)
      }
    }
    let held = try HeldPWM(output, channel: channel, description: description, root: root)
    return (held, try held.begin(level, adopts: adopts))
  }
}

/// A PWM channel that this process drives. It stays exported when it is released: otherwise a driver may switch it off.
struct HeldPWM: HeldOutput {
  private let root: FileRoot
  private let channel: String
  private let description: String
  private let identity: DeviceFolderIdentity
  private let duty: LevelAttribute
  private let polarity: String

  /// In nanoseconds.
  private var period: Int64 { duty.most }

  fileprivate init(_ output: PWMOutput, channel: String, description: String, root: FileRoot) throws(OutputError) {
    guard let identity = DeviceFolderIdentity(of: channel, in: root) else { throw .gone(description) }
    (self.root, self.channel, self.description, self.identity) = (root, channel, description, identity)
    let period = (1_000_000_000 / output.frequency).rounded()
    duty = LevelAttribute(
      root: root, path: channel + "/duty_cycle", most: Int64(min(max(period, 1), 1_000_000_000_000)))
    polarity = output.isInverted ? "inversed" : "normal"
  }

  fileprivate func begin(_ level: OutputLevel, adopts: Bool) throws(OutputError) -> OutputLevel {
    let (oldPeriod, isEnabled) = (try root.number(channel + "/period"), try root.number(channel + "/enable") != 0)
    let isPolarityOurs = (try? root.text(of: channel + "/polarity")) ?? "normal" == polarity
    let isOurs = oldPeriod == period && isPolarityOurs
    if adopts, isOurs, isEnabled { return duty.level(try duty.read()) }
    if !isOurs {
      // A duty above the new period is refused, a polarity while it is on by most drivers, anything before a first period.
      if oldPeriod > 0, try duty.read() > 0 { try write("0", "duty_cycle") }
      if isEnabled, !isPolarityOurs { try write("0", "enable") }
      if oldPeriod != period { try write("\(period)", "period") }
      if !isPolarityOurs { try write(polarity, "polarity") }
    }
    try duty.write(level)
    // Also for off: what a channel that is switched off puts out is the driver's choice.
    try write("1", "enable")
    return level
  }

  var isThere: Bool { DeviceFolderIdentity(of: channel, in: root) == identity }

  func drive(_ level: OutputLevel) throws(OutputError) { try duty.write(level) }

  func readBack(of level: OutputLevel) throws(OutputError) -> OutputLevel? {
    guard try root.number(channel + "/enable") != 0 else { return .off }
    return try duty.readBack(of: level)
  }

  func leave(_ end: OutputEnd) throws(OutputError) {
    if case .level(let level) = end { try drive(level) }
  }

  private func write(_ text: String, _ attribute: String) throws(OutputError) {
    try writing { () throws(ReadError) in try root.write(text, to: "\(channel)/\(attribute)") }
  }
}
