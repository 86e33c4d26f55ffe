/// How a TLS connection is made. Paths are read each time a connection is opened, so renewed certificates are taken.
public struct TLSSettings: Sendable, Hashable {
  /// PEM file or folder of certificate authorities; nil: those of the system.
  public var authorities: String?
  /// PEM files of the client's own certificate chain and its key; both or none.
  public var certificate: String?
  public var privateKey: String?
  /// The name that the server's certificate must carry, and that is asked for (SNI); nil: the host of the address.
  public var serverName: String?
  /// The server's certificate is not checked at all, unless there are pinned ones.
  public var isInsecure = false
  /// PEM files, each with one certificate or several. Where there are any, the server's own certificate must be one of
  /// them, byte for byte, and that is all of the check: it may be self-signed, expired or for another name, and neither
  /// `authorities` nor `isInsecure` matters.
  public var pinnedCertificates: [String] = []

  public init() {}
}
