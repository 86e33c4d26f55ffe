import Glibc
import MQTTCore
import NIOCore
import NIOSSL

extension TLSSettings {
  /// Reads the files: blocking work.
  ///
  /// - Parameter asksApplication: the application checks certificates in place of all that is said here about them.
  func makeLayer(
    for server: ServerAddress, asksApplication: Bool = false
  ) throws(TLSSettingsError) -> TLSLayer {
    let (configuration, check, serverName) = try makeConfiguration(for: server, asksApplication: asksApplication)
    do {
      let context = try NIOSSLContext(configuration: configuration)
      return TLSLayer(context: context, check: check, serverName: serverName)
    } catch {
      // The key is held against the certificate only here: where all is well without them, they are no pair.
      var bare = configuration
      bare.certificateChain = []
      bare.privateKey = nil
      if configuration.privateKey != nil, (try? NIOSSLContext(configuration: bare)) != nil {
        throw TLSSettingsError(unpaired: privateKey)
      }
      throw TLSSettingsError(file: authorities, what: "the certificate authorities", cause: error)
    }
  }

  func makeConfiguration(
    for server: ServerAddress, asksApplication: Bool = false
  ) throws(TLSSettingsError) -> (configuration: TLSConfiguration, check: TLSLayer.Check, serverName: String?) {
    let name = serverName ?? server.host
    let address = try? SocketAddress(ipAddress: name, port: 0)
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.minimumTLSVersion = minimumVersion.asTLSVersion
    // Over WebSocket it is HTTP that TLS carries first.
    configuration.applicationProtocols =
      applicationProtocols ?? [server.transport.isWebSocket ? "http/1.1" : "mqtt"]
    let check: TLSLayer.Check
    if asksApplication {
      check = .none
      // TLS would compare the name all the same, and ask nobody where it verifies nothing.
      configuration.trustRoots = .certificates([])
      configuration.certificateVerification = .noHostnameVerification
    } else if !pinnedCertificates.isEmpty {
      check = .pinned(try readPinned())
      configuration.trustRoots = .certificates([])
      configuration.certificateVerification = .noHostnameVerification
    } else {
      if let authoritiesPEM {
        do {
          configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(authoritiesPEM))
        } catch { throw TLSSettingsError(file: nil, what: "the certificate authorities", cause: error) }
      } else if let authorities {
        configuration.trustRoots = .file(authorities)
      }
      if isInsecure {
        check = .none
        configuration.certificateVerification = .none
      } else if let address {
        check = .address(address)
        // NIOSSL would compare the address that was reached, which is a proxy's where there is one.
        configuration.certificateVerification = .noHostnameVerification
      } else {
        check = .name(name)
      }
    }
    if let (chain, key) = try readIdentity() {
      configuration.certificateChain = chain.map { .certificate($0) }
      configuration.privateKey = .privateKey(key)
    }
    return (configuration, check, address == nil ? name : nil)
  }

  /// The client's own certificate chain and its key; nil: it has none.
  private func readIdentity() throws(TLSSettingsError) -> (chain: [NIOSSLCertificate], key: NIOSSLPrivateKey)? {
    let hasCertificate = certificate != nil || certificatePEM != nil
    let hasKey = privateKey != nil || privateKeyPEM != nil
    guard hasCertificate || hasKey else { return nil }
    guard hasKey else { throw TLSSettingsError(lone: certificate, "a certificate without its key") }
    guard hasCertificate else { throw TLSSettingsError(lone: privateKey, "a key without its certificate") }
    let chain: [NIOSSLCertificate]
    do {
      chain =
        try certificatePEM.map { try NIOSSLCertificate.fromPEMBytes($0) }
        ?? certificate.map { try NIOSSLCertificate.fromPEMFile($0) } ?? []
    } catch { throw TLSSettingsError(file: certificate, what: "the client certificate", cause: error) }
    do {
      if let key = try readKey() { return (chain, key) }
    } catch { throw TLSSettingsError(key: privateKey, passphrase: passphrase, cause: error) }
    return nil
  }

  private func readKey() throws -> NIOSSLPrivateKey? {
    // Without one the callback gives none: nobody is asked at a terminal that may not be there.
    let answer: NIOSSLPassphraseCallback<[UInt8]> = { [passphrase] set in set(Array((passphrase ?? "").utf8)) }
    if let privateKeyPEM { return try NIOSSLPrivateKey(bytes: privateKeyPEM, format: .pem, passphraseCallback: answer) }
    return try privateKey.map { try NIOSSLPrivateKey(file: $0, format: .pem, passphraseCallback: answer) }
  }

  private func readPinned() throws(TLSSettingsError) -> Set<[UInt8]> {
    var pinned: Set<[UInt8]> = []
    for file in pinnedCertificates {
      do {
        for certificate in try NIOSSLCertificate.fromPEMFile(file) { pinned.insert(try certificate.toDERBytes()) }
      } catch { throw TLSSettingsError(file: file, what: "the pinned certificate", cause: error) }
    }
    return pinned
  }
}

/// A file of the TLS settings that cannot be used.
public struct TLSSettingsError: Error, CustomStringConvertible {
  let file: String?
  let what: String
  /// nil: the other half of it is missing.
  let cause: (any Error)?
  private var advice = "a PEM file is expected"

  /// A key that is encrypted looks to TLS like one that is broken.
  fileprivate init(key file: String?, passphrase: String?, cause: any Error) {
    self.init(file: file, what: "the private key", cause: cause)
    advice =
      passphrase == nil
      ? "a PEM file is expected, with its passphrase where it is encrypted"
      : "a PEM file is expected, and the passphrase that it was encrypted with"
  }

  /// It is another certificate's.
  private struct Unpaired: Error {}

  fileprivate init(unpaired file: String?) {
    self.init(file: file, what: "the private key", cause: Unpaired())
    advice = "the key that the certificate was made with is expected"
  }

  fileprivate init(file: String?, what: String, cause: any Error) {
    self.file = file
    self.what = what
    self.cause = cause
  }

  fileprivate init(lone file: String?, _ what: String) {
    self.file = file
    self.what = what
    cause = nil
  }

  /// Which file, or which value in memory, cannot be used, why, and what is expected there; never its content.
  public var description: String {
    "\(what) cannot be used" + (file.map { " (\($0))" } ?? "") + (cause.map { ": \(Self.reason($0)); \(advice)" } ?? "")
  }

  /// Without the library's own words.
  private static func reason(_ error: any Error) -> String {
    switch error {
    case NIOSSLError.noSuchFilesystemObject: "there is no such file"
    case let error as IOError: String(cString: strerror(error.errnoCode))
    case is Unpaired: "it is not that of the certificate"
    default: "it contains none in PEM form"
    }
  }
}

extension TLSSettings.Version {
  fileprivate var asTLSVersion: TLSVersion {
    switch self {
    case .v10: .tlsv1
    case .v11: .tlsv11
    case .v12: .tlsv12
    case .v13: .tlsv13
    }
  }
}
