import Configuration
import JSON
import Measuring
import Planning
import Readings
import Sensing
import Text

/// What `check` says of outputs: where their states go, what they are given when nobody says, and by which rules.
struct OutputSummary {
  let configuration: Configuration
  let device: String
  /// nil: this machine is not the board.
  let board: BoardLines?

  var rows: [(topic: String, text: String)] { configuration.outputs.map { (topic($0), describe($0) + place($0)) } }

  /// The line as it is on this board, and what becomes of it when nobody holds it.
  private func place(_ output: OutputConfiguration) -> String {
    switch board?[output.name] {
    case nil: ""
    case .failure(let error): "; not to be driven now: \(error)"
    case .success(let found):
      "; \(found.place)" + (found.holder.map { ", held by \(printable($0)) now" } ?? "") + "; "
        + found.released.sentence(aboutChip: found.place.chipLabel)
    }
  }

  /// For programs.
  var json: [JSONValue] {
    configuration.outputs.map { output in
      var members: [(name: String, value: JSONValue)] = [
        ("name", .text(output.name)), ("topic", .text(topic(output))), ("text", .text(describe(output))),
      ]
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
    if let longest = rules.maxOn { words.append("on for \(longest.inWords) at the longest") }
    if rules.ramp > .zero { words.append("from 0 to 100 % in \(rules.ramp.inWords)") }
    if rules.minOn > .zero { words.append("on for \(rules.minOn.inWords) at the least") }
    if rules.minOff > .zero { words.append("off for \(rules.minOff.inWords) at the least") }
    if !rules.interlock.isEmpty {
      let rest = rules.deadTime > .zero ? ", \(rules.deadTime.inWords) apart" : ""
      words.append("never on together with \(rules.interlock.joined(separator: ", "))\(rest)")
    }
    if let lost = rules.lost {
      let source = output.heartbeat.map { "on \($0.expanded(device: device))" } ?? "of the broker"
      words.append("\(lost.isOn ? "on" : "off") when nothing was heard \(source) for \(lost.after.inWords)")
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

  var warnings: [String] { lostWarnings + configuration.outputs.flatMap(boardWarnings) }

  /// What a person should know who thinks that a lost controller is always noticed.
  private var lostWarnings: [String] {
    let isHere = configuration.broker.urls.contains(where: \.isOfThisMachine)
    return configuration.outputs.filter { $0.rules.lost != nil && $0.heartbeat == nil }.map {
      isHere
        ? "\($0.name): the broker is on this machine, so lost notices when the broker is gone, and not when a controller "
          + "elsewhere is; write lost.heartbeat, a topic that the controller publishes to"
        : "\($0.name): lost notices when the broker is gone; a controller behind a bridge of that broker may go unnoticed, "
          + "which only lost.heartbeat changes"
    }
  }

  private func boardWarnings(_ output: OutputConfiguration) -> [String] {
    guard case .gpio(let line) = output.request else { return [] }
    switch board?[output.name] {
    case .success(let found):
      return [BootPull.warning(about: line, at: found.place)].compactMap { $0 }.map { "\(output.name): \($0)" }
    case .failure where output.rules.stop == .on || output.rules.stop == .keep:
      return [
        "\(output.name): its line is not to be found now, so whether it stays as it is when nobody holds it, as stop: "
          + "\(output.rules.stop.rawValue) needs, is not known"
      ]
    case .failure, nil: return []
    }
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
