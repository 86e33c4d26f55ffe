import LimpetInstants

/// What seeds expand into: each run has a random part of the kinds of actions and of the constants, so that rare pairs
/// meet and no fault hides another in all runs (swarm testing: Groce and others 2012).
package struct Swarm: Sendable {
  package struct Choice: Sendable {
    package var kind: ActionKind
    /// How many links, brokers, boards or sensors there are to choose from.
    package var targets: UInt32

    package init(_ kind: ActionKind, targets: UInt32 = 1) {
      self.kind = kind
      self.targets = targets
    }
  }

  package var choices: [Choice]
  /// Constants and the values that they may have.
  package var settings: [(name: String, values: [Int64])]
  package var actions: ClosedRange<UInt64>
  /// Between two actions, and of an action: each order of magnitude is as likely as the next.
  package var lengths: ClosedRange<Duration>
  /// No action begins later.
  package var length: Duration

  package init(
    _ choices: [Choice], settings: [(name: String, values: [Int64])] = [], actions: ClosedRange<UInt64> = 1...30,
    lengths: ClosedRange<Duration> = .milliseconds(1)...(.seconds(3600)), length: Duration = .seconds(86_400)
  ) {
    self.choices = choices
    self.settings = settings
    self.actions = actions
    self.lengths = lengths
    self.length = length
  }

  /// The same for the same seed, on every machine.
  package func script(_ seed: Seed) -> Script {
    var script = Script(seed: seed)
    var generator = seed.of(1).generator
    for setting in settings where !setting.values.isEmpty {
      let value = setting.values[Int(generator.number(below: UInt64(setting.values.count)))]
      script.settings.append(Script.Setting(setting.name, value))
    }
    var profile = choices.filter { _ in generator.number(below: 2) == 0 }
    if profile.isEmpty, !choices.isEmpty {
      profile = [choices[Int(generator.number(below: UInt64(choices.count)))]]
    }
    guard !profile.isEmpty else { return script }
    let count = actions.lowerBound + generator.number(below: actions.upperBound - actions.lowerBound + 1)
    var time = Duration.zero
    for _ in 0..<count {
      time += generator.duration(from: lengths.lowerBound, to: lengths.upperBound)
      let choice = profile[Int(generator.number(below: UInt64(profile.count)))]
      let duration = generator.duration(from: lengths.lowerBound, to: lengths.upperBound)
      let target = UInt32(generator.number(below: UInt64(choice.targets)))
      let values = choice.kind.values
      let value = generator.number(below: UInt64(values.count))
      guard time <= length else { break }
      script.actions.append(
        Action(
          at: time, choice.kind, target: target, for: choice.kind.lasts ? duration : .zero,
          value: values.isEmpty ? 0 : values[Int(value)]))
    }
    return script
  }
}
