import Testing

@testable import Sensing

@Suite struct DeviceEventTests {
  private func event(_ fields: String...) -> DeviceEvent? {
    DeviceEvent(Array(fields.joined(separator: "\0").utf8) + [0])
  }

  @Test("what the kernel tells of a device concerns the sensors that are on it")
  func concerns() throws {
    let tree = try TemporaryTree()
    let battery = PowerSupplySource(supply: "BAT0", property: "status", root: tree.root)
    let chip = HwmonSource(chip: "lm75", device: nil, selector: .channel("temp1"), root: tree.root)
    let probe = W1Source(id: "28-000000000001", root: tree.root, conversions: W1Conversions())
    let sources: [any SensorSource] = [battery, chip, probe]
    func concerned(_ event: DeviceEvent?) -> [Bool] {
      guard let event else { return [] }
      return sources.map { $0.isConcerned(by: event) }
    }
    #expect(
      concerned(event("change@/d", "ACTION=change", "SUBSYSTEM=power_supply", "POWER_SUPPLY_NAME=BAT0"))
        == [true, false, false])
    #expect(
      concerned(event("change@/d", "ACTION=change", "SUBSYSTEM=power_supply", "POWER_SUPPLY_NAME=USB"))
        == [false, false, false])
    #expect(concerned(event("add@/d", "ACTION=add", "SUBSYSTEM=hwmon")) == [false, true, false])
    #expect(
      concerned(
        event("remove@/d", "ACTION=remove", "SUBSYSTEM=w1", "DEVPATH=/devices/w1_bus_master1/28-000000000001"))
        == [false, false, true])
    // All that the kernel tells when a sensor of a bus is gone.
    let place = "/devices/w1_bus_master1/28-000000000001/hwmon/hwmon4"
    #expect(
      concerned(event("remove@\(place)", "ACTION=remove", "SUBSYSTEM=hwmon", "DEVPATH=\(place)")) == [
        false, true, true,
      ])
  }

  @Test("what is no event of the kernel is none")
  func others() {
    #expect(event("libudev", "ACTION=add") == nil)
    #expect(event("add@/d") == nil)
    #expect(DeviceEvent([UInt8]()) == nil)
    #expect(DeviceEvent([0, 0xFF, 0]) == nil)
  }
}
