import TestScene
import Testing

@testable import Diagnosis
@testable import LimpetPlatform
@testable import Sensing

struct WiringScanTests {
  /// A tree of these files alone.
  private func withTree(_ files: [String: String], _ body: (FileRoot) throws -> Void) async throws {
    try await withScene { scene in
      let tree = try BoardTree(scene)
      for (file, text) in files { try tree.write(text, to: file) }
      try body(FileRoot(tree.path))
    }
  }

  @Test("chips without a driver are shown with the line that gives them one, and those that have one are not")
  func undriven() async throws {
    try await withTree([
      "/sys/bus/i2c/devices/1-0076/name": "bme280\n", "/sys/bus/i2c/devices/1-0048/name": "lm75\n",
      "/sys/bus/i2c/devices/1-0048/driver/uevent": "", "/sys/bus/i2c/devices/1-0029/name": "strange\n",
      "/sys/bus/i2c/devices/i2c-1/name": "bcm2835\n", "/sys/bus/i2c/devices/1-000c/name": "dummy\n",
      "/sys/bus/spi/devices/spi0.0/modalias": "spi:mcp3008\n",
    ]) { root in
      #expect(
        BusClient.undriven(in: root) == [
          BusClient(bus: "i2c-1", device: "1-0029", address: 0x29, name: "strange"),
          BusClient(bus: "i2c-1", device: "1-0076", address: 0x76, name: "bme280"),
          BusClient(bus: "spi0", device: "spi0.0", address: nil, name: "mcp3008"),
        ])
      let scan = WiringScan(root: root, probesI2C: false)
      #expect(scan.text.contains("dtoverlay=i2c-sensor,bme280,addr=0x76"))
      #expect(scan.text.contains("strange") && scan.text.contains("dtoverlay=mcp3008") && !scan.text.contains("lm75"))
      #expect(scan.yaml.split(separator: "\n").allSatisfy { $0.hasPrefix("# ") })
      #expect(scan.json.count == 3)
    }
  }

  @Test("a board without buses has nothing to say")
  func nothing() async throws {
    try await withTree([:]) { root in
      let scan = WiringScan(root: root, probesI2C: true)
      #expect(scan.text.isEmpty && scan.yaml.isEmpty && scan.problems.isEmpty)
    }
  }

  @Test("a Raspberry Pi is told of what no scan can see")
  func unseen() async throws {
    try await withTree(["/proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0"]) { root in
      #expect(WiringScan(root: root, probesI2C: false).text.contains("dtoverlay=w1-gpio"))
    }
  }

  @Test("what is no I²C bus is a problem that is said, when addresses are asked for")
  func noBus() async throws {
    try await withTree(["/dev/i2c-7": ""]) { root in
      #expect(WiringScan(root: root, probesI2C: false).problems.isEmpty, "never unasked")
      let scan = WiringScan(root: root, probesI2C: true)
      #expect(scan.problems.count == 1 && scan.problems.first?.contains("i2c-7") == true)
    }
  }

  @Test("each address of the table is one that may be asked, and each chip has one name")
  func table() {
    #expect(Set(DeviceOverlay.all.map(\.name)).count == DeviceOverlay.all.count)
    for overlay in DeviceOverlay.all {
      #expect(overlay.addresses.allSatisfy { (0x08...0x77).contains($0) })
      for address in overlay.addresses { #expect(DeviceOverlay.at(address).contains { $0.name == overlay.name }) }
    }
    #expect(DeviceOverlay.named("bosch,bme280")?.line(at: 0x77) == "dtoverlay=i2c-sensor,bme280,addr=0x77")
    #expect(DeviceOverlay.named("ds3231")?.line(at: 0x68) == "dtoverlay=i2c-rtc,ds3231")
  }
}
