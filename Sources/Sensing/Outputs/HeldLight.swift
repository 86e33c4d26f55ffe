import LimpetPlatform
import LimpetText
import Measuring

/// An LED or a backlight: the kernel's Documentation/leds/leds-class.rst and ABI/stable/sysfs-class-backlight.
struct FoundLight: FoundOutput {
  enum Kind: String {
    case led = "leds"
    case backlight

    var word: String { self == .led ? "LED" : "backlight" }
  }

  private let kind: Kind
  private let name: String
  private let root: FileRoot
  /// Without links.
  private let folder: String
  private let most: Int64

  init(_ kind: Kind, _ name: String, root: FileRoot) throws(OutputError) {
    let classFolder = "/sys/class/\(kind.rawValue)"
    (self.kind, self.name, self.root) = (kind, name, root)
    guard !name.contains("/"), root.exists("\(classFolder)/\(name)/brightness") else {
      throw .notFound(
        .noSuchName(
          name, what: kind.word, place: classFolder, existing: (try? root.entries(of: classFolder)) ?? []))
    }
    folder = (try? root.resolve("\(classFolder)/\(name)")) ?? "\(classFolder)/\(name)"
    most = try root.number(folder + "/max_brightness")
  }

  var identity: String { folder }
  var bus: String? { folder.chipBehindBus }
  var former: String? { nil }
  var attributes: [String] { ["brightness", "trigger", "bl_power"].map { "\(folder)/\($0)" }.filter(root.exists) }
  var request: OutputRequest { kind == .led ? .led(name) : .backlight(name) }
  var description: String { "\(kind.word) \(printable(name))" }

  func take(_ level: OutputLevel, adopts: Bool, former: String?) throws(OutputError) -> Taken {
    guard let identity = DeviceFolderIdentity(of: folder, in: root) else { throw .gone(description) }
    let light = HeldLight(
      root: root, folder: folder, identity: identity,
      brightness: LevelAttribute(root: root, path: folder + "/brightness", most: most), power: folder + "/bl_power")
    return (light, try light.begin(level, adopts: adopts))
  }
}

/// An LED or a backlight that this process drives; the kernel does not know of that.
struct HeldLight: HeldOutput {
  fileprivate let root: FileRoot
  fileprivate let folder: String
  fileprivate let identity: DeviceFolderIdentity
  fileprivate let brightness: LevelAttribute
  /// Only backlights have it.
  fileprivate let power: String

  fileprivate func begin(_ level: OutputLevel, adopts: Bool) throws(OutputError) -> OutputLevel {
    let trigger = folder + "/trigger"
    // The one that is on stands in brackets: `none [heartbeat] mmc0`.
    if let triggers = try? root.text(of: trigger), !triggers.split(separator: " ").contains("[none]") {
      try writing { () throws(ReadError) in try root.write("none", to: trigger) }
    } else if adopts {
      return brightness.level(try brightness.read())
    }
    try drive(level)
    return level
  }

  var isThere: Bool { DeviceFolderIdentity(of: folder, in: root) == identity }

  func drive(_ level: OutputLevel) throws(OutputError) {
    try brightness.write(level)
    // FB_BLANK_UNBLANK and FB_BLANK_POWERDOWN: many panels are not dark at brightness 0.
    guard root.exists(power) else { return }
    try writing { () throws(ReadError) in try root.write(level.isOn ? "0" : "4", to: power) }
  }

  func readBack(of level: OutputLevel) throws(OutputError) -> OutputLevel? { try brightness.readBack(of: level) }

  func leave(_ end: OutputEnd) throws(OutputError) {
    if case .level(let level) = end { try drive(level) }
  }
}
