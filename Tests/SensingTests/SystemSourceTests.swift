import Testing

@testable import Sensing

@Suite struct SystemSourceTests {
  let tree: TemporaryTree

  init() throws {
    tree = try TemporaryTree()
    try tree.write("/proc/loadavg", "0.52 1.08 0.59 1/389 4711\n")
    try tree.write("/proc/uptime", "350735.47 234388.90\n")
    try tree.write("/proc/meminfo", "MemTotal:        8000000 kB\nMemFree: 1 kB\nMemAvailable:    3419980 kB\n")
  }

  @Test(
    "values of /proc have their units",
    arguments: [
      (.load1, .number(0.52), nil), (.load5, .number(1.08), nil), (.load15, .number(0.59), nil),
      (.uptime, .number(350735.47), "s"), (.memoryAvailable, .integer(3_502_059_520), "B"),
    ] as [(SystemValue, Value, String?)])
  func values(value: SystemValue, expected: Value, unit: String?) throws {
    let measurement = try SensorKind.system(value).source(in: tree.root).read()
    #expect(measurement.value == expected)
    #expect(measurement.unit == unit)
  }

  @Test("this machine has them all", arguments: SystemValue.allCases)
  func machine(value: SystemValue) throws {
    _ = try SensorKind.system(value).source().read()
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
    #expect(complaint(.load5) == #"/proc/loadavg holds "x": text, one decimal number was expected"#)
    #expect(complaint(.uptime)?.contains("has no uptime") == true)
    try tree.write("/proc/meminfo", "MemAvailable: 9223372036854775807 kB\n")
    #expect(complaint(.memoryAvailable)?.hasSuffix("too large to represent") == true)
  }
}
