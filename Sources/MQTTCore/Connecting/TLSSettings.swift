/// How a TLS connection is made. Paths are read each time a connection is opened, so renewed certificates are taken.
public struct TLSSettings: Sendable, Hashable {
  /// PEM file or folder of certificate authorities; nil: those of the system.
  public var authorities: String?
  /// PEM file of the client's own certificate chain; it goes with a key, and neither without the other.
  public var certificate: String?
  /// PEM file of the key that goes with `certificate`; where it is encrypted, `passphrase` opens it.
  public var privateKey: String?
  /// What an encrypted private key is opened with.
  public var passphrase: String?
  /// In place of `authorities`: PEM in memory, for what is on no disk.
  public var authoritiesPEM: [UInt8]?
  /// In place of `certificate`: PEM in memory.
  public var certificatePEM: [UInt8]?
  /// In place of `privateKey`: PEM in memory, which `passphrase` opens too.
  public var privateKeyPEM: [UInt8]?
  /// The name that the server's certificate must carry, and that is asked for (SNI); nil: the host of the address.
  public var serverName: String?
  /// The server's certificate is not checked at all, unless there are pinned ones.
  public var isInsecure = false
  /// PEM files, each with one certificate or several. Where there are any, the server's own certificate must be one of
  /// them, byte for byte, and that is all of the check: it may be self-signed, expired or for another name, and neither
  /// `authorities` nor `isInsecure` matters.
  public var pinnedCertificates: [String] = []

  /// The oldest version that is spoken: 1.0 and 1.1 are deprecated (RFC 8996).
  public var minimumVersion = Version.v12
  /// What is offered by ALPN (RFC 7301); empty: nothing; nil: `mqtt` or, over WebSocket, `http/1.1`. Some servers want
  /// another name on a port that others share.
  public var applicationProtocols: [String]?

  /// A version of TLS, named by its number.
  public enum Version: String, Sendable, Hashable, CaseIterable {
    case v10 = "1.0"
    case v11 = "1.1"
    case v12 = "1.2"
    case v13 = "1.3"
  }

  /// Authorities of the system, no certificate of the client's own, TLS 1.2 and above.
  public init() {}
}
