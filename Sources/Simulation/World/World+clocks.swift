import Core
import LimpetInstants
import MQTTCore

/// What the board's clocks come to: a crystal that is not exact, a clock that somebody sets, certificates that are judged
/// by it.
extension World {
  /// The certificates of the brokers are valid from here on: 2026-01-01T00:00:00Z, in nanoseconds since 1970.
  static let certificatesBegin: Int64 = 1_767_225_600 * 1_000_000_000
  /// How often NTP corrects the clock that it disciplines.
  static let discipline = Duration.seconds(64)

  var usesTLS: Bool { script.setting("tls") == 1 }

  mutating func warmCrystal() {
    guard let drift = script.setting("drift"), drift != 0 else { return }
    boards[0].clock.setDrift(drift, at: now)
    queue.push(.discipline, at: now + Self.discipline)
  }

  /// By a little, which is no jump.
  mutating func disciplineClock() {
    if boards[0].clock.isSynchronized { boards[0].clock.setWall(to: truth, at: now) }
    queue.push(.discipline, at: now + Self.discipline)
  }

  /// By the board's clock the certificates are not valid yet.
  func isTooEarly(_ board: Int) -> Bool { usesTLS && boards[board].clock.wall(at: now) < Self.certificatesBegin }

  /// A transport is opened: what is wrong with the network is met before the certificate is.
  mutating func open(link: Int, _ version: ProtocolVersion, by board: Int) -> ConnectionID {
    let reachability = network.reachability(link: link)
    guard isTooEarly(board), reachability == .open else { return network.open(link: link, version, at: now) }
    network.setReachability(.certificateNotYetValid, link: link)
    defer { network.setReachability(reachability, link: link) }
    return network.open(link: link, version, at: now)
  }

  /// The board's clock is right.
  mutating func synchronize(_ board: Int) {
    setWall(board, to: truth, isSynchronized: true)
    if boards[board].isRunning, !boards[board].isAsleep { oracles.synchronized(board, at: now) }
  }
}
