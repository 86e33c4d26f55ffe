import Testing

@testable import Measuring
@testable import Sensing

@Suite struct BoardHealthTests {
  let tree: TemporaryTree

  init() throws {
    tree = try TemporaryTree()
    try tree.write("/sys/fs/ext4/mmcblk0p2/errors_count", "3\n")
    tree.folder("/sys/fs/ext4/features")
    try tree.write("/sys/block/mmcblk0/device/pre_eol_info", "0x02\n")
    try tree.write("/proc/pressure/io", "some avg10=1.25 avg60=0.50 avg300=0.10 total=9\nfull avg10=0.00 total=1\n")
    try tree.write("/sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq", "1500000\n")
    try tree.write("/sys/class/watchdog/watchdog0/bootstatus", "32\n")
    try tree.write("/sys/class/rtc/rtc0/battery_voltage", "2985000\n")
    try tree.write("/sys/class/net/eth0/speed", "1000\n")
    try tree.write("/sys/class/net/eth1/speed", "-1\n")
  }

  @Test(
    "what tells of a board's end is read",
    arguments: [
      (SystemValue(.fileSystemErrors, of: "mmcblk0p2"), .integer(3), nil),
      (SystemValue(.spareBlocks, of: "mmcblk0"), .text("warning"), nil),
      (SystemValue(.diskPressure), .number(1.25), "%"),
      (SystemValue(.processorFrequency), .number(1500), "MHz"), (SystemValue(.watchdogReset), .flag(true), nil),
      (SystemValue(.clockBattery), .number(2.985), "V"),
      (SystemValue(.linkSpeed, of: "eth0"), .integer(1000), "Mbit/s"),
      (SystemValue(.readOnly, of: "/proc"), .flag(false), nil),
    ] as [(SystemValue, Value, String?)])
  func values(value: SystemValue, expected: Value, unit: String?) throws {
    let measurement = try SensorKind.system(value).source(in: tree.root).read()
    #expect(measurement.value == expected)
    #expect(measurement.unit == unit)
  }

  @Test("the addresses of an interface are those of this machine")
  func addresses() throws {
    try tree.write("/sys/class/net/lo/operstate", "unknown\n")
    let source = SensorKind.system(SystemValue(.addresses, of: "lo")).source(in: tree.root)
    guard case .text(let text) = try source.read().value else { return #expect(Bool(false)) }
    #expect(text.split(separator: ", ").first == "127.0.0.1", "\(text)")
    #expect(
      SensingTests.complaint(of: SystemSource(value: SystemValue(.addresses, of: "no0"), root: tree.root))?
        .contains("no0") == true)
  }

  @Test("a scan offers whether the system can still write")
  func readOnlyIsFound() {
    #expect(FoundSensor.all(in: tree.root).contains { $0.name == "read_only" })
  }

  @Test("what is not there, or says nothing, is an error that says so")
  func missing() throws {
    func complaint(_ value: SystemValue) -> String? {
      SensingTests.complaint(of: SystemSource(value: value, root: tree.root))
    }
    #expect(complaint(SystemValue(.linkSpeed, of: "eth1"))?.contains("the link of eth1 is down") == true)
    try tree.write("/sys/block/mmcblk0/device/pre_eol_info", "0x00\n")
    #expect(complaint(SystemValue(.spareBlocks, of: "mmcblk0"))?.contains("does not report its spare blocks") == true)
    try tree.write("/sys/class/watchdog/watchdog0/bootstatus", "0\n")
    #expect(try SensorKind.system(SystemValue(.watchdogReset)).source(in: tree.root).read().value == .flag(false))
    #expect(complaint(SystemValue(.memoryPressure))?.contains("/proc/pressure/memory") == true)
  }

  @Test("a scan proposes those that the board has")
  func found() {
    let names = Set(FoundSensor.all(in: tree.root).map(\.name))
    #expect(names.isSuperset(of: ["fs_errors_mmcblk0p2", "pre_eol_info_mmcblk0", "watchdog_reset", "rtc_battery"]))
  }
}
