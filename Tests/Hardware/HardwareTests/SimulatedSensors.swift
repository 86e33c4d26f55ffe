import Foundation
import Testing

/// The bus of the kernel's i2c-stub (Documentation/i2c/i2c-stub.rst), on which any driver finds the registers that a
/// test wrote: chips answer at 0x20, 0x21, 0x48, 0x49 and 0x4C.
struct StubBus: Sendable {
  let number: Int

  init() throws {
    let folder = "/sys/bus/i2c/devices"
    let name = try FileManager.default.contentsOfDirectory(atPath: folder).first {
      $0.hasPrefix("i2c-") && (try? SimulatedChip.read("\(folder)/\($0)/name"))?.contains("stub") == true
    }
    number = try #require(name.flatMap { Int($0.dropFirst(4)) }, "the kernel has no i2c-stub")
  }

  func expander(_ address: UInt8) -> StubExpander { StubExpander(bus: number, address: address) }

  func thermometer(_ address: UInt8) -> StubThermometer { StubThermometer(bus: number, address: address) }

  func alarmingThermometer(_ address: UInt8) -> StubAlarm { StubAlarm(bus: number, address: address) }

  /// Nothing is transferred on it meanwhile, as if it were stuck; for 30 s at most.
  static func hold(_ isHeld: Bool) throws {
    try SimulatedChip.write(isHeld ? "1" : "0", to: "/sys/module/smbus_bench/parameters/held")
  }
}

/// An ADM1032 on the stub bus, under the kernel's own driver, with a wire for its alerts.
struct StubAlarm: Sendable {
  let bus: Int
  let address: UInt8

  private var text: String { "0x\(String(address, radix: 16))" }
  private var folder: String { "/sys/bus/i2c/devices/i2c-\(bus)" }

  /// Has the driver find it.
  func plug() throws { try SimulatedChip.write("adm1032 \(text)", to: folder + "/new_device") }

  func unplug() throws { try SimulatedChip.write(text, to: folder + "/delete_device") }

  /// Its status says that its own temperature is above the limit.
  func set(isTooHot: Bool) throws {
    try StubRegister(bus: bus, address: address, number: 2).write(isTooHot ? 0x40 : 0, size: 2)
  }

  /// It pulls the wire.
  func alert() throws { try SimulatedChip.write(text, to: "/sys/module/smbus_bench/parameters/alert") }
}

/// An LM75 on the stub bus, under the kernel's own driver.
struct StubThermometer: Sendable {
  let bus: Int
  let address: UInt8

  /// How the bus names it: 0-0048.
  var device: String { "\(bus)-00\(String(address, radix: 16))" }

  private var folder: String { "/sys/bus/i2c/devices/i2c-\(bus)" }

  /// Has the driver find it.
  func plug() throws { try SimulatedChip.write("lm75 0x\(String(address, radix: 16))", to: folder + "/new_device") }

  func unplug() throws { try SimulatedChip.write("0x\(String(address, radix: 16))", to: folder + "/delete_device") }

  /// What the kernel calls it while it is plugged in: hwmon2.
  var hwmon: String {
    get throws {
      let all = try FileManager.default.contentsOfDirectory(atPath: "/sys/bus/i2c/devices/\(device)/hwmon")
      return try #require(all.first)
    }
  }

  /// Sets what it measures, in half degrees Celsius: its register 0 holds them in its 9 upper bits.
  func set(halfDegrees: Int16) throws {
    // SMBus sends the lower byte first, an LM75 the upper one.
    try StubRegister(bus: bus, address: address).write(UInt16(bitPattern: halfDegrees << 7).byteSwapped, size: 3)
  }
}

/// A register of a chip on the stub bus, as the chip itself would set it.
private struct StubRegister {
  let bus: Int
  let address: UInt8
  var number: UInt8 = 0

  /// - Parameter size: I2C_SMBUS_BYTE_DATA, 2, or I2C_SMBUS_WORD_DATA, 3.
  func write(_ value: UInt16, size: UInt32) throws {
    // i2c_smbus_ioctl_data of <linux/i2c-dev.h>, and its constants.
    struct Transfer {
      var isRead: UInt8 = 0
      var command: UInt8 = 0
      var size: UInt32
      var data: UnsafeMutablePointer<UInt16>
    }
    // I2C_SLAVE_FORCE, since a driver has the address, and I2C_SMBUS.
    let (chooseAddress, transfer): (UInt, UInt) = (0x0706, 0x0720)
    let path = "/dev/i2c-\(bus)"
    let descriptor = open(path, O_RDWR | O_CLOEXEC)
    guard descriptor >= 0 else { throw SimulatedChip.AttributeError(file: path, number: errno) }
    defer { close(descriptor) }
    var word = value
    let status = withUnsafeMutablePointer(to: &word) { data in
      var request = Transfer(command: number, size: size, data: data)
      return ioctl(descriptor, chooseAddress, CInt(address)) < 0 ? -1 : ioctl(descriptor, transfer, &request)
    }
    guard status >= 0 else { throw SimulatedChip.AttributeError(file: path, number: errno) }
  }
}

/// A PCA9534, or another of its family, on the stub bus, under the kernel's own driver and without a wire from its INT: eight
/// lines, or sixteen.
struct StubExpander: Sendable {
  let bus: Int
  let address: UInt8
  var kind = "pca9534"

  /// How the bus names it: 0-0020.
  var device: String { "\(bus)-00\(String(address, radix: 16))" }

  private var folder: String { "/sys/bus/i2c/devices/i2c-\(bus)" }

  /// Has the driver find it.
  func plug() throws {
    // As it powers up: all lines are inputs.
    for number in kind == "pca9534" ? [3] : [6, 7] as [UInt8] {
      try StubRegister(bus: bus, address: address, number: number).write(0xFF, size: 2)
    }
    try SimulatedChip.write("\(kind) 0x\(String(address, radix: 16))", to: folder + "/new_device")
  }

  func unplug() throws { try SimulatedChip.write("0x\(String(address, radix: 16))", to: folder + "/delete_device") }

  /// The chip's, while it is plugged in.
  var path: String {
    get throws {
      let all = try FileManager.default.contentsOfDirectory(atPath: "/sys/bus/i2c/devices/\(device)")
      return "/dev/" + (try #require(all.first { $0.hasPrefix("gpiochip") }))
    }
  }

  /// Moves all lines, or the first eight of sixteen, the first in the lowest bit.
  func set(_ levels: UInt8) throws { try StubRegister(bus: bus, address: address).write(UInt16(levels), size: 2) }
}

/// A device of the kernel's iio_dummy, whose channels stand at what its source says but for those that can be set.
struct DummyConverter: Sendable {
  let name: String
  private var made: String { "/sys/kernel/config/iio/devices/dummy/\(name)" }

  init(name: String) throws {
    self.name = name
    try FileManager.default.createDirectory(atPath: made, withIntermediateDirectories: false)
  }

  func remove() { rmdir(made) }

  func path(_ attribute: String) throws -> String {
    let folder = "/sys/bus/iio/devices"
    let device = try FileManager.default.contentsOfDirectory(atPath: folder).first {
      (try? SimulatedChip.read("\(folder)/\($0)/name")) == name
    }
    return "\(folder)/\(try #require(device))/\(attribute)"
  }

  func number(_ attribute: String) throws -> Double {
    try #require(Double(SimulatedChip.read(path(attribute))))
  }
}

/// The supplies of the kernel's test_power: one battery for all tests, which its parameters move.
enum TestBattery {
  static func set(_ parameter: String, _ text: String) throws {
    try SimulatedChip.write(text, to: "/sys/module/test_power/parameters/\(parameter)")
  }

  /// As the driver starts.
  static func reset() {
    for (parameter, text) in [
      ("battery_capacity", "50"), ("battery_voltage", "3300"), ("battery_status", "discharging"),
    ] {
      try? set(parameter, text)
    }
  }
}
