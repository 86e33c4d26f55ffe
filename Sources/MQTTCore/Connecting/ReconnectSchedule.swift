import LimpetInstants

/// When to try again: exponential back-off with full jitter.
///
/// Each failure lengthens the next delay, which is drawn evenly from zero to the bound of its round, so that a fleet
/// spreads out. Only a connection that lasted `stableAfter` resets the rounds; a CONNACK alone does not, since a server
/// may accept and close right after, for ever.
public struct ReconnectSchedule: Sendable {
  /// A moment of the clock that measures: monotonic, suspend included.
  public typealias Instant = BootClock.Instant

  /// The bounds of the back-off.
  public struct Settings: Sendable, Hashable {
    /// Bound of the first round.
    public var minimum = Duration.seconds(1)
    /// Bound that the rounds grow to, each twice the one before.
    public var maximum = Duration.seconds(120)
    /// How long a connection has to last before the rounds start again with the first.
    public var stableAfter = Duration.seconds(60)

    /// Delays of up to 1 s in the first round, of up to 2 min in the end.
    public init() {}
  }

  /// What a failure says about trying again.
  public enum Failure: Sendable, Hashable {
    /// Any failure that may be over at the next attempt.
    case ordinary
    /// Nothing listens at the port: an attempt costs only a packet each way, so the next one follows within 10 seconds,
    /// and this failure does not lengthen later delays.
    case nothingListens
    /// TLS failed, perhaps because by a wrong clock a certificate is not yet or no longer valid.
    case tls
    /// The server refused this client: nothing changes soon, so the delay is at least half of the longest.
    case refused

    /// What happened is a reason to try again before the delay is over.
    package func ends(on change: Change) -> Bool {
      switch (self, change) {
      // A server that will have none of us sooner: nothing that happens here changes that.
      case (.refused, _): false
      case (.ordinary, .network), (.nothingListens, .network), (.tls, .network), (.tls, .clock): true
      case (.ordinary, .clock), (.nothingListens, .clock): false
      }
    }
  }

  /// What may end a delay early.
  package enum Change: Sendable, Hashable, CaseIterable {
    /// Addresses or routes of this machine.
    case network
    /// The wall clock was set.
    case clock
  }

  private let settings: Settings
  /// Servers that are tried in turn; they share a round.
  private let servers: Int
  private(set) var failures = 0
  /// Attempts at which nothing listened, since the last connection.
  private var silent = 0
  private var connectedSince: Instant?

  /// - Parameters:
  ///   - settings: the shortest and longest waits.
  ///   - servers: how many servers are tried in turn, at least 1; each of them is tried once in a round.
  public init(_ settings: Settings, servers: Int = 1) {
    self.settings = settings
    self.servers = max(servers, 1)
  }

  /// CONNACK came: from here `stableAfter` counts.
  public mutating func connected(at now: Instant) { (connectedSince, silent) = (now, 0) }

  /// The network came back or the clock was set: what failed before says nothing about now.
  public mutating func reset() { (failures, silent) = (0, 0) }

  /// A connection or an attempt ended; the delay before the next one.
  public mutating func failed(
    _ failure: Failure, at now: Instant, using generator: inout some RandomNumberGenerator
  ) -> Duration {
    if let since = connectedSince, since.duration(to: now) >= settings.stableAfter { failures = 0 }
    connectedSince = nil
    let round = failures / servers
    if failure != .nothingListens { failures += 1 }
    switch failure {
    case .ordinary, .tls: return .zero.jittered(upTo: bound(round), using: &generator)
    case .nothingListens:
      let bound = min(bound((failures + silent) / servers), Self.longestForNothing)
      if bound < min(Self.longestForNothing, settings.maximum) { silent += 1 }
      return .zero.jittered(upTo: min(bound, settings.maximum), using: &generator)
    case .refused:
      let half = settings.maximum / 2
      return half.jittered(upTo: half, using: &generator)
    }
  }

  private static let longestForNothing = Duration.seconds(10)

  private func bound(_ round: Int) -> Duration {
    var bound = settings.minimum
    for _ in 0..<round where bound < settings.maximum { bound = bound * 2 }
    return min(bound, settings.maximum)
  }
}

extension Duration {
  /// This plus a random part of `span`, evenly drawn to the nanosecond: whole numbers are the same on every machine.
  func jittered(upTo span: Duration, using generator: inout some RandomNumberGenerator) -> Duration {
    self + .nanoseconds(Int64.random(in: 0...max(0, span.wholeNanoseconds), using: &generator))
  }
}
