import NIOSSL

/// How a TLS connection is made. Paths are read each time a connection is opened, so renewed certificates are taken.
public struct TLSSettings: Sendable, Hashable {
  /// PEM file or folder of certificate authorities; nil: those of the system.
  public var authorities: String?
  /// PEM files of the client's own certificate chain and its key; both or none.
  public var certificate: String?
  public var privateKey: String?
  /// The name that the server's certificate must carry, and that is asked for (SNI); nil: the host of the address.
  public var serverName: String?
  /// The server's certificate is not checked at all.
  public var isInsecure = false

  public init() {}

  /// Reads the files: blocking work.
  func makeContext(_ applicationProtocol: String) throws(TLSSettingsError) -> NIOSSLContext {
    var configuration = TLSConfiguration.makeClientConfiguration()
    if let authorities { configuration.trustRoots = .file(authorities) }
    if isInsecure { configuration.certificateVerification = .none }
    configuration.applicationProtocols = [applicationProtocol]
    if let certificate, let privateKey {
      do {
        configuration.certificateChain = try NIOSSLCertificate.fromPEMFile(certificate).map { .certificate($0) }
      } catch { throw TLSSettingsError(file: certificate, what: "the client certificate", cause: error) }
      do {
        configuration.privateKey = .privateKey(try NIOSSLPrivateKey(file: privateKey, format: .pem))
      } catch { throw TLSSettingsError(file: privateKey, what: "the private key", cause: error) }
    }
    do { return try NIOSSLContext(configuration: configuration) } catch {
      throw TLSSettingsError(file: authorities, what: "the certificate authorities", cause: error)
    }
  }
}

/// A file of the TLS settings that cannot be used.
public struct TLSSettingsError: Error, CustomStringConvertible {
  let file: String?
  let what: String
  let cause: any Error

  public var description: String {
    "\(what) cannot be used" + (file.map { " (\($0))" } ?? "") + ": \(cause); a PEM file is expected"
  }
}
