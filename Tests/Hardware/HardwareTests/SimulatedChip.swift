import Foundation
import TestScene
import Testing

/// A GPIO chip of the kernel's gpio-sim, made through configfs and moved through sysfs (the kernel's
/// Documentation/admin-guide/gpio/gpio-sim.rst).
final class SimulatedChip: Sendable {
  /// A line that the kernel itself holds.
  struct Hog {
    let offset: Int
    let consumer: String
    /// input, output-high, output-low
    let direction: String
  }

  let label: String
  private let folder: String

  /// It is there after `plug()`.
  init(label: String, lines: Int, names: [Int: String], hogs: [Hog]) throws {
    self.label = label
    folder = "/sys/kernel/config/gpio-sim/\(label)"
    let bank = folder + "/bank0"
    try FileManager.default.createDirectory(atPath: bank, withIntermediateDirectories: true)
    try Self.write("\(lines)", to: bank + "/num_lines")
    try Self.write(label, to: bank + "/label")
    for (offset, name) in names {
      try FileManager.default.createDirectory(atPath: "\(bank)/line\(offset)", withIntermediateDirectories: true)
      try Self.write(name, to: "\(bank)/line\(offset)/name")
    }
    for hog in hogs {
      let path = "\(bank)/line\(hog.offset)/hog"
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
      try Self.write(hog.consumer, to: path + "/name")
      try Self.write(hog.direction, to: path + "/direction")
    }
  }

  func plug() throws { try Self.write("1", to: folder + "/live") }

  func unplug() throws { try Self.write("0", to: folder + "/live") }

  /// Takes it out of the kernel and of configfs, which wants each folder removed, the inner ones first.
  func remove() {
    try? unplug()
    let bank = folder + "/bank0"
    for line in (try? FileManager.default.contentsOfDirectory(atPath: bank)) ?? [] where line.hasPrefix("line") {
      rmdir("\(bank)/\(line)/hog")
      rmdir("\(bank)/\(line)")
    }
    rmdir(bank)
    rmdir(folder)
  }

  /// What the kernel calls it while it is plugged in: gpiochip0.
  var name: String { get throws { try Self.read(folder + "/bank0/chip_name") } }

  var path: String { get throws { "/dev/" + (try name) } }

  func line(_ offset: Int) throws -> SimulatedLine {
    let device = try Self.read(folder + "/dev_name")
    return SimulatedLine(offset: offset, folder: "/sys/devices/platform/\(device)/\(try name)/sim_gpio\(offset)")
  }

  static func read(_ file: String) throws -> String {
    try String(contentsOfFile: file, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
  }

  /// Attributes take what comes in one write, and cannot be replaced by another file.
  static func write(_ text: String, to file: String) throws {
    let descriptor = open(file, O_WRONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw AttributeError(file: file, number: errno) }
    defer { close(descriptor) }
    guard Glibc.write(descriptor, text, text.utf8.count) == text.utf8.count else {
      throw AttributeError(file: file, number: errno)
    }
  }

  struct AttributeError: Error, CustomStringConvertible {
    let file: String
    let number: Int32
    var description: String { "\(file): \(String(cString: strerror(number)))" }
  }
}

/// One line as the world outside the board sees it.
struct SimulatedLine: Sendable {
  let offset: Int
  fileprivate let folder: String

  /// What `pulse` writes to.
  var pull: String { folder + "/pull" }

  /// Moves an input.
  func move(_ isHigh: Bool) throws { try SimulatedChip.write(isHigh ? "pull-up" : "pull-down", to: pull) }

  /// The level, whoever makes it.
  var isHigh: Bool { get throws { try SimulatedChip.read(folder + "/value") == "1" } }
}
