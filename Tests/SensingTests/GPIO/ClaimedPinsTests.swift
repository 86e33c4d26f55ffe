import Testing

@testable import Sensing

@Suite struct ClaimedPinsTests {
  let tree: TemporaryTree

  init() throws {
    tree = try TemporaryTree()
    try tree.link("/proc/device-tree", to: "/sys/firmware/devicetree/base")
  }

  private func write(_ path: String, cells: [UInt8]) throws {
    try tree.write("/sys/firmware/devicetree/base/" + path, bytes: cells.flatMap { [0, 0, 0, $0] })
  }

  private func write(_ path: String, _ text: String) throws {
    try tree.write("/sys/firmware/devicetree/base/" + path, text + "\0")
  }

  private func users(_ label: String) -> [String] {
    let pins = ClaimedPins(root: tree.root)
    let chip = GPIOChip(path: "/dev/gpiochip0", name: "gpiochip0", label: label, lines: [])
    return (0..<28).compactMap { offset in pins.user(of: offset, chip: chip).map { "\(offset) \($0)" } }
  }

  @Test("pins of a bus that is switched on are its own, those of one that is off are free")
  func numbers() throws {
    try write("soc/gpio@7e200000/i2c1/phandle", cells: [10])
    try write("soc/gpio@7e200000/i2c1/brcm,pins", cells: [2, 3])
    try write("soc/gpio@7e200000/spi0_pins/phandle", cells: [11])
    try write("soc/gpio@7e200000/spi0_pins/brcm,pins", cells: [9, 10, 11])
    try write("soc/gpio@7e200000/dpi/phandle", cells: [12])
    try write("soc/gpio@7e200000/dpi/brcm,pins", cells: [5])
    try write("soc/i2c@7e804000/pinctrl-0", cells: [10])
    try write("soc/i2c@7e804000/status", "okay")
    try write("soc/spi@7e204000/pinctrl-0", cells: [11])
    try write("soc/spi@7e204000/status", "disabled")
    try write("soc/display/pinctrl-0", cells: [12])
    #expect(users("pinctrl-bcm2711") == ["2 i2c@7e804000", "3 i2c@7e804000"])
    #expect(users("pca9534") == [])
    try write("soc/spi@7e204000/status", "okay")
    #expect(users("pinctrl-bcm2711").count == 5)
  }

  @Test("a Pi 5 names its pins")
  func names() throws {
    try write("axi/pcie@120000/rp1/gpio@d0000/rp1_i2c1_2_3/phandle", cells: [20])
    try write("axi/pcie@120000/rp1/gpio@d0000/rp1_i2c1_2_3/pins", "gpio2\0gpio3")
    try write("axi/pcie@120000/rp1/i2c@74000/pinctrl-0", cells: [20])
    #expect(users("pinctrl-rp1") == ["2 i2c@74000", "3 i2c@74000"])
  }

  @Test("without a device tree nothing is claimed")
  func none() { #expect(users("pinctrl-bcm2711") == []) }
}
