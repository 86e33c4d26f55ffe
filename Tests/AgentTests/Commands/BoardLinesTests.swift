import LimpetPlatform
import Measuring
import Testing

@testable import Configuration
@testable import Diagnosis
@testable import Sensing

struct BoardLinesTests {
  private static func line(_ offset: UInt32, _ name: String? = nil, consumer: String? = nil) -> GPIOLine {
    GPIOLine(
      offset: offset, name: name, consumer: consumer, isUsed: consumer != nil, isOutput: consumer != nil,
      isActiveLow: false)
  }

  private static let inventory = GPIOInventory(chips: [
    GPIOChip(
      path: "/dev/gpiochip0", name: "gpiochip0", label: "pinctrl-bcm2711",
      lines: (0..<28).map { line($0, "GPIO\($0)", consumer: $0 == 22 ? "limpet" : $0 == 23 ? "other" : nil) }),
    GPIOChip(
      path: "/dev/gpiochip1", name: "gpiochip1", label: "pca9534", lines: [line(0), line(1)],
      device: "/sys/devices/platform/soc/fe804000.i2c/i2c-1/1-0020"),
  ])

  /// Without a parameter of the kernel: what becomes of the header's lines is not known.
  private func load(_ entries: String, isCheck: Bool = true) -> LoadResult {
    Configuration.load(bytes: Array("broker: {url: mqtt://h}\n\(entries)".utf8), path: "/etc/limpet/limpet.yaml") {
      BoardLines($0, in: Self.inventory, root: FileRoot("/nowhere")).objections(isCheck: isCheck)
    }
  }

  @Test("stop: on and stop: keep are errors where a line is not known to stay, also one that the daemon holds")
  func stop() {
    let result = load(
      """
      outputs:
        - {name: a, line: GPIO17, stop: on}
        - {name: b, line: GPIO22, stop: keep}
        - {name: c, chip: pca9534, line: 0, stop: keep}
        - {name: d, line: GPIO18}
        - {name: e, type: led, led: ACT, stop: keep}
        - {name: f, chip: missing, line: 1, stop: on}
      """, isCheck: false)
    #expect(
      printed(result) == [
        "3:29: outputs[0].stop: on needs a line that stays as it is; of GPIO17, line 17 of pinctrl-bcm2711 (gpiochip0), "
          + "limpet cannot know whether a released line stays as it is: this kernel has no "
          + "/sys/module/pinctrl_bcm2835/parameters/persist_gpio_outputs; write off",
        "4:29: outputs[1].stop: keep needs a line that stays as it is; of GPIO22, line 22 of pinctrl-bcm2711 (gpiochip0), "
          + "limpet cannot know whether a released line stays as it is: this kernel has no "
          + "/sys/module/pinctrl_bcm2835/parameters/persist_gpio_outputs; write off",
      ])
    #expect(result.configuration == nil)
  }

  @Test("one line by its name and by its number is an error of check, and run goes on")
  func twins() {
    let entries = """
      inputs:
        - {name: door, chip: gpiochip0, line: 5}
      outputs:
        - {name: a, line: GPIO17}
        - {name: b, line: 17}
        - {name: c, line: GPIO5}
      """
    #expect(
      printed(load(entries)) == [
        "6:15: outputs[1].line: it is GPIO17, line 17 of pinctrl-bcm2711 (gpiochip0), which a is too; write another, or "
          + "remove one of the entries",
        "7:15: outputs[2].line: it is GPIO5, line 5 of pinctrl-bcm2711 (gpiochip0), which door is too; write another, or "
          + "remove one of the entries",
      ])
    let run = load(entries, isCheck: false)
    #expect(run.configuration?.outputs.count == 3)
    #expect(
      printed(run) == [
        "6:15: warning: outputs[1].line: it is GPIO17, line 17 of pinctrl-bcm2711 (gpiochip0), which a is too, so limpet "
          + "never drives this one; write another, or remove one of the entries",
        "7:15: warning: outputs[2].line: it is GPIO5, line 5 of pinctrl-bcm2711 (gpiochip0), which door is too; write "
          + "another, or remove one of the entries",
      ])
  }

  @Test("two outputs of one line by the same words are an error of check, also on another machine, and run goes on")
  func textualTwins() {
    let entries =
      "outputs:\n  - {name: a, line: GPIO17}\n  - {name: b, line: GPIO17}\n"
      + "  - {name: c, type: led, led: ACT}\n  - {name: d, type: led, led: ACT}\n"
    func offline(isCheck: Bool) -> LoadResult {
      Configuration.load(bytes: Array("broker: {url: mqtt://h}\n\(entries)".utf8), path: "/etc/limpet/limpet.yaml") {
        $0.twins(isCheck: isCheck)
      }
    }
    let errors = [
      "4:15: outputs[1].line: it is what \"a\" drives already; write another, or remove one of the entries",
      "6:26: outputs[3].led: it is what \"c\" drives already; write another, or remove one of the entries",
    ]
    #expect(printed(load(entries)) == errors)
    #expect(printed(offline(isCheck: true)) == errors)
    #expect(offline(isCheck: false).configuration?.outputs.count == 4)
    #expect(printed(offline(isCheck: false)).allSatisfy { $0.contains("warning: ") && $0.contains("never drives") })
    #expect(printed(load(entries, isCheck: false)).count == 2)
  }

  private func summary(_ entries: String) throws -> OutputSummary {
    let result = loadConfiguration("broker: {url: mqtt://h}\n\(entries)")
    let configuration = try #require(result.configuration, "\(printed(result))")
    return OutputSummary(
      configuration: configuration, device: "shed",
      board: BoardLines(configuration, in: Self.inventory, root: FileRoot("/nowhere")))
  }

  @Test("the summary says which line it is, who has it, and what becomes of it; warnings are of the pull at power-on")
  func summary() throws {
    let summary = try summary(
      """
      outputs:
        - {name: a, line: GPIO2}
        - {name: b, line: GPIO23}
        - {name: c, chip: pca9534, line: 1}
        - {name: d, chip: missing, line: 1, stop: keep}
        - {name: e, line: GPIO22}
      """)
    let texts = summary.rows.map(\.text)
    #expect(
      texts[0].contains(
        "; GPIO2, line 2 of pinctrl-bcm2711 (gpiochip0); limpet cannot know whether a released line stays"))
    #expect(texts[1].contains("(gpiochip0), held by other now; limpet cannot know whether"))
    #expect(texts[2].hasSuffix("; line 1 of pca9534 (gpiochip1); a released line stays as it is"))
    #expect(texts[3].contains("; cannot be driven now: no GPIO chip has the label"))
    #expect(texts[4].contains("; GPIO22, line 22 of pinctrl-bcm2711 (gpiochip0); limpet cannot know whether"))
    #expect(summary.warnings.count == 2)
    #expect(summary.warnings[0].hasPrefix("a: ") && summary.warnings[0].contains("gpio=2=op,dl"))
    #expect(summary.warnings[1].hasPrefix("d: limpet cannot find its line now"))
    let json = summary.json.map(\.compact)
    #expect(json[0].contains(#""name":"a""#) && json[0].contains(#""released":"unknown""#))
    #expect(json[2].contains(#""line":"line 1 of pca9534 (gpiochip1)""#) && json[2].contains(#""released":"stays""#))
    #expect(json[3].contains(#""error":"no GPIO chip"#))
  }

  @Test("whoever waits for a lost controller is told what that notices, on this machine and elsewhere")
  func lost() throws {
    let output = "outputs:\n  - {name: a, line: GPIO17, lost: {after: 2m}}\n"
    #expect(try summary(output).warnings.first?.contains("behind a bridge") == true)
    #expect(try summary(output.replacing("after: 2m", with: "after: 2m, heartbeat: home/alive")).warnings == [])
  }

  @Test("what is kept on over a restart goes off where a partner of its interlock is driven later")
  func keptInterlock() throws {
    func warnings(_ outputs: String...) throws -> [String] {
      try summary("outputs:\n" + outputs.map { "  - {\($0)}\n" }.joined()).warnings
    }
    let (kept, partner) = ("name: a, chip: pca9534, line: 0, stop: keep", "name: b, chip: pca9534, line: 1")
    let texts = try warnings(kept + ", interlock: [b]", partner)
    #expect(
      texts == [
        "a: stop: keep leaves it on while limpet restarts, but interlock forbids that until b is driven as well, so it goes "
          + "off at each start; write stop: off, or take lines of one chip and put b before a"
      ])
    #expect(try warnings(kept, partner + ", interlock: [a]") == texts)
    #expect(try warnings(partner, kept + ", interlock: [b]") == [])
    // Another chip may be slower.
    #expect(try warnings("name: b, line: GPIO17", kept + ", interlock: [b]") == texts)
    #expect(try warnings(kept, partner) == [])
  }
}
