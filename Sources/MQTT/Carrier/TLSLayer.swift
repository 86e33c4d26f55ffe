import NIOCore
import NIOSSL

/// What TLS to one server needs, with the files read.
struct TLSLayer: Sendable {
  /// Who the server has to be.
  enum Check: Sendable {
    case none
    case name(String)
    case address(SocketAddress)
    /// One of these certificates (DER), whatever it says.
    case pinned(Set<[UInt8]>)
  }

  let context: NIOSSLContext
  let check: Check
  /// Asked for (SNI); nil where an address is connected to, which is no server name (RFC 6066 §3).
  let serverName: String?

  /// - Parameter mismatch: called with what is wrong with a certificate if the error of the handshake cannot say it.
  func makeHandler(_ mismatch: @escaping @Sendable (any Error) -> Void) throws -> NIOSSLClientHandler {
    switch check {
    case .none: return try NIOSSLClientHandler(context: context, serverHostname: serverName)
    case .name(let name):
      return try makeHandler { try HostNameCheck.verify($0, host: name) }
    case .address(let address):
      return try makeHandler { try HostNameCheck.verify($0, address: address) }
    case .pinned(let pinned):
      return try NIOSSLClientHandler(context: context, serverHostname: serverName) { certificates, promise in
        do {
          try PinnedCertificates.verify(certificates.first, against: pinned)
          promise.succeed(.certificateVerified)
        } catch {
          mismatch(error)
          promise.succeed(.failed)
        }
      }
    }
  }

  private func makeHandler(
    _ verify: @escaping @Sendable (NIOSSLCertificate) throws -> Void
  ) throws -> NIOSSLClientHandler {
    try ._makeSSLClientHandler(context: context, serverHostname: serverName) { certificate, channel in
      channel.eventLoop.makeCompletedFuture { try verify(certificate) }
    }
  }
}

/// The server's certificate must be one that is known beforehand, byte for byte.
enum PinnedCertificates {
  struct Mismatch: Error, CustomStringConvertible {
    let description: String
  }

  static func verify(_ certificate: NIOSSLCertificate?, against pinned: Set<[UInt8]>) throws {
    guard let certificate else { throw Mismatch(description: "the server has no certificate") }
    guard try pinned.contains(certificate.toDERBytes()) else {
      let serial = certificate.serialNumber.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
      throw Mismatch(
        description: "the server's certificate is not a pinned one (its serial number is "
          + serial.joined(separator: ":") + ")")
    }
  }
}
