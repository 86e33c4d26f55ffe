import LimpetPlatform
import Measuring

/// An output that was found, and can be taken.
protocol FoundOutput: Sendable, CustomStringConvertible {
  /// Two outputs with the same one are the same.
  var identity: String { get }
  /// The device behind I²C, SPI or USB that it is of, and that may not answer; nil: it cannot hang long.
  var bus: String? { get }
  /// The same, in a form that finds it again whatever the configuration is by then: for the record.
  var request: OutputRequest { get }
  /// What is to be restored for ``OutputEnd/former``.
  var former: String? { get }
  /// Files of sysfs that are there and that it writes.
  var attributes: [String] { get }
  /// Why it is not known to stay as it is when nobody holds it, for people; nil: it stays.
  var looseness: String? { get }

  /// Drives it from now on, with this level from the first moment.
  ///
  /// - Parameters:
  ///   - adopts: one that is driven already stays as it is.
  ///   - former: what ``OutputEnd/former`` restores.
  func take(_ level: OutputLevel, adopts: Bool, former: String?) throws(OutputError) -> Taken

  typealias Taken = (output: any HeldOutput, level: OutputLevel)
}

extension FoundOutput {
  var attributes: [String] { [] }
  var looseness: String? { nil }
}

/// An output that this process drives: on one thread at a time.
protocol HeldOutput: Sendable {
  /// Its device has not been taken away.
  var isThere: Bool { get }

  func drive(_ level: OutputLevel) throws(OutputError)

  /// The level that the device has after `level` was driven: exactly `level`, if they are equal within its resolution.
  ///
  /// - Returns: nil: others drive it, so there is nothing to judge.
  func readBack(of level: OutputLevel) throws(OutputError) -> OutputLevel?

  /// Leaves it so; it is released when this value ends.
  func leave(_ end: OutputEnd) throws(OutputError)
}

extension String {
  /// The part of a device's path that is the chip behind I²C, SPI or USB; nil: it is behind none.
  ///
  /// `/sys/devices/platform/soc/fe804000.i2c/i2c-1/1-0020/leds/a` is of `…/i2c-1/1-0020`.
  var chipBehindBus: String? {
    let components = split(separator: "/", omittingEmptySubsequences: false)
    var end: Int?
    for (index, component) in components.enumerated() {
      if component.hasPrefix("i2c-") {
        end = min(index + 1, components.count - 1)
      } else if component.hasPrefix("spi"), component.contains(".") {
        end = index
      } else if Self.isOfUSB(component) {
        end = index
      }
    }
    return end.map { components[...$0].joined(separator: "/") }
  }

  /// The last bus of a device's path is I²C: it is a chip at an address there.
  var isBehindI2C: Bool {
    let components = split(separator: "/")
    guard let bus = components.lastIndex(where: { $0.hasPrefix("i2c-") }), bus + 1 < components.count else {
      return false
    }
    return !components[bus...].contains { $0.hasPrefix("spi") || Self.isOfUSB($0) }
  }

  /// `usb1`, `1-1.2`, `1-1.2:1.0`; a chip of I²C is `1-0020`, which comes behind an `i2c-1`.
  private static func isOfUSB(_ component: Substring) -> Bool {
    if component.hasPrefix("usb"), component.dropFirst(3).allSatisfy(\.isNumber), component.count > 3 { return true }
    let parts = component.split(separator: ":")
    guard parts.count == 2 else { return false }
    return parts.allSatisfy { $0.allSatisfy { $0.isNumber || $0 == "-" || $0 == "." } } && parts[0].contains("-")
  }
}
