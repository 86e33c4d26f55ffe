import LimpetPlatform
import Measuring
import Testing

@testable import Sensing

@Suite("The record of what is driven") struct OutputRecordTests {
  private let tree: TemporaryTree
  private var path: String { tree.path + "/outputs" }

  init() throws { tree = try TemporaryTree() }

  private var entries: [OutputRecord.Entry] {
    [
      OutputRecord.Entry(
        request: .gpio(
          GPIOOutput(
            chip: "pinctrl-bcm2711", device: "/sys/devices/platform/soc/fe200000.gpio", line: .offset(27), bias: .up,
            isActiveLow: true, drive: .openDrain)),
        safe: .level(.off)),
      OutputRecord.Entry(
        request: .gpio(GPIOOutput(chip: nil, line: .name("A=B\tC%D\nE"))), safe: .untouched),
      OutputRecord.Entry(
        request: .pwm(PWMOutput(device: "/sys/a", channel: 3, frequency: 1.5, isInverted: true)),
        safe: .level(OutputLevel(percent: 12.5))),
      OutputRecord.Entry(request: .led("ACT:green"), safe: .level(.on)),
      OutputRecord.Entry(request: .backlight("10-0045"), safe: .level(.off)),
      OutputRecord.Entry(
        request: .fan(FanOutput(chip: "pwmfan", device: "/sys/b", channel: "pwm1")), safe: .former, former: "2"),
    ]
  }

  @Test("what is written is read back")
  func roundTrip() throws {
    try OutputRecord.write(entries, path)
    #expect(try OutputRecord.read(path) == entries)
    try OutputRecord.write([], path)
    #expect(!FileRoot().exists(path))
  }

  @Test(
    "a line that is no output is left out",
    arguments: [
      "", "limpet", "type=gpio\tchip=a\tsafe=0.0", "type=led\tname=a", "type=led\tname=a\tsafe=101",
      "type=led\tname=a\tsafe=x", "type=pwm\tdevice=a\tchannel=0\tfrequency=0.0\tinverted=false\tsafe=0",
      "type=relay\tname=a\tsafe=0.0", "type=gpio\tbias=up\tdrive=sideways\tactive_low=true\toffset=1\tsafe=0.0",
    ])
  func junk(_ line: String) throws {
    try tree.write("/outputs", line + "\ntype=led\tname=b\tsafe=0.0\n")
    #expect(
      try OutputRecord.read(path) == [OutputRecord.Entry(request: .led("b"), safe: .level(.off), former: nil)])
  }

  @Test("how an output is left may change while it is held")
  func secures() throws {
    let bench = OutputBench(FakeOutputs(), record: OutputRecord(path: path))
    try bench.it.hold(0, .led("pump"), .on, adopts: false, safe: .level(.on))
    _ = try bench.held(0)
    try bench.it.secure(0, .untouched)
    let pump = OutputRecord.Entry(request: .led("pump"), safe: .untouched)
    try wait(for: "the record") { (try? OutputRecord.read(path)) == [pump] }
    try bench.it.release(0, .untouched)
    try bench.released(0)
  }

  @Test("it stands before an output is requested, until that is let go of; one that fails stays")
  func course() throws {
    let fakes = FakeOutputs()
    let bench = OutputBench(fakes, record: OutputRecord(path: path))
    fakes.hang("pump")
    try bench.it.hold(0, .led("pump"), .on, adopts: false, safe: .level(.off))
    // The request hangs, and the record is there already.
    let pump = OutputRecord.Entry(request: .led("pump"), safe: .level(.off))
    try wait(for: "the record") { (try? OutputRecord.read(path)) == [pump] }
    fakes.answer("pump")
    _ = try bench.held(0)
    try bench.it.hold(1, .led("lamp"), .on, adopts: false, safe: .untouched)
    _ = try bench.held(1)
    #expect(
      try OutputRecord.read(path) == [pump, OutputRecord.Entry(request: .led("lamp"), safe: .untouched)])
    try bench.it.release(1, .untouched)
    try bench.released(1)
    #expect(try OutputRecord.read(path) == [pump])
    fakes.change { $0.failing = ["pump"] }
    try bench.it.release(0, .level(.off))
    try bench.released(0)
    #expect(try bench.failed(0) == "pump: the device is gone")
    #expect(try OutputRecord.read(path) == [pump])
    try bench.stop()
  }

  private let lamp = OutputRecord.Entry(request: .led("lamp"), safe: .level(.off))
  private let pump = OutputRecord.Entry(request: .led("pump"), safe: .level(.off))

  @Test("what is let go of while it is not held stays, unless it is to be left as it is")
  func unheld() throws {
    let fakes = FakeOutputs()
    let bench = OutputBench(fakes, record: OutputRecord(path: path))
    for (place, name) in ["pump", "lamp"].enumerated() {
      try bench.it.hold(place, .led(name), .off, adopts: false, safe: .level(.off))
      _ = try bench.held(place)
    }
    fakes.change {
      $0.failing = ["pump", "lamp"]
      $0.missing = ["pump", "lamp"]
    }
    for place in [0, 1] {
      try bench.it.drive(place, .off, number: 1)
      _ = try bench.failed(place)
    }
    try bench.it.release(0, .level(.off))
    try bench.it.release(1, .untouched)
    for place in [0, 1] { try bench.released(place) }
    #expect(try OutputRecord.read(path) == [pump])
    try bench.stop()
  }

  @Test("what was not made safe stays beside what comes to its place, and until it is driven again")
  func left() throws {
    try OutputRecord.write([lamp], path)
    let fakes = FakeOutputs()
    let bench = OutputBench(fakes, record: OutputRecord(path: path))
    try bench.it.hold(0, .led("pump"), .off, adopts: false, safe: .level(.off))
    _ = try bench.held(0)
    #expect(try OutputRecord.read(path) == [pump, lamp])
    fakes.change { $0.failing = ["pump"] }
    try bench.it.release(0, .level(.off))
    try bench.released(0)
    let other = OutputRecord.Entry(request: .led("other"), safe: .level(.on))
    try bench.it.hold(0, .led("other"), .on, adopts: false, safe: .level(.on))
    _ = try bench.held(0, skipping: bench.reports(of: 0).count - 1)
    try wait(for: "the record") { try OutputRecord.read(path) == [other, lamp, pump] }
    fakes.change { $0.failing = [] }
    try bench.it.hold(1, .led("pump"), .off, adopts: false, safe: .level(.off))
    _ = try bench.held(1)
    #expect(try OutputRecord.read(path) == [other, pump, lamp])
    try bench.it.release(1, .level(.off))
    try bench.released(1)
    #expect(try OutputRecord.read(path) == [other, lamp])
    try bench.stop()
  }

  @Test("a bus that hangs while it is asked what was before holds up no other output")
  func hangs() throws {
    let fakes = FakeOutputs()
    let bench = OutputBench(fakes, record: OutputRecord(path: path))
    fakes.change {
      $0.buses = ["fan": "chip"]
      $0.formers = ["fan": "2"]
    }
    fakes.hang("fan")
    try bench.it.hold(0, .led("fan"), .off, adopts: false, safe: .former)
    #expect(try bench.failed(0).contains("the kernel does not return"))
    try bench.it.hold(1, .led("pump"), .off, adopts: false, safe: .level(.off))
    _ = try bench.held(1)
    fakes.answer("fan")
    _ = try bench.held(0)
    #expect(
      try OutputRecord.read(path) == [OutputRecord.Entry(request: .led("fan"), safe: .former, former: "2"), pump])
    try bench.stop()
  }

  @Test("it says whose it is, by a process that lives, and a record without that is read too")
  func owner() throws {
    let bench = OutputBench(
      FakeOutputs(), record: OutputRecord(path: path, owner: RecordOwner.current(socket: "/run/a b/limpet.sock")))
    try bench.it.hold(0, .led("pump"), .off, adopts: false, safe: .level(.off))
    _ = try bench.held(0)
    let owner = try #require(try SafeOutputs.owner(record: path))
    #expect(owner.socket == "/run/a b/limpet.sock")
    #expect(owner.isAlive(in: FileRoot()))
    #expect(!RecordOwner(process: owner.process, start: owner.start + 1, socket: "").isAlive(in: FileRoot()))
    #expect(try OutputRecord.read(path) == [pump])
    try OutputRecord.write([pump], path)
    #expect(try SafeOutputs.owner(record: path) == nil)
    #expect(try SafeOutputs.owner(record: path + ".none") == nil)
    _ = OutputRecord(path: path, owner: owner)
    #expect(try SafeOutputs.owner(record: path) == owner, "what a dead process left is the next one's at once")
    #expect(try OutputRecord.read(path) == [pump])
    try bench.stop()
  }

  @Test(
    "a process is dead when it waits for its parent, is another one by now, or is not there",
    arguments: [("S", 700, true), ("D", 700, true), ("Z", 700, false), ("X", 700, false), ("S", 701, false)])
  func living(_ state: String, _ start: UInt64, _ isAlive: Bool) throws {
    let fields = (4...21).map(String.init).joined(separator: " ")
    try tree.write("/proc/77/stat", "77 (a ) b) \(state) \(fields) \(start) 23 24\n")
    #expect(RecordOwner(process: 77, start: 700, socket: "").isAlive(in: tree.root) == isAlive)
    #expect(!RecordOwner(process: 78, start: 700, socket: "").isAlive(in: tree.root))
  }

  @Test("a record that could not be written is written with the next request")
  func again() throws {
    let record = OutputRecord(path: tree.path + "/later/outputs")
    let bench = OutputBench(FakeOutputs(), record: record)
    try bench.it.hold(0, .led("pump"), .off, adopts: false, safe: .level(.off))
    _ = try bench.held(0)
    #expect(try bench.it.recordFailure != nil)
    try tree.write("/later/file", "")
    let found = FakeOutputs.Found(outputs: FakeOutputs(), name: "pump")
    _ = record.put(found, .level(.off), at: 0)
    #expect(try bench.it.recordFailure == nil)
    #expect(try OutputRecord.read(tree.path + "/later/outputs") == [pump])
    try bench.stop()
  }

  @Test("a process that died has said who drove a fan before it did")
  func former() throws {
    try tree.write("/sys/devices/fan/hwmon/hwmon0/name", "pwmfan\n")
    try tree.write("/sys/devices/fan/hwmon/hwmon0/pwm1", "255\n")
    // As the dead process left it.
    try tree.write("/sys/devices/fan/hwmon/hwmon0/pwm1_enable", "1\n")
    try tree.link("/sys/class/hwmon/hwmon0", to: "../../devices/fan/hwmon/hwmon0")
    try tree.link("/sys/devices/fan/hwmon/hwmon0/device", to: "../..")
    let fan = FanOutput(chip: "pwmfan", device: "/sys/devices/fan", channel: "pwm1")
    try OutputRecord.write([OutputRecord.Entry(request: .fan(fan), safe: .former, former: "2")], path)
    let bench = OutputBench(root: tree.root, record: path)
    try bench.it.hold(
      0, .fan(FanOutput(chip: "pwmfan", channel: "pwm1")), .on, adopts: false, safe: .former)
    #expect(try bench.held(0) == .on)
    try bench.it.release(0, .former)
    try bench.released(0)
    #expect(try tree.root.text(of: "/sys/class/hwmon/hwmon0/pwm1_enable") == "2")
    try bench.stop()
  }

  @Test("a folder that is not there is said")
  func unwritable() throws {
    let bench = OutputBench(FakeOutputs(), record: OutputRecord(path: tree.path + "/no/outputs"))
    try bench.it.hold(0, .led("pump"), .on, adopts: false, safe: .level(.off))
    _ = try bench.held(0)
    #expect(try bench.it.recordFailure?.isAbsence == true)
    try bench.stop()
  }
}
