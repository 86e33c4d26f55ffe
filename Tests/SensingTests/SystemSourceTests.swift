import Testing

@testable import Measuring
@testable import Sensing

@Suite struct SystemSourceTests {
  let tree: TemporaryTree

  init() throws {
    tree = try TemporaryTree()
    try tree.write("/proc/loadavg", "0.52 1.08 0.59 1/389 4711\n")
    try tree.write("/proc/uptime", "350735.47 234388.90\n")
    try tree.write("/proc/meminfo", "MemTotal:        8000000 kB\nMemFree: 1 kB\nMemAvailable:    3420000 kB\n")
    try tree.write("/proc/stat", "cpu  400 50 50 1400 100 0 0 0 0 0\ncpu0 1 2 3 4 5 6 7 8 9 10\nbtime 1795176000\n")
    try tree.write(
      "/proc/net/wireless",
      """
      Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE
       face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22
       wlan0: 0000   58.  -52.  -256        0      0      0      0     12        0
       wlan1: 0000   70   -40   -256        0      0      0      0      0        0
      """)
    for counter in SystemWord.networkCounters {
      try tree.write("/sys/class/net/eth0/statistics/\(counter.rawValue)", "18446744073\n")
    }
    try tree.write("/sys/class/net/eth0/operstate", "up\n")
    try tree.write("/sys/class/net/lo/operstate", "unknown\n")
    try tree.write("/sys/block/mmcblk0/device/life_time", "0x02 0x01\n")
  }

  @Test(
    "values of /proc and /sys have their units",
    arguments: [
      (.load1, .number(0.52), nil), (.load5, .number(1.08), nil), (.load15, .number(0.59), nil),
      (.uptime, .number(350735.47), "s"), (.memoryAvailable, .integer(3_502_080_000), "B"),
      (.memoryTotal, .integer(8_192_000_000), "B"), (.memoryUsed, .number(57.25), "%"), (.cpu, .number(25), "%"),
      (.bootTime, .integer(1_795_176_000), "s"), (.wifiSignal(interface: "wlan0"), .integer(-52), "dBm"),
      (.wifiSignal(interface: "wlan1"), .integer(-40), "dBm"),
      (.network(.receivedBytes, interface: "eth0"), .integer(18_446_744_073), "B"),
      (.network(.sendErrors, interface: "eth0"), .integer(18_446_744_073), nil),
      (.operationalState(interface: "eth0"), .text("up"), nil),
      (.operationalState(interface: "lo"), .text("unknown"), nil),
      (.lifeTime(device: "mmcblk0"), .integer(20), "%"),
    ] as [(SystemValue, Value, String?)])
  func values(value: SystemValue, expected: Value, unit: String?) throws {
    let measurement = try SensorKind.system(value).source(in: tree.root).read()
    #expect(measurement.value == expected)
    #expect(measurement.unit == unit)
  }

  @Test(
    "this machine has them all",
    arguments: [
      .load1, .load5, .load15, .cpu, .memoryAvailable, .memoryTotal, .memoryUsed, .uptime, .bootTime,
      .clockSynchronized, .diskFree(path: "/"), .diskUsed(path: "/"), .network(.receivedBytes, interface: "lo"),
      .operationalState(interface: "lo"),
    ] as [SystemValue])
  func machine(value: SystemValue) throws {
    let measurement = try SensorKind.system(value).source().read()
    #expect(measurement.unit == value.unit)
  }

  @Test("cpu is of the time since the last reading, and stays between two ticks")
  func processor() throws {
    let source = SensorKind.system(.cpu).source(in: tree.root)
    #expect(try source.read().value == .number(25))
    #expect(try source.read().value == .number(25))
    try tree.write("/proc/stat", "cpu  475 50 50 1425 100 0 0 0 0 0\n")
    #expect(try source.read().value == .number(75))
    // Waiting goes back at times.
    try tree.write("/proc/stat", "cpu  576 50 50 1425 99 0 0 0 0 0\n")
    #expect(try source.read().value == .number(100))
    try tree.write("/proc/stat", "cpu  576 50\n")
    #expect(complaint(of: source)?.contains("has no cpu") == true)
  }

  @Test("disk values are those of the file system that the path is on")
  func disk() throws {
    tree.folder("/data")
    let free = try SensorKind.system(.diskFree(path: "/data")).source(in: tree.root).read().value.number
    let used = try #require(try SensorKind.system(.diskUsed(path: "/data")).source(in: tree.root).read().value.number)
    #expect(try #require(free) > 0)
    #expect((0...100).contains(used))
    let missing = SensorKind.system(.diskFree(path: "/none")).source(in: tree.root)
    #expect(complaint(of: missing) == "cannot resolve /none: No such file or directory")
    #expect(missing.bus != SensorKind.system(.load1).source().bus, "a mount may hang")
  }

  @Test(
    "an interface that is not there is named with those that are",
    arguments: [
      (
        .network(.receivedBytes, interface: "eth1"),
        #"no network interface is named "eth1" in /sys/class/net; there are: eth0, lo"#
      ),
      (
        .wifiSignal(interface: "wlan7"),
        #"no wireless interface is named "wlan7" in /proc/net/wireless; there are: wlan0, wlan1"#
      ),
    ] as [(SystemValue, String)])
  func noInterface(value: SystemValue, sentence: String) {
    #expect(complaint(of: SystemSource(value: value, root: tree.root)) == sentence)
  }

  @Test(
    "an eMMC that does not tell its life time says so, one past its end is at 110 %",
    arguments: [("0x00 0x00", nil), ("0x01 0x0b", 110), ("0x0b", nil), ("0x01 0x20", nil)] as [(String, Int64?)])
  func lifeTime(content: String, percent: Int64?) throws {
    try tree.write("/sys/block/mmcblk0/device/life_time", content + "\n")
    let source = SystemSource(value: .lifeTime(device: "mmcblk0"), root: tree.root)
    if let percent {
      #expect(try source.read().value == .integer(percent))
    } else {
      #expect(complaint(of: source)?.contains("does not report its life time") == true)
    }
  }

  @Test("under-voltage is the alarm of rpi_volt, or a flag of the firmware")
  func underVoltage() throws {
    let source = SensorKind.system(.underVoltage).source(in: tree.root)
    #expect(complaint(of: source)?.contains("not a Raspberry Pi") == true)
    let flags = "/sys/bus/platform/drivers/raspberrypi-firmware/soc:firmware/get_throttled"
    try tree.write(flags, "50005\n")
    #expect(try source.read().value == .flag(true))
    try tree.write("/sys/class/hwmon/hwmon3/name", "rpi_volt\n")
    try tree.write("/sys/class/hwmon/hwmon3/in0_lcrit_alarm", "0\n")
    #expect(try source.read().value == .flag(false))
  }

  @Test(
    "throttled is what holds now: capped, throttled or hot; not what was, and not the voltage",
    arguments: [("0", false), ("50000", false), ("1", false), ("2", true), ("4", true), ("8", true), ("e0008", true)])
  func throttled(content: String, isThrottled: Bool) throws {
    let flags = "/sys/bus/platform/drivers/raspberrypi-firmware/soc@107c000000:firmware/get_throttled"
    try tree.write(flags, content + "\n")
    tree.folder("/sys/bus/platform/drivers/raspberrypi-firmware/another")
    #expect(try SensorKind.system(.throttled).source(in: tree.root).read().value == .flag(isThrottled))
    try tree.write(flags, "yes\n")
    #expect(complaint(of: SystemSource(value: .throttled, root: tree.root))?.contains("contains \"yes\"") == true)
  }

  @Test("a kernel without MemAvailable, a short line and text are errors that name the file")
  func broken() throws {
    try tree.write("/proc/meminfo", "MemTotal: 1 kB\n")
    try tree.write("/proc/loadavg", "0.5 x")
    try tree.write("/proc/uptime", "")
    func complaint(_ value: SystemValue) -> String? {
      SensingTests.complaint(of: SystemSource(value: value, root: tree.root))
    }
    #expect(complaint(.memoryAvailable) == "/proc/meminfo has no MemAvailable; this kernel does not offer it")
    #expect(complaint(.load15) == "/proc/loadavg has no load15; this kernel does not offer it")
    #expect(complaint(.load5) == #"/proc/loadavg contains "x": text, one decimal number was expected"#)
    #expect(complaint(.uptime)?.contains("has no uptime") == true)
    try tree.write("/proc/meminfo", "MemAvailable: 9223372036854775807 kB\n")
    #expect(complaint(.memoryAvailable)?.hasSuffix("too large to represent") == true)
  }

  @Test(
    "an interface without a network has no signal, nor one whose driver counts in percent",
    arguments: [
      ("0000    0     0     0", "wlan0 is not connected to a network"),
      ("0000    0.    0.    0", "wlan0 is not connected to a network"),
      ("0000   60    78.    0", "the driver gives the level in percent, not in dBm"),
    ])
  func noSignal(row: String, sentence: String) throws {
    try tree.write("/proc/net/wireless", "Inter-|\n face |\n wlan0: \(row)        0      0\n")
    let source = SystemSource(value: .wifiSignal(interface: "wlan0"), root: tree.root)
    #expect(complaint(of: source) == "/proc/net/wireless: \(sentence)")
  }

  @Test("a wireless interface that the kernel does not list has no station")
  func unlisted() throws {
    tree.folder("/sys/class/net/wlan7/phy80211")
    let source = SystemSource(value: .wifiSignal(interface: "wlan7"), root: tree.root)
    #expect(complaint(of: source) == "/proc/net/wireless: wlan7 is not connected to a network")
  }

  @Test(
    "the space of a mount point where nothing is mounted is not the root's",
    arguments: [
      ("/mnt/usb", true), ("/media/pi/stick", true), ("/data/archive", true), ("/var", false), ("/", false),
      ("/data/other", false), ("/media/pi/music", false), ("/archive 2/x", true),
    ])
  func notMounted(path: String, isMissing: Bool) throws {
    for folder in [
      "/mnt/usb", "/media/pi/stick", "/data/archive", "/var", "/data/other", "/media/pi/music", "/archive 2/x",
    ] {
      tree.folder(folder)
    }
    try tree.write(
      "/etc/fstab",
      "# x\nUUID=1 / ext4 defaults 0 1\n/dev/sda1 /data/archive ext4 nofail 0 2\n"
        + "/dev/sda2\t/archive\\0402 ext4 nofail 0 2\n/dev/sda3 none swap sw 0 0\n")
    try tree.write(
      "/proc/self/mountinfo",
      "21 1 179:2 / / rw,noatime shared:1 - ext4 /dev/root rw\n"
        + "40 21 8:1 / /media/pi/music rw shared:20 - vfat /dev/sdb1 rw\n")
    let message = complaint(of: SystemSource(value: .diskFree(path: path), root: tree.root))
    #expect((message?.contains("nothing is mounted at") == true) == isMissing, "\(message ?? "-")")
    if !isMissing { #expect(message == nil) }
  }
}
