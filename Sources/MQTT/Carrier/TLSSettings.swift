import MQTTCore
import NIOCore
import NIOSSL

extension TLSSettings {
  /// Reads the files: blocking work.
  func makeLayer(for server: ServerAddress) throws(TLSSettingsError) -> TLSLayer {
    let name = serverName ?? server.host
    let address = try? SocketAddress(ipAddress: name, port: 0)
    var configuration = TLSConfiguration.makeClientConfiguration()
    // RFC 7301; over WebSocket it is HTTP that TLS carries first.
    configuration.applicationProtocols = [server.transport.isWebSocket ? "http/1.1" : "mqtt"]
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
    if let certificate, let privateKey {
      do {
        configuration.certificateChain = try NIOSSLCertificate.fromPEMFile(certificate).map { .certificate($0) }
      } catch { throw TLSSettingsError(file: certificate, what: "the client certificate", cause: error) }
      do {
        configuration.privateKey = .privateKey(try NIOSSLPrivateKey(file: privateKey, format: .pem))
      } catch { throw TLSSettingsError(file: privateKey, what: "the private key", cause: error) }
    }
    do {
      let context = try NIOSSLContext(configuration: configuration)
      return TLSLayer(context: context, check: check, serverName: address == nil ? name : nil)
    } catch {
      throw TLSSettingsError(file: authorities, what: "the certificate authorities", cause: error)
    }
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
  let cause: any Error

  public var description: String {
    "\(what) cannot be used" + (file.map { " (\($0))" } ?? "") + ": \(cause); a PEM file is expected"
  }
}
