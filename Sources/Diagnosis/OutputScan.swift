import LimpetPlatform
import LimpetText
import Measuring
import Sensing
import YAML

/// `outputs:` for a configuration, commented out: what is wired to a board, and may be switched, only its owner knows.
struct OutputScan {
  private let entries: [OutputCatalogue.Entry]

  init(root: FileRoot) { self.init(OutputCatalogue(root: root).entries) }

  init(_ entries: [OutputCatalogue.Entry]) { self.entries = entries }

  var yaml: String {
    guard !entries.isEmpty else { return "# outputs: no LED, PWM channel, backlight or fan was found" }
    var names = ScannedNames()
    return
      ([
        "# outputs: uncomment what limpet may switch; a line as above can be an output too: {name: pump, line: GPIO27}"
      ]
      + ["# outputs:"]
      + entries.map { entry in
        let name = names.name(of: entry.word, or: "output")
        return "#   - {name: \(name), \(Self.keys(entry.request).joined(separator: ", "))}"
      }).joined(separator: "\n")
  }

  private static func keys(_ request: OutputRequest) -> [String] {
    switch request {
    case .gpio: []
    case .pwm(let output):
      [
        "type: pwm", "device: \(yamlScalar(output.device))", "channel: \(output.channel)",
        "frequency: \(Int(output.frequency))",
      ]
    case .led(let name): ["type: led", "led: \(yamlScalar(name))"]
    case .backlight(let name): ["type: backlight", "backlight: \(yamlScalar(name))"]
    case .fan(let output):
      ["type: fan"] + (output.chip.map { ["chip: \(yamlScalar($0))"] } ?? [])
        + (output.device.map { ["device: \(yamlScalar($0))"] } ?? []) + ["channel: \(output.channel)"]
    }
  }
}
