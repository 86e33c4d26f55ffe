import Foundation
import MQTTCore
import NIOCore
import NIOSSL
import TestScene
import Testing

@testable import MQTT

/// What TLS is asked for.
@Suite struct TLSSettingsTests {
  private let server = ServerAddress(transport: .tls, host: "localhost", port: 8883)

  @Test("TLS 1.2 or later by default (RFC 8996), and whatever else is asked for")
  func version() throws {
    var settings = TLSSettings()
    settings.isInsecure = true
    #expect(try settings.makeConfiguration(for: server).configuration.minimumTLSVersion == .tlsv12)
    settings.minimumVersion = .v13
    #expect(try settings.makeConfiguration(for: server).configuration.minimumTLSVersion == .tlsv13)
    settings.minimumVersion = .v10
    #expect(try settings.makeConfiguration(for: server).configuration.minimumTLSVersion == .tlsv1)
  }

  @Test("ALPN offers mqtt, over WebSocket http/1.1, and what is asked for in place of them (RFC 7301)")
  func applicationProtocols() throws {
    var settings = TLSSettings()
    settings.isInsecure = true
    func offered(_ transport: ServerAddress.Transport) throws -> [String] {
      try settings.makeConfiguration(for: ServerAddress(transport: transport, host: "a", port: 1)).configuration
        .applicationProtocols
    }
    #expect(try offered(.tls) == ["mqtt"] && offered(.secureWebSocket) == ["http/1.1"])
    settings.applicationProtocols = ["x-amzn-mqtt-ca"]
    #expect(try offered(.tls) == ["x-amzn-mqtt-ca"])
    settings.applicationProtocols = []
    #expect(try offered(.tls) == [])
  }

  @Test("a key of another certificate is named, and not the authorities, which are well")
  func unpaired() async throws {
    try await withScene { scene in
      let files = try await scene.certificates()
      let others = try await scene.certificates("others")
      var settings = TLSSettings()
      settings.authorities = files.authority
      settings.certificate = files.server
      settings.privateKey = others.serverKey
      let server = try ServerAddress(url: "mqtts://localhost")
      let error = #expect(throws: TLSSettingsError.self) { _ = try settings.makeLayer(for: server) }
      #expect(
        "\(try #require(error))" == """
          the private key cannot be used (\(others.serverKey)): it is not that of the certificate; the key that the \
          certificate was made with is expected
          """)
    }
  }

  @Test("a certificate without its key is an error, and so is a key without its certificate", arguments: [true, false])
  func halves(isCertificate: Bool) {
    var settings = TLSSettings()
    if isCertificate { settings.certificate = "/tmp/c.pem" } else { settings.privateKey = "/tmp/k.pem" }
    #expect {
      try settings.makeLayer(for: server)
    } throws: { error in
      "\(error)".contains(isCertificate ? "without its key" : "without its certificate")
    }
  }

  @Test("a key with a passphrase, and PEM in memory in place of files (M34)")
  func passphrase() async throws {
    try await withScene { scene in
      let files = try await scene.certificates()
      let encrypted = files.serverKey + ".aes"
      let child = try await scene.run(
        "encrypt",
        ["openssl", "ec", "-aes256", "-passout", "pass:opensesame", "-in", files.serverKey, "-out", encrypted])
      try #require(child.ending == .exited(0))
      var settings = TLSSettings()
      settings.authoritiesPEM = try bytes(files.authority)
      settings.certificatePEM = try bytes(files.server)
      settings.privateKeyPEM = try bytes(encrypted)
      settings.passphrase = "opensesame"
      let (configuration, _, _) = try settings.makeConfiguration(for: server)
      #expect(configuration.privateKey != nil && configuration.certificateChain.count == 1)
      settings.passphrase = "wrong"
      #expect {
        try settings.makeConfiguration(for: server)
      } throws: {
        "\($0)".contains("the passphrase that it was encrypted with") && !"\($0)".contains("wrong")
      }
      settings.privateKeyPEM = nil
      settings.privateKey = encrypted
      settings.passphrase = nil
      #expect {
        try settings.makeConfiguration(for: server)
      } throws: {
        "\($0)".contains("with its passphrase where it is encrypted") && "\($0)".contains(encrypted)
      }
      settings.passphrase = "opensesame"
      _ = try settings.makeLayer(for: server)
    }
  }

  private func bytes(_ path: String) throws -> [UInt8] { Array(try String(contentsOfFile: path, encoding: .utf8).utf8) }
}
