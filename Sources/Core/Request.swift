import LimpetInstants
import MQTTCore
import Readings

/// What a message or a subscription of this agent is for: the session's 64-bit tokens are made from it and into it here
/// and nowhere else.
///
/// Tokens of readings are the order of their arrival, and the ids of rows in databases that exist: they keep the range
/// from 16 to 2^63.
package enum Request: Sendable, Hashable {
  case birthStatus, birthPresence, stopPresence, stopStatus
  case subscription
  case health
  case announcement
  /// SUBSCRIBE to where Home Assistant says that it has started, and its end.
  case homeAssistant, unwatching
  case owedStatus
  case clearing
  /// SUBSCRIBE to commands, the nonce that separates old ones from new ones, and the answer to one.
  case commands, fence, answer
  /// SUBSCRIBE to where controllers say that they are there.
  case heartbeats
  /// A reading, or a message of an earlier process.
  case reading(Session.Token)
  /// The newest reading of a stream once more.
  case retained(stream: StreamID)
  /// The same, for who has subscribed since.
  case reminder(stream: StreamID)

  /// The first token of readings where nobody knows those of earlier processes: the milliseconds since 1970, above all
  /// that were counted from `firstReading` on.
  static func firstReadingWithoutStore(at time: Timestamp) -> Session.Token {
    1 << 52 + Session.Token(max(0, time.milliseconds))
  }

  /// The first token of readings.
  package static let firstReading: Session.Token = 16
  private static let firstRetained: Session.Token = 1 << 63
  private static let firstReminder: Session.Token = 3 << 62

  private static let fixed: [Request] = [
    .birthStatus, .birthPresence, .stopPresence, .stopStatus, .subscription, .health, .announcement, .homeAssistant,
    .unwatching, .owedStatus, .clearing, .commands, .fence, .answer, .heartbeats,
  ]

  /// nil: a token that no request has.
  package init?(_ token: Session.Token) {
    switch token {
    case Self.firstReminder...: self = .reminder(stream: StreamID(Int(token - Self.firstReminder)))
    case Self.firstRetained...: self = .retained(stream: StreamID(Int(token - Self.firstRetained)))
    case Self.firstReading...: self = .reading(token)
    case 1...UInt64(Self.fixed.count): self = Self.fixed[Int(token) - 1]
    default: return nil
    }
  }

  package var token: Session.Token {
    switch self {
    case .birthStatus: 1
    case .birthPresence: 2
    case .stopPresence: 3
    case .stopStatus: 4
    case .subscription: 5
    case .health: 6
    case .announcement: 7
    case .homeAssistant: 8
    case .unwatching: 9
    case .owedStatus: 10
    case .clearing: 11
    case .commands: 12
    case .fence: 13
    case .answer: 14
    case .heartbeats: 15
    case .reading(let token): token
    case .retained(let stream): Self.firstRetained + Session.Token(stream.index)
    case .reminder(let stream): Self.firstReminder + Session.Token(stream.index)
    }
  }
}

/// Tokens on the Homie device's own connection, beside those of its properties, which `HomieLifecycle` counts from 0 on.
enum HomieRequest {
  /// SUBSCRIBE to commands, and the nonce that separates old ones from new ones.
  static let commands: Session.Token = 1 << 62
  static let fence: Session.Token = 1 << 62 + 1
}
