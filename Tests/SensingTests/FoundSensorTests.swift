import Testing

@testable import Measuring
@testable import Sensing

@Suite struct FoundSensorTests {
  let tree: TemporaryTree

  init() throws {
    tree = try TemporaryTree()
  }

  private func chip(_ number: Int, _ name: String, at device: String, _ attributes: [String: String]) throws {
    let folder = "/sys/devices/\(device)/hwmon/hwmon\(number)"
    try tree.write(folder + "/name", name + "\n")
    for (attribute, content) in attributes { try tree.write("\(folder)/\(attribute)", content + "\n") }
    try tree.link("\(folder)/device", to: "/sys/devices/\(device)")
    try tree.link("/sys/class/hwmon/hwmon\(number)", to: "/sys\(folder.dropFirst(4))")
  }

  /// What was found besides the values of every system.
  private var found: [FoundSensor] {
    FoundSensor.all(in: tree.root).filter { if case .one(.system, _) = $0.kind { false } else { true } }
  }

  @Test("names are made of labels where there are any, with the channel where two would be the same")
  func labels() throws {
    try chip(
      0, "nct6775", at: "platform/nct6775",
      [
        "in0_input": "1", "in0_label": "Vcore", "temp1_input": "1", "temp1_label": "CPU", "fan1_input": "1",
        "fan1_label": "CPU", "in1_input": "1", "in2_input": "1", "in2_label": "+3.3 V (stand-by)",
      ])
    #expect(
      Set(found.map(\.name)) == [
        "nct6775_vcore", "nct6775_cpu_temp1", "nct6775_cpu_fan1", "nct6775_in1", "nct6775_3_3_v_stand-by",
      ])
  }

  @Test("chips of one name are told apart by the end of their device's path, or all of it")
  func devices() throws {
    try chip(0, "lm75", at: "i2c-1/1-0048", ["temp1_input": "1"])
    try chip(1, "lm75", at: "i2c-1/1-0049", ["temp1_input": "1"])
    try chip(2, "nvme", at: "pci/a/nvme0", ["temp1_input": "1"])
    try chip(3, "nvme", at: "pci/b/nvme0", ["temp1_input": "1"])
    #expect(
      found.map(\.name) == [
        "lm75_1-0048_temp1", "lm75_1-0049_temp1", "nvme_sys_devices_pci_a_nvme0_temp1",
        "nvme_sys_devices_pci_b_nvme0_temp1",
      ])
    #expect(
      found.map(\.kind).last
        == .hwmon(chip: "nvme", device: "/sys/devices/pci/b/nvme0", selector: .channel("temp1")))
    #expect(
      try FoundSensor.read(found, in: tree.root).map { try $0.get().value }
        == [Value](repeating: .number(0.001), count: 4))
  }

  @Test("names stay when the kernel numbers its devices anew")
  func stable() throws {
    func names(_ first: Int, _ second: Int) throws -> [String] {
      tree.remove("/sys")
      try chip(first, "lm75", at: "i2c-1/1-0048", ["temp1_input": "1"])
      try chip(second, "lm75", at: "i2c-1/1-0049", ["temp1_input": "1"])
      try tree.write("/sys/class/thermal/thermal_zone\(first)/type", "a\n")
      try tree.write("/sys/class/thermal/thermal_zone\(second)/type", "b\n")
      return found.map(\.name)
    }
    #expect(try names(0, 1) == names(1, 0))
  }

  @Test("thermal zones of one type are read by their path, in °C")
  func zones() throws {
    for number in 0...1 {
      try tree.write("/sys/class/thermal/thermal_zone\(number)/type", "soc\n")
      try tree.write("/sys/class/thermal/thermal_zone\(number)/temp", "\(41_000 + number)\n")
    }
    #expect(found.map(\.name) == ["soc_0", "soc_1"])
    #expect(found.map(\.kind).first == .file(path: "/sys/class/thermal/thermal_zone0/temp"))
    #expect(found.allSatisfy { $0.scale == 0.001 && $0.unit == "°C" })
  }

  @Test("what is only another view of a sensor is not found twice")
  func mirrors() throws {
    try tree.write("/sys/class/thermal/thermal_zone0/type", "cpu-thermal\n")
    try chip(0, "cpu_thermal", at: "virtual/thermal/thermal_zone0", ["temp1_input": "1"])
    try chip(1, "w1_slave_temp", at: "w1_bus_master1/28-000000000001", ["temp1_input": "1"])
    try chip(2, "BAT0", at: "acpi/power_supply/BAT0", ["in0_input": "1"])
    #expect(found.map(\.name) == ["cpu-thermal"])
  }

  @Test("devices of strange names have names that can be levels of topics, all different")
  func strangeNames() throws {
    for (number, name) in ["a/b#+", "a b", "", "°", String(repeating: "x", count: 200)].enumerated() {
      try chip(number, name, at: "p/\(number)", ["temp1_input": "1", "temp2_input": "1"])
    }
    let names = found.map(\.name)
    #expect(Set(names).count == names.count && names.count >= 8)
    #expect(names.allSatisfy { (1...64).contains($0.utf8.count) })
    #expect(
      names.allSatisfy { name in
        name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) }
      })
  }

  @Test("interfaces with a device are listed; where there is none, all but the loopback")
  func interfaces() throws {
    func listed() -> Set<String> {
      Set(
        FoundSensor.all(in: tree.root).compactMap {
          guard case .one(.system, let settings) = $0.kind else { return nil }
          let value = SystemValue(settings)
          return value.word == .operationalState ? value.subject : nil
        })
    }
    for name in ["lo", "eth0", "veth1"] { try tree.write("/sys/class/net/\(name)/operstate", "up\n") }
    try tree.write("/sys/class/net/bonding_masters", "\n")
    #expect(listed() == ["eth0", "veth1"])
    tree.folder("/sys/class/net/eth0/device")
    #expect(listed() == ["eth0"])
  }

  @Test("what only reading it would make the kernel complain of is listed and not read")
  func unread() throws {
    let flags = "/sys/bus/platform/drivers/raspberrypi-firmware/soc:firmware/get_throttled"
    try tree.write(flags, "1\n")
    let sensors = FoundSensor.all(in: tree.root).filter { ["throttled", "under_voltage"].contains($0.name) }
    #expect(sensors.count == 2)
    for outcome in FoundSensor.read(sensors, in: tree.root) {
      #expect("\(outcome)".contains("a scan does not read it"))
    }
    try tree.write("/sys/class/hwmon/hwmon3/name", "rpi_volt\n")
    try tree.write("/sys/class/hwmon/hwmon3/in0_lcrit_alarm", "0\n")
    let voltage = FoundSensor.all(in: tree.root).filter { $0.name == "under_voltage" }
    #expect(try FoundSensor.read(voltage, in: tree.root).map { try $0.get().value } == [.flag(false)])
  }

  @Test("an interface that is wireless to cfg80211 alone has a signal too")
  func wireless() throws {
    try tree.write("/sys/class/net/wlan0/operstate", "up\n")
    try tree.link("/sys/class/net/wlan0/phy80211", to: "../../ieee80211/phy0")
    tree.folder("/sys/class/ieee80211/phy0")
    #expect(FoundSensor.all(in: tree.root).contains { $0.kind == .system(.wifiSignal(interface: "wlan0")) })
  }
}
