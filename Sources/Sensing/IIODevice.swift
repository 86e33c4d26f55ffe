import LimpetPlatform
import LimpetText
import Measuring

/// An IIO device as the kernel lists it (Documentation/ABI/testing/sysfs-bus-iio).
public struct IIODevice: Sendable, Hashable {
  static let busFolder = "/sys/bus/iio/devices"

  /// The content of `name`: usually the chip, for example `ads1015`. Not always unique.
  public let name: String
  /// The content of `label`, where the device tree gives one.
  public let label: String?
  /// For example `/sys/bus/iio/devices/iio:device0`; the number may differ after the next boot.
  public let folder: String

  /// All devices, in the order of their numbers; none where the kernel has no such bus.
  public static func all(in root: FileRoot) throws(ReadError) -> [IIODevice] {
    try root.devices(ofClass: busFolder, prefix: "iio:device").compactMap { folder in
      guard let name = try? root.text(of: folder + "/name") else { return nil }
      return IIODevice(name: name, label: try? root.text(of: folder + "/label"), folder: folder)
    }
  }

  /// Where the device is connected, which distinguishes two of one name:
  /// `/sys/devices/platform/soc/fe804000.i2c/i2c-1/1-0048`.
  public func device(in root: FileRoot) -> String {
    guard let resolved = try? root.resolve(folder), let end = resolved.lastIndex(of: "/") else { return folder }
    return String(resolved[..<end])
  }

  /// By its name, its label, or its device's path or the end of that.
  package func answers(to wanted: String, in root: FileRoot) -> Bool {
    name == wanted || label == wanted || (wanted.contains("/") && device(in: root).isPath(endingIn: wanted))
  }

  /// The channels that can be read, in natural order.
  public func channels(in root: FileRoot) throws(ReadError) -> [IIOChannel] {
    let names = try root.entries(of: folder)
    let present = Set(names)
    var channels: [IIOChannel] = []
    for name in names where name.hasPrefix("in_") || name.hasPrefix("out_") {
      // What the driver computed itself goes before what is left to us.
      let channel: String
      if name.hasSuffix("_input") {
        channel = String(name.dropLast("_input".count))
      } else if name.hasSuffix("_raw"), !present.contains(name.dropLast("_raw".count) + "_input") {
        channel = String(name.dropLast("_raw".count))
      } else {
        continue
      }
      let labelFile = channel + "_label"
      let label = present.contains(labelFile) ? try? root.text(of: "\(folder)/\(labelFile)") : nil
      channels.append(IIOChannel(channel, attribute: name, label: label, in: folder, present: present))
    }
    return channels
  }
}

/// A channel of an IIO device, and the attributes it is read from.
public struct IIOChannel: Sendable, Hashable {
  /// What its attributes begin with: `in_voltage0`, `in_accel_x`.
  public let name: String
  /// The attribute that holds the value.
  package let path: String
  /// For raw values: the attributes that hold their scale and offset, of the channel itself or shared with others.
  let scalePath: String?
  let offsetPath: String?
  /// The text of `<channel>_label`, where the driver or the device tree gives one.
  public let label: String?
  package let quantity: IIOQuantity

  fileprivate init(_ name: String, attribute: String, label: String?, in folder: String, present: Set<String>) {
    self.name = name
    self.label = label
    path = "\(folder)/\(attribute)"
    let isRaw = attribute.hasSuffix("_raw")
    func shared(_ suffix: String) -> String? {
      guard isRaw else { return nil }
      return Self.prefixes(of: name).first { present.contains($0 + suffix) }.map { "\(folder)/\($0)\(suffix)" }
    }
    scalePath = shared("_scale")
    offsetPath = shared("_offset")
    // A raw value without a scale is in no unit.
    quantity = isRaw && scalePath == nil ? .none : IIOQuantity(channel: name)
  }

  /// The average that the driver keeps beside the value of `of`.
  var isMeanOfAnother: Bool { name.hasSuffix("_mean") }

  /// What the attributes of a channel may begin with, the most particular first: its own name, the name without numbers
  /// (`in_voltage`, `in_voltage-voltage`), then without modifiers (`in_accel_x` and `in_accel`), and all of one direction.
  static func prefixes(of channel: String) -> [String] {
    var components = channel.split(separator: "_")
    var prefixes: [String] = []
    while !components.isEmpty {
      for prefix in [components.joined(separator: "_"), components.map(Self.withoutNumbers).joined(separator: "_")]
      where !prefixes.contains(prefix) { prefixes.append(prefix) }
      components.removeLast()
    }
    return prefixes
  }

  /// `voltage0-voltage1` → `voltage-voltage`.
  private static func withoutNumbers(_ component: Substring) -> String {
    component.split(separator: "-").map { part in
      let digits = part.reversed().prefix { $0.isASCII && $0.isNumber }.count
      return String(part.dropLast(digits))
    }.joined(separator: "-")
  }
}
