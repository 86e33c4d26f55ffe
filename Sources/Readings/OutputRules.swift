import Measuring

/// When an output may be on, and what it is given when nobody says.
package struct OutputRules: Sendable, Equatable {
  package enum Start: String, Sendable, CaseIterable {
    case off, on
    /// The last plain on or off.
    case restore
  }

  package enum Stop: String, Sendable, CaseIterable {
    case off, on
    /// It is let go of as it is.
    case keep
    /// A fan goes back to who drove it before.
    case automatic = "auto"
  }

  /// What happens to the output when its controller is silent.
  package struct Lost: Sendable, Equatable {
    package var after: Duration
    package var isOn: Bool
    /// Only messages on this topic count, and none that was retained; nil: every byte of the broker.
    package var heartbeat: String?

    package init(after: Duration, isOn: Bool, heartbeat: String? = nil) {
      self.after = after
      self.isOn = isOn
      self.heartbeat = heartbeat
    }
  }

  /// What `on` is, and the least that is not off.
  package var on = OutputLevel.on
  package var least = OutputLevel.off
  package var start = Start.off
  package var stop = Stop.off
  package var lost: Lost?
  package var maxOn: Duration?
  package var minOn = Duration.zero
  /// How long a way through all of 0 to 100 % takes where a command wants it; zero: no time.
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

  /// What is safe: `stop`, or off where that leaves it as it is.
  package var safe: OutputLevel { stop == .on ? on : .off }
}
