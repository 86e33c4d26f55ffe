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
}
