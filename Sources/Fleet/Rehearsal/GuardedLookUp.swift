import LimpetInstants
import LimpetPlatform
import MQTT
import NIOCore
import Synchronization

/// Looks names up for thousands of connections: once in a while for all of them, and only to where they may go.
final class GuardedLookUp: Sendable {
  private struct Known {
    var answers: [String: (addresses: [SocketAddress], at: BootClock.Instant)] = [:]
    /// Addresses beyond this machine that may be connected to.
    var permitted: Set<String> = []
  }

  private static let lifetime = Duration.seconds(5)

  private let loadGuard: LoadGuard
  private let lookUp = Carrier.Settings().lookUp
  private let known = Mutex(Known())

  init(_ loadGuard: LoadGuard) { self.loadGuard = loadGuard }

  func addresses(_ host: String, _ port: Int) async throws -> [SocketAddress] {
    let key = "\(host) \(port)"
    let fresh = known.withLock { known in
      known.answers[key].flatMap { $0.at + Self.lifetime > .now ? $0.addresses : nil }
    }
    if let fresh { return fresh }
    let addresses = try loadGuard.permitted(try await lookUp(host, port), of: host)
    known.withLock { known in
      known.answers[key] = (addresses, .now)
      known.permitted.formUnion(addresses.compactMap(\.ipAddress))
    }
    return addresses
  }

  /// An address that is connected to.
  func permits(_ address: String?) -> Bool {
    guard let address else { return true }
    let isLoopback = (try? SocketAddress(ipAddress: address, port: 0)).map(LoadGuard.isLoopback) ?? false
    return isLoopback || known.withLock { $0.permitted.contains(address) }
  }
}
