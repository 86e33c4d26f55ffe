import Measuring
import Testing

@testable import Sensing

@Suite("Lines that nobody holds") struct ReleasedLineTests {
  private let tree: TemporaryTree

  init() throws { tree = try TemporaryTree() }

  private func released(_ label: String, _ device: String? = nil) -> ReleasedLine {
    ReleasedLine(ofChip: label, device: device, root: tree.root)
  }

  @Test("the kernel's parameter says what becomes of a line; without it nothing is known")
  func parameter() throws {
    #expect(released("pinctrl-bcm2711") == .unknown)
    try tree.write("/sys/module/pinctrl_bcm2835/parameters/persist_gpio_outputs", "N\n")
    try tree.write("/sys/module/pinctrl_rp1/parameters/persist_gpio_outputs", "Y\n")
    #expect(released("pinctrl-bcm2711") == .becomesInput)
    #expect(released("pinctrl-bcm2835") == .becomesInput)
    #expect(released("pinctrl-rp1") == .stays)
    #expect(
      released("pinctrl-bcm2711").sentence(aboutChip: "pinctrl-bcm2711")
        == "a released line becomes an input (/sys/module/pinctrl_bcm2835/parameters/persist_gpio_outputs says "
        + "so): what is wired to it, and its pull, decide then")
    try tree.write("/sys/module/pinctrl_bcm2835/parameters/persist_gpio_outputs", "Y\n")
    #expect(released("pinctrl-bcm2711") == .stays)
  }

  @Test("an expander keeps its level, of another chip nothing is known")
  func others() {
    #expect(released("pca9534", "/sys/devices/platform/soc/fe804000.i2c/i2c-1/1-0020") == .stays)
    #expect(released("gpio-sim", "/sys/devices/platform/gpio-sim.0") == .unknown)
    #expect(released("pca9534") == .unknown)
    #expect(released("pca9534", "/sys/devices/platform/x.i2c/i2c-1/1-0070/i2c-4/4-0020") == .stays)
    for other in [
      "/sys/devices/platform/soc/fe204000.spi/spi_master/spi0/spi0.1", "/sys/devices/pci0/usb1/1-1/1-1.2/1-1.2:1.0",
      "/sys/devices/platform/soc/fe804000.i2c/i2c-1",
    ] { #expect(released("mcp23s17", other) == .unknown, "\(other)") }
  }

  @Test(
    "the line of config.txt keeps an output off, and drives nothing that floats when it is off",
    arguments: [
      (27, false, .pushPull, "gpio=27=op,dl"), (27, true, .pushPull, "gpio=27=op,dh"),
      (27, true, .openDrain, "gpio=27=ip,pu"), (27, false, .openDrain, "gpio=27=op,dl"),
      (27, false, .openSource, "gpio=27=ip,pd"), (28, false, .pushPull, nil),
    ] as [(UInt32, Bool, GPIOOutput.Drive, String?)])
  func configLine(_ offset: UInt32, _ isActiveLow: Bool, _ drive: GPIOOutput.Drive, _ line: String?) throws {
    let lines = (0..<58).map {
      GPIOLine(offset: $0, name: nil, consumer: nil, isUsed: false, isOutput: false, isActiveLow: false)
    }
    let chip = GPIOChip(path: "/dev/gpiochip0", name: "gpiochip0", label: "pinctrl-bcm2711", lines: lines)
    let output = GPIOOutput(chip: nil, line: .offset(offset), isActiveLow: isActiveLow, drive: drive)
    #expect(BootPull.configLine(for: output, at: try output.place(in: GPIOInventory(chips: [chip]))) == line)
  }

  @Test(
    "an output is warned of that the pull at power-on switches on",
    arguments: [
      (2, false, "gpio=2=op,dl"), (2, true, nil), (17, false, nil), (27, true, "gpio=27=op,dh"),
      (8, false, "gpio=8=op,dl"),
      (9, false, nil), (28, true, nil),
    ] as [(UInt32, Bool, String?)])
  func boot(_ offset: UInt32, _ isActiveLow: Bool, _ line: String?) throws {
    let lines = (0..<58).map {
      GPIOLine(offset: $0, name: nil, consumer: nil, isUsed: false, isOutput: false, isActiveLow: false)
    }
    let chip = GPIOChip(path: "/dev/gpiochip0", name: "gpiochip0", label: "pinctrl-bcm2711", lines: lines)
    let output = GPIOOutput(chip: nil, line: .offset(offset), isActiveLow: isActiveLow)
    let place = try output.place(in: GPIOInventory(chips: [chip]))
    let warning = BootPull.warning(about: output, at: place)
    #expect((warning == nil) == (line == nil))
    if let line { #expect(warning?.contains(line) == true) }
  }
}
