import MQTTCore

/// What to do about it, with the keys of limpet's configuration, which the library does not know.
extension ConnectionLoss {
  /// What happened, and what to do.
  /// - Parameter server: the server that was tried, if the loss does not name it.
  package func advised(_ server: ServerAddress? = nil) -> String {
    advice(server).map { "\(inLimpetsWords); \($0)" } ?? inLimpetsWords
  }

  /// limpet says broker, as the people do who have one; the library says server, as the specification does.
  private var inLimpetsWords: String {
    // The name of the host may be any word.
    if case .nameNotFound = self { return "\(self)" }
    return "\(self)".split(separator: " ", omittingEmptySubsequences: false).map { word in
      switch word {
      case "server": "broker"
      case "server's": "broker's"
      case "server,": "broker,"
      default: String(word)
      }
    }.joined(separator: " ")
  }

  /// nil: there is no advice beyond the loss itself.
  package func advice(_ server: ServerAddress? = nil) -> String? {
    switch self {
    case .tls(let server, let fault): fault.advice(server)
    case .unreachable(let server, let detail): Self.unreachable(server, detail)
    case .foreign(let server, let language): language.advice(server)
    case .upgrade: "is broker.url that of the broker's WebSocket listener?"
    case .timeout(_, .connect, _), .timeout(_, .upgrade, _):
      "is broker.url that of an MQTT broker, with the right port?"
    case .timeout(_, .transport, _): "check the host and the port in broker.url, and firewalls on the way"
    case .timeout(_, .tls, _):
      "does this port of the broker speak TLS? mqtts:// is usually for 8883, mqtt:// for 1883"
    case .closed(.connect, received: false, _): server.flatMap(Self.silence)
    case .closed(.tls, _, _): server.map { TLSFault.closed.advice($0) } ?? nil
    case .session(.refused(let code, _, _)): Self.refusal(code)
    case .session(.disconnectedByServer(.notAuthorized, _, _)):
      "check broker.username and the broker's access rules for this device"
    case .session(.disconnectedByServer(.sessionTakenOver, _, _)):
      "another client uses this client id: give one of the two another device.id or broker.client_id"
    default: nil
    }
  }

  private static func unreachable(_ server: ServerAddress, _ detail: String) -> String? {
    if server.transport == .unix { return "is the broker running, and is this its socket?" }
    switch detail {
    case ConnectionLoss.nothingListens:
      let isLocal = ["localhost", "127.0.0.1", "::1"].contains(server.host)
      let own = isLocal ? "" : "; a broker may listen on its own machine only (mosquitto 2 does without a listener)"
      return "nothing listens on port \(server.port) there: is the broker running, and is the port right?\(own)"
    case "Network is unreachable", "No route to host":
      return "check this machine's network, and the address in broker.url"
    case "no answer": return "check the address in broker.url, and firewalls on the way"
    default: return nil
    }
  }

  private static func silence(_ server: ServerAddress) -> String? {
    guard server.transport == .tcp else { return nil }
    let tls = ServerAddress(transport: .tls, host: server.host, port: server.port)
    return "if this port is for TLS (usually 8883), write \(tls) in broker.url"
  }

  private static func refusal(_ code: ReasonCode) -> String? {
    switch code {
    case .badUserNameOrPassword, .notAuthorized:
      "check broker.username and broker.password, and whether the broker lets this user and client id in"
    case .clientIdentifierNotValid: "the broker does not accept this client id: write another as broker.client_id"
    case .banned: "the broker has banned this client: ask whoever runs it"
    case .unsupportedProtocolVersion: "write broker.version: auto, or the one that the broker speaks"
    case .serverUnavailable, .serverBusy: "the broker answers, but cannot serve clients now"
    case .badAuthenticationMethod: "the broker requires another way to authenticate than user name and password"
    default: nil
    }
  }
}

extension TLSFault {
  fileprivate func advice(_ server: ServerAddress) -> String? {
    var plain = server
    plain.transport = server.transport == .secureWebSocket ? .webSocket : .tcp
    switch self {
    case .unknownAuthority: return "set broker.tls.ca to the certificate of the authority that signed it"
    case .wrongName:
      return "write in broker.url the name that is in the certificate, or set broker.tls.server_name to it"
    case .expired: return "renew it on the broker; is this machine's clock right?"
    case .notYetValid: return "check this machine's clock"
    case .nothingInCommon: return "limpet speaks TLS 1.2 and 1.3: update the broker, or its settings"
    case .certificateWanted: return "set broker.tls.certificate and broker.tls.key"
    case .certificateRefused: return "check broker.tls.certificate, and which authority the broker asks for"
    case .notTLS, .closed:
      return "if this port of the broker is without TLS (usually 1883), write \(plain) in broker.url"
    case .other: return nil
    }
  }
}

extension ForeignLanguage {
  fileprivate func advice(_ server: ServerAddress) -> String {
    func url(_ transport: ServerAddress.Transport) -> String {
      "\(ServerAddress(transport: transport, host: server.host, port: server.port, path: server.path))"
    }
    switch self {
    case .http:
      return
        "a web server listens there; MQTT is usually on port \(server.transport.usesTLS ? 8883 : 1883), and over "
        + "WebSocket it is \(url(server.transport.usesTLS ? .secureWebSocket : .webSocket))/mqtt"
    case .tls: return "this port is for TLS: write \(url(.tls)) in broker.url"
    case .ssh: return "an SSH server listens there; MQTT is usually on port \(server.transport.usesTLS ? 8883 : 1883)"
    }
  }
}
