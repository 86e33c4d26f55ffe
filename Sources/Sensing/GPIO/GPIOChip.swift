internal import CGPIO
import Glibc
import LimpetPlatform
import LimpetText

/// A GPIO chip as the kernel lists it.
public struct GPIOChip: Sendable, Hashable {
  /// Of its device file, inside the root: `/dev/gpiochip0`.
  public let path: String
  /// `gpiochip0`: the number may be another one after the next boot.
  public let name: String
  /// What the driver calls it, `pinctrl-bcm2711`: this one stays.
  public let label: String
  /// By offset.
  public let lines: [GPIOLine]
  /// Where it hangs, `/sys/devices/platform/soc/fe804000.i2c/i2c-1/1-0020`; nil: the kernel does not say.
  public var device: String?
  /// Of its device file, by which other names of it are known.
  public var number: DeviceNumber?
  /// Its other names in /dev: Raspberry Pi OS has /dev/gpiochip4 as one of gpiochip0 on a Pi 5.
  public var aliases: [String] = []

  /// What stat(2) calls `st_rdev`.
  public struct DeviceNumber: Sendable, Hashable {
    let value: UInt64

    /// nil: no device is there.
    init?(of path: String, in root: FileRoot) {
      var status = stat()
      guard let location = try? root.location(of: path), stat(location, &status) == 0, status.st_rdev != 0 else {
        return nil
      }
      value = UInt64(status.st_rdev)
    }

    init(_ value: UInt64) { self.value = value }
  }

  /// The chips of a Raspberry Pi whose lines are its 40-pin header, by label.
  public static let headerLabels = ["pinctrl-bcm2835", "pinctrl-bcm2711", "pinctrl-rp1"]

  public var isHeader: Bool { Self.headerLabels.contains(label) }
}

/// A line of a GPIO chip.
public struct GPIOLine: Sendable, Hashable {
  public let offset: UInt32
  /// nil: it has none.
  public let name: String?
  /// The name that its holder gave; nil: nobody holds it, or the holder gave none.
  public let consumer: String?
  public let isUsed: Bool
  public let isOutput: Bool
  public let isActiveLow: Bool
}

/// The GPIO chips, and those that could not be opened.
public struct GPIOInventory: Sendable {
  public var chips: [GPIOChip]
  public var failures: [ReadError]
  /// The device of a path.
  private let number: @Sendable (String) -> GPIOChip.DeviceNumber?

  /// Looks at every `/dev/gpiochipN`, in the order of N. Nothing is requested, so no line changes.
  public init(root: FileRoot) {
    (chips, failures) = ([], [])
    number = { GPIOChip.DeviceNumber(of: $0, in: root) }
    let names: [String]
    do { names = try root.entries(of: "/dev") } catch {
      if !error.isAbsence { failures.append(error) }
      return
    }
    for name in names where name.hasPrefix("gpiochip") {
      do throws(ReadError) {
        let chip = try GPIOChip("/dev/\(name)", root: root)
        if let known = chips.firstIndex(where: { $0.name == chip.name }) {
          chips[known].aliases.append(name)
        } else {
          chips.append(chip)
        }
      } catch {
        failures.append(error)
      }
    }
  }

  package init(
    chips: [GPIOChip], failures: [ReadError] = [],
    number: @escaping @Sendable (String) -> GPIOChip.DeviceNumber? = { _ in nil }
  ) {
    self.chips = chips
    self.failures = failures
    self.number = number
  }

  /// The chip of a device file by whatever path leads to it: a link of udev's, an alias.
  func chip(at path: String) -> GPIOChip? {
    guard let number = number(path) else { return nil }
    return chips.first { $0.number == number }
  }
}

extension GPIOChip {
  fileprivate init(_ path: String, root: FileRoot) throws(ReadError) {
    var opened: OpaquePointer?
    var information = limpet_gpio_chip_info()
    let code = limpet_gpio_open_chip(try root.location(of: path), &opened, &information)
    guard code == 0, let opened else { throw ReadError(.open, path, .errno(code)) }
    defer { limpet_gpio_close_chip(opened) }
    self.path = path
    name = Self.text(&information.name)
    label = Self.text(&information.label)
    var lines: [GPIOLine] = []
    for offset in 0..<information.lines {
      var line = limpet_gpio_line_info()
      let code = limpet_gpio_line_info(opened, offset, &line)
      guard code == 0 else { throw ReadError(.read, path, .errno(code)) }
      let (name, consumer) = (Self.text(&line.name), Self.text(&line.consumer))
      lines.append(
        GPIOLine(
          offset: offset, name: name.isEmpty ? nil : name, consumer: consumer.isEmpty ? nil : consumer,
          isUsed: line.is_used, isOutput: line.is_output, isActiveLow: line.is_active_low))
    }
    self.lines = lines
    number = DeviceNumber(of: path, in: root)
    let place = try? root.resolve("/sys/bus/gpio/devices/\(name)")
    device = place?.lastIndex(of: "/").flatMap { end in place.map { String($0[..<end]) } }
  }

  /// A C array of characters up to its NUL.
  private static func text<Characters>(_ characters: inout Characters) -> String {
    withUnsafeBytes(of: &characters) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  }
}
