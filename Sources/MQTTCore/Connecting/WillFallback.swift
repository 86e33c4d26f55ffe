import LimpetInstants

/// How a will goes, and with it whatever else is to go like it.
package struct WillFlags: Sendable, Hashable {
  package var qos: QoS
  package var retain: Bool

  package init(qos: QoS, retain: Bool) {
    self.qos = qos
    self.retain = retain
  }
}

extension WillFlags: CustomStringConvertible {
  package var description: String { "QoS \(qos.rawValue), \(retain ? "retained" : "not retained")" }
}

/// Takes the will back to what a server can: a server that keeps no retained messages, or takes a lower QoS only,
/// refuses a CONNECT whose will asks for more ([MQTT-3.2.2-12], [MQTT-3.2.2-13]).
///
/// On 5 the server says so: 0x9A "retain not supported", 0x9B "QoS not supported". On 3.1.1 it closes the connection
/// without a byte. After two such closes in a row a smaller will is tried: first a lower QoS, then without the retain
/// flag; a server that closes on the smallest too closes on something else, and gets the full will again. Where the full
/// will has worked a close says nothing about it. What a server takes is remembered for a day; then the full will is
/// tried again.
package struct WillFallback: Sendable {
  package typealias Instant = BootClock.Instant

  /// Why a server does not get the full will.
  package enum Cause: Sendable, Hashable {
    /// It said so in CONNACK.
    case refused(ReasonCode)
    /// It closed the connection after CONNECT without a byte.
    case closed
  }

  /// What a server takes in place of the full will.
  package struct Reduction: Sendable, Hashable {
    package let full: WillFlags
    package let flags: WillFlags
    package let cause: Cause
  }

  private enum Knowledge {
    /// The full will has not been agreed to yet; so many connections were closed without a byte.
    case unknown(closes: Int)
    case takesAll
    /// A smaller one; `step` is its place on the way down.
    case reduced(Reduction, step: Int, until: Instant)
  }

  package static let retryAfter = Duration.seconds(86_400)
  static let closesAllowed = 2

  private var servers: [ServerAddress: Knowledge] = [:]

  package init() {
  }

  /// What the next CONNECT to this server asks for.
  package mutating func flags(for server: ServerAddress, full: WillFlags, at now: Instant) -> WillFlags {
    guard case .reduced(let reduction, _, let until) = servers[server] else { return full }
    guard now < until, reduction.full == full else {
      servers[server] = nil
      return full
    }
    return reduction.flags
  }

  /// What this server does not get of the full will; nil: nothing is known to be too much.
  package func reduction(for server: ServerAddress) -> Reduction? {
    if case .reduced(let reduction, _, _) = servers[server] { reduction } else { nil }
  }

  /// CONNACK agreed to a CONNECT with these flags.
  ///
  /// - Parameter isCluster: all servers are nodes of one cluster, which keep the same retained messages: what another one
  ///   did not take was for a while only.
  package mutating func accepted(
    _ flags: WillFlags, full: WillFlags, by server: ServerAddress, isCluster: Bool = false
  ) {
    guard flags == full else { return }
    if isCluster { servers.removeAll() }
    servers[server] = .takesAll
  }

  /// CONNACK refused a CONNECT with these flags; true: a smaller will is tried next.
  package mutating func refused(
    _ code: ReasonCode, _ flags: WillFlags, full: WillFlags, by server: ServerAddress, at now: Instant
  ) -> Bool {
    var smaller = flags
    switch code {
    case .retainNotSupported: smaller.retain = false
    case .qosNotSupported: smaller.qos = QoS(rawValue: flags.qos.rawValue &- 1) ?? .atMostOnce
    default: return false
    }
    // It is not about the will, or there is no smaller one.
    guard smaller != flags else { return false }
    let step = Self.steps(from: full).firstIndex(of: smaller) ?? 0
    servers[server] = .reduced(
      Reduction(full: full, flags: smaller, cause: .refused(code)), step: step, until: now + Self.retryAfter)
    return true
  }

  /// The server closed the connection after a CONNECT of 3.1.1 with these flags, without a byte; true: a smaller will
  /// is tried next.
  package mutating func closedSilently(full: WillFlags, by server: ServerAddress, at now: Instant) -> Bool {
    let next: Int
    switch servers[server] ?? .unknown(closes: 0) {
    case .takesAll: return false
    case .unknown(let closes):
      guard closes + 1 >= Self.closesAllowed else {
        servers[server] = .unknown(closes: closes + 1)
        return false
      }
      next = 1
    case .reduced(_, let step, _): next = step + 1
    }
    let steps = Self.steps(from: full)
    guard next < steps.count else {
      servers[server] = nil
      return false
    }
    servers[server] = .reduced(
      Reduction(full: full, flags: steps[next], cause: .closed), step: next, until: now + Self.retryAfter)
    return true
  }

  /// The full will and each smaller one, in the order in which they are tried.
  package static func steps(from full: WillFlags) -> [WillFlags] {
    let levels = QoS.allCases.filter { $0 <= full.qos }.reversed()
    return (full.retain ? [true, false] : [false]).flatMap { retain in
      levels.map { WillFlags(qos: $0, retain: retain) }
    }
  }
}

extension MQTTSession.Connected {
  /// What a server refused of the will it refuses of every message.
  package func limited(by reduction: WillFallback.Reduction?) -> MQTTSession.Connected {
    guard let reduction else { return self }
    var limits = limits
    if reduction.flags.qos < reduction.full.qos { limits.maximumQoS = min(limits.maximumQoS, reduction.flags.qos) }
    if reduction.flags.retain != reduction.full.retain { limits.retainAvailable = false }
    return MQTTSession.Connected(
      version: version, sessionPresent: sessionPresent, limits: limits, properties: properties)
  }
}
