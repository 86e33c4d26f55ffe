import Synchronization
import TestScene
import Testing

@testable import MQTT
@testable import MQTTCore

@Suite("The application checks certificates", .timed, .timeLimit(.minutes(2 * Patience.factor)))
struct CertificateCheckTests {
  struct Stranger: Error, CustomStringConvertible {
    let description = "it is a stranger"
  }

  @Test(
    "in place of all other checks: it accepts what no authority knows",
    arguments: [ServerAddress.Transport.tls, .secureWebSocket], ["localhost", "other.example"])
  func accepts(transport: ServerAddress.Transport, name: String) async throws {
    try await withWayBroker { broker in
      let seen = Mutex<[ServerCertificates]>([])
      let address = broker.address(transport, host: "localhost")
      var configuration = Client.Configuration(servers: [address])
      // What the server's certificate is for, and what no authority and no file vouch for.
      configuration.tls.serverName = name
      configuration.tls.authorities = "/nonexistent.pem"
      configuration.checkCertificates = { certificates in
        seen.withLock { $0.append(certificates) }
      }
      try await withLife(configuration) { _, life in try await life.connection() }
      let shown = try #require(seen.withLock { $0.first })
      #expect(shown.server == address)
      // A certificate in DER is a SEQUENCE.
      #expect(shown.chain.first?.first == 0x30)
    }
  }

  @Test("and refuses what others would take, with its own words", arguments: [true, false])
  func refuses(isInsecure: Bool) async throws {
    try await withWayBroker { broker in
      var configuration = Client.Configuration(servers: [broker.address(.tls, host: "localhost")])
      configuration.tls.authorities = broker.certificates.authority
      configuration.tls.isInsecure = isInsecure
      configuration.tls.pinnedCertificates = [broker.certificates.server]
      configuration.checkCertificates = { _ in throw Stranger() }
      try await withLife(configuration) { _, life in
        let loss = try await life.loss()
        guard case .tls(_, .other(let text)) = loss else {
          Issue.record("\(loss)")
          return
        }
        #expect(text == "this application does not accept the server's certificate (it is a stranger)")
        #expect(life.connected.isEmpty)
      }
    }
  }

  @Test("a check without an end is cancelled with its attempt, and only four may go on")
  func lastsTooLong() async throws {
    try await withWayBroker { broker in
      let begun = Mutex(0)
      let cancelled = Mutex(0)
      var configuration = Client.Configuration(servers: [broker.address(.tls, host: "localhost")])
      configuration.connectTimeout = .milliseconds(300)
      configuration.reconnect.minimum = .milliseconds(10)
      configuration.reconnect.maximum = .milliseconds(20)
      let (stream, source) = AsyncStream<Void>.makeStream()
      configuration.checkCertificates = { _ in
        begun.withLock { $0 += 1 }
        // It does not listen to being cancelled.
        await Task { for await _ in stream {} }.value
        if Task.isCancelled { cancelled.withLock { $0 += 1 } }
      }
      try await withLife(configuration) { _, life in
        try await until("a fifth attempt is refused") {
          life.losses.contains { "\($0)".contains("4 earlier checks of certificates have not ended yet") }
        }
        #expect(begun.withLock { $0 } == 4)
        source.finish()
        try await until("all have ended") { cancelled.withLock { $0 } >= 4 }
      }
    }
  }
}
