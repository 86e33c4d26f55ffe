import Configuration
import JSON
import LimpetText
import Measuring
import Planning
import Readings
import Sensing

/// What `check` prints for outputs: the topics of their states, their levels without a command, and their rules.
struct OutputSummary {
  let configuration: Configuration
  let device: String
  /// nil: this machine is not the board.
  let board: BoardLines?
  /// nil: likewise.
  var devices: BoardDevices?

  var rows: [(topic: String, text: String)] { configuration.outputs.map { (topic($0), describe($0) + place($0)) } }

  /// The line on this board, and what happens to it when nobody holds it.
  private func place(_ output: OutputConfiguration) -> String {
    switch devices?[output.name] {
    case .success(let found)?: return "; \(found.description)"
    case .failure(let error)?: return "; cannot be driven now: \(error)"
    case nil: break
    }
    return switch board?[output.name] {
    case nil: ""
    case .failure(let error): "; cannot be driven now: \(error)"
    case .success(let found):
      "; \(found.place)" + (found.holder.map { ", held by \(printable($0)) now" } ?? "") + "; "
        + found.released.sentence(aboutChip: found.place.chipLabel) + atBoot(output, found.place)
    }
  }

  private func atBoot(_ output: OutputConfiguration, _ place: GPIOPlace) -> String {
    guard case .gpio(let line) = output.request, let text = BootPull.configLine(for: line, at: place) else { return "" }
    return "; \(text) in config.txt keeps it off from power-on"
  }

  /// For programs.
  var json: [JSONValue] {
    configuration.outputs.map { output in
      var members: [(name: String, value: JSONValue)] = [
        ("name", .text(output.name)), ("topic", .text(topic(output))), ("text", .text(describe(output))),
      ]
      if case .failure(let error)? = devices?[output.name] { members.append(("error", .text("\(error)"))) }
      switch board?[output.name] {
      case nil: break
      case .failure(let error): members.append(("error", .text("\(error)")))
      case .success(let found):
        members += [("line", .text("\(found.place)")), ("released", .text(found.released.word))]
      }
      return .object(members)
    }
  }

  private func topic(_ output: OutputConfiguration) -> String {
    configuration.topic.expanded(device: device, name: output.name)
  }

  private func describe(_ output: OutputConfiguration) -> String {
    let rules = output.rules
    var words = [
      what(output),
      configuration.takesCommands ? "commands on \(topic(output))/set" : "commands by limpet set only",
      "\(rules.start.rawValue) at the start", stop(rules.stop),
    ]
    if let pulse = rules.pulse { words.append("on lasts \(pulse.inWords)") }
    if let longest = rules.maxOn { words.append("on for at most \(longest.inWords)") }
    if rules.ramp > .zero { words.append("from 0 to 100 % in \(rules.ramp.inWords)") }
    if rules.minOn > .zero { words.append("on for at least \(rules.minOn.inWords)") }
    if rules.minOff > .zero { words.append("off for at least \(rules.minOff.inWords)") }
    if !rules.interlock.isEmpty {
      let rest = rules.deadTime > .zero ? ", \(rules.deadTime.inWords) apart" : ""
      words.append("never on together with \(rules.interlock.joined(separator: ", "))\(rest)")
    }
    if let lost = rules.lost {
      let source = output.heartbeat.map { "on \($0.expanded(device: device))" } ?? "from the broker"
      words.append("\(lost.isOn ? "on" : "off") after no message \(source) for \(lost.after.inWords)")
    }
    words.append(rules.obeysQueued ? "obeys commands that waited" : "refuses commands that waited")
    return words.joined(separator: ", ")
  }

  private func what(_ output: OutputConfiguration) -> String {
    switch output.request {
    case .gpio(let line):
      "a line that is driven (\(line.drive.rawValue))" + (line.isActiveLow ? ", low is on" : "")
    case .pwm(let pwm): "channel \(pwm.channel) of the PWM chip \(pwm.device), \(pwm.frequency.shortestDecimal) Hz"
    case .led(let name): "the LED \(name)"
    case .backlight(let name): "the backlight \(name)"
    case .fan(let fan): "\(fan.channel) of \(fan.chip ?? fan.device ?? "a hwmon chip")"
    }
  }

  private func stop(_ stop: OutputRules.Stop) -> String {
    switch stop {
    case .off, .on: "\(stop.rawValue) at the stop"
    case .keep: "left as it is at the stop"
    case .automatic: "given back at the stop"
    }
  }

  var warnings: [String] {
    lostWarnings + keptWarnings + configuration.outputs.flatMap(boardWarnings)
      + configuration.outputs.flatMap { devices?.warnings(about: $0.name) ?? [] }
  }

  /// An output that stays on over a restart goes off if it is taken before its partners: a partner that is not held
  /// forbids on. Lines of one chip are taken in the order of the configuration; the order of others is unknown.
  private var keptWarnings: [String] {
    let outputs = configuration.outputs
    return outputs.indices.filter { outputs[$0].rules.stop == .keep }.compactMap { index in
      let output = outputs[index]
      let later = outputs.indices.filter { other in
        other != index && output.isPartner(of: outputs[other])
          && !(other < index && output.isLine(ofChipOf: outputs[other]))
      }
      guard !later.isEmpty else { return nil }
      let names = later.map { outputs[$0].name }.joined(separator: ", ")
      return "\(output.name): stop: keep leaves it on while limpet restarts, but interlock forbids that until \(names) "
        + "\(later.count == 1 ? "is" : "are") driven as well, so it goes off at each start; write stop: off, or take lines of "
        + "one chip and put \(names) before \(output.name)"
    }
  }

  /// Warns that `lost` does not notice every loss of a controller.
  private var lostWarnings: [String] {
    let isHere = configuration.broker.urls.contains(where: \.isOfThisMachine)
    return configuration.outputs.filter { $0.rules.lost != nil && $0.heartbeat == nil }.map {
      isHere
        ? "\($0.name): the broker is on this machine, so lost notices when the broker is gone, and not when a controller "
          + "elsewhere is; write lost.heartbeat, a topic that the controller publishes to"
        : "\($0.name): lost notices when the broker is gone, but not when a controller behind a bridge of that broker is; "
          + "to notice that too, write lost.heartbeat"
    }
  }

  private func boardWarnings(_ output: OutputConfiguration) -> [String] {
    guard case .gpio(let line) = output.request else { return [] }
    switch board?[output.name] {
    case .success(let found):
      return [BootPull.warning(about: line, at: found.place)].compactMap { $0 }.map { "\(output.name): \($0)" }
    case .failure where output.rules.stop == .on || output.rules.stop == .keep:
      return [
        "\(output.name): limpet cannot find its line now, so it does not know whether a released line keeps its level, which stop: "
          + "\(output.rules.stop.rawValue) needs"
      ]
    case .failure, nil: return []
    }
  }
}

extension OutputConfiguration {
  /// Of an interlock, which holds both ways.
  fileprivate func isPartner(of other: OutputConfiguration) -> Bool {
    rules.interlock.contains(other.name) || other.rules.interlock.contains(name)
  }

  fileprivate func isLine(ofChipOf other: OutputConfiguration) -> Bool {
    guard case (.gpio(let one), .gpio(let two)) = (request, other.request) else { return false }
    return one.chip == two.chip && one.device == two.device
  }
}

extension ReleasedLine {
  fileprivate var word: String {
    switch self {
    case .stays: "stays"
    case .becomesInput: "input"
    case .unknown: "unknown"
    }
  }
}

extension BrokerURL {
  fileprivate var isOfThisMachine: Bool {
    let text = "\(self)"
    return text.hasPrefix("unix:") || ["//localhost", "//127.", "//[::1]"].contains { text.contains($0) }
  }
}
