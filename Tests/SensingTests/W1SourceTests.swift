import Testing

@testable import Measuring
@testable import Sensing

@Suite struct W1SourceTests {
  let tree: TemporaryTree
  let conversions = W1Conversions()

  init() throws {
    tree = try TemporaryTree()
  }

  /// A sensor as sysfs has it: below its bus master, the bus links to both.
  func sensor(_ id: String, master: Int = 1, _ attributes: [String: String]) throws {
    let folder = "/sys/devices/w1_bus_master\(master)/\(id)"
    for (attribute, content) in attributes { try tree.write("\(folder)/\(attribute)", content) }
    try tree.link("/sys/bus/w1/devices/\(id)", to: "../../../devices/w1_bus_master\(master)/\(id)")
  }

  func source(_ id: String) -> any SensorSource {
    SensorKind.w1(id: id).source(in: tree.root, thermometers: conversions)
  }

  func bulkRead(_ master: Int = 1) -> String? {
    try? tree.root.text(of: "/sys/devices/w1_bus_master\(master)/therm_bulk_read")
  }

  @Test(
    "temperature is in millidegrees",
    arguments: [("23125\n", 23.125), ("-62", -0.062), ("84938\n", 84.938)])
  func temperature(content: String, value: Double) throws {
    try sensor("28-0316a2795bff", ["temperature": content, "w1_slave": "nonsense"])
    let measurement = try source("28-0316a2795bff").read()
    #expect(measurement.value == .number(value))
    #expect(measurement.unit == "°C" && measurement.doubt == nil)
  }

  @Test("without temperature, w1_slave is read with its checksum")
  func slave() throws {
    // The example of Documentation/w1/slaves/w1_therm.rst's format, with a true checksum.
    let bytes: [UInt8] = [0x72, 0x01, 0x4B, 0x46, 0x7F, 0xFF, 0x0E, 0x10]
    let crc = W1Slave.checksum(of: bytes)
    let hex = (bytes + [crc]).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
    #expect(crc == 0x57)
    try sensor("28-000000000001", ["w1_slave": "\(hex) : crc=57 YES\n\(hex) t=23125\n"])
    #expect(try source("28-000000000001").read().value == .number(23.125))
  }

  @Test(
    "an answer that cannot be right is none",
    arguments: [
      (
        "72 01 4b 46 7f ff 0e 10 57 : crc=57 NO\n72 01 4b 46 7f ff 0e 10 57 t=23125\n",
        "the checksum of the sensor's answer is wrong; check its wiring and power"
      ),
      (
        "73 01 4b 46 7f ff 0e 10 57 : crc=57 YES\n73 01 4b 46 7f ff 0e 10 57 t=23187\n",
        "the checksum of the sensor's answer is wrong; check its wiring and power"
      ),
      (
        "00 00 00 00 00 00 00 00 00 : crc=00 YES\n00 00 00 00 00 00 00 00 00 t=0\n",
        "the sensor's answer is all zeros; check the bus for a short circuit"
      ),
      ("", "not the two lines of a 1-Wire thermometer"), ("t=1\n", "not the two lines of a 1-Wire thermometer"),
    ])
  func wrongAnswers(content: String, sentence: String) throws {
    try sensor("28-000000000001", ["w1_slave": content])
    #expect(complaint(of: source("28-000000000001")) == "/sys/bus/w1/devices/28-000000000001/w1_slave: \(sentence)")
  }

  @Test("an empty temperature is how the driver says that there is none")
  func empty() throws {
    try sensor("28-000000000001", ["temperature": ""])
    #expect(
      complaint(of: source("28-000000000001"))
        == "/sys/bus/w1/devices/28-000000000001/temperature: the sensor gave no valid answer; check its wiring and power"
    )
  }

  @Test("85 °C that stays when it is read again is uncertain")
  func powerUp() throws {
    try sensor("28-000000000001", ["temperature": "85000\n"])
    let measurement = try source("28-000000000001").read()
    #expect(measurement.value == .number(85))
    #expect(measurement.doubt?.grade == .uncertain)
  }

  @Test("85 °C is read again before it is believed, other temperatures are not", arguments: [85_000, 84_938])
  func powerUpOnce(first: Int64) throws {
    var answers = [first, 21_000]
    let (millidegrees, doubt) = try W1Source.believed { () throws(SensorError) in answers.removeFirst() }
    #expect(millidegrees == (first == 85_000 ? 21_000 : first) && doubt == nil)
  }

  @Test("one sensor alone converts by itself; with a second, the master converts for both, once a round")
  func bulk() throws {
    let (first, second) = ("28-000000000001", "28-000000000002")
    try sensor(first, ["temperature": "1000\n"])
    try sensor(second, ["temperature": "2000\n"])
    let bulk = "/sys/devices/w1_bus_master1/therm_bulk_read"
    try tree.write(bulk, "0\n")
    let (a, b) = (source(first), source(second))
    #expect(try a.read().value == .number(1))
    #expect(bulkRead() == "0")
    #expect(try b.read().value == .number(2))
    #expect(bulkRead() == "trigger")
    try tree.write(bulk, "0\n")
    #expect(try a.read().value == .number(1))
    #expect(bulkRead() == "0", "it belongs to the conversion that has just ended")
    #expect(try a.read().value == .number(1))
    #expect(bulkRead() == "trigger", "a second read needs a conversion of its own")
  }

  @Test("where the master has no bulk conversion, or lets nobody start one, each sensor converts by itself")
  func noBulk() throws {
    for id in ["28-000000000001", "28-000000000002"] { try sensor(id, ["temperature": "1000\n"]) }
    for _ in 1...2 {
      #expect(try source("28-000000000001").read().value == .number(1))
      #expect(try source("28-000000000002").read().value == .number(1))
    }
  }

  @Test("sensors of different masters are no reason for a bulk conversion")
  func masters() throws {
    try sensor("28-000000000001", master: 1, ["temperature": "1000\n"])
    try sensor("28-000000000002", master: 2, ["temperature": "2000\n"])
    for master in 1...2 { try tree.write("/sys/devices/w1_bus_master\(master)/therm_bulk_read", "0\n") }
    _ = try source("28-000000000001").read()
    _ = try source("28-000000000002").read()
    #expect(bulkRead(1) == "0" && bulkRead(2) == "0")
  }

  @Test("a sensor that is gone is named with those that are there, and read again when it is back on any master")
  func gone() throws {
    try sensor("28-000000000001", ["temperature": "1000\n"])
    try sensor("10-000000000002", ["temperature": "2000\n"])
    tree.folder("/sys/bus/w1/devices/w1_bus_master1")
    let source = source("28-000000000001")
    #expect(try source.read().value == .number(1))
    tree.remove("/sys/bus/w1/devices/28-000000000001")
    tree.remove("/sys/devices/w1_bus_master1/28-000000000001")
    #expect(
      complaint(of: source)
        == "no 1-Wire sensor is named \"28-000000000001\" in /sys/bus/w1/devices; there are: 10-000000000002")
    try sensor("28-000000000001", master: 2, ["temperature": "3000\n"])
    #expect(try source.read().value == .number(3))
  }

  @Test("the sensors of one master share a bus on which one is read at a time; those of another do not wait for it")
  func bus() throws {
    let ids = ["28-000000000001", "28-000000000002", "28-000000000003"]
    for (id, master) in zip(ids, [1, 1, 2]) { try sensor(id, master: master, ["temperature": "1000\n"]) }
    let sources = ids.map { source($0) }
    #expect(Set(sources.map(\.bus)) == [Bus("w1", isSerial: true)], "nothing is opened before the first read")
    // One read finds the masters of all: it may hang itself.
    _ = try sources[0].read()
    #expect(sources.map(\.bus) == [1, 1, 2].map { Bus("w1 w1_bus_master\($0)", isSerial: true) })
  }

  @Test("a sensor that is put to another master is read on that one's bus")
  func otherMaster() throws {
    try sensor("28-000000000001", master: 1, ["temperature": "1000\n"])
    let source = source("28-000000000001")
    _ = try source.read()
    tree.remove("/sys/bus/w1/devices/28-000000000001")
    #expect(complaint(of: source) != nil)
    #expect(source.bus.name == "w1 w1_bus_master1")
    try sensor("28-000000000001", master: 2, ["temperature": "2000\n"])
    _ = try source.read()
    #expect(source.bus.name == "w1 w1_bus_master2")
  }

  @Test("a sensor that is not read any more is no reason for a bulk conversion")
  func forgotten() throws {
    let ids = ["28-000000000001", "28-000000000002"]
    for id in ids { try sensor(id, ["temperature": "1000\n"]) }
    try tree.write("/sys/devices/w1_bus_master1/therm_bulk_read", "0\n")
    let first = source(ids[0])
    _ = try first.read()
    _ = try source(ids[1]).read()
    #expect(bulkRead() == "trigger")
    try tree.write("/sys/devices/w1_bus_master1/therm_bulk_read", "0\n")
    conversions.keep(only: [ids[0]])
    for _ in 1...2 { _ = try first.read() }
    #expect(bulkRead() == "0")
  }

  @Test("0 °C is believed when the sensor's memory says so; a bus that is shorted to ground has zeros only")
  func zero() throws {
    let id = "28-000000000001"
    let memory = "00 00 4b 46 7f ff 0c 10 3c"
    let crc = W1Slave.checksum(of: [0x00, 0x00, 0x4B, 0x46, 0x7F, 0xFF, 0x0C, 0x10])
    let bytes = memory.dropLast(2) + (crc < 16 ? "0" : "") + String(crc, radix: 16)
    try sensor(id, ["temperature": "0\n", "w1_slave": "\(bytes) : crc=xx YES\n\(bytes) t=0\n"])
    #expect(try source(id).read().value == .number(0))
    let zeros = "00 00 00 00 00 00 00 00 00"
    try tree.write("/sys/devices/w1_bus_master1/\(id)/w1_slave", "\(zeros) : crc=00 YES\n\(zeros) t=0\n")
    #expect(complaint(of: source(id))?.contains("check the bus for a short circuit") == true)
  }

  @Test("a DS2438 counts in 1/256 °C")
  func batteryMonitor() throws {
    try sensor("26-000000000001", ["temperature": "6016\n"])
    #expect(try self.source("26-000000000001").read().value == .number(23.5))
    try sensor("26-000000000002", ["temperature": "0\n", "vad": "245\n", "vdd": "500\n", "iad": "0\n", "pages": "x\n"])
    func source(_ attribute: String) -> any SensorSource {
      SensorKind.w1(id: "26-000000000002", attribute: attribute).source(in: tree.root, thermometers: conversions)
    }
    let voltage = try source("vad").read()
    #expect(voltage.value == .number(2.45) && voltage.unit == "V")
    #expect(try self.source("26-000000000002").read().value == .number(0))
    #expect(try source("pages").read().value == .text("x"))
    #expect(try source("iad").read().value.number == 0)
    for name in ["vad", "vdd"] { try tree.write("/sys/devices/w1_bus_master1/26-000000000002/\(name)", "0\n") }
    for name in ["vad", "iad"] {
      #expect(complaint(of: source(name))?.contains("check the bus for a short circuit") == true, "\(name)")
    }
  }

  @Test("a bulk conversion that fails once is tried again")
  func bulkAgain() throws {
    let ids = ["28-000000000001", "28-000000000002"]
    for id in ids { try sensor(id, ["temperature": "1000\n"]) }
    let sources = ids.map { source($0) }
    for source in sources { _ = try source.read() }
    try tree.write("/sys/devices/w1_bus_master1/therm_bulk_read", "0\n")
    for source in sources { _ = try source.read() }
    #expect(bulkRead() == "trigger")
  }
}
