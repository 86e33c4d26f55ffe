import Foundation
import NIOCore
import TestScene
import Testing

@testable import MQTT
@testable import MQTTCore

@Suite("Proxy", .timed, .timeLimit(.minutes(2 * Patience.factor)))
struct ProxyTests {
  @Test(
    "carries every transport to a name that only the proxy knows, TLS within",
    arguments: [MQTT.Proxy.Kind.httpConnect, .socks5],
    [ServerAddress.Transport.tcp, .tls, .webSocket, .secureWebSocket])
  func carries(kind: MQTT.Proxy.Kind, transport: ServerAddress.Transport) async throws {
    try await withWayBroker { broker in
      try await withTestProxy(kind) { proxy in
        let server = broker.address(transport)
        var configuration = MQTTClient.Configuration(servers: [server], clientIdentifier: "a")
        configuration.connection.proxy = make(kind, proxy.port)
        configuration.connection.tls.authorities = broker.certificates.authority
        let client = MQTTClient(configuration)
        let running = Task { try await client.run() }
        defer { running.cancel() }
        let stream = try await client.subscribe([Subscription(TopicFilter("t"))])
        // More than a read takes at once; mosquitto is slow to read large frames over TLS.
        let payload = ByteBuffer(repeating: 0x2A, count: transport == .secureWebSocket ? 3000 : 300_000)
        try await client.publish(Message(topic: TopicName("t"), payload: payload, qos: .atLeastOnce))
        for try await message in stream {
          #expect(message.payload == payload)
          break
        }
        await client.disconnect()
        // A machine that is busy may need a second attempt.
        #expect(Set(proxy.requests.map(\.target)) == ["broker.invalid:\(server.port)"])
      }
    }
  }

  @Test("asks for an address in brackets, or as bytes", arguments: [MQTT.Proxy.Kind.httpConnect, .socks5])
  func asksForAddresses(kind: MQTT.Proxy.Kind) async throws {
    try await withTestProxy(kind) { proxy in
      let port = closedPort
      var configuration = Client.Configuration(servers: [
        ServerAddress(transport: .tcp, host: "127.0.0.1", port: port),
        ServerAddress(transport: .tcp, host: "::1", port: port),
      ])
      configuration.proxy = make(kind, proxy.port)
      configuration.reconnect.minimum = .milliseconds(10)
      try await withLife(configuration) { _, life in
        try await until("two attempts") { proxy.requests.count >= 2 }
        let ipv6 = Array(repeating: 0, count: 15) + [1]
        #expect(
          proxy.requests.prefix(2).map(\.target)
            == (kind == .httpConnect
              ? ["127.0.0.1:\(port)", "[::1]:\(port)"] : ["[127, 0, 0, 1]:\(port)", "\(ipv6):\(port)"]))
        #expect(try await "\(life.loss())".hasSuffix("it closed the connection"))
      }
    }
  }

  @Test("the certificate must be for the server's address, not the proxy's")
  func checksAddressBeyond() async throws {
    try await withWayBroker { broker in
      try await withTestProxy(.socks5) { proxy in
        for (host, isRight) in [("127.0.0.1", true), ("127.0.0.2", false)] {
          var configuration = Client.Configuration(servers: [broker.address(.tls, host: host)])
          configuration.proxy = make(.socks5, proxy.port)
          configuration.tls.authorities = broker.certificates.authority
          try await withLife(configuration) { _, life in
            if isRight { return try await life.connection() }
            let loss = try await life.loss()
            guard case .tls(_, .wrongName("the address 127.0.0.2")) = loss else {
              Issue.record("\(loss)")
              return
            }
          }
        }
      }
    }
  }

  @Test("a Unix socket is reached without it")
  func leavesUnixSocketsAlone() async throws {
    try await withWayBroker { broker in
      var configuration = Client.Configuration(servers: [broker.address(.unix)])
      configuration.proxy = make(.socks5, closedPort)
      try await withLife(configuration) { _, life in try await life.connection() }
    }
  }

  @Test("credentials go to an HTTP proxy in its header, and nowhere else")
  func authenticates() async throws {
    try await withTestProxy(.httpConnect) { proxy in
      let secret = try MQTT.Proxy.httpConnect(
        host: "127.0.0.1", port: proxy.port, credentials: .init(userName: "anna", password: "geheim-ü:?>"))
      var configuration = Client.Configuration(servers: [
        ServerAddress(transport: .tcp, host: "broker.invalid", port: closedPort)
      ])
      configuration.proxy = secret
      try await withLife(configuration) { _, life in
        let loss = try await life.loss()
        let header = try #require(proxy.requests.first?.lines.first { $0.hasPrefix("Proxy-Authorization: Basic ") })
        let text = try #require(header.split(separator: " ").last)
        let data = try #require(Data(base64Encoded: String(text)))
        #expect(String(decoding: data, as: UTF8.self) == "anna:geheim-ü:?>")
        var dumps = ""
        dump(configuration, to: &dumps)
        dump(loss, to: &dumps)
        let shown = "\(secret) \(loss) \(configuration) \(String(reflecting: configuration)) " + dumps
        #expect(!shown.contains("geheim") && !shown.contains("anna"))
      }
    }
  }

  @Test(
    "credentials that the proxy would read as others are an error, which does not repeat them (RFC 7617 §2)",
    arguments: [
      ("an:na", "geheim", "colon"), (":", "", "colon"), ("an\u{0}na", "geheim", "control"),
      ("anna", "geheim\r\nX-Evil: 1", "control"), ("anna\u{7F}", "geheim", "control"),
    ])
  func wrongCredentials(userName: String, password: String, word: String) {
    let error = #expect(throws: MQTT.Proxy.CredentialsError.self) {
      try MQTT.Proxy.Credentials(userName: userName, password: password)
    }
    #expect(error?.description.contains(word) == true)
    #expect(error?.description.contains("anna") == false && error?.description.contains("geheim") == false)
  }

  @Test("a user name and a password go to a SOCKS proxy that wants them (RFC 1929)")
  func logsIn() async throws {
    try await withWayBroker { broker in
      let login: [UInt8] = [1, 4] + Array("anna".utf8) + [6] + Array("geheim".utf8)
      try await withTestProxy(.socks5, .init(login: login)) { proxy in
        var configuration = Client.Configuration(servers: [broker.address(.tls)])
        configuration.tls.authorities = broker.certificates.authority
        configuration.proxy = try .socks5(
          host: "127.0.0.1", port: proxy.port, credentials: .init(userName: "anna", password: "geheim"))
        try await withLife(configuration) { _, life in try await life.connection() }
        configuration.proxy = try .socks5(
          host: "127.0.0.1", port: proxy.port, credentials: .init(userName: "anna", password: "anders"))
        try await withLife(configuration) { _, life in
          let text = try await "\(life.loss())"
          #expect(text.hasSuffix(": it does not accept the user name and password (1)"))
        }
      }
    }
  }

  @Test("credentials that do not fit SOCKS are refused before anything is sent", arguments: ["", "long"])
  func wrongLogin(password: String) async throws {
    try await withTestProxy(.socks5) { proxy in
      var configuration = Client.Configuration(servers: [ServerAddress(transport: .tcp, host: "a")])
      let long = password.isEmpty ? "" : String(repeating: "a", count: 256)
      configuration.proxy = try .socks5(
        host: "127.0.0.1", port: proxy.port, credentials: .init(userName: "anna", password: long))
      configuration.reconnects = false
      try await withLife(configuration) { _, life in
        let text = try await "\(life.loss())"
        #expect(text.hasSuffix("a user name and a password for SOCKS have 1 to 255 bytes each"))
      }
      #expect(proxy.requests.isEmpty)
    }
  }

  @Test("an HTTP proxy is reached over TLS, and TLS to the server runs inside", arguments: [true, false])
  func isReachedOverTLS(isServerSecure: Bool) async throws {
    try await withWayBroker { broker in
      let own = try await broker.scene.certificates("proxy", names: "DNS:localhost,IP:127.0.0.1")
      try await withTestProxy(.httpConnect, .init(certificates: own)) { proxy in
        var tls = TLSSettings()
        tls.authorities = own.authority
        var configuration = MQTTClient.Configuration(
          servers: [broker.address(isServerSecure ? .tls : .webSocket)], clientIdentifier: "a")
        configuration.connection.proxy = try .httpConnect(
          host: "127.0.0.1", port: proxy.port, credentials: .init(userName: "anna", password: "geheim"), tls: tls)
        configuration.connection.tls.authorities = broker.certificates.authority
        #expect("\(configuration.connection.proxy.map { "\($0)" } ?? "")" == "https://127.0.0.1:\(proxy.port)")
        let client = MQTTClient(configuration)
        let running = Task { try await client.run() }
        defer { running.cancel() }
        let stream = try await client.subscribe([Subscription(TopicFilter("t"))])
        let payload = ByteBuffer(repeating: 0x2A, count: 100_000)
        try await client.publish(Message(topic: TopicName("t"), payload: payload, qos: .atLeastOnce))
        for try await message in stream {
          #expect(message.payload == payload)
          break
        }
        await client.disconnect()
        #expect(proxy.requests.first?.lines.contains { $0.hasPrefix("Proxy-Authorization: Basic ") } == true)
      }
    }
  }

  @Test("a proxy whose certificate does not hold is named, and hears nothing of the server")
  func isNoProxy() async throws {
    try await withWayBroker { broker in
      let own = try await broker.scene.certificates("proxy", names: "DNS:other.example")
      try await withTestProxy(.httpConnect, .init(certificates: own)) { proxy in
        for (authority, words) in [
          (own.authority, "the proxy's certificate is not for the address 127.0.0.1"),
          (
            broker.certificates.authority,
            "the proxy's certificate is not signed by an authority that this machine trusts"
          ),
        ] {
          var tls = TLSSettings()
          tls.authorities = authority
          var configuration = Client.Configuration(servers: [broker.address(.tls)])
          configuration.proxy = .httpConnect(host: "127.0.0.1", port: proxy.port, tls: tls)
          try await withLife(configuration) { _, life in
            let loss = try await life.loss()
            guard case .proxy = loss else {
              Issue.record("\(loss)")
              return
            }
            #expect("\(loss)".hasSuffix(words))
          }
        }
        #expect(proxy.requests.isEmpty)
      }
      // One that speaks no TLS.
      try await withScriptedServer([Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8)]) { server in
        var configuration = Client.Configuration(servers: [broker.address(.tcp)])
        configuration.proxy = .httpConnect(host: "127.0.0.1", port: server.port, tls: TLSSettings())
        try await withLife(configuration) { _, life in
          let text = try await "\(life.loss())"
          #expect(text.hasSuffix("the proxy's answer is not TLS"))
        }
      }
    }
  }

  @Test("base 64", arguments: [0, 1, 2, 3, 4, 255])
  func encodes(count: Int) {
    let bytes = (0..<count).map { UInt8($0 &* 37 & 0xFF) }
    #expect(Base64.encode(bytes) == Data(bytes).base64EncodedString())
  }

  struct Refusal: Sendable, CustomTestStringConvertible {
    let kind: MQTT.Proxy.Kind
    let answers: [[UInt8]]
    let closes: Bool
    let sentence: String
    var hasCredentials = false
    var testDescription: String { "\(kind): \(sentence)" }

    init(_ kind: MQTT.Proxy.Kind, _ answers: [[UInt8]], closes: Bool = false, _ sentence: String) {
      (self.kind, self.answers, self.closes, self.sentence) = (kind, answers, closes, sentence)
    }

    static func http(_ answer: String, _ sentence: String, hasCredentials: Bool = false) -> Refusal {
      var refusal = Refusal(.httpConnect, [Array(answer.utf8)], sentence)
      refusal.hasCredentials = hasCredentials
      return refusal
    }

    static func login(_ answers: [[UInt8]], _ sentence: String) -> Refusal {
      var refusal = Refusal(.socks5, answers, sentence)
      refusal.hasCredentials = true
      return refusal
    }

    static let all = [
      http("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", "it answered 403 Forbidden"),
      http("HTTP/1.0 502 Bad Gateway\r\n\r\n", "it answered 502 Bad Gateway"),
      http(
        "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
        "it answered 407 Proxy Authentication Required; it wants a user name and password"),
      http(
        "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
        "it answered 407 Proxy Authentication Required; the user name or password is wrong", hasCredentials: true),
      http("220 mail.example.com ESMTP\r\n", "it does not speak HTTP"),
      Refusal(.httpConnect, [[5, 0xFF]], "it does not speak HTTP"),
      Refusal(.httpConnect, [], closes: true, "it closed the connection"),
      Refusal(.httpConnect, [Array("HTTP/1.1 20".utf8)], closes: true, "it closed the connection"),
      Refusal(.socks5, [[5, 0], [5, 2, 0, 1, 0, 0, 0, 0, 0, 0]], "it answered not allowed by its rules (2)"),
      Refusal(.socks5, [[5, 0], [5, 4, 0, 1, 0, 0, 0, 0, 0, 0]], "it answered host unreachable (4)"),
      Refusal(.socks5, [[5, 0], [5, 99, 0, 1, 0, 0, 0, 0, 0, 0]], "it answered an unknown code (99)"),
      Refusal(
        .socks5, [[5, 0xFF]],
        "it requires authentication in a way that this client does not offer; most take a user name and password"),
      login(
        [[5, 0xFF]],
        "it requires authentication in a way that this client does not offer; most take a user name and password"),
      login([[5, 2], [1, 1]], "it does not accept the user name and password (1)"),
      login([[5, 2], [5, 0]], "it does not speak SOCKS 5"),
      login([[5, 0], [5, 2, 0, 1, 0, 0, 0, 0, 0, 0]], "it answered not allowed by its rules (2)"),
      login([[5, 2], [1, 0], [5, 2, 0, 1, 0, 0, 0, 0, 0, 0]], "it answered not allowed by its rules (2)"),
      Refusal(.socks5, [[5, 2]], "it does not speak SOCKS 5"),
      Refusal(.socks5, [Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8)], "it does not speak SOCKS 5"),
      Refusal(.socks5, [[5, 0], [5, 0, 7]], "it does not speak SOCKS 5"),
      Refusal(.socks5, [[5, 0], [5, 0, 0, 9, 9]], "it does not speak SOCKS 5"),
      Refusal(.socks5, [], closes: true, "it closed the connection"),
      Refusal(.socks5, [[5, 0]], closes: true, "it closed the connection"),
    ]
  }

  @Test("a refusal is told with the proxy's name and its words, and another attempt follows", arguments: Refusal.all)
  func isRefused(refusal: Refusal) async throws {
    try await withScriptedServer(refusal.answers, closes: refusal.closes) { server in
      var configuration = Client.Configuration(servers: [
        ServerAddress(transport: .tls, host: "broker.invalid", port: 8883)
      ])
      let credentials = refusal.hasCredentials ? try MQTT.Proxy.Credentials(userName: "u", password: "p") : nil
      configuration.proxy =
        refusal.kind == .socks5
        ? .socks5(host: "127.0.0.1", port: server.port, credentials: credentials)
        : .httpConnect(host: "127.0.0.1", port: server.port, credentials: credentials)
      configuration.reconnect.minimum = .milliseconds(10)
      try await withLife(configuration) { _, life in
        let loss = try await life.loss()
        let words =
          "the proxy \(refusal.kind.rawValue)://127.0.0.1:\(server.port) did not connect to mqtts://broker.invalid:8883: "
        // Who closes with something unread resets the connection (RFC 9293, 3.10.4).
        let sentences = [refusal.sentence] + (refusal.closes ? ["Connection reset by peer"] : [])
        #expect(sentences.map { words + $0 }.contains("\(loss)"))
        guard case .proxy = loss else {
          Issue.record("\(loss)")
          return
        }
        try await until("the first is closed, and there is another") {
          server.visits.count > 1 && server.visits[0].isClosed
        }
      }
      try await until("nothing is left") { try sockets(to: server.port).allSatisfy { $0 == 6 } }
    }
  }

  @Test("a proxy that is not there, by address and by name", arguments: ["127.0.0.1", "proxy.invalid"])
  func isNotThere(host: String) async throws {
    let port = closedPort
    var configuration = Client.Configuration(servers: [
      ServerAddress(transport: .tcp, host: "broker.invalid", port: 1883)
    ])
    configuration.proxy = .httpConnect(host: host, port: port)
    try await withLife(configuration) { _, life in
      let text = try await "\(life.loss())"
      let start = "the proxy http://\(host):\(port) did not connect to mqtt://broker.invalid:1883: "
      #expect(
        text.hasPrefix(start + (host == "127.0.0.1" ? "it cannot be reached (" : "its name cannot be resolved (")))
    }
  }

  @Test(
    "an address that does not fit is refused before anything is sent",
    arguments: [
      (MQTT.Proxy.Kind.httpConnect, "a\r\nX-Evil: 1", 1883), (.httpConnect, "", 1883), (.httpConnect, "a", 65_536),
      (.socks5, String(repeating: "a", count: 256), 1883), (.socks5, "a", -1),
    ])
  func doesNotFit(kind: MQTT.Proxy.Kind, host: String, port: Int) async throws {
    try await withTestProxy(kind) { proxy in
      var configuration = Client.Configuration(servers: [ServerAddress(transport: .tcp, host: host, port: port)])
      configuration.proxy = make(kind, proxy.port)
      configuration.reconnects = false
      try await withLife(configuration) { _, life in
        guard case .proxy = try await life.loss() else {
          Issue.record("\(life.losses)")
          return
        }
      }
      #expect(proxy.requests.isEmpty)
    }
  }

  private func make(_ kind: MQTT.Proxy.Kind, _ port: Int) -> MQTT.Proxy {
    kind == .socks5 ? .socks5(host: "127.0.0.1", port: port) : .httpConnect(host: "127.0.0.1", port: port)
  }
}
