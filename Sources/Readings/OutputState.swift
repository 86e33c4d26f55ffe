import Measuring

/// Why an output has the value that it has.
package enum OutputCause: String, Sendable, CaseIterable {
  /// Its value when the agent started.
  case start
  /// The agent stops, or the output is taken away.
  case stop
  case command
  /// A pulse is over.
  case pulse
  /// The time that a command gave is over.
  case `for`
  /// The controller was silent for too long.
  case lost
  /// It was on for as long as its rule allows.
  case maxOn = "max_on"
  /// A partner is on, or is not held.
  case interlock
  /// Its line or device came back.
  case returned
  /// It was configured in another way.
  case reload
}

extension Reading {
  /// The value that an output was given, and the value that was read back.
  package struct Output: Sendable, Equatable {
    /// A flag of a GPIO line, a number in % of everything else.
    package let value: Value
    package let cause: OutputCause
    /// The value that was read back is another one.
    package let doubt: Doubt?

    package init(value: Value, cause: OutputCause, doubt: Doubt? = nil) {
      self.value = value
      self.cause = cause
      self.doubt = doubt
    }
  }
}
