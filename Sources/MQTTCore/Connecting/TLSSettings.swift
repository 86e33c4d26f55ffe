/// How to make a TLS connection. Each connection reads the files again, so it uses renewed certificates.
public struct TLSSettings: Sendable, Hashable {
  /// PEM file or folder of certificate authorities; nil: those of the system.
  public var authorities: String?
  /// PEM file of the client's own certificate chain; it needs `privateKey`, and the other way round.
  public var certificate: String?
  /// PEM file of the key that belongs to `certificate`; if it is encrypted, `passphrase` decrypts it.
  public var privateKey: String?
  /// What decrypts an encrypted private key.
  public var passphrase: String?
  /// In place of `authorities`: PEM in memory.
  public var authoritiesPEM: [UInt8]?
  /// In place of `certificate`: PEM in memory.
  public var certificatePEM: [UInt8]?
  /// In place of `privateKey`: PEM in memory, which `passphrase` decrypts too.
  public var privateKeyPEM: [UInt8]?
  /// The name that the server's certificate must contain, and that the client asks for (SNI); nil: the host of the
  /// address.
  public var serverName: String?
  /// Whether the client accepts any certificate of the server; it still checks `pinnedCertificates`.
  public var isInsecure = false
  /// PEM files, each with one certificate or several. If there are any, the server's own certificate must be one of
  /// them, byte for byte, and the client checks nothing else: it may be self-signed, expired or for another name, and
  /// neither `authorities` nor `isInsecure` matters.
  public var pinnedCertificates: [String] = []

  /// The oldest version that the client accepts: 1.0 and 1.1 are deprecated (RFC 8996).
  public var minimumVersion = Version.v12
  /// What the client offers by ALPN (RFC 7301); empty: nothing; nil: `mqtt` or, over WebSocket, `http/1.1`. Some
  /// servers need another name on a port that they share with other protocols.
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
