import MQTTCore
import NIOCore
import NIOSSL

extension TLSSettings {
  /// Reads the files: blocking work.
  func makeLayer(for server: ServerAddress) throws(TLSSettingsError) -> TLSLayer {
    let (configuration, check, serverName) = try makeConfiguration(for: server)
    do {
      let context = try NIOSSLContext(configuration: configuration)
      return TLSLayer(context: context, check: check, serverName: serverName)
    } catch {
      throw TLSSettingsError(file: authorities, what: "the certificate authorities", cause: error)
    }
  }

  func makeConfiguration(
    for server: ServerAddress
  ) throws(TLSSettingsError) -> (configuration: TLSConfiguration, check: TLSLayer.Check, serverName: String?) {
    let name = serverName ?? server.host
    let address = try? SocketAddress(ipAddress: name, port: 0)
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.minimumTLSVersion = minimumVersion.asTLSVersion
    // Over WebSocket it is HTTP that TLS carries first.
    configuration.applicationProtocols =
      applicationProtocols ?? [server.transport.isWebSocket ? "http/1.1" : "mqtt"]
    let check: TLSLayer.Check
    if !pinnedCertificates.isEmpty {
      check = .pinned(try readPinned())
      configuration.trustRoots = .certificates([])
      configuration.certificateVerification = .noHostnameVerification
    } else {
      if let authorities { configuration.trustRoots = .file(authorities) }
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
    if let certificate, privateKey == nil { throw TLSSettingsError(lone: certificate, "a certificate without its key") }
    if let privateKey, certificate == nil { throw TLSSettingsError(lone: privateKey, "a key without its certificate") }
    if let certificate, let privateKey {
      do {
        configuration.certificateChain = try NIOSSLCertificate.fromPEMFile(certificate).map { .certificate($0) }
      } catch { throw TLSSettingsError(file: certificate, what: "the client certificate", cause: error) }
      do {
        configuration.privateKey = .privateKey(try NIOSSLPrivateKey(file: privateKey, format: .pem))
      } catch { throw TLSSettingsError(file: privateKey, what: "the private key", cause: error) }
    }
    return (configuration, check, address == nil ? name : nil)
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

  fileprivate init(file: String?, what: String, cause: any Error) {
    self.file = file
    self.what = what
    self.cause = cause
  }

  fileprivate init(lone file: String, _ what: String) {
    self.file = file
    self.what = what
    cause = nil
  }

  public var description: String {
    "\(what) cannot be used" + (file.map { " (\($0))" } ?? "") + (cause.map { ": \($0); a PEM file is expected" } ?? "")
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
