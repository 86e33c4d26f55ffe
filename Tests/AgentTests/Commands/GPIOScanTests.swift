import NIOCore
import Testing

@testable import Diagnosis
@testable import Sensing

struct GPIOScanTests {
  private static func line(_ offset: UInt32, _ name: String?, consumer: String? = nil, isOutput: Bool = false)
    -> GPIOLine
  {
    GPIOLine(
      offset: offset, name: name, consumer: consumer, isUsed: consumer != nil, isOutput: isOutput, isActiveLow: false)
  }

  private static let header = GPIOChip(
    path: "/dev/gpiochip0", name: "gpiochip0", label: "pinctrl-bcm2711",
    lines: [
      line(0, "ID_SDA"), line(1, "ID_SCL"), line(2, "GPIO2"), line(3, "GPIO3", consumer: "fan"),
      line(4, "GPIO4", isOutput: true), line(5, nil), line(27, "GPIO27"), line(28, "GPIO28"),
    ])
  private static let expander = GPIOChip(
    path: "/dev/gpiochip1", name: "gpiochip1", label: "exp", lines: [line(2, "GPIO27"), line(3, "RADIO")])

  @Test("every chip and line is listed, with who uses it")
  func text() {
    let expected = """
      pinctrl-bcm2711 (gpiochip0), 8 lines
          0  ID_SDA  input   free
          1  ID_SCL  input   free
          2  GPIO2   input   free
          3  GPIO3   input   used by fan
          4  GPIO4   output  free
          5  -       input   free
         27  GPIO27  input   free
         28  GPIO28  input   free
      exp (gpiochip1), 2 lines
          2  GPIO27  input   free
          3  RADIO   input   free
      """
    #expect(GPIOScan(GPIOInventory(chips: [Self.header, Self.expander])).text == expected)
    #expect(GPIOScan(GPIOInventory(chips: [])).text == "no GPIO chips")
  }

  @Test("the header's free inputs are offered as comments, and nothing off the header")
  func yaml() {
    let expected = """
      # inputs: uncomment what is wired to the header, without the comment signs
      # inputs:
      #   - {name: gpio2, line: GPIO2}
      #   - {name: gpio5, chip: pinctrl-bcm2711, line: 5}
      #   - {name: gpio27, chip: pinctrl-bcm2711, line: 27}
      """
    let yaml = GPIOScan(GPIOInventory(chips: [Self.header, Self.expander])).yaml
    #expect(yaml == expected)
    let lines = yaml.split(separator: "\n").dropFirst().map { $0.dropFirst(2) }.joined(separator: "\n")
    #expect(loadConfiguration(minimalConfiguration + lines + "\n").configuration?.inputs.count == 3)
    #expect(GPIOScan(GPIOInventory(chips: [])).yaml.hasPrefix("# inputs: no "))
  }

  @Test("a pin that the device tree gives to a bus is marked")
  func claimed() {
    let scan = GPIOScan(GPIOInventory(chips: [Self.header]), claimed: ClaimedPins([2: "i2c@7e804000"]))
    #expect(scan.yaml.contains("#   # - {name: gpio2, line: GPIO2}  # i2c@7e804000 has this pin\n"))
    #expect(scan.yaml.contains("#   - {name: gpio27, line: GPIO27}"))
  }

  @Test("without a header of a Raspberry Pi all free lines are offered: a BeagleBone, a Rockchip")
  func otherBoards() {
    func chip(_ number: Int, _ label: String, device: String? = nil, _ lines: [GPIOLine]) -> GPIOChip {
      var chip = GPIOChip(path: "/dev/gpiochip\(number)", name: "gpiochip\(number)", label: label, lines: lines)
      chip.device = device
      return chip
    }
    let board = GPIOInventory(chips: [
      chip(
        0, "gpio-0-31",
        [Self.line(2, "P9_22 [spi0_sclk]"), Self.line(3, "[sysclk]", consumer: "x"), Self.line(7, "P9_42A")]),
      chip(1, "gpio1", [Self.line(0, nil), Self.line(1, "PIN_11"), Self.line(2, "PIN_13", isOutput: true)]),
      chip(2, "pca9534", device: "/sys/devices/i2c-2/2-0020", [Self.line(0, nil)]),
      chip(3, "pca9534", device: "/sys/devices/i2c-2/2-0021", [Self.line(0, nil)]),
      chip(4, "twin", [Self.line(0, "P9_22")]), chip(5, "twin", [Self.line(5, "42")]),
    ])
    let yaml = GPIOScan(board).yaml
    let expected = """
      # inputs:
      #   - {name: p9_22, line: "P9_22 [spi0_sclk]"}
      #   - {name: p9_42a, line: P9_42A}
      #   - {name: gpio1_0, chip: gpio1, line: 0}
      #   - {name: pin_11, line: PIN_11}
      #   - {name: pca9534_0, device: 2-0020, line: 0}
      #   - {name: pca9534_0_2, device: 2-0021, line: 0}
      #   - {name: p9_22_2, line: P9_22}
      #   - {name: twin_5, chip: gpiochip5, line: 5}
      """
    #expect(yaml.hasSuffix(expected), "\(yaml)")
    let lines = yaml.split(separator: "\n").dropFirst().map { $0.dropFirst(2) }.joined(separator: "\n")
    #expect(printed(loadConfiguration(minimalConfiguration + lines + "\n")) == [])
  }

  @Test("JSON has the same for programs")
  func json() {
    let scan = GPIOScan(GPIOInventory(chips: [Self.expander]))
    let line = #"{"offset":2,"name":"GPIO27","direction":"input","used":false,"consumer":null,"active_low":false}"#
    #expect(
      scan.json.map { String(buffer: $0) }.first?
        .hasPrefix(#"{"name":"gpiochip1","label":"exp","path":"/dev/gpiochip1","lines":["# + line) == true)
  }
}
