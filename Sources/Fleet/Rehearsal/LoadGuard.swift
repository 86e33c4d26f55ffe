import LimpetText
import MQTTCore
import NIOCore

/// Where a rehearsal may connect to: this machine, and hosts whose owner has agreed (`--i-may-load`). A fleet of thousands
/// of connections is an attack where nobody expects it.
///
/// It checks every address before a connection, and the address of the connection again: a name may lead elsewhere the
/// next time, and a server may name another server.
struct LoadGuard: Sendable {
  struct Refusal: Error, CustomStringConvertible {
    let host: String
    let address: String

    var description: String {
      let place = host == address ? address : "\(host) (\(address))"
      return "\(place) is not this machine: thousands of connections are a load that its owner has to agree to; "
        + "with --i-may-load \(host) you say that you may"
    }
  }

  private let hosts: Set<String>

  init(hosts: [String]) { self.hosts = Set(hosts.map { $0.lowercased() }) }

  /// - Parameter address: nil: a Unix socket, which is on this machine.
  func permits(_ address: SocketAddress?, of host: String) -> Bool {
    hosts.contains(host.lowercased()) || address.map(Self.isLoopback) ?? true
  }

  /// Those that may be connected to.
  ///
  /// - Throws: where there is none.
  func permitted(_ addresses: [SocketAddress], of host: String) throws(Refusal) -> [SocketAddress] {
    let permitted = addresses.filter { permits($0, of: host) }
    if permitted.isEmpty, let first = addresses.first { throw Refusal(host: host, address: first.ipAddress ?? host) }
    return permitted
  }

  static func isLoopback(_ address: SocketAddress) -> Bool {
    switch address {
    case .unixDomainSocket: return true
    case .v4(let address):
      return UInt32(bigEndian: address.address.sin_addr.s_addr) >> 24 == 127
    case .v6(let address):
      return withUnsafeBytes(of: address.address.sin6_addr) { bytes in
        let isMapped = bytes[0..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
        return isMapped ? bytes[12] == 127 : bytes[0..<15].allSatisfy { $0 == 0 } && bytes[15] == 1
      }
    }
  }
}
