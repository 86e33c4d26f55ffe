import LimpetInstants

/// Why a command is refused: what happened, and when it would not be.
struct Objection: Error, Equatable {
  /// What is counted, as a label of the counter: few words, all of this program.
  enum Kind: String, Sendable, CaseIterable {
    case malformed
    case unknownOutput = "unknown_output"
    case retained
    /// Another client uses the client identifier.
    case conflict
    /// The broker has not returned the agent's own word, or does not let it subscribe.
    case fence
    case queued
    case redelivered
    case maxAge = "max_age"
    case notHeld = "not_held"
    case maxRate = "max_rate"
    case value
    case duration = "for"
    case pulse
    case stopping
    case lost
    case maxOn = "max_on"
    case minOff = "min_off"
    case interlock
    case driver
  }

  var kind: Kind
  var text: String
  var retryAfter: Duration?

  init(_ kind: Kind, _ text: String, retryAfter: Duration? = nil) {
    self.kind = kind
    self.text = text
    self.retryAfter = retryAfter
  }
}

extension Objection {
  static let retained = Objection(
    .retained, "it is retained, so limpet would obey it again at every start; publish it without retain")
}

/// How a command has come.
enum Arrival: Sendable {
  case live
  /// It may have waited while the agent was away.
  case queued
  /// The broker sends it once more (DUP): an earlier process, or an earlier connection, may have had it.
  case redelivered
}
