import Instants
import MQTTCore

/// What there is to say of the connection and of those before it.
package struct ConnectionRecord: Sendable {
  package typealias Instant = BootClock.Instant

  package enum State: Sendable {
    case idle
    case connecting(ServerAddress, ProtocolVersion)
    case connected(ServerAddress, Session.Connected)
    /// For the next attempt.
    case waiting(until: Instant)
    /// No attempt follows.
    case ended
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
  package private(set) var since: Instant
  /// Since when there has been no connection; nil: there is one.
  package private(set) var awaySince: Instant?
  private(set) var lastFailure: Failure?
  package private(set) var connections: UInt64 = 0
  /// Ends of connections that were up, and attempts that led to none, by `ConnectionLoss.word`.
  package private(set) var losses: [String: UInt64] = [:]
  package private(set) var failures: [String: UInt64] = [:]

  package init(at now: Instant) {
    since = now
    awaySince = now
  }

  package mutating func connecting(_ server: ServerAddress, _ version: ProtocolVersion, at now: Instant) {
    move(to: .connecting(server, version), at: now)
  }

  /// - Returns: how long there was none; nil: this is the first.
  package mutating func connected(_ connected: Session.Connected, _ server: ServerAddress, at now: Instant) -> Duration?
  {
    let away = connections > 0 ? awaySince?.duration(to: now) : nil
    connections += 1
    awaySince = nil
    move(to: .connected(server, connected), at: now)
    return away
  }

  /// - Parameter delay: until the next attempt; nil: there is none.
  package mutating func lost(_ loss: ConnectionLoss, retryAfter delay: Duration?, at now: Instant) {
    if case .connected = state {
      losses[loss.word, default: 0] += 1
      awaySince = now
    } else {
      failures[loss.word, default: 0] += 1
    }
    if !loss.isIntended { lastFailure = Failure(time: now, text: "\(loss)") }
    move(to: delay.map { .waiting(until: now + $0) } ?? .ended, at: now)
  }

  private mutating func move(to state: State, at now: Instant) {
    self.state = state
    since = now
  }
}

extension ConnectionLoss {
  /// This side wanted it.
  fileprivate var isIntended: Bool {
    switch self {
    case .aborted, .session(.requested): true
    default: false
    }
  }

  /// For counting: one of few words.
  package var word: String {
    switch self {
    case .nameNotFound: "name"
    case .endpoint: "endpoint"
    case .proxy: "proxy"
    case .unreachable: "unreachable"
    case .tls: "tls"
    case .upgrade: "upgrade"
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
