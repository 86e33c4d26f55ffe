import LimpetPlatform
import LimpetText
import Measuring

/// A hwmon chip as the kernel lists it.
public struct HwmonChip: Sendable, Hashable {
  static let classFolder = "/sys/class/hwmon"

  /// The content of `name`: the stable name, for example `pwmfan`. Not always unique.
  public let name: String
  /// For example `/sys/class/hwmon/hwmon2`; the number may differ after the next boot.
  public let folder: String
  /// Old drivers keep `name` and the attributes in `device/` below the folder.
  let namePath: String

  /// All chips, in the order of their numbers; none where the kernel has no such class.
  public static func all(in root: FileRoot) throws(ReadError) -> [HwmonChip] {
    try root.devices(ofClass: classFolder, prefix: "hwmon").compactMap { folder in
      for path in [folder + "/name", folder + "/device/name"] {
        if let name = try? root.text(of: path) { return HwmonChip(name: name, folder: folder, namePath: path) }
      }
      return nil
    }
  }

  /// Where the chip is connected, which distinguishes two of one name:
  /// `/sys/devices/platform/soc/fe804000.i2c/i2c-1/1-0048`.
  public func device(in root: FileRoot) -> String {
    (try? root.resolve(folder + "/device")) ?? (try? root.resolve(folder)) ?? folder
  }

  /// Whether the chip hangs at a device, named by its path or the end of it: `1-0048`, `i2c-1/1-0048`.
  func isOf(device: String, in root: FileRoot) -> Bool {
    self.device(in: root).isPath(endingIn: device)
  }

  /// The same chip by the path that its device is part of.
  func belowItsDevice(in root: FileRoot) -> HwmonChip {
    guard let resolved = try? root.resolve(folder) else { return self }
    return HwmonChip(name: name, folder: resolved, namePath: resolved + namePath.dropFirst(folder.count))
  }

  /// The channels that have a value, in natural order, each with its label.
  public func channels(in root: FileRoot) throws(ReadError) -> [HwmonInput] {
    var inputs = try Self.inputs(in: folder, root: root)
    do {
      let older = try Self.inputs(in: folder + "/device", root: root)
      inputs += older.filter { input in !inputs.contains { $0.channel == input.channel } }
    } catch {
      // A thermal zone's chip has no device of its own.
      guard error.isAbsence else { throw error }
    }
    return inputs
  }

  private static func inputs(in folder: String, root: FileRoot) throws(ReadError) -> [HwmonInput] {
    let names = try root.entries(of: folder)
    let present = Set(names)
    var inputs: [HwmonInput] = []
    for name in names {
      let stem = name.prefix { $0 != "_" }
      // Of the attributes of one channel, the one that is its value; `temp1_max` and the like are none.
      guard let channel = HwmonChannel(stem) else { continue }
      guard channel.attributes.first(where: present.contains) == name else { continue }
      let path = "\(folder)/\(channel)"
      inputs.append(
        HwmonInput(
          channel: channel,
          label: present.contains("\(channel)_label") ? try? root.text(of: path + "_label") : nil,
          path: "\(folder)/\(name)",
          faultPath: present.contains("\(channel)_fault") ? path + "_fault" : nil,
          alarmPaths: names.filter { $0.hasPrefix("\(channel)_") && $0.hasSuffix("alarm") }.map { "\(folder)/\($0)" }))
    }
    return inputs
  }
}

/// A channel of a chip and the attributes it is read from.
public struct HwmonInput: Sendable, Hashable {
  public let channel: HwmonChannel
  /// The text of `<channel>_label`, where the driver has one.
  public let label: String?
  /// The attribute that holds the value.
  public let path: String
  /// The attribute that says whether the sensor works, where the driver has one.
  let faultPath: String?
  /// The attributes that say whether the value is past a limit: `temp1_alarm`, `temp1_max_alarm`.
  let alarmPaths: [String]
}

extension String {
  /// Whether the last components of this path are those of `end`.
  func isPath(endingIn end: String) -> Bool {
    self == end || hasSuffix(end.hasPrefix("/") ? end : "/" + end)
  }
}
