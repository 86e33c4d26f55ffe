import LimpetInstants
import MQTTCore

/// Finds out on which message a server closes connections, and what to leave out (DESIGN, "Presence, in order", point
/// 6).
///
/// When a connection ends with messages unanswered, any of them may be the cause: so from then on they go one at a
/// time. It sets aside the message that is the oldest unanswered one at three ends in a row. After two ends with an
/// unanswered SUBSCRIBE it sends no other until a connection has lasted: the cause may have been something else.
package struct CloseWatch {
  package enum Verdict: Equatable {
    case nothing
    /// Send messages one at a time.
    case beCautious
    case setOldestAside
  }

  private var suspect: (token: Session.Token, closes: Int)?
  private var closesOnSubscribe = 0
  /// SUBSCRIBE was sent again, and the server has answered none since.
  private var pardons = 0

  package init() {}

  /// Whether SUBSCRIBE may be sent: the server does not close on it, as far as it is known.
  package var maySubscribe: Bool { closesOnSubscribe < 2 }

  /// The server has closed the connection.
  ///
  /// - Parameters:
  ///   - oldest: the oldest message that was unanswered; nil: there was none.
  ///   - isSubscribing: a SUBSCRIBE was unanswered.
  package mutating func closed(oldest: Session.Token?, isSubscribing: Bool) -> Verdict {
    if isSubscribing { closesOnSubscribe += 1 }
    guard let oldest else {
      suspect = nil
      return .nothing
    }
    let closes = suspect?.token == oldest ? (suspect?.closes ?? 0) + 1 : 1
    guard closes < 3 else {
      suspect = nil
      return .setOldestAside
    }
    suspect = (oldest, closes)
    return .beCautious
  }

  package mutating func subscribed() { (closesOnSubscribe, pardons) = (0, 0) }

  /// How long a connection has to last before a SUBSCRIBE is sent on it: the first time until it counts as stable, then
  /// an hour, since each SUBSCRIBE may cost a connection.
  package func patience(stableAfter: Duration) -> Duration {
    pardons == 0 ? stableAfter : max(stableAfter, .seconds(3600))
  }

  /// One more SUBSCRIBE; an end that follows it is the last.
  package mutating func pardon() {
    pardons += 1
    closesOnSubscribe = 1
  }
}
