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
      # inputs: what is wired to the header, without the comment signs
      # inputs:
      #   - {name: gpio2, line: GPIO2}
      #   - {name: gpio5, chip: pinctrl-bcm2711, line: 5}
      #   - {name: gpio27, chip: pinctrl-bcm2711, line: 27}
      """
    let yaml = GPIOScan(GPIOInventory(chips: [Self.header, Self.expander])).yaml
    #expect(yaml == expected)
    let lines = yaml.split(separator: "\n").dropFirst().map { $0.dropFirst(2) }.joined(separator: "\n")
    #expect(loadConfiguration(minimalConfiguration + lines + "\n").configuration?.inputs.count == 3)
    #expect(GPIOScan(GPIOInventory(chips: [Self.expander])).yaml.hasPrefix("# inputs: no "))
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
