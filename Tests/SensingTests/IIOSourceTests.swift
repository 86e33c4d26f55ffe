import Testing

@testable import Measuring
@testable import Sensing

@Suite struct IIOSourceTests {
  let tree: TemporaryTree

  init() throws {
    tree = try TemporaryTree()
  }

  /// A device as sysfs has it: the bus links to it.
  func device(
    _ number: Int, _ name: String, label: String? = nil, at place: String = "i2c-1/1-0048",
    _ attributes: [String: String]
  ) throws {
    let folder = "/sys/devices/\(place)/iio:device\(number)"
    try tree.write(folder + "/name", name + "\n")
    if let label { try tree.write(folder + "/label", label + "\n") }
    for (attribute, content) in attributes { try tree.write("\(folder)/\(attribute)", content + "\n") }
    try tree.link("/sys/bus/iio/devices/iio:device\(number)", to: "../../../devices/\(place)/iio:device\(number)")
  }

  func source(_ device: String, _ channel: String) -> any SensorSource {
    SensorKind.iio(device: device, channel: channel).source(in: tree.root)
  }

  struct Case: Sendable, CustomTestStringConvertible {
    let channel: String
    let attributes: [String: String]
    let value: Value
    let unit: String?

    init(_ channel: String, _ attributes: [String: String], _ value: Value, _ unit: String?) {
      (self.channel, self.attributes, self.value, self.unit) = (channel, attributes, value, unit)
    }

    var testDescription: String { "\(channel) \(attributes)" }
  }

  /// Documentation/ABI/testing/sysfs-bus-iio, with numbers of real chips.
  static let cases = [
    // ADS1015: 3 mV a step. Its scale is its own.
    Case("in_voltage0", ["in_voltage0_raw": "1107", "in_voltage0_scale": "3"], .number(3.321), "V"),
    Case(
      "in_voltage0-voltage1", ["in_voltage0-voltage1_raw": "-16", "in_voltage-voltage_scale": "0.125"], .number(-0.002),
      "V"),
    // MCP3008: one scale for all.
    Case("in_voltage7", ["in_voltage7_raw": "512", "in_voltage_scale": "3.222656250"], .number(1.65), "V"),
    Case("in_voltage0_supply", ["in_voltage0_supply_raw": "2", "in_voltage_scale": "500"], .number(1), "V"),
    Case("in_current0", ["in_current0_raw": "250", "in_current0_scale": "2"], .number(0.5), "A"),
    Case("in_power0", ["in_power0_raw": "1234", "in_power_scale": "1"], .number(1.234), "W"),
    // HTS221: offset before scale.
    Case(
      "in_temp", ["in_temp_raw": "-100", "in_temp_offset": "3000.5", "in_temp_scale": "8"], .number(23.204), "°C"),
    // DHT11, BME280: processed by the driver.
    Case("in_temp", ["in_temp_input": "21500", "in_temp_raw": "7"], .number(21.5), "°C"),
    Case("in_humidityrelative", ["in_humidityrelative_input": "45300"], .number(45.3), "%RH"),
    Case("in_pressure", ["in_pressure_input": "101.325000"], .number(1013.25), "hPa"),
    Case("in_illuminance", ["in_illuminance_input": "320.500"], .number(320.5), "lx"),
    Case("in_intensity_ir", ["in_intensity_ir_raw": "88"], .integer(88), nil),
    Case("in_accel_x", ["in_accel_x_raw": "-1024", "in_accel_scale": "0.009577"], .number(-9.806848), "m/s²"),
    Case("in_anglvel_z", ["in_anglvel_z_raw": "10", "in_anglvel_scale": "0.001065"], .number(0.01065), "rad/s"),
    Case("in_magn_y", ["in_magn_y_raw": "456", "in_magn_y_scale": "0.001"], .number(45.6), "µT"),
    Case("in_concentration_co2", ["in_concentration_co2_input": "0.041500"], .number(415), "ppm"),
    Case(
      "in_concentration_voc", ["in_concentration_voc_raw": "3", "in_concentration_scale": "0.5"], .number(15_000), "ppm"
    ),
    Case("in_massconcentration_pm2p5", ["in_massconcentration_pm2p5_input": "12.3"], .number(12.3), "µg/m³"),
    Case("in_distance", ["in_distance_raw": "840", "in_distance_scale": "0.001"], .number(0.84), "m"),
    Case("in_proximity", ["in_proximity_raw": "840"], .integer(840), nil),
    Case("in_resistance", ["in_resistance_raw": "4096", "in_resistance_scale": "0.25"], .number(1024), "Ω"),
    Case("in_capacitance0", ["in_capacitance0_raw": "8", "in_capacitance0_scale": "0.5"], .number(4), "nF"),
    Case(
      "in_rot_from_north_magnetic", ["in_rot_from_north_magnetic_raw": "90", "in_rot_scale": "1"], .number(90), "°"),
    Case("in_steps", ["in_steps_input": "1234"], .integer(1234), nil),
    // The average that the driver keeps, at the scale of its channel.
    Case("in_voltage1_mean", ["in_voltage1_mean_raw": "10", "in_voltage1_scale": "100"], .number(1), "V"),
    // A scale so small that Swift prints it with an exponent.
    Case("in_voltage0", ["in_voltage0_raw": "5000000", "in_voltage_scale": "0.000000596"], .number(0.00298), "V"),
    // What a channel has of its own goes before what it shares.
    Case(
      "in_voltage0", ["in_voltage0_raw": "1000", "in_voltage0_scale": "2", "in_voltage_scale": "1"], .number(2), "V"),
  ]

  @Test("a channel is (raw + offset) × scale, or what the driver computed, in the usual unit", arguments: cases)
  func values(of example: Case) throws {
    try device(0, "chip", example.attributes)
    let measurement = try source("chip", example.channel).read()
    #expect(measurement.value == example.value)
    #expect(measurement.unit == example.unit)
  }

  @Test("a device is found by its name, its label, or its device's path")
  func names() throws {
    try device(0, "ads1015", label: "tank", at: "i2c-1/1-0048", ["in_voltage0_raw": "1"])
    try device(1, "ads1015", label: "soil", at: "i2c-1/1-0049", ["in_voltage0_raw": "2"])
    try device(2, "bme280", at: "i2c-1/1-0076", ["in_temp_input": "3000"])
    #expect(try source("soil", "in_voltage0").read().value == .integer(2))
    #expect(try source("bme280", "in_temp").read().value == .number(3))
    #expect(try source("i2c-1/1-0048", "in_voltage0").read().value == .integer(1))
    #expect(try source("/sys/devices/i2c-1/1-0049", "in_voltage0").read().value == .integer(2))
    #expect(
      complaint(of: source("ads1015", "in_voltage0"))
        == #"more than one iio device is named "ads1015": tank, soil; name one by its label or by its path"#)
  }

  @Test("a wrong device and a wrong channel list what there is")
  func wrongNames() throws {
    try device(3, "ads1015", label: "tank", ["in_voltage1_raw": "1", "in_voltage0_raw": "1", "in_voltage_scale": "2"])
    #expect(
      complaint(of: source("ads1115", "in_voltage0"))
        == #"no iio device is named "ads1115" in /sys/bus/iio/devices; there are: ads1015 (tank)"#)
    #expect(
      complaint(of: source("tank", "in_voltage2"))
        == #"no channel of iio device tank is named "in_voltage2" in /sys/bus/iio/devices/iio:device3; "#
        + "there are: in_voltage0, in_voltage1")
  }

  @Test("devices numbered anew are found again, though another took the number")
  func renumbering() throws {
    try device(0, "a", at: "x/a", ["in_temp_input": "1000"])
    try device(1, "b", at: "x/b", ["in_temp_input": "2000"])
    let (byName, byPath) = (source("a", "in_temp"), source("x/a", "in_temp"))
    #expect(try byName.read().value == .number(1) && byPath.read().value == .number(1))
    tree.remove("/sys")
    try device(1, "a", at: "x/a", ["in_temp_input": "1500"])
    try device(0, "b", at: "x/b", ["in_temp_input": "2000"])
    #expect(try byName.read().value == .number(1.5))
    #expect(try byPath.read().value == .number(1.5))
  }

  @Test("a gain that is set while we run counts")
  func gain() throws {
    try device(0, "adc", ["in_voltage0_raw": "100", "in_voltage_scale": "10"])
    let source = source("adc", "in_voltage0")
    #expect(try source.read().value == .number(1))
    try tree.write("/sys/bus/iio/devices/iio:device0/in_voltage_scale", "20\n")
    #expect(try source.read().value == .number(2))
  }

  @Test("what is no number is named with its file", arguments: ["in_temp_raw", "in_temp_scale", "in_temp_offset"])
  func text(attribute: String) throws {
    var attributes = ["in_temp_raw": "1", "in_temp_scale": "1", "in_temp_offset": "1"]
    attributes[attribute] = "0.1 0.2"
    try device(0, "x", attributes)
    #expect(
      complaint(of: source("x", "in_temp"))
        == "/sys/bus/iio/devices/iio:device0/\(attribute) contains \"0.1 0.2\": more than one word, one number was expected"
    )
  }

  @Test("a value past the range of numbers is refused")
  func overflow() throws {
    try device(0, "x", ["in_temp_raw": "1e308", "in_temp_scale": "1e308"])
    #expect(complaint(of: source("x", "in_temp"))?.contains("too large") == true)
  }

  @Test("a channel is found by its label, and the device's other attributes by their names")
  func labels() throws {
    try device(
      0, "ads1015",
      [
        "in_voltage0_raw": "1000", "in_voltage0_scale": "3", "in_voltage0_label": "soil", "in_voltage1_raw": "1",
        "in_voltage2_raw": "1", "in_voltage1_label": "x", "in_voltage2_label": "x", "sampling_frequency": "128",
      ])
    func source(_ selector: IIOSelector) -> any SensorSource {
      SensorKind.iio(device: "ads1015", selector: selector).source(in: tree.root)
    }
    let soil = try source(.label("soil")).read()
    #expect(SensorKind.iio(device: "ads1015", selector: .label("soil")).labelledChannel(in: tree.root) == "in_voltage0")
    #expect(soil.value == .number(3) && soil.unit == "V")
    #expect(try source(.attribute("sampling_frequency")).read().value == .integer(128))
    #expect(complaint(of: source(.label("air")))?.contains("in_voltage0 (soil)") == true)
    #expect(complaint(of: source(.label("x")))?.contains("in_voltage1, in_voltage2; use channel:") == true)
    #expect(complaint(of: source(.attribute("gain")))?.contains("sampling_frequency") == true)
    let found = FoundSensor.all(in: tree.root).filter { "\($0.kind)".hasPrefix("iio") }
    #expect(found.map(\.name) == ["ads1015_soil", "ads1015_voltage1", "ads1015_voltage2"])
    let first = source(.label("soil"))
    first.locate()
    #expect(first.bus == Bus("i2c-1", isSerial: true))
  }
}
