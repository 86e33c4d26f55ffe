import LimpetInstants

/// Which version to ask a server for when either will do: 5, and 3.1.1 where the server cannot.
///
/// It chooses 3.1.1 after a refusal for the version, or after two closes without a byte after CONNECT on a server where
/// 5 never worked, and stays with it for a day; then it chooses 5 again.
public struct VersionChoice: Sendable, Hashable {
  /// A moment of the clock that measures: monotonic, suspend included.
  public typealias Instant = BootClock.Instant

  enum Knowledge: Sendable, Hashable {
    /// 5 has not been answered yet; so many connections were closed without a byte.
    case unknown(silentCloses: Int)
    case speaks5
    case only311(until: Instant)
  }

  static let retryAfter = Duration.seconds(86_400)
  static let silentClosesAllowed = 2

  private var servers: [ServerAddress: Knowledge] = [:]

  /// Knows no server yet.
  public init() {}

  /// 5, or 3.1.1 for a server that is known to speak only that.
  public mutating func version(for server: ServerAddress, at now: Instant) -> ProtocolVersion {
    if case .only311(let until) = servers[server], now < until { return .v311 }
    return .v5
  }

  /// A CONNACK agreed to this version.
  public mutating func accepted(_ version: ProtocolVersion, by server: ServerAddress) {
    if version == .v5 { servers[server] = .speaks5 }
  }

  /// A refusal for the version: 0x84, or a CONNACK of 3.1.1 with return code 1.
  public mutating func refused(by server: ServerAddress, at now: Instant) {
    servers[server] = .only311(until: now + Self.retryAfter)
  }

  /// The connection ended after a CONNECT of version 5 without a byte from the server.
  public mutating func closedSilently(by server: ServerAddress, at now: Instant) {
    switch servers[server] ?? .unknown(silentCloses: 0) {
    case .speaks5: break
    case .only311: servers[server] = .only311(until: now + Self.retryAfter)
    case .unknown(let closes):
      let closes = closes + 1
      servers[server] =
        closes >= Self.silentClosesAllowed ? .only311(until: now + Self.retryAfter) : .unknown(silentCloses: closes)
    }
  }
}
