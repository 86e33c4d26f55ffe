/// A board as its kernel shows it, written from the documentation of the kernel's interfaces (Documentation/ABI,
/// Documentation/hwmon, proc(5)): where its devices hang, what its attributes hold, and what they mean.
package struct Board: Sendable, CustomStringConvertible {
  package struct Expected: Sendable {
    package let name: String
    /// As JSON has it.
    package let value: String
    package let unit: String?
    package let quality: String?
  }

  package let description: String
  /// Attributes by their path.
  package private(set) var files: [String: String] = [:]
  /// Symbolic links by their path, as they stand.
  package private(set) var links: [String: String] = [:]
  /// What is published of the board, under the names that `scan` gives. What differs from machine to machine is left out.
  package private(set) var expected: [Expected] = []

  private init(_ description: String, cores: Int, kilobytes: Int) {
    self.description = description
    files["/proc/loadavg"] = "0.52 0.58 0.59 1/389 4711\n"
    files["/proc/uptime"] = "350735.47 234388.90\n"
    files["/proc/meminfo"] = "MemTotal: \(kilobytes) kB\nMemFree: 1000 kB\nMemAvailable: \(kilobytes / 4) kB\n"
    let lines = (0..<cores).map { "cpu\($0) 100 0 50 800 50 0 0 0 0 0\n" }
    files["/proc/stat"] =
      "cpu  \(cores * 100) 0 \(cores * 50) \(cores * 800) \(cores * 50) 0 0 0 0 0\n" + lines.joined()
      + "ctxt 1\nbtime 1795176000\n"
    expect("load1", "0.52")
    expect("load5", "0.58")
    expect("load15", "0.59")
    expect("cpu", "15", "%")
    expect("uptime", "350735.47", "s")
    expect("boot_time", "1795176000", "s")
    expect("memory_total", "\(kilobytes * 1024)", "B")
    expect("memory_available", "\(kilobytes / 4 * 1024)", "B")
    expect("memory_used", "75", "%")
  }

  private mutating func expect(_ name: String, _ value: String, _ unit: String? = nil, quality: String? = nil) {
    expected.append(Expected(name: name, value: value, unit: unit, quality: quality))
  }

  /// A device and the name that a class or bus has for it.
  private mutating func device(_ folder: String, in place: String, _ attributes: [String: String]) {
    for (attribute, content) in attributes { files["\(folder)/\(attribute)"] = content + "\n" }
    let depth = place.split(separator: "/").count - 1
    let up = String(repeating: "../", count: depth)
    links["\(place)/\(folder.split(separator: "/").last ?? "")"] = up + folder.dropFirst("/sys/".count)
  }

  private mutating func thermalZone(_ number: Int, _ type: String, _ millidegrees: Int, critical: Int) {
    device(
      "/sys/devices/virtual/thermal/thermal_zone\(number)", in: "/sys/class/thermal",
      [
        "type": type, "temp": "\(millidegrees)", "mode": "enabled", "policy": "step_wise",
        "trip_point_0_type": "critical", "trip_point_0_temp": "\(critical)", "trip_point_0_hyst": "0",
      ])
  }

  /// - Parameter device: the folder it hangs at, below /sys/devices.
  private mutating func hwmon(_ number: Int, _ name: String, at device: String, _ attributes: [String: String]) {
    let folder = "/sys/devices/\(device)/hwmon/hwmon\(number)"
    self.device(folder, in: "/sys/class/hwmon", attributes.merging(["name": name]) { $1 })
    files["/sys/devices/\(device)/uevent"] = ""
    links[folder + "/device"] = "../../../\(device.split(separator: "/").last ?? "")"
  }

  /// The chip that the kernel makes of a thermal zone.
  private mutating func hwmonOfZone(_ number: Int, _ name: String, zone: Int, _ millidegrees: Int) {
    let folder = "/sys/devices/virtual/thermal/thermal_zone\(zone)/hwmon\(number)"
    device(folder, in: "/sys/class/hwmon", ["name": name, "temp1_input": "\(millidegrees)"])
    links[folder + "/device"] = "../../thermal_zone\(zone)"
  }

  private mutating func iio(_ number: Int, _ name: String, at device: String, _ attributes: [String: String]) {
    self.device(
      "/sys/devices/\(device)/iio:device\(number)", in: "/sys/bus/iio/devices",
      attributes.merging(["name": name]) { $1 })
  }

  private mutating func thermometer(_ id: String, _ attributes: [String: String]) {
    device("/sys/devices/w1_bus_master1/\(id)", in: "/sys/bus/w1/devices", attributes)
  }

  private mutating func interface(_ name: String, state: String, at device: String) {
    let folder = "/sys/devices/\(device)/net/\(name)"
    var attributes = ["operstate": state]
    for (counter, value) in ["rx_bytes": 73_452_817, "tx_bytes": 9_113_004, "rx_errors": 2, "tx_errors": 0] {
      attributes["statistics/\(counter)"] = "\(value)"
    }
    self.device(folder, in: "/sys/class/net", attributes)
    files["/sys/devices/\(device)/uevent"] = ""
    links[folder + "/device"] = "../../../\(device.split(separator: "/").last ?? "")"
    expect("operstate_\(name.lowercased())", "\"\(state)\"")
    expect("rx_bytes_\(name.lowercased())", "73452817", "B")
    expect("tx_bytes_\(name.lowercased())", "9113004", "B")
    expect("rx_errors_\(name.lowercased())", "2")
    expect("tx_errors_\(name.lowercased())", "0")
  }

  private mutating func loopback() {
    device("/sys/devices/virtual/net/lo", in: "/sys/class/net", ["operstate": "unknown", "statistics/rx_bytes": "1"])
  }

  private mutating func wireless(_ name: String, level: Int, at device: String) {
    interface(name, state: "up", at: device)
    files["/sys/devices/\(device)/net/\(name)/wireless/.keep"] = ""
    files["/proc/net/wireless"] = """
      Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE
       face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22
       \(name): 0000   58.  \(level).  -256        0      0      0      0     12        0

      """
    expect("wifi_signal_\(name)", "\(level)", "dBm")
  }

  /// What the firmware of a Raspberry Pi says of its supply and speed.
  private mutating func firmware(_ device: String, flags: String, chip: Int, isUnderVoltage: Bool) {
    let folder = "/sys/devices/platform/\(device)"
    files["\(folder)/get_throttled"] = flags + "\n"
    let name = device.split(separator: "/").last ?? ""
    links["/sys/bus/platform/drivers/raspberrypi-firmware/\(name)"] = "../../../../devices/platform/\(device)"
    hwmon(
      chip, "rpi_volt", at: "platform/\(device)/raspberrypi-hwmon", ["in0_lcrit_alarm": isUnderVoltage ? "1" : "0"])
    expect("under_voltage", isUnderVoltage ? "true" : "false")
  }
}

// MARK: Boards

extension Board {
  package static let all = [raspberryPi3, raspberryPi4, raspberryPi5, beagleBone, rock5]

  /// A Raspberry Pi 3B with two 1-Wire thermometers at GPIO4, one of which has just been powered up.
  package static let raspberryPi3: Board = {
    var board = Board("Raspberry Pi 3 Model B", cores: 4, kilobytes: 948_304)
    board.files["/proc/device-tree/model"] = "Raspberry Pi 3 Model B Rev 1.2\0"
    board.files["/proc/device-tree/serial-number"] = "00000000a1b2c3d4\0"
    board.thermalZone(0, "cpu-thermal", 47774, critical: 110_000)
    board.hwmonOfZone(0, "cpu_thermal", zone: 0, 47774)
    board.firmware("soc/soc:firmware", flags: "50005", chip: 1, isUnderVoltage: true)
    board.thermometer("28-0316a2795bff", ["temperature": "23125", "w1_slave": "", "name": "28-0316a2795bff"])
    board.thermometer("28-0316a2795c00", ["temperature": "85000", "w1_slave": "", "name": "28-0316a2795c00"])
    board.device("/sys/devices/w1_bus_master1", in: "/sys/bus/w1/devices", ["w1_master_slave_count": "2"])
    board.loopback()
    board.interface("eth0", state: "up", at: "platform/soc/3f980000.usb/usb1/1-1/1-1.1/1-1.1:1.0")
    board.wireless("wlan0", level: -52, at: "platform/soc/3f300000.mmcnr/mmc_host/mmc1/mmc1:0001/mmc1:0001:1")
    board.expect("cpu-thermal", "47.774", "°C")
    board.expect("throttled", "true")
    board.expect("w1_28-0316a2795bff", "23.125", "°C")
    board.expect("w1_28-0316a2795c00", "85", "°C", quality: "uncertain")
    return board
  }()

  /// A Raspberry Pi 4B with two LM75 and a power meter on I²C, a pressure sensor and two converters of one name.
  package static let raspberryPi4: Board = {
    var board = Board("Raspberry Pi 4 Model B", cores: 4, kilobytes: 3_884_000)
    let bus = "platform/soc/fe804000.i2c/i2c-1"
    board.thermalZone(0, "cpu-thermal", 51608, critical: 110_000)
    board.hwmonOfZone(0, "cpu_thermal", zone: 0, 51608)
    board.firmware("soc/soc:firmware", flags: "0", chip: 1, isUnderVoltage: false)
    board.hwmon(
      2, "lm75", at: "\(bus)/1-0048", ["temp1_input": "21500", "temp1_max": "80000", "temp1_max_hyst": "75000"])
    board.hwmon(
      3, "lm75", at: "\(bus)/1-0049", ["temp1_input": "-1500", "temp1_max": "-2000", "temp1_max_alarm": "1"])
    board.hwmon(
      4, "ina219", at: "\(bus)/1-0040",
      ["in0_input": "12", "in1_input": "5048", "curr1_input": "1200", "power1_input": "6060000"])
    board.iio(
      0, "bme280", at: "\(bus)/1-0076",
      [
        "in_temp_input": "22360", "in_pressure_input": "99.584609375", "in_humidityrelative_input": "46254",
        "in_temp_oversampling_ratio": "2",
      ])
    for (number, address) in [(1, "1-004a"), (2, "1-004b")] {
      board.iio(
        number, "ads1015", at: "\(bus)/\(address)",
        ["in_voltage0_raw": "\(1107 * number)", "in_voltage0_scale": "3", "in_voltage0_sampling_frequency": "1600"])
    }
    board.loopback()
    board.interface("eth0", state: "up", at: "platform/scb/fd580000.ethernet")
    board.wireless("wlan0", level: -71, at: "platform/soc/fe300000.mmcnr/mmc_host/mmc1/mmc1:0001/mmc1:0001:1")
    board.expect("cpu-thermal", "51.608", "°C")
    board.expect("throttled", "false")
    board.expect("lm75_1-0048_temp1", "21.5", "°C")
    board.expect("lm75_1-0049_temp1", "-1.5", "°C", quality: "alarm")
    board.expect("ina219_in0", "0.012", "V")
    board.expect("ina219_in1", "5.048", "V")
    board.expect("ina219_curr1", "1.2", "A")
    board.expect("ina219_power1", "6.06", "W")
    board.expect("bme280_temp", "22.36", "°C")
    board.expect("bme280_pressure", "995.84609375", "hPa")
    board.expect("bme280_humidityrelative", "46.254", "%RH")
    board.expect("i2c-1_1-004a_voltage0", "3.321", "V")
    board.expect("i2c-1_1-004b_voltage0", "6.642", "V")
    return board
  }()

  /// A Raspberry Pi 5 with its fan and the converter of its RP1.
  package static let raspberryPi5: Board = {
    var board = Board("Raspberry Pi 5", cores: 4, kilobytes: 8_245_000)
    board.thermalZone(0, "cpu-thermal", 44600, critical: 110_000)
    board.hwmonOfZone(0, "cpu_thermal", zone: 0, 44600)
    board.hwmon(
      1, "rp1_adc", at: "platform/axi/1000120000.pcie/1f000c8000.adc",
      [
        "in1_input": "1467", "in2_input": "2530", "in3_input": "1402", "in4_input": "1432", "temp1_input": "47125",
      ])
    board.hwmon(2, "pwmfan", at: "platform/cooling_fan", ["fan1_input": "2411", "pwm1": "75", "pwm1_enable": "1"])
    board.firmware("soc@107c000000/soc@107c000000:firmware", flags: "8", chip: 3, isUnderVoltage: false)
    board.loopback()
    board.interface("eth0", state: "down", at: "platform/axi/1000120000.pcie/1f00100000.ethernet")
    board.expect("cpu-thermal", "44.6", "°C")
    board.expect("throttled", "true")
    for (channel, value) in [("in1", "1.467"), ("in2", "2.53"), ("in3", "1.402"), ("in4", "1.432")] {
      board.expect("rp1_adc_\(channel)", value, "V")
    }
    board.expect("rp1_adc_temp1", "47.125", "°C")
    board.expect("pwmfan_fan1", "2411", "rpm")
    board.expect("pwmfan_pwm1", "75")
    return board
  }()

  /// A BeagleBone Black: converters of its processor without a scale, the charger of its TPS65217, an eMMC.
  package static let beagleBone: Board = {
    var board = Board("BeagleBone Black", cores: 1, kilobytes: 494_000)
    let bus = "platform/ocp/44c00000.interconnect/44e0b000.target-module/44e0b000.i2c/i2c-0"
    board.iio(
      0, "TI-am335x-adc.0.auto", at: "platform/ocp/44e0d000.tscadc/TI-am335x-adc.0.auto",
      ["in_voltage0_raw": "2048", "in_voltage1_raw": "4095"])
    board.device(
      "/sys/devices/\(bus)/0-0024/tps65217-charger/power_supply/tps65217-charger", in: "/sys/class/power_supply",
      ["type": "Mains", "online": "1", "uevent": "POWER_SUPPLY_NAME=tps65217-charger"])
    board.device(
      "/sys/devices/\(bus)/0-0055/power_supply/bq27000-battery", in: "/sys/class/power_supply",
      [
        "type": "Battery", "status": "Discharging", "capacity": "87", "voltage_now": "3912000",
        "current_now": "-321000", "charge_now": "1740000", "temp": "312", "time_to_empty_now": "19512",
        "technology": "Li-ion", "cycle_count": "12", "energy_now": "6806880", "manufacturer": "Texas Instruments",
      ])
    board.hwmon(
      0, "bq27000-battery", at: "\(bus)/0-0055/power_supply/bq27000-battery",
      ["in0_input": "3912", "curr1_input": "-321", "temp1_input": "31200"])
    board.files["/sys/devices/platform/ocp/481d8000.mmc/mmc_host/mmc1/mmc1:0001/life_time"] = "0x02 0x01\n"
    board.files["/sys/devices/platform/ocp/481d8000.mmc/mmc_host/mmc1/mmc1:0001/block/mmcblk1/size"] = "7471104\n"
    board.links["/sys/devices/platform/ocp/481d8000.mmc/mmc_host/mmc1/mmc1:0001/block/mmcblk1/device"] =
      "../../../mmc1:0001"
    board.links["/sys/block/mmcblk1"] =
      "../devices/platform/ocp/481d8000.mmc/mmc_host/mmc1/mmc1:0001/block/mmcblk1"
    board.loopback()
    board.interface("eth0", state: "up", at: "platform/ocp/4a100000.ethernet")
    board.expect("ti-am335x-adc_0_auto_voltage0", "2048")
    board.expect("ti-am335x-adc_0_auto_voltage1", "4095")
    board.expect("tps65217-charger_online", "1")
    board.expect("bq27000-battery_status", "\"Discharging\"")
    board.expect("bq27000-battery_capacity", "87", "%")
    board.expect("bq27000-battery_voltage_now", "3.912", "V")
    board.expect("bq27000-battery_current_now", "-0.321", "A")
    board.expect("bq27000-battery_charge_now", "1.74", "Ah")
    board.expect("bq27000-battery_energy_now", "6.80688", "Wh")
    board.expect("bq27000-battery_temp", "31.2", "°C")
    board.expect("bq27000-battery_time_to_empty_now", "19512", "s")
    board.expect("bq27000-battery_cycle_count", "12")
    board.expect("life_time_mmcblk1", "20", "%")
    return board
  }()

  /// A Radxa ROCK 5B: seven thermal zones, the converter of its RK3588, a fan, and the supply of its USB-C port.
  package static let rock5: Board = {
    var board = Board("Radxa ROCK 5B", cores: 8, kilobytes: 16_000_000)
    let zones = [
      "package-thermal", "bigcore0-thermal", "bigcore2-thermal", "littlecore-thermal", "center-thermal",
      "gpu-thermal", "npu-thermal",
    ]
    for (number, zone) in zones.enumerated() {
      board.thermalZone(number, zone, 40_000 + 923 * number, critical: 115_000)
      let millidegrees = 40_000 + 923 * number
      board.expect(zone, number == 0 ? "40" : "\(millidegrees / 1000).\(millidegrees % 1000)", "°C")
      board.hwmonOfZone(number, zone.replacing("-", with: "_"), zone: number, millidegrees)
    }
    let adc = "platform/fec10000.adc"
    var channels: [String: String] = ["in_voltage_scale": "0.439453125"]
    for channel in 0..<8 { channels["in_voltage\(channel)_raw"] = "\(channel * 512)" }
    board.iio(0, "fec10000.adc", at: adc, channels)
    for (channel, value) in ["0", "0.225", "0.45", "0.675", "0.9", "1.125", "1.35", "1.575"].enumerated() {
      board.expect("fec10000_adc_voltage\(channel)", value, "V")
    }
    board.hwmon(7, "pwmfan", at: "platform/pwm-fan", ["pwm1": "120"])
    board.expect("pwmfan_pwm1", "120")
    board.device(
      "/sys/devices/platform/feac0000.i2c/i2c-4/4-0022/power_supply/tcpm-source-psy-4-0022",
      in: "/sys/class/power_supply",
      ["type": "USB", "usb_type": "C [PD]", "online": "2", "voltage_now": "12000000", "current_max": "3000000"])
    board.expect("tcpm-source-psy-4-0022_online", "2")
    board.expect("tcpm-source-psy-4-0022_voltage_now", "12", "V")
    board.expect("tcpm-source-psy-4-0022_current_max", "3", "A")
    board.loopback()
    board.interface("enP4p65s0", state: "up", at: "platform/a41000000.pcie/pci0004:40/0004:40:00.0/0004:41:00.0")
    return board
  }()
}
