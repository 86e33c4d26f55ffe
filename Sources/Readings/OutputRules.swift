import Measuring

/// When an output may be on, and its level without a command.
package struct OutputRules: Sendable, Equatable {
  package enum Start: String, Sendable, CaseIterable {
    case off, on
    /// The last plain on or off.
    case restore
  }

  package enum Stop: String, Sendable, CaseIterable {
    case off, on
    /// It is released as it is.
    case keep
    /// A fan goes back to the control that drove it before.
    case automatic = "auto"
  }

  /// What happens to the output when its controller is silent.
  package struct Lost: Sendable, Equatable {
    package var after: Duration
    package var isOn: Bool
    /// Only messages on this topic count, except retained ones; nil: every byte of the broker counts.
    package var heartbeat: String?

    package init(after: Duration, isOn: Bool, heartbeat: String? = nil) {
      self.after = after
      self.isOn = isOn
      self.heartbeat = heartbeat
    }
  }

  /// The level of `on`, and the lowest level that is not off.
  package var on = OutputLevel.on
  package var least = OutputLevel.off
  package var start = Start.off
  package var stop = Stop.off
  package var lost: Lost?
  package var maxOn: Duration?
  package var minOn = Duration.zero
  /// How long a change from 0 to 100 % takes after a command; zero: no time.
  package var ramp = Duration.zero
  package var minOff = Duration.zero
  /// Names of outputs that are never on together with this one.
  package var interlock: [String] = []
  package var deadTime = Duration.zero
  package var pulse: Duration?
  /// Commands that waited while the agent was away are obeyed.
  package var obeysQueued = false
  package var maxAge: Duration?
  /// Commands a second.
  package var maxRate = 10

  package init() {}

  /// The safe level: `stop`, or off if that leaves it as it is.
  package var safe: OutputLevel { stop == .on ? on : .off }
}
