import Glibc
import LimpetPlatform
import NIOCore
import NIOPosix

/// getaddrinfo(3) on a thread of its own: it may block for as long as the resolver's configuration says.
enum NameLookup {
  struct Failure: Error, CustomStringConvertible {
    let host: String
    let description: String
  }

  static func addresses(_ host: String, port: Int) async throws -> [SocketAddress] {
    guard UInt16(exactly: port) != nil else { throw Failure(host: host, description: "there is no port \(port)") }
    if let address = try? SocketAddress(ipAddress: host, port: port) { return [address] }
    return try await BlockingWork.run("name-lookup") { try look(up: host, port: port) }
  }

  private static func look(up host: String, port: Int) throws(Failure) -> [SocketAddress] {
    var hints = addrinfo()
    hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
    hints.ai_protocol = CInt(IPPROTO_TCP)
    var first: UnsafeMutablePointer<addrinfo>?
    let code = getaddrinfo(host, String(port), &hints, &first)
    guard code == 0 else { throw Failure(host: host, description: String(cString: gai_strerror(code))) }
    defer { freeaddrinfo(first) }
    var addresses: [SocketAddress] = []
    var next = first
    while let entry = next?.pointee {
      defer { next = entry.ai_next }
      guard let address = entry.ai_addr else { continue }
      switch entry.ai_family {
      case AF_INET:
        address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
          addresses.append(SocketAddress($0.pointee, host: host))
        }
      case AF_INET6:
        address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
          addresses.append(SocketAddress($0.pointee, host: host))
        }
      default: break
      }
    }
    return addresses
  }
}

/// Gives NIO's connection attempts over several addresses (RFC 8305) the addresses that are known already.
struct KnownAddresses: Resolver, Sendable {
  let addresses: [SocketAddress]
  let eventLoop: any EventLoop

  func initiateAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> {
    eventLoop.makeSucceededFuture(addresses.filter { $0.protocol == .inet })
  }

  func initiateAAAAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> {
    eventLoop.makeSucceededFuture(addresses.filter { $0.protocol == .inet6 })
  }

  func cancelQueries() {}
}
