import Testing

@testable import LimpetInstants
@testable import LimpetPlatform
@testable import Measuring
@testable import Sensing

@Suite struct ThermalSourceTests {
  let tree: TemporaryTree

  init() throws {
    tree = try TemporaryTree()
    try zone(0, "cpu-thermal", "47774")
    try zone(1, "gpu-thermal", "-1500")
    try tree.write("/sys/class/thermal/cooling_device0/type", "cpu-thermal")
  }

  func zone(_ number: Int, _ type: String, _ temp: String) throws {
    let device = "/sys/devices/virtual/thermal/thermal_zone\(number)"
    try tree.write(device + "/type", type + "\n")
    try tree.write(device + "/temp", temp + "\n")
    try tree.link("/sys/class/thermal/thermal_zone\(number)", to: "../../devices/virtual/thermal/thermal_zone\(number)")
  }

  @Test("millidegrees become degrees, measured when the read returned")
  func reading() throws {
    let before = BootClock.now
    let measurement = try SensorKind.thermal(zone: "cpu-thermal").source(in: tree.root).read()
    #expect(measurement.value == .number(47.774))
    #expect(measurement.unit == "°C")
    #expect(measurement.time >= before && measurement.time <= .now)
    #expect(try SensorKind.thermal(zone: "gpu-thermal").source(in: tree.root).read().value == .number(-1.5))
  }

  @Test("a zone numbered anew is found again in the same read")
  func renumbering() throws {
    let source = ThermalSource(zone: "cpu-thermal", root: tree.root)
    _ = try source.read()
    tree.remove("/sys/class/thermal/thermal_zone0")
    try zone(7, "cpu-thermal", "50000")
    #expect(try source.read().value == .number(50))
  }

  @Test("another zone under the old number is never taken for it")
  func swapped() throws {
    let source = ThermalSource(zone: "cpu-thermal", root: tree.root)
    _ = try source.read()
    try tree.write("/sys/class/thermal/thermal_zone0/type", "gpu-thermal")
    try tree.write("/sys/class/thermal/thermal_zone1/type", "cpu-thermal")
    #expect(try source.read().value == .number(-1.5))
  }

  @Test("two zones of one type are ambiguous, and both are named")
  func ambiguous() throws {
    try zone(10, "cpu-thermal", "1")
    let complaint = complaint(of: ThermalSource(zone: "cpu-thermal", root: tree.root))
    #expect(
      complaint == """
        more than one thermal zone is named "cpu-thermal": /sys/class/thermal/thermal_zone0/temp, \
        /sys/class/thermal/thermal_zone10/temp; name one attribute by its path, with type: file
        """)
  }

  @Test("a wrong name lists the right ones")
  func wrongName() throws {
    #expect(
      complaint(of: ThermalSource(zone: "cpu", root: tree.root))
        == #"no thermal zone is named "cpu" in /sys/class/thermal; there are: cpu-thermal, gpu-thermal"#)
  }

  @Test("a long list of names is cut")
  func manyNames() throws {
    for number in 2..<40 { try zone(number, "zone\(number)", "1") }
    let complaint = complaint(of: ThermalSource(zone: "cpu", root: tree.root)) ?? ""
    #expect(complaint.hasSuffix("zone11 and 28 more"))
  }

  @Test("a kernel without the class says so")
  func noClass() throws {
    let complaint = complaint(of: ThermalSource(zone: "cpu", root: try TemporaryTree().root)) ?? ""
    #expect(complaint.contains("there is none at all in /sys/class/thermal"))
  }

  @Test("a zone that comes back after it was gone is read again")
  func comesBack() throws {
    let source = ThermalSource(zone: "cpu-thermal", root: tree.root)
    _ = try source.read()
    try tree.move("/sys/class/thermal/thermal_zone0", to: "/aside")
    #expect(complaint(of: source)?.contains("no thermal zone") == true)
    try tree.move("/aside", to: "/sys/class/thermal/thermal_zone0")
    #expect(try source.read().value == .number(47.774))
  }

  @Test("another attribute of a zone is read by its name")
  func attribute() throws {
    let folder = "/sys/class/thermal/thermal_zone0"
    for (name, content) in [("type", "cpu\n"), ("trip_point_0_temp", "80000\n"), ("policy", "step_wise\n")] {
      try tree.write("\(folder)/\(name)", content)
    }
    func source(_ attribute: String) -> ThermalSource {
      ThermalSource(zone: "cpu", attribute: attribute, root: tree.root)
    }
    let limit = try source("trip_point_0_temp").read()
    #expect(limit.value == .number(80) && limit.unit == "°C")
    #expect(try source("policy").read().value == .text("step_wise"))
  }
}
