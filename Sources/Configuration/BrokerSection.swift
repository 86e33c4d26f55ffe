package enum BrokerKeys {
  static let url = Key(
    requiredList: "url", .brokerURL, missing: "write the broker's address, such as mqtt://mqtt.example.com",
    help: "mqtt, mqtts (TLS), ws, wss (WebSocket, path /mqtt) or unix URLs; of a list, limpet tries each in turn.",
    example: "mqtt://localhost:1883")
  static let version = Key(
    "version", ValueKind<Configuration.ProtocolVersion>.choice.withAdvice(Synonyms.versions), default: "auto",
    help: "The MQTT version; auto uses 5, or 3.1.1 if the broker lacks 5.")
  package static let clientID = Key(
    "client_id",
    ValueKind<String>.text(bytes: 0...65535).map { .given($0) }.or("auto", Configuration.Identifier.automatic),
    default: "auto", help: "The MQTT client identifier; auto uses the device id.")
  static let username = Key(
    optional: "username", .text(bytes: 1...65535), help: "The user name for the broker.", example: "greenhouse")
  static let password = Key(
    optional: "password", .text(bytes: 1...65535),
    help: "The password for the broker; password_file keeps it out of this file.",
    example: "${file:/etc/limpet/password}")
  static let passwordFile = Key(
    optional: "password_file", .path,
    help: "A file whose first line is the password; without both, the systemd credential \(PasswordSource.credential).",
    example: "/etc/limpet/password")
  package static let cleanStart = Key(
    "clean_start", .boolean, default: "false", help: "Start a new session with every connection.")
  static let sessionExpiry = Key(
    "session_expiry",
    ValueKind<Duration>.duration(.zero...(.seconds(4_294_967_294 as Int64)), wholeSeconds: true, words: ["never"])
      .map { .after($0) }.or("never", Configuration.SessionExpiry.never),
    default: "7d", help: "How long the broker keeps the session of a lost device.")
  static let sharesSessions = Key(
    "shares_sessions", .boolean, default: "false",
    help: "The URLs are nodes of one cluster that all have the session: limpet resumes it at any of them.")
  static let prefersFirst = Key(
    "prefers_first", .boolean, default: "false",
    help: "Return to the first URL once it has been reachable for reconnect.stable_after, but at least for 10 s.")
  static let keepalive = Key(
    "keepalive", .duration(.zero...(.seconds(65535)), wholeSeconds: true), default: "30s",
    help:
      "The longest silence on the connection; it decides how soon the broker notices that this device is lost. 0 switches "
      + "it off.")
  static let connectTimeout = Key(
    "connect_timeout", .duration(.milliseconds(100)...(.hours(1))), default: "10s",
    help: "How long one attempt to connect may take, CONNACK included.")
  static let shutdownTimeout = Key(
    "shutdown_timeout", .duration(.milliseconds(1)...(.hours(1))), default: "5s",
    help: "How long the clean shutdown may take; past it, limpet cuts the connection.")
  static let tlsHelp = "How limpet verifies a broker whose URL is mqtts or wss."

  static let all: [Declaration] = [
    url.declaration, version.declaration, clientID.declaration, username.declaration, password.declaration,
    passwordFile.declaration, cleanStart.declaration, sessionExpiry.declaration, sharesSessions.declaration,
    prefersFirst.declaration, keepalive.declaration, connectTimeout.declaration, shutdownTimeout.declaration,
    .section("reconnect", ReconnectKeys.all, help: "How long to wait between attempts."),
    .section("tls", TLSKeys.all, help: tlsHelp),
  ]
}

enum ReconnectKeys {
  static let min = Key(
    "min", .duration(.milliseconds(10)...(.days(1)), unit: "s"), default: "1s", help: "The first wait, before jitter.")
  static let max = Key(
    "max", .duration(.milliseconds(10)...(.days(1))), default: "2m", help: "The longest wait, before jitter.")
  static let stableAfter = Key(
    "stable_after", .duration(.zero...(.days(1))), default: "60s",
    help: "How long a connection must last before waits start at min again.")

  static let all = [min.declaration, max.declaration, stableAfter.declaration]
}

enum TLSKeys {
  static let ca = Key(
    optional: "ca", .path, help: "The authorities to trust, a PEM file or a folder of them; without it, the system's.",
    example: "/etc/ssl/certs")
  static let certificate = Key(
    optional: "certificate", .path, help: "The device's own certificate, PEM.", example: "client.pem")
  static let key = Key(optional: "key", .path, help: "The private key of certificate, PEM.", example: "client-key.pem")
  static let serverName = Key(
    optional: "server_name", .text(bytes: 1...253), help: "The name to verify, where it is not the URL's host.",
    example: "mqtt.example.com")
  static let insecure = Key("insecure", .boolean, default: "false", help: "Do not verify the broker; for tests only.")

  static let all = [
    ca.declaration, certificate.declaration, key.declaration, serverName.declaration, insecure.declaration,
  ]
}

/// Reads `broker`, and keeps the fields that rules with other sections need.
struct BrokerSection {
  let broker: Configuration.Broker
  let version: Field<Configuration.ProtocolVersion>
  let cleanStart: Field<Bool>
  let sessionExpiry: Field<Configuration.SessionExpiry>
  let keepalive: Field<Duration>

  init(_ reader: MappingReader, _ context: ReadingContext) {
    let urls = reader.readList(BrokerKeys.url, limit: 16)
    version = reader.read(BrokerKeys.version)
    cleanStart = reader.read(BrokerKeys.cleanStart)
    sessionExpiry = reader.read(BrokerKeys.sessionExpiry)
    keepalive = reader.read(BrokerKeys.keepalive)
    let clientID = reader.read(BrokerKeys.clientID)
    let prefersFirst = reader.read(BrokerKeys.prefersFirst)
    if prefersFirst.value, urls.count == 1 {
      reader.error(
        prefersFirst.written, "there is only one broker to prefer; write a list of several as url, or remove this")
    }
    broker = Configuration.Broker(
      urls: urls.map(\.value),
      version: version.value,
      clientID: clientID.value,
      username: reader.read(BrokerKeys.username).value,
      password: PasswordSource(reader).password(version, context),
      cleanStart: cleanStart.value,
      sessionExpiry: sessionExpiry.value,
      sharesSessions: reader.read(BrokerKeys.sharesSessions).value,
      prefersFirst: prefersFirst.value,
      keepalive: keepalive.value,
      connectTimeout: reader.read(BrokerKeys.connectTimeout).value,
      shutdownTimeout: reader.read(BrokerKeys.shutdownTimeout).value,
      reconnect: Self.reconnect(reader.section("reconnect")),
      tls: Self.tls(reader.section("tls"), context))
    Self.check(urls, reader)
    // [MQTT-3.1.3-8]: a server refuses an empty identifier without a clean start.
    if clientID.value == .given(""), !cleanStart.value, !cleanStart.isWrong {
      reader.conflict(
        clientID.written, cleanStart.written,
        "an empty client_id needs clean_start: true; write an id, or auto for the device's")
    }
    reader.reject(unknownTo: BrokerKeys.all)
  }

  private static func check(_ urls: [Field<BrokerURL>], _ reader: MappingReader) {
    for (index, url) in urls.enumerated() {
      guard let written = url.written else { continue }
      if let first = urls[..<index].first(where: { $0.value == url.value })?.written {
        reader.log.error(
          written.value, written.path,
          "the same URL as on \(reader.log.line(first.value, seenFrom: written.value)); remove one of them")
      }
    }
    for url in urls {
      if let written = url.written, let doubt = url.value.portDoubt {
        reader.log.warning(written.value, written.path, doubt)
      }
    }
    guard let tls = reader.position(of: "tls"), let url = reader.position(of: BrokerKeys.url.name), !urls.isEmpty,
      !urls.contains(where: \.value.scheme.usesTLS)
    else { return }
    let message = "tls is set, but no URL uses it; write mqtts:// or remove tls"
    reader.log.error(max(tls, url), reader.path(to: tls > url ? "tls" : BrokerKeys.url.name), message)
  }

  private static func reconnect(_ reader: MappingReader) -> Configuration.Reconnect {
    let min = reader.read(ReconnectKeys.min)
    let max = reader.read(ReconnectKeys.max)
    if min.value > max.value, !min.isWrong, !max.isWrong {
      reader.error(
        min.written ?? max.written,
        "min \(WrittenDuration.text(min.value)) is longer than max "
          + "\(WrittenDuration.text(max.value)); raise max or lower min"
      )
    }
    let stableAfter = reader.read(ReconnectKeys.stableAfter).value
    reader.reject(unknownTo: ReconnectKeys.all)
    return Configuration.Reconnect(min: min.value, max: max.value, stableAfter: stableAfter)
  }

  private static func tls(_ reader: MappingReader, _ context: ReadingContext) -> Configuration.TLS {
    let certificate = reader.read(TLSKeys.certificate)
    let key = reader.read(TLSKeys.key)
    if certificate.isWritten, !key.isWritten, !key.isWrong {
      reader.missing("key", "a certificate needs its key; write key beside it")
    }
    if key.isWritten, !certificate.isWritten, !certificate.isWrong {
      reader.missing("certificate", "a key needs its certificate; write certificate beside it")
    }
    let tls = Configuration.TLS(
      ca: context.readable(reader.read(TLSKeys.ca)),
      certificate: context.readable(certificate),
      key: context.readable(key, isSecret: true),
      serverName: reader.read(TLSKeys.serverName).value,
      insecure: reader.read(TLSKeys.insecure).value)
    reader.reject(unknownTo: TLSKeys.all)
    return tls
  }
}
