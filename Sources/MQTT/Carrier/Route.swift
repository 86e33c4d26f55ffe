import NIOCore
import NIOSSL

/// How a connection reaches its server, below MQTT: for a person who looks for a fault.
public struct Route: Sendable {
  /// The addresses that the look-up of the name found; empty for a Unix socket.
  public var addresses: [String]
  /// The address that answered; nil for a Unix socket.
  public var address: String?
  /// nil: without TLS.
  public var tls: TLS?

  /// The result of the TLS handshake.
  public struct TLS: Sendable {
    /// `TLS 1.3`
    public var version: String
    /// nil: the server showed none.
    public var certificate: CertificateSummary?

    /// For a route that comes from elsewhere.
    public init(version: String, certificate: CertificateSummary?) {
      self.version = version
      self.certificate = certificate
    }
  }
}

/// Who a certificate is for, and until when.
public struct CertificateSummary: Sendable, Equatable {
  /// DNS names and addresses of the subject alternative names (RFC 5280, 4.2.1.6).
  public var names: [String]
  /// Seconds since 1970.
  public var expires: Int64

  /// - Parameters:
  ///   - names: DNS names and addresses.
  ///   - expires: seconds since 1970.
  public init(names: [String], expires: Int64) {
    self.names = names
    self.expires = expires
  }

  init(_ certificate: NIOSSLCertificate) {
    names = certificate._subjectAlternativeNames().compactMap { name in
      switch name.nameType {
      case .dnsName: name.contents.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
      case .ipAddress:
        try? SocketAddress(packedIPAddress: ByteBuffer(bytes: name.contents), port: 0).ipAddress
      default: nil
      }
    }
    expires = Int64(certificate.notValidAfter)
  }

  /// The first certificate of a PEM file, which is the holder's own; nil where it cannot be read. Blocking work.
  public init?(file: String) {
    guard let certificate = try? NIOSSLCertificate.fromPEMFile(file).first else { return nil }
    self.init(certificate)
  }
}

extension Carrier {
  /// What the open connection runs over; nil: there is none.
  package var route: Route? {
    guard let connection else { return nil }
    let channel = connection.channel
    var route = Route(
      addresses: connection.attempt.addresses.compactMap(\.ipAddress), address: channel.remoteAddress?.ipAddress)
    guard connection.attempt.server.transport.usesTLS else { return route }
    let pipeline = channel.pipeline.syncOperations
    let certificate = try? pipeline.nioSSL_peerCertificate()
    let version = try? pipeline.nioSSL_tlsVersion()
    route.tls = Route.TLS(
      version: version?.name ?? "TLS", certificate: certificate.map { CertificateSummary($0) })
    return route
  }
}

extension TLSVersion {
  fileprivate var name: String {
    switch self {
    case .tlsv1: "TLS 1.0"
    case .tlsv11: "TLS 1.1"
    case .tlsv12: "TLS 1.2"
    case .tlsv13: "TLS 1.3"
    }
  }
}
