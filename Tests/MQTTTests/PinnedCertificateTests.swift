import Foundation
import TestScene
import Testing

@testable import MQTT
@testable import MQTTCore

@Suite("A pinned certificate", .timed, .timeLimit(.minutes(2 * Patience.factor)))
struct PinnedCertificateTests {
  @Test(
    "is enough: no authority knows it, and the name is another",
    arguments: [ServerAddress.Transport.tls, .secureWebSocket],
    ["localhost", "127.0.0.1"])
  func isEnough(transport: ServerAddress.Transport, host: String) async throws {
    try await withWayBroker { broker in
      var configuration = Client.Configuration(servers: [broker.address(transport, host: host)])
      configuration.tls.serverName = host == "localhost" ? "somebody.else" : nil
      configuration.tls.pinnedCertificates = [broker.certificates.server]
      try await withLife(configuration) { _, life in try await life.connection() }
      // Without the pin it is not: the test's certificate is not one that passes anyway.
      configuration.tls.pinnedCertificates = []
      try await withLife(configuration) { _, life in
        guard case .tls = try await life.loss() else {
          Issue.record("\(life.losses)")
          return
        }
      }
    }
  }

  @Test("is asked for though an authority vouches for the server, or none is wanted", arguments: [true, false])
  func isRequired(isInsecure: Bool) async throws {
    try await withWayBroker { broker in
      let other = try await broker.scene.certificates("other").server
      var configuration = Client.Configuration(servers: [broker.address(.tls, host: "localhost")])
      configuration.tls.authorities = broker.certificates.authority
      configuration.tls.isInsecure = isInsecure
      try await withLife(configuration) { _, life in try await life.connection() }
      configuration.tls.pinnedCertificates = [other]
      try await withLife(configuration) { _, life in
        let loss = try await life.loss()
        guard case .tls(_, .other(let detail)) = loss else {
          Issue.record("\(loss)")
          return
        }
        #expect(detail.hasPrefix("the server's certificate is not a pinned one (its serial number is "))
        #expect(life.connected.isEmpty)
      }
    }
  }

  @Test("may be one of several, in one file or more")
  func isOneOfSeveral() async throws {
    try await withWayBroker { broker in
      let others = [try await broker.scene.certificates("a").server, try await broker.scene.certificates("b").server]
      let bundle = "\(broker.scene.folder)/bundle.pem"
      try (others.dropFirst() + [broker.certificates.server]).map { try String(contentsOfFile: $0, encoding: .utf8) }
        .joined()
        .write(toFile: bundle, atomically: true, encoding: .utf8)
      var configuration = Client.Configuration(servers: [broker.address(.tls, host: "localhost")])
      configuration.tls.pinnedCertificates = [others[0], bundle]
      try await withLife(configuration) { _, life in try await life.connection() }
    }
  }

  @Test("that cannot be read is told by its file, and nothing is connected to", arguments: [nil, "no certificate"])
  func cannotBeRead(text: String?) async throws {
    try await withWayBroker { broker in
      let file = "\(broker.scene.folder)/pin.pem"
      try text?.write(toFile: file, atomically: true, encoding: .utf8)
      var configuration = Client.Configuration(servers: [broker.address(.tls, host: "localhost")])
      configuration.tls.pinnedCertificates = [broker.certificates.server, file]
      try await withLife(configuration) { _, life in
        let loss = try await life.loss()
        guard case .settings = loss else {
          Issue.record("\(loss)")
          return
        }
        #expect("\(loss)".hasPrefix("the pinned certificate cannot be used (\(file)): "))
      }
    }
  }
}
