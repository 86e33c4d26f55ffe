import Foundation
import LimpetInstants
import MQTT
import TestScene
import Testing

@Suite("limpet probe", .showsLogs, .timed)
struct ProbeTests {
  /// The outcome with what CONNACK said alone: the steps after it are `ProbeStepsTests`.
  private func probe(_ scene: Scene, _ settings: Settings, _ arguments: String...) async throws -> Scene.Outcome {
    let file = try scene.write(settings.text, to: "probe.yaml")
    let child = try await scene.run(
      "probe\(scene.nextCommand())", [Scene.program, "probe", "--config", file] + arguments)
    return Scene.Outcome(
      ending: try #require(child.ending), output: Array(child.outputLines.prefix(1)), errors: child.errorLines)
  }

  @Test("with clean_start: false the session is there the second time", arguments: Way.allCases)
  func sessionPresent(_ way: Way) async throws {
    try await withScene { scene in
      let certificates = way.isTLS ? try await scene.certificates() : nil
      let broker = try await scene.mosquitto(tls: certificates)
      let settings = scene.settings(broker, way, certificates)
      for present in [false, true, true] {
        let outcome = try await probe(scene, settings)
        #expect(outcome.output == ["reason code: 0, session present: \(present)"])
        #expect(outcome.errors == [])
        #expect(outcome.ending == .exited(0))
      }
      let disconnects = broker.log.count { $0.contains("Received DISCONNECT from board") }
      #expect(disconnects == 3, "it says good-bye")
      #expect(try await scene.retained(by: broker).isEmpty, "it publishes nothing")
    }
  }

  @Test("with clean_start: true there is never a session", arguments: [Way.tcp5, .tcp311])
  func cleanStart(_ way: Way) async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      var settings = scene.settings(broker, way)
      settings.broker.append("clean_start: true")
      for _ in 1...3 {
        let outcome = try await probe(scene, settings)
        #expect(outcome.output == ["reason code: 0, session present: false"])
        #expect(outcome.ending == .exited(0))
      }
    }
  }

  @Test(
    "a server that wants a client certificate gets that of broker.tls, and says no without", arguments: [true, false])
  func clientCertificate(hasCertificate: Bool) async throws {
    try await withScene { scene in
      let certificates = try await scene.certificates()
      let port = try freePort()
      let broker = try await scene.mosquitto(lines: [
        "listener \(port) 127.0.0.1", "certfile \(certificates.server)", "keyfile \(certificates.serverKey)",
        "cafile \(certificates.authority)", "require_certificate true", "use_identity_as_username true",
      ])
      var settings = scene.settings(broker)
      settings.url = "mqtts://localhost:\(port)"
      let own = hasCertificate ? ", certificate: \(certificates.server), key: \(certificates.serverKey)" : ""
      settings.broker.append("tls: {ca: \(certificates.authority)\(own)}")
      let outcome = try await probe(scene, settings)
      if hasCertificate {
        #expect(outcome.output == ["reason code: 0, session present: false"])
        #expect(broker.log.contains { $0.contains("u'localhost'") }, "the server knows the name in it")
      } else {
        #expect(outcome.ending == .exited(1))
        #expect(outcome.errors.count == 1)
        #expect(
          outcome.errors.first?.contains("wants a client certificate; set broker.tls.certificate") == true,
          "\(outcome.errors)")
      }
    }
  }

  @Test("--url and --client-id take the place of the configuration's")
  func options() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let settings = scene.settings(port: try freePort())
      let outcome = try await probe(scene, settings, "--url", broker.url(), "--client-id", "somebody")
      #expect(outcome.output == ["reason code: 0, session present: false"])
      #expect(outcome.ending == .exited(0))
      #expect(broker.log.contains { $0.contains(" as somebody (") })
      let wrong = try await probe(scene, settings, "--url", "http://example.com")
      #expect(wrong.ending == .exited(64))
      #expect(
        wrong.errors.contains {
          $0.contains("--url") && $0.contains("did you mean mqtt, or ws for MQTT over WebSocket?")
        })
    }
  }

  @Test("a connection that nobody takes: one sentence, exit 1")
  func refusedConnection() async throws {
    try await withScene { scene in
      let port = try freePort()
      let outcome = try await probe(scene, scene.settings(port: port))
      #expect(outcome.ending == .exited(1))
      #expect(outcome.output == [])
      #expect(outcome.errors.count == 1)
      let error = outcome.errors.first ?? ""
      #expect(
        error.hasPrefix("limpet probe: mqtt://127.0.0.1:\(port) cannot be reached: Connection refused; nothing listens")
      )
    }
  }

  @Test("a name that does not exist: one sentence, exit 1")
  func unknownHost() async throws {
    try await withScene { scene in
      var settings = scene.settings(port: 1)
      settings.url = "mqtt://nowhere.invalid"
      settings.broker.append("connect_timeout: 8s")
      let outcome = try await probe(scene, settings)
      #expect(outcome.ending == .exited(1))
      #expect(outcome.errors.count == 1)
      let error = outcome.errors.first ?? ""
      #expect(error.hasPrefix("limpet probe: the name nowhere.invalid cannot be resolved"), "\(error)")
    }
  }

  @Test("a server that never answers: one sentence after connect_timeout, exit 1", arguments: ["5", "3.1.1"])
  func mute(_ version: String) async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker { _, _ in }
      var settings = scene.settings(port: broker.port, version: version)
      settings.broker.append("connect_timeout: 700ms")
      let asked = ContinuousClock.now
      let outcome = try await probe(scene, settings)
      #expect((.milliseconds(650)...(.seconds(8) * Patience.factor)).contains(ContinuousClock.now - asked))
      #expect(outcome.ending == .exited(1))
      #expect(outcome.output == ["ok: TCP: connected to 127.0.0.1, port \(broker.port)"])
      #expect(outcome.errors.count == 1)
      #expect(outcome.errors.first?.contains("did not answer within 0.7 s") == true, "\(outcome.errors)")
      #expect(outcome.errors.first?.contains("CONNACK") == true, "\(outcome.errors)")
    }
  }

  @Test("a wrong password: the reason code, one sentence without it, exit 1", arguments: [Way.tcp5, .tcp311])
  func wrongPassword(_ way: Way) async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto(users: ["greenhouse": "opensesame"])
      var settings = scene.settings(broker, way)
      settings.broker += ["username: greenhouse", "password: swordfish"]
      let outcome = try await probe(scene, settings)
      #expect(outcome.ending == .exited(1))
      // mosquitto says "not authorized" to both.
      #expect(outcome.output == ["reason code: 135, session present: false"])
      #expect(
        outcome.errors.count { $0.hasPrefix("limpet probe: refused: 0x87 not authorized; check broker.username") } == 1)
      #expect(!(outcome.output + outcome.errors).contains { $0.contains("swordfish") })

      settings.broker[settings.broker.count - 1] = "password: opensesame"
      let right = try await probe(scene, settings)
      #expect(right.output == ["reason code: 0, session present: false"])
      #expect(right.ending == .exited(0))
    }
  }

  @Test("the password can come from a file and from systemd's credentials")
  func passwordSources() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto(users: ["greenhouse": "opensesame"])
      var settings = scene.settings(broker)
      settings.broker.append("username: greenhouse")
      let credential = try scene.write("opensesame\n", to: "credentials/limpet.password")
      let file = try scene.write(settings.text, to: "credential.yaml")
      let child = try scene.spawn(
        "credential", [Scene.program, "probe", "--config", file],
        environment: ["CREDENTIALS_DIRECTORY": scene.folder + "/credentials"])
      let ending = try await child.end()
      #expect(ending == .exited(0))
      #expect(child.outputLines.first == "reason code: 0, session present: false")

      try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: credential)
      settings.broker.append("password_file: credentials/limpet.password")
      let open = try await probe(scene, settings)
      #expect(open.output == ["reason code: 0, session present: true"])
      #expect(open.errors.count == 1, "a file that everyone can read is worth a warning")
      #expect(open.errors.first?.contains("probe.yaml:7:18: warning: broker.password_file: everyone") == true)
      try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: credential)
      #expect(try await probe(scene, settings).errors == [])
    }
  }

  @Test("an authority that is not known: TLS fails with a sentence, exit 1 [behaviour 21]")
  func unknownAuthority() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto(tls: try await scene.certificates())
      let others = try await scene.certificates("others")
      for certificates in [nil, others] {
        let outcome = try await probe(scene, scene.settings(broker, .tls5, certificates))
        #expect(outcome.ending == .exited(1))
        // What went well before.
        #expect(outcome.output.allSatisfy { $0.hasPrefix("ok: ") } && !outcome.output.isEmpty, "\(outcome.output)")
        #expect(outcome.errors.count == 1)
        let error = outcome.errors.first ?? ""
        #expect(error.hasPrefix("limpet probe: TLS with \(broker.url(tls: true)) failed: "), "\(error)")
        #expect(error.contains("not signed by an authority that this machine trusts; set broker.tls.ca"), "\(error)")
      }
      var insecure = scene.settings(broker, .tls5)
      insecure.broker.append("tls: {insecure: true}")
      let outcome = try await probe(scene, insecure)
      #expect(outcome.output == ["reason code: 0, session present: false"])
    }
  }

  @Test(
    "a certificate of another name is refused, for the URL's host and for tls.server_name",
    arguments: [
      nil, "mqtt.example.com",
    ])
  func wrongName(_ asked: String?) async throws {
    try await withScene { scene in
      let certificates = try await scene.certificates(names: asked == nil ? "DNS:mqtt.example.com" : "DNS:localhost")
      let broker = try await scene.mosquitto(tls: certificates)
      try await expectRefusal(scene, broker, certificates, serverName: asked)
    }
  }

  /// Who can forge an answer of DNS may well own a certificate for the address it points to.
  @Test("a certificate of another name is refused, though it is for the address that was reached")
  func addressInCertificate() async throws {
    try await withScene { scene in
      let certificates = try await scene.certificates(names: "DNS:somebody.else,IP:127.0.0.1")
      let broker = try await scene.mosquitto(tls: certificates)
      try await expectRefusal(scene, broker, certificates, serverName: nil)
      try await expectRefusal(scene, broker, certificates, serverName: "mqtt.example.com")
    }
  }

  private func expectRefusal(
    _ scene: Scene, _ broker: Mosquitto, _ certificates: Certificates, serverName: String?,
    sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    var settings = scene.settings(broker, .tls5)
    settings.broker.append(
      "tls: {ca: \(certificates.authority)\(serverName.map { ", server_name: \($0)" } ?? "")}")
    let outcome = try await probe(scene, settings)
    #expect(outcome.ending == .exited(1), sourceLocation: sourceLocation)
    #expect(outcome.output.allSatisfy { $0.hasPrefix("ok: ") }, sourceLocation: sourceLocation)
    #expect(outcome.errors.count == 1, sourceLocation: sourceLocation)
    let error = outcome.errors.first ?? ""
    #expect(
      error.contains(" failed: the broker's certificate is not for \(serverName ?? "localhost"); "), "\(error)",
      sourceLocation: sourceLocation)
  }

  @Test(
    "TLS to a server without it fails with a sentence, and so does TCP to a server with it",
    arguments: [
      true, false,
    ])
  func mixedUp(asksForTLS: Bool) async throws {
    try await withScene { scene in
      let certificates = try await scene.certificates()
      let broker = try await scene.mosquitto(tls: certificates)
      var settings = scene.settings(broker, .tls5, asksForTLS ? certificates : nil)
      settings.url =
        asksForTLS ? "mqtts://localhost:\(broker.port)" : "mqtt://localhost:\(try #require(broker.tlsPort))"
      settings.broker.append("connect_timeout: 3s")
      let outcome = try await probe(scene, settings)
      #expect(outcome.ending == .exited(1))
      #expect(outcome.output.allSatisfy { $0.hasPrefix("ok: ") } && !outcome.output.isEmpty, "\(outcome.output)")
      #expect(outcome.errors.count == 1)
      let error = outcome.errors.first ?? ""
      let mend = asksForTLS ? "mqtt://localhost:\(broker.port)" : "mqtts://localhost:\(try #require(broker.tlsPort))"
      #expect(error.contains("write \(mend) in broker.url"), "\(error)")
    }
  }

  @Test("version: auto asks again with 3.1.1 when a server knows no 5", arguments: [true, false])
  func fallback(says: Bool) async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker { packet, connection in
        guard case .connect = packet, connection.version == .v5 else { return FakeBroker.obliging(packet, connection) }
        if says { connection.send([0x20, 0x02, 0x00, 0x01]) }
        connection.close()
      }
      let outcome = try await probe(scene, scene.settings(port: broker.port))
      #expect(outcome.output == ["reason code: 0, session present: false"])
      // This broker passes no message on, which the steps after CONNACK find.
      #expect(outcome.errors.allSatisfy { $0.contains("limpet/board/status") })
    }
  }

  @Test(
    "a server that speaks something else is named, with what to write",
    arguments: [
      ("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", "answers with HTTP, not MQTT; a web server listens"),
      ("SSH-2.0-OpenSSH_9.2p1\r\n", "answers with SSH, not MQTT; an SSH server listens"),
      (
        "\u{15}\u{3}\u{1}\u{0}\u{2}\u{2}F", "answers with TLS, not MQTT; this port is for TLS: write mqtts://127.0.0.1"
      ),
    ])
  func foreignLanguage(_ answer: String, _ words: String) async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker { _, connection in connection.send(Array(answer.utf8)) }
      let outcome = try await probe(scene, scene.settings(port: broker.port))
      #expect(outcome.ending == .exited(1))
      #expect(outcome.errors.count == 1 && outcome.errors.first?.contains(words) == true, "\(outcome.errors)")
    }
  }

  @Test(
    "a certificate whose time is over, or has not come, is named with the day",
    arguments: [("2020", "expired on 2020-12-31; renew it"), ("2099", "is not valid before 2099-01-01")])
  func certificateTimes(_ year: String, _ words: String) async throws {
    try await withScene { scene in
      let certificates = try await scene.certificates(
        "times", validity: ("\(year)0101000000Z", "\(year)1231000000Z"))
      let broker = try await scene.mosquitto(tls: certificates)
      let outcome = try await probe(scene, scene.settings(broker, .tls5, certificates))
      #expect(outcome.ending == .exited(1))
      #expect(outcome.errors.first?.contains(words) == true, "\(outcome.errors)")
    }
  }
}
