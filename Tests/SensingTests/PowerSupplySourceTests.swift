import Testing

@testable import Measuring
@testable import Sensing

@Suite struct PowerSupplySourceTests {
  let tree: TemporaryTree

  init() throws {
    tree = try TemporaryTree()
  }

  func source(_ property: String, of supply: String = "BAT0") -> any SensorSource {
    SensorKind.powerSupply(supply: supply, property: property).source(in: tree.root)
  }

  @Test(
    "properties are in the usual units, as the ABI's micro and tenths are divided out",
    arguments: [
      ("capacity", "87", .integer(87), "%"), ("voltage_now", "12034000", .number(12.034), "V"),
      ("voltage_min_design", "10800000", .number(10.8), "V"), ("current_now", "-512000", .number(-0.512), "A"),
      ("input_current_limit", "500000", .number(0.5), "A"), ("constant_charge_current", "2000000", .number(2), "A"),
      ("charge_term_current", "100000", .number(0.1), "A"), ("power_now", "9876000", .number(9.876), "W"),
      ("input_power_limit", "15000000", .number(15), "W"), ("energy_now", "48320000", .number(48.32), "Wh"),
      ("energy_full_design", "50000000", .number(50), "Wh"), ("charge_now", "2400000", .number(2.4), "Ah"),
      ("charge_counter", "1", .number(0.000001), "Ah"), ("temp", "312", .number(31.2), "°C"),
      ("temp_ambient", "-15", .number(-1.5), "°C"), ("temp_alert_max", "600", .number(60), "°C"),
      ("time_to_empty_now", "5400", .integer(5400), "s"), ("internal_resistance", "80000", .number(0.08), "Ω"),
      ("cycle_count", "123", .integer(123), nil), ("online", "1", .integer(1), nil), ("present", "1", .integer(1), nil),
      ("charge_control_limit", "3", .integer(3), nil), ("charge_control_end_threshold", "80", .integer(80), "%"),
      ("status", "Not charging", .text("Not charging"), nil), ("health", "Good", .text("Good"), nil),
      ("charge_type", "Fast", .text("Fast"), nil), ("capacity_level", "Normal", .text("Normal"), nil),
      ("technology", "Li-ion", .text("Li-ion"), nil),
    ] as [(String, String, Value, String?)])
  func properties(property: String, content: String, value: Value, unit: String?) throws {
    try tree.write("/sys/class/power_supply/BAT0/\(property)", content + "\n")
    let measurement = try source(property).read()
    #expect(measurement.value == value)
    #expect(measurement.unit == unit)
    #expect(SensorKind.powerSupply(supply: "BAT0", property: property).unit == unit)
  }

  @Test("wrong names list what there is")
  func wrongNames() throws {
    for file in ["capacity", "status", "uevent", "type"] {
      try tree.write("/sys/class/power_supply/BAT0/\(file)", "x\n")
    }
    tree.folder("/sys/class/power_supply/BAT0/power")
    tree.folder("/sys/class/power_supply/AC")
    #expect(
      complaint(of: source("capacity", of: "BAT1"))
        == #"no power supply is named "BAT1" in /sys/class/power_supply; there are: AC, BAT0"#)
    #expect(
      complaint(of: source("voltage_now"))
        == #"no property of power supply BAT0 is named "voltage_now" in /sys/class/power_supply/BAT0; "#
        + "there are: capacity, status, type")
  }

  @Test("a number that is a text says so, and so does a property that is empty")
  func text() throws {
    try tree.write("/sys/class/power_supply/BAT0/capacity", "full\n")
    #expect(complaint(of: source("capacity"))?.contains(#"contains "full": text"#) == true)
    try tree.write("/sys/class/power_supply/BAT0/capacity", "")
    #expect(complaint(of: source("capacity"))?.contains("is empty") == true)
  }
}
