import LimpetPlatform
import LimpetText
import Measuring

/// The set-point of a fan: `pwmN` of a hwmon chip (the kernel's Documentation/hwmon/sysfs-interface.rst).
struct FoundFan: FoundOutput {
  private let output: FanOutput
  private let root: FileRoot
  private let folder: String
  private let device: String

  init(_ output: FanOutput, root: FileRoot) throws(OutputError) {
    let chips = try writing { () throws(ReadError) in try HwmonChip.all(in: root) }
      .map { (chip: $0, device: $0.device(in: root)) }
    let named = chips.filter { $0.chip.name == output.chip ?? $0.chip.name }
    guard !named.isEmpty else {
      throw .notFound(
        .noSuchName(
          output.chip ?? "", what: "hwmon chip", place: HwmonChip.classFolder, existing: chips.map(\.chip.name)))
    }
    let ofDevice = output.device.map { device in named.filter { $0.device.isPath(endingIn: device) } } ?? named
    guard !ofDevice.isEmpty else {
      throw .notFound(
        .noSuchName(
          output.device ?? "", what: "device of a hwmon chip", place: HwmonChip.classFolder,
          existing: named.map(\.device)))
    }
    let matches = ofDevice.compactMap { chip, device in
      [chip.folder, chip.folder + "/device"].first { root.exists("\($0)/\(output.channel)") }
        .map { (folder: $0, device: device) }
    }
    guard let match = matches.first else {
      let existing = ofDevice.flatMap { chip, _ in
        ((try? root.entries(of: chip.folder)) ?? []).filter { $0.hasPrefix("pwm") && !$0.contains("_") }
      }
      throw .notFound(
        .noSuchName(output.channel, what: "channel of a hwmon chip", place: ofDevice[0].chip.folder, existing: existing)
      )
    }
    guard matches.count == 1 else {
      throw .notFound(
        .ambiguous(
          output.chip ?? output.channel, what: "hwmon chip", candidates: matches.map(\.device),
          instead: "say which with device:, by the end of its path"))
    }
    (self.output, self.root, device) = (output, root, match.device)
    folder = (try? root.resolve(match.folder)) ?? match.folder
  }

  var identity: String { "\(folder):\(output.channel)" }
  var bus: String? { device.chipBehindBus }
  var attributes: [String] { ["", "_enable"].map { "\(folder)/\(output.channel)\($0)" }.filter(root.exists) }
  /// The fan's control, and its level if it is manual.
  var former: String? {
    let path = "\(folder)/\(output.channel)"
    let mode = root.exists(path + "_enable") ? try? root.text(of: path + "_enable") : FormerDrive.byHand
    return mode.map { FormerDrive(mode: $0, value: (try? root.number(path)) ?? 0).text }
  }
  var request: OutputRequest {
    var same = output
    same.device = device
    return .fan(same)
  }
  var description: String { "\(output.channel) of \(printable(device, limit: 256))" }

  func take(_ level: OutputLevel, adopts: Bool, former: String?) throws(OutputError) -> Taken {
    guard let identity = DeviceFolderIdentity(of: folder, in: root) else { throw .gone(description) }
    let path = "\(folder)/\(output.channel)"
    let fan = HeldFan(
      root: root, folder: folder, identity: identity,
      value: LevelAttribute(root: root, path: path, most: 255, step: 16),
      enable: root.exists(path + "_enable") ? path + "_enable" : nil, former: former)
    return (fan, try fan.begin(level, adopts: adopts))
  }
}

/// The fan's control before, as in the record: `2`, or `1:128` for manual, with its value.
private struct FormerDrive {
  /// `pwmN_enable` of who drives by hand; 0 is full speed, and 2 and above are the chip or its driver.
  static let byHand = "1"

  let mode: String
  let value: Int64

  init(mode: String, value: Int64) { (self.mode, self.value) = (mode, value) }

  init(text: String) {
    let parts = text.split(separator: ":", maxSplits: 1)
    self.init(mode: parts.first.map(String.init) ?? text, value: parts.count == 2 ? Int64(parts[1]) ?? 0 : 0)
  }

  var text: String { mode == Self.byHand ? "\(mode):\(value)" : mode }
}

/// A fan that this process drives; the kernel does not know of that.
struct HeldFan: HeldOutput {
  fileprivate let root: FileRoot
  fileprivate let folder: String
  fileprivate let identity: DeviceFolderIdentity
  fileprivate let value: LevelAttribute
  /// `pwmN_enable`; nil: nobody else can drive it.
  fileprivate let enable: String?
  fileprivate let former: String?

  fileprivate func begin(_ level: OutputLevel, adopts: Bool) throws(OutputError) -> OutputLevel {
    let isOurs = enable.map { (try? root.text(of: $0)) == "1" } ?? true
    if adopts, isOurs { return value.level(try value.read()) }
    // Before and behind: drivers differ in which of the two a value survives, and some take none before.
    if !isOurs { try? value.write(level) }
    try claim()
    try value.write(level)
    return level
  }

  var isThere: Bool { DeviceFolderIdentity(of: folder, in: root) == identity }

  func drive(_ level: OutputLevel) throws(OutputError) {
    try claim()
    try value.write(level)
  }

  func readBack(of level: OutputLevel) throws(OutputError) -> OutputLevel? { try value.readBack(of: level) }

  func leave(_ end: OutputEnd) throws(OutputError) {
    switch end {
    case .level(let level): try drive(level)
    case .untouched: return
    case .former:
      guard let former = former.map(FormerDrive.init) else {
        // This fan may be the only cooling.
        try drive(.on)
        throw .formerUnknown(value.path)
      }
      if let enable, former.mode != FormerDrive.byHand {
        return try writing { () throws(ReadError) in try root.write(former.mode, to: enable) }
      }
      // Manual, without anybody in control: never without any cooling.
      let level = value.level(former.value)
      try drive(level.isOn ? level : .on)
    }
  }

  /// A BIOS or another program may have taken it back.
  private func claim() throws(OutputError) {
    guard let enable, (try? root.text(of: enable)) != "1" else { return }
    try writing { () throws(ReadError) in try root.write("1", to: enable) }
  }
}
