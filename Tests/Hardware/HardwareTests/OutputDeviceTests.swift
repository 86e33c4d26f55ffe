import Foundation
import Glibc
import Measuring
import Sensing
import Testing

extension Together {
  /// The driver on the kernel's own drivers of expanders, PWM, LEDs and fans. They share the stub bus.
  @Suite("Outputs: expanders, PWM, LEDs and fans", .serialized) struct OutputDeviceTests {
    @Test("an expander is driven on a thread of its own, and keeps its level when it is let go of")
    func expander() throws {
      let expander = try StubBus().expander(0x21)
      try expander.plug()
      defer { try? expander.unplug() }
      let line = OutputRequest.gpio(GPIOOutput(chip: nil, device: expander.device, line: .offset(5)))
      let first = DrivenOutputs()
      #expect(try first.hold(0, line, .off) == .off)
      #expect(try Self.threads().contains("limpet-out-bus"))
      // The stub's register of levels is the wire, and not the register that was written: something holds it low.
      #expect(try first.drive(0, .on, number: 1) == .off)
      try expander.set(1 << 5)
      #expect(try first.drive(0, .on, number: 2) == .on)
      try first.release(0, .untouched)
      try first.stop()
      let second = DrivenOutputs()
      #expect(try second.hold(0, line, .off, adopts: true, safe: .untouched) == .on)
      try expander.unplug()
      #expect(try second.failure(0).contains("gone"))
      try expander.set(0)
      try expander.plug()
      #expect(try second.held(0, skipping: 2) == .off)
      try second.stop()
    }

    @Test("a PWM chip has frequency and duty, and keeps them when it is let go of")
    func pwm() throws {
      let chip = StubDriver(bus: try StubBus().number, address: 0x40, driver: "pca9685")
      try chip.plug()
      defer { try? chip.unplug() }
      let request = OutputRequest.pwm(PWMOutput(device: chip.device, channel: 2, frequency: 1000))
      let first = DrivenOutputs()
      #expect(try first.hold(0, request, OutputLevel(percent: 25)) == OutputLevel(percent: 25))
      let folder = try chip.folder("pwm")
      func text(_ name: String) throws -> String { try SimulatedChip.read("\(folder)/pwm2/\(name)") }
      #expect(try text("period") == "1000000")
      #expect(try text("duty_cycle") == "250000")
      #expect(try text("enable") == "1")
      #expect(try first.drive(0, .off, number: 1) == .off)
      #expect(try first.drive(0, OutputLevel(percent: 62.5), number: 2) == OutputLevel(percent: 62.5))
      try first.release(0, .untouched)
      try first.stop()
      #expect(try text("duty_cycle") == "625000")
      let second = DrivenOutputs()
      #expect(try second.hold(0, request, .off, adopts: true) == OutputLevel(percent: 62.5))
      // Its period cannot be set while another channel has one: the driver says so.
      second.driver.hold(
        1, .pwm(PWMOutput(device: chip.device, channel: 3, frequency: 50)), .off, adopts: false, safe: .level(.off))
      #expect(try second.failure(1).contains("period"))
      try second.release(0, .level(.off))
      #expect(try text("duty_cycle") == "0")
      try second.stop()
    }

    @Test("an LED has the brightness that is asked for, and is found again when it is back")
    func led() throws {
      let name = "limpet-\(UUID().uuidString.prefix(6))"
      var led: UserLED? = try UserLED(name, most: 200)
      let outputs = DrivenOutputs()
      #expect(try outputs.hold(0, .led(name), .on) == .on)
      try led?.shows(200)
      #expect(try outputs.drive(0, OutputLevel(percent: 10), number: 1) == OutputLevel(percent: 10))
      try led?.shows(20)
      led = nil
      #expect(try outputs.failure(0).contains("gone"))
      led = try UserLED(name, most: 100)
      #expect(try outputs.held(0, skipping: 3) == .on)
      try led?.shows(100)
      try outputs.release(0, .level(.off))
      try led?.shows(0)
      try outputs.stop()
    }

    @Test("a fan is driven by hand while it is held, and by its chip again at the end")
    func fan() throws {
      let chip = StubDriver(bus: try StubBus().number, address: 0x1b, driver: "max6651")
      try chip.plug()
      defer { try? chip.unplug() }
      let enable = try chip.folder("hwmon") + "/pwm1_enable"
      try SimulatedChip.write("2", to: enable)
      let outputs = DrivenOutputs()
      let request = OutputRequest.fan(FanOutput(chip: "max6651", device: chip.device, channel: "pwm1"))
      #expect(try outputs.hold(0, request, OutputLevel(percent: 50), safe: .former) == OutputLevel(percent: 50))
      #expect(try SimulatedChip.read(enable) == "1")
      #expect(try outputs.drive(0, OutputLevel(percent: 80), number: 1) == OutputLevel(percent: 80))
      try outputs.release(0, .former)
      #expect(try SimulatedChip.read(enable) == "2")
      try outputs.stop()
    }

    /// Of this process, by their names.
    private static func threads() throws -> [String] {
      try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").compactMap {
        try? SimulatedChip.read("/proc/self/task/\($0)/comm")
      }
    }
  }
}

/// A chip on the stub bus, under any of the kernel's drivers.
struct StubDriver {
  let bus: Int
  let address: UInt8
  let driver: String

  /// How the bus names it: 0-0040.
  var device: String { "\(bus)-00\(String(address, radix: 16))" }

  private var master: String { "/sys/bus/i2c/devices/i2c-\(bus)" }

  func plug() throws {
    try SimulatedChip.write("\(driver) 0x\(String(address, radix: 16))", to: master + "/new_device")
  }

  func unplug() throws { try SimulatedChip.write("0x\(String(address, radix: 16))", to: master + "/delete_device") }

  /// Its folder of a class: …/0-0040/pwm/pwmchip0.
  func folder(_ name: String) throws -> String {
    let above = "/sys/bus/i2c/devices/\(device)/\(name)"
    return "\(above)/\(try #require(FileManager.default.contentsOfDirectory(atPath: above).first))"
  }
}

/// An LED that this process makes, and sees shine (the kernel's Documentation/leds/uleds.rst). It goes with this value.
final class UserLED {
  private let descriptor: CInt

  init(_ name: String, most: Int32) throws {
    descriptor = open("/dev/uleds", O_RDWR | O_CLOEXEC | O_NONBLOCK)
    try #require(descriptor >= 0)
    // struct uleds_user_dev: 64 bytes of name and the highest brightness.
    var device = Array(name.utf8)
    device += [UInt8](repeating: 0, count: 64 - device.count)
    withUnsafeBytes(of: most) { device += $0 }
    try #require(write(descriptor, device, device.count) == device.count)
  }

  deinit { close(descriptor) }

  /// Waits until it shines so.
  func shows(_ brightness: Int32, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let end = Date() + 20
    var now: Int32 = -1
    while true {
      var next: Int32 = 0
      if read(descriptor, &next, 4) == 4 { now = next }
      if now == brightness { return }
      try #require(Date() < end, "\(now)", sourceLocation: sourceLocation)
      usleep(500)
    }
  }
}
