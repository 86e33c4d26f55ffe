/// Lines for a Raspberry Pi's /boot/firmware/config.txt that give a chip its driver in the kernel (the firmware's
/// overlays/README). A small table: the chips of the usual boards.
struct DeviceOverlay {
  let name: String
  /// Those that such a chip can have.
  let addresses: [UInt8]
  /// What stands behind `dtoverlay=`, before the address.
  private let overlay: String
  /// `addr` is a parameter of the overlay.
  private let takesAddress: Bool

  private init(_ name: String, _ addresses: [UInt8], _ overlay: String, takesAddress: Bool = true) {
    self.name = name
    self.addresses = addresses
    self.overlay = overlay
    self.takesAddress = takesAddress
  }

  private static func sensor(_ name: String, _ addresses: [UInt8]) -> DeviceOverlay {
    DeviceOverlay(name, addresses, "i2c-sensor,\(name)")
  }

  private static func clock(_ name: String, _ addresses: [UInt8]) -> DeviceOverlay {
    DeviceOverlay(name, addresses, "i2c-rtc,\(name)", takesAddress: false)
  }

  private static func range(_ addresses: ClosedRange<UInt8>) -> [UInt8] { Array(addresses) }

  static let all: [DeviceOverlay] = [
    sensor("aht10", [0x38]), sensor("bh1750", [0x23, 0x5C]), sensor("bme280", [0x76, 0x77]),
    sensor("bme680", [0x76, 0x77]), sensor("bmp280", [0x76, 0x77]), sensor("bmp180", [0x77]),
    sensor("ds1621", range(0x48...0x4F)), sensor("hdc100x", range(0x40...0x43)), sensor("htu21", [0x40]),
    sensor("lm75", range(0x48...0x4F)), sensor("mpu6050", [0x68, 0x69]), sensor("sgp30", [0x58]),
    sensor("sht3x", [0x44, 0x45]), sensor("shtc3", [0x70]), sensor("si7020", [0x40]), sensor("sps30", [0x69]),
    sensor("tmp102", range(0x48...0x4B)),
    DeviceOverlay("ads1015", range(0x48...0x4B), "ads1015"), DeviceOverlay("ads1115", range(0x48...0x4B), "ads1115"),
    DeviceOverlay("mcp23017", range(0x20...0x27), "mcp23017"),
    DeviceOverlay("pca9534", range(0x20...0x27), "pca953x,pca9534"),
    DeviceOverlay("pca9554", range(0x20...0x27), "pca953x,pca9554"),
    DeviceOverlay("pcf8574", range(0x20...0x27), "pcf857x,pcf8574"),
    DeviceOverlay("pcf8574a", range(0x38...0x3F), "pcf857x,pcf8574a"),
    DeviceOverlay("pca9685", range(0x40...0x4F), "i2c-pwm-pca9685a"),
    clock("ds1307", [0x68]), clock("ds3231", [0x68]), clock("pcf8523", [0x68]), clock("pcf8563", [0x51]),
    clock("rv3028", [0x52]),
    DeviceOverlay("mcp3008", [], "mcp3008,spi0-0-present", takesAddress: false),
    DeviceOverlay("mcp2515", [], "mcp2515-can0,oscillator=16000000,interrupt=25", takesAddress: false),
  ]

  /// Devices that no scan can find, by their usual names.
  static let unseen = [
    ("1-Wire (DS18B20, DS2438)", "dtoverlay=w1-gpio"), ("DHT11, DHT22", "dtoverlay=dht11,gpiopin=17"),
    ("ADC MCP3008", "dtoverlay=mcp3008,spi0-0-present"),
  ]

  /// The line for a chip of this name, whoever makes it: `bosch,bme280` too.
  static func named(_ name: String) -> DeviceOverlay? {
    let part = name.split(separator: ",").last.map(String.init) ?? name
    return all.first { $0.name == part }
  }

  /// Chips that may be at an address.
  static func at(_ address: UInt8) -> [DeviceOverlay] { all.filter { $0.addresses.contains(address) } }

  func line(at address: UInt8?) -> String {
    guard takesAddress, let address else { return "dtoverlay=\(overlay)" }
    return "dtoverlay=\(overlay),addr=0x\(String(address, radix: 16))"
  }
}
