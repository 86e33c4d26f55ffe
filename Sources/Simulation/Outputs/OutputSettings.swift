import LimpetInstants
import MQTTCore
import Measuring
import Plan
import Readings

/// The outputs that a modelled device is configured to have, and what an operator has changed of them since.
struct OutputSettings: Sendable {
  static let heartbeat = DeviceModel.topicName("controller/alive")
  /// Where the commander wants its answers.
  static let answers = DeviceModel.topicName("commander/answers")
  static let most = 4

  let count: Int
  private let values: [String: Int64]
  private let keepAlive: UInt16

  /// What reloads change: the variant of all rules, outputs that are left out, and how often each was moved to another
  /// line.
  var variant = 0
  var isLeftOut = [Bool](repeating: false, count: most)
  var moves = [Int](repeating: 0, count: most)

  init(_ script: Script, keepAlive: UInt16) {
    count = Int(min(max(script.setting("outputs") ?? 0, 0), Int64(Self.most)))
    var values: [String: Int64] = [:]
    if count > 0 { for setting in script.settings { values[setting.name] = setting.value } }
    self.values = values
    self.keepAlive = keepAlive
  }

  static func name(_ index: Int) -> String { "o\(index)" }
  static func index(_ name: String) -> Int? { name.first == "o" ? Int(name.dropFirst()) : nil }
  static func commands(_ index: Int) -> TopicName {
    DeviceModel.topicName("limpet/\(DeviceModel.name)/r/\(name(index))/set")
  }

  private func value(_ name: String) -> Int64 { values[name] ?? 0 }

  /// How long the driver usually takes.
  var driverDelay: Duration { .milliseconds(value("driver-delay")) }
  var hasHeartbeat: Bool { count > 0 && value("heartbeat") == 1 && value("lost") > 0 }

  var plans: [OutputPlan] {
    (0..<count).filter { !isLeftOut[$0] }.map {
      OutputPlan(name: Self.name($0), stream: 0, request: request($0), rules: rules($0))
    }
  }

  /// Every other one is a PWM; two chips have them in turn.
  func request(_ index: Int) -> OutputRequest {
    let (chip, place) = (index / 2, index % 2 + 2 * moves[index])
    return isSwitch(index)
      ? .gpio(GPIOOutput(chip: "chip\(chip)", line: .offset(UInt32(place))))
      : .pwm(PWMOutput(device: "chip\(chip)", channel: place, frequency: 100))
  }

  private func isSwitch(_ index: Int) -> Bool { index % 2 == 0 || value("pwm") == 0 }

  /// Which of the two chips an output is on.
  static func chip(of request: OutputRequest) -> Int {
    switch request {
    case .gpio(let output): output.chip == "chip0" ? 0 : 1
    case .pwm(let output): output.device == "chip0" ? 0 : 1
    case .led, .backlight, .fan: 0
    }
  }

  // MARK: Rules

  /// The length that a rule has for an output: with `spread` a part of the outputs is without it, and each variant makes
  /// some longer, some shorter, and takes others away.
  private func length(_ name: String, _ number: UInt64, _ index: Int) -> Duration? {
    let whole = value(name)
    guard whole > 0 else { return nil }
    let seed = Seed(UInt64(bitPattern: value("spread"))).of(number, UInt64(index))
    if value("spread") > 0, seed.of(1).isTrue(perMille: 400) { return nil }
    guard variant > 0 else { return .milliseconds(whole) }
    switch seed.of(UInt64(variant) + 1).number(below: 4) {
    case 0: return .milliseconds(2 * whole)
    case 1: return .milliseconds(max(1, whole / 2))
    case 2: return nil
    default: return .milliseconds(whole)
    }
  }

  /// As a configuration has them: what it would call an error is left out.
  private func rules(_ index: Int) -> OutputRules {
    var rules = OutputRules()
    rules.interlock = partners(of: index).map(Self.name)
    rules.deadTime = rules.interlock.isEmpty ? .zero : length("dead-time", 1, index) ?? .zero
    rules.maxOn = length("max-on", 2, index)
    rules.minOn = length("min-on", 3, index) ?? .zero
    if let maxOn = rules.maxOn { rules.minOn = min(rules.minOn, maxOn) }
    rules.minOff = length("min-off", 4, index) ?? .zero
    rules.pulse = length("pulse", 5, index)
    if let pulse = rules.pulse {
      rules.minOn = min(rules.minOn, pulse)
      rules.maxOn = rules.maxOn.map { max($0, pulse) }
    }
    rules.lost = lost(index)
    rules.start = start(rules)
    rules.stop = stop(rules)
    rules.ramp = isSwitch(index) ? .zero : length("ramp", 6, index) ?? .zero
    rules.obeysQueued = value("obey-queued") == 1
    rules.maxAge = length("max-age", 7, index)
    rules.maxRate = Int(max(1, values["max-rate"] ?? 10))
    return rules
  }

  private func lost(_ index: Int) -> OutputRules.Lost? {
    guard let extra = length("lost", 8, index) else { return nil }
    let least = Duration.milliseconds(1500 * Int64(keepAlive) + 6000)
    let heartbeat = hasHeartbeat ? Self.heartbeat.description : nil
    return OutputRules.Lost(
      after: extra + (heartbeat == nil ? least : .seconds(10)), isOn: value("lost-on") == 1, heartbeat: heartbeat)
  }

  private func partners(of index: Int) -> [Int] {
    let others = (0..<count).filter { $0 != index && !isLeftOut[$0] }
    switch value("interlock") {
    case 1: return others.filter { $0 == index ^ 1 }
    // One way is enough.
    case 2: return index == 0 ? others : []
    default: return []
    }
  }

  /// Whether somebody names it.
  private var hasInterlock: Bool { value("interlock") > 0 }

  private func start(_ rules: OutputRules) -> OutputRules.Start {
    switch value("start") {
    case 1 where rules.pulse == nil: .on
    case 2 where rules.pulse == nil && rules.maxOn == nil && !hasInterlock: .restore
    default: .off
    }
  }

  private func stop(_ rules: OutputRules) -> OutputRules.Stop {
    switch value("stop") {
    case 1 where !hasInterlock: .on
    case 2 where rules.maxOn == nil && rules.lost == nil: .keep
    default: .off
    }
  }

  // MARK: Commands

  var commands: CommandsPlan? {
    guard count > 0 else { return nil }
    var names: [TopicName: String] = [:]
    for index in 0..<count where !isLeftOut[index] { names[Self.commands(index)] = Self.name(index) }
    guard !names.isEmpty else { return nil }
    let heartbeats = hasHeartbeat ? [DeviceModel.filter(Self.heartbeat.description)] : []
    return CommandsPlan(
      filters: [DeviceModel.filter("limpet/\(DeviceModel.name)/r/+/set")], heartbeats: heartbeats,
      fence: DeviceModel.topicName("limpet/\(DeviceModel.name)/r/fence/set"), names: names,
      ownPrefixes: ["limpet/\(DeviceModel.name)/"])
  }
}
