import Glibc
import Testing

@testable import LimpetText
@testable import Measuring
@testable import Sensing

/// What decides on the line; the rest does not matter here.
private func input(chip: String? = nil, line: GPIOInput.Line, isForced: Bool = false) -> GPIOInput {
  GPIOInput(
    chip: chip, line: line, bias: .asIs, isActiveLow: false, debounce: .zero, mode: .state, isForced: isForced,
    maxRate: 1)
}

@Suite struct GPIOPlaceTests {
  private static func chip(
    _ number: Int, _ label: String, _ names: [String?], used: [Int: String] = [:], outputs: Set<Int> = []
  ) -> GPIOChip {
    GPIOChip(
      path: "/dev/gpiochip\(number)", name: "gpiochip\(number)", label: label,
      lines: names.enumerated().map { offset, name in
        GPIOLine(
          offset: UInt32(offset), name: name, consumer: used[offset], isUsed: used[offset] != nil,
          isOutput: outputs.contains(offset), isActiveLow: false)
      })
  }

  private static let inventory = GPIOInventory(chips: [
    chip(0, "pinctrl-bcm2711", ["ID_SDA", "ID_SCL", "GPIO2", "GPIO3"], used: [1: "i2c"], outputs: [3]),
    chip(1, "raspberrypi-exp-gpio", ["BT_ON", "GPIO2"]),
    chip(2, "mcp23017", [nil, "PUMP"]),
    chip(3, "mcp23017", [nil]),
  ])

  private func found(_ input: GPIOInput, in inventory: GPIOInventory = inventory) -> String {
    do throws(GPIOError) { return "\(try input.place(in: inventory))" } catch { return "\(error)" }
  }

  @Test(
    "a chip is named by its label, its name or its path; a line by its name or its offset",
    arguments: [
      (input(chip: "pinctrl-bcm2711", line: .offset(2)), "GPIO2, line 2 of pinctrl-bcm2711 (gpiochip0)"),
      (input(chip: "gpiochip2", line: .offset(0)), "line 0 of mcp23017 (gpiochip2)"),
      (input(chip: "/dev/gpiochip3", line: .offset(0)), "line 0 of mcp23017 (gpiochip3)"),
      (input(chip: "gpiochip1", line: .name("GPIO2")), "GPIO2, line 1 of raspberrypi-exp-gpio (gpiochip1)"),
      (input(line: .name("PUMP")), "PUMP, line 1 of mcp23017 (gpiochip2)"),
      (input(line: .offset(2)), "GPIO2, line 2 of pinctrl-bcm2711 (gpiochip0)"),
      (input(line: .offset(3), isForced: true), "GPIO3, line 3 of pinctrl-bcm2711 (gpiochip0)"),
    ])
  func found(input: GPIOInput, text: String) { #expect(found(input) == text) }

  @Test(
    "what is wrong is said with what there is instead",
    arguments: [
      (
        input(chip: "pinctrl-rp1", line: .offset(2)),
        "no GPIO chip has the label, name or path \"pinctrl-rp1\"; there are: pinctrl-bcm2711, raspberrypi-exp-gpio, "
          + "mcp23017, mcp23017"
      ),
      (
        input(chip: "mcp23017", line: .offset(0)),
        "more than one GPIO chip has the label \"mcp23017\": gpiochip2, gpiochip3; say which with device:, by the end of "
          + "its path, or name one by its path"
      ),
      (
        input(line: .name("GPIO2")),
        "more than one line is named \"GPIO2\": GPIO2, line 2 of pinctrl-bcm2711 (gpiochip0); GPIO2, line 1 of "
          + "raspberrypi-exp-gpio (gpiochip1); write chip: too, or the offset instead"
      ),
      (
        input(chip: "gpiochip1", line: .name("PUMP")),
        "no line of raspberrypi-exp-gpio is named \"PUMP\"; there are: BT_ON, GPIO2"
      ),
      (
        input(chip: "gpiochip3", line: .name("PUMP")),
        "no line of mcp23017 is named \"PUMP\"; none has a name, write an offset"
      ),
      (input(line: .offset(54)), "pinctrl-bcm2711 has no line 54: it has 4, from 0 on"),
      (
        input(line: .name("ID_SCL")),
        "ID_SCL, line 1 of pinctrl-bcm2711 (gpiochip0) is held by \"i2c\"; end that, or use another line"
      ),
      (
        input(line: .offset(3)),
        "GPIO3, line 3 of pinctrl-bcm2711 (gpiochip0) is an output, and reading it would make it an input; write "
          + "force: true to allow that"
      ),
    ] as [(GPIOInput, String)])
  func errors(input: GPIOInput, text: String) { #expect(found(input) == text) }

  @Test("an offset alone is of the header: elsewhere it says nothing")
  func header() {
    let other = GPIOInventory(chips: [Self.chip(0, "sunxi", ["A"])])
    #expect(
      found(input(line: .offset(0)), in: other)
        == "an offset alone means the header of a Raspberry Pi (pinctrl-bcm2835, pinctrl-bcm2711, pinctrl-rp1), which "
        + "this board does not have; write chip: with one of sunxi")
    for label in GPIOChip.headerLabels {
      let board = GPIOInventory(chips: [Self.chip(0, "x", [nil]), Self.chip(4, label, [nil])])
      #expect(found(input(line: .offset(0)), in: board) == "line 0 of \(label) (gpiochip4)")
    }
  }

  @Test("equal expanders are told apart by their devices, and any path that leads to a chip is one of its names")
  func devices() {
    let devices = ["/sys/devices/i2c-1/1-0020", "/sys/devices/i2c-1/1-0021", "/sys/devices/i2c-10/1-0021"]
    let chips = devices.enumerated().map { index, device in
      var chip = Self.chip(index, "pca9534", [nil, "A"])
      chip.device = device
      chip.number = GPIOChip.DeviceNumber(UInt64(index + 1))
      if index == 0 { chip.aliases = ["gpiochip4"] }
      return chip
    }
    let board = GPIOInventory(chips: chips, number: { $0 == "/dev/expander" ? GPIOChip.DeviceNumber(2) : nil })
    func place(chip: String? = nil, device: String? = nil, line: GPIOInput.Line) -> String {
      var wanted = input(chip: chip, line: line)
      wanted.device = device
      return found(wanted, in: board)
    }
    #expect(place(device: "1-0020", line: .offset(0)) == "line 0 of pca9534 (gpiochip0)")
    #expect(place(chip: "pca9534", device: "i2c-1/1-0021", line: .name("A")) == "A, line 1 of pca9534 (gpiochip1)")
    #expect(place(chip: "gpiochip4", line: .offset(0)) == "line 0 of pca9534 (gpiochip0)")
    #expect(place(chip: "/dev/expander", line: .offset(0)) == "line 0 of pca9534 (gpiochip1)")
    #expect(
      place(device: "1-0021", line: .offset(0)).hasPrefix(
        "more than one GPIO chip belongs to the device \"1-0021\""))
    #expect(place(device: "1-0099", line: .offset(0)).contains("there are: /sys/devices/i2c-1/1-0020, "))
    #expect(place(chip: "pca9534", line: .offset(0)).contains("gpiochip0 at /sys/devices/i2c-1/1-0020, gpiochip1 at"))
  }

  @Test("GPIOn is line n of the header where the kernel names its lines otherwise")
  func headerNumber() {
    let board = GPIOInventory(chips: [
      Self.chip(0, "other", ["A", nil]), Self.chip(1, "pinctrl-bcm2835", ["SDA0", "SCL0", "SDA1", nil]),
    ])
    #expect(found(input(line: .name("GPIO2")), in: board) == "SDA1, line 2 of pinctrl-bcm2835 (gpiochip1)")
    #expect(found(input(chip: "gpiochip1", line: .name("GPIO3")), in: board) == "line 3 of pinctrl-bcm2835 (gpiochip1)")
    for name in ["GPIO4", "GPIO02", "GPIO", "gpio2"] {
      #expect(found(input(line: .name(name)), in: board).contains("is named \"\(name)\""))
    }
    #expect(found(input(chip: "other", line: .name("GPIO1")), in: board).contains("is named \"GPIO1\""))
  }

  @Test("a line that is held without a name for its holder is held all the same")
  func nameless() {
    let line = GPIOLine(offset: 0, name: nil, consumer: nil, isUsed: true, isOutput: true, isActiveLow: false)
    let chip = GPIOChip(path: "/dev/gpiochip0", name: "gpiochip0", label: "c", lines: [line])
    #expect(
      found(input(chip: "c", line: .offset(0), isForced: true), in: GPIOInventory(chips: [chip]))
        == "line 0 of c (gpiochip0) is held by another program or a driver; end that, or use another line")
  }

  @Test("without chips: there are none, or they cannot be opened")
  func nothing() {
    let input = input(line: .name("GPIO17"))
    #expect(
      found(input, in: GPIOInventory(chips: []))
        == "there is no GPIO chip: no /dev/gpiochip*; does this board have GPIO, and is its driver loaded?")
    let refused = GPIOInventory(chips: [], failures: [ReadError(.open, "/dev/gpiochip0", .errno(EACCES))])
    #expect(
      found(input, in: refused)
        == "cannot open /dev/gpiochip0: Permission denied; let limpet's user read it (a group or a udev rule)")
  }

  @Test("a chip that cannot be opened may be the one that is meant")
  func partly() {
    let inventory = GPIOInventory(
      chips: [Self.chip(1, "c", ["A"])], failures: [ReadError(.open, "/dev/gpiochip0", .errno(EACCES))])
    #expect(
      found(input(line: .name("B")), in: inventory).contains("; cannot open /dev/gpiochip0: Permission denied"))
    #expect(found(input(line: .name("A")), in: inventory) == "A, line 0 of c (gpiochip1)")
  }

  @Test("a tree without /dev has no chips, and files that only look like chips are said to be none")
  func trees() throws {
    let tree = try TemporaryTree()
    let empty = GPIOInventory(root: tree.root)
    #expect(empty.chips.isEmpty && empty.failures.isEmpty)
    try tree.write("/dev/gpiochip0", "")
    try tree.write("/dev/gpio", "")
    let fakes = GPIOInventory(root: tree.root)
    #expect(fakes.chips.isEmpty)
    #expect(fakes.failures.map(\.path) == ["/dev/gpiochip0"])
  }
}
