import LimpetInstants
import MQTTCore

/// The connection and those before it, for the status report.
package struct ConnectionRecord: Sendable {
  package typealias Instant = BootClock.Instant

  package enum State: Sendable {
    case idle
    case connecting(ServerAddress, ProtocolVersion)
    indirect case connected(ServerAddress, Session.Connected)
    /// For the next attempt.
    case waiting(until: Instant)
    /// No attempt follows.
    case ended
  }

  /// Why the connection is to another server than the first of the list.
  package enum Choice: Sendable, Equatable {
    /// No connection to that one lasted, or none came about; nil: it is not returned to while this connection lasts.
    case firstFailed(ServerAddress, returnsAfter: Duration?)
    /// Another server has said to use this one.
    case sentThere
  }

  package struct Failure: Sendable {
    package let time: Instant
    package let text: String

    package init(time: Instant, text: String) {
      self.time = time
      self.text = text
    }
  }

  package private(set) var state = State.idle
  /// Of the connection that there is, or the last one; nil: it is to the first server.
  private(set) var choice: Choice?
  package private(set) var since: Instant
  /// Since when there has been no connection; nil: there is one.
  package private(set) var awaySince: Instant?
  private(set) var lastFailure: Failure?
  package private(set) var connections: UInt64 = 0
  /// Ends of connections that were up, and attempts that led to none, by `ConnectionLoss.word`.
  /// The usual ones are there from the start, so that a rate can be made of the first.
  package private(set) var losses = Self.noLosses
  package private(set) var failures = Self.noFailures

  /// One shared value, until there is something to count.
  private static let noLosses = none(["closed", "disconnected", "keepalive", "timeout", "unreachable"])
  private static let noFailures = none(["closed", "name", "refused", "timeout", "tls", "unreachable"])

  private static func none(_ words: [String]) -> [String: UInt64] {
    Dictionary(words.map { ($0, 0) }) { first, _ in first }
  }

  package init(at now: Instant) {
    since = now
    awaySince = now
  }

  package mutating func connecting(_ server: ServerAddress, _ version: ProtocolVersion, at now: Instant) {
    move(to: .connecting(server, version), at: now)
  }

  /// - Returns: how long there was none; nil: this is the first.
  package mutating func connected(
    _ connected: Session.Connected, _ server: ServerAddress, because choice: Choice? = nil, at now: Instant
  ) -> Duration? {
    self.choice = choice
    let away = connections > 0 ? awaySince?.duration(to: now) : nil
    connections += 1
    awaySince = nil
    move(to: .connected(server, connected), at: now)
    return away
  }

  /// The connection goes on, by another rule.
  package mutating func stays(because choice: Choice?) { self.choice = choice }

  /// - Parameter delay: until the next attempt; nil: there is none.
  package mutating func lost(_ loss: ConnectionLoss, retryAfter delay: Duration?, at now: Instant) {
    let server: ServerAddress? = if case .connecting(let server, _) = state { server } else { nil }
    if case .connected = state {
      losses[loss.word, default: 0] += 1
      awaySince = now
    } else {
      failures[loss.word, default: 0] += 1
    }
    if !loss.isIntended { lastFailure = Failure(time: now, text: loss.advised(server)) }
    move(to: delay.map { .waiting(until: now + $0) } ?? .ended, at: now)
  }

  private mutating func move(to state: State, at now: Instant) {
    self.state = state
    since = now
  }
}

extension ConnectionLoss {
  /// Whether this side ended it.
  fileprivate var isIntended: Bool {
    switch self {
    case .aborted, .session(.requested): true
    default: false
    }
  }

  /// One of a few words, for counting.
  package var word: String {
    switch self {
    case .nameNotFound: "name"
    case .endpoint: "endpoint"
    case .proxy: "proxy"
    case .unreachable: "unreachable"
    case .tls: "tls"
    case .upgrade: "upgrade"
    case .foreign: "foreign"
    case .settings: "settings"
    case .timeout: "timeout"
    case .closed: "closed"
    case .addressLost: "address_lost"
    case .authentication: "authentication"
    case .notEncodable: "not_encodable"
    case .aborted: "aborted"
    case .session(let ending): ending.word
    }
  }
}

extension Session.Ending {
  fileprivate var word: String {
    switch self {
    case .requested: "requested"
    case .refused: "refused"
    case .disconnectedByServer(.sessionTakenOver, _, _): "taken_over"
    case .disconnectedByServer: "disconnected"
    case .violation: "violation"
    case .keepAliveTimeout: "keepalive"
    case .unknownSession: "unknown_session"
    }
  }
}
