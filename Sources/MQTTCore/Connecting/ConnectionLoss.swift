import NIOCore

/// How far a connection had come.
public enum ConnectionStage: String, Sendable, Hashable {
  /// The owner says where exactly it goes.
  case endpoint = "preparing the endpoint"
  /// A resolver looks for the server's addresses, or the proxy's.
  case name = "looking up the name"
  /// TCP, or the Unix socket.
  case transport = "connecting"
  /// A proxy is connected to, and asked for the way to the server.
  case proxy = "going through the proxy"
  /// Up to the check of the server's certificate.
  case tls = "the TLS handshake"
  /// Up to the server's 101 Switching Protocols (RFC 6455 §4.2.2).
  case upgrade = "the WebSocket upgrade"
  /// CONNECT was sent (§3.1).
  case connect = "waiting for CONNACK"
  /// CONNACK agreed.
  case connected
}

/// Why a connection could not be made, or ended. Addresses are those that were dialled. The enum is `indirect`, so a
/// connection that works takes no memory for it.
public indirect enum ConnectionLoss: Error, Sendable, Hashable, CustomStringConvertible {
  /// No resolver knows the name, for this reason.
  case nameNotFound(host: String, String)
  /// The owner could not say where exactly to go, for this server.
  case endpoint(ServerAddress, String)
  /// The proxy cannot be reached, or did not open the way to the server.
  case proxy(Proxy, ServerAddress, String)
  /// No transport to the server can be made, for this reason.
  case unreachable(ServerAddress, String)
  /// The TLS handshake failed, or the server's certificate did not pass the check.
  case tls(ServerAddress, TLSFault)
  /// The server is there, and does not speak MQTT over WebSocket at this path.
  case upgrade(ServerAddress, String)
  /// The server is there, and its first answer is not MQTT.
  case foreign(ServerAddress, ForeignLanguage)
  /// A file that the TLS settings name.
  case settings(String)
  /// `Link.Settings.connectTimeout` passed at this stage.
  case timeout(ServerAddress, ConnectionStage, after: Duration)
  /// The transport ended without a word of MQTT about it; `received` says whether the server ever sent a byte.
  case closed(ConnectionStage, received: Bool, detail: String?)
  /// The session ended it, or the server did in MQTT's words.
  case session(MQTTSession.Ending)
  /// The machine no longer has the address that the connection came from.
  case addressLost(String)
  /// The authenticator gave up.
  case authentication(String)
  /// A text of CONNECT is too long or has characters that MQTT forbids.
  case notEncodable
  /// This side closed the transport at once.
  case aborted

  /// For a person: what was tried, with which server, what happened, and mostly what to do.
  public var description: String {
    switch self {
    case .nameNotFound(let host, let detail):
      "the name \(host) cannot be resolved (\(detail)); check the server's address and the network's DNS"
    case .endpoint(let server, let detail): "the endpoint of \(server) could not be prepared: \(detail)"
    case .proxy(let proxy, let server, let detail): "the proxy \(proxy) did not connect to \(server): \(detail)"
    case .unreachable(let server, let detail): "\(server) cannot be reached: \(detail)"
    case .tls(let server, let fault): "TLS with \(server) failed: \(fault)"
    case .foreign(let server, let language): "\(server) answers with \(language), not MQTT"
    case .upgrade(let server, let detail):
      "no WebSocket with \(server): \(detail); check the path of the server's address"
    case .settings(let detail): detail
    case .timeout(let server, .endpoint, let limit): "the endpoint of \(server) was not prepared within \(limit)"
    case .timeout(let server, .proxy, let limit):
      "the proxy did not connect to \(server) within \(limit)"
    case .timeout(let server, let stage, let limit): "\(server) did not answer within \(limit) (\(stage.rawValue))"
    case .closed(.connected, _, let detail): "the connection was closed" + (detail.map { ": \($0)" } ?? "")
    case .closed(let stage, let received, let detail):
      "the server closed the connection while \(stage == .tls || stage == .upgrade ? "in " : "")\(stage.rawValue)"
        + (stage == .connect && !received ? ", without a byte" : "") + (detail.map { ": \($0)" } ?? "")
    case .session(let ending): "\(ending)"
    case .addressLost(let address): "this machine's address \(address) is gone"
    case .authentication(let detail): "the authentication failed: \(detail)"
    case .notEncodable: "CONNECT has a text of over 65,535 bytes or with U+0000, a wrong property, or no client id"
    case .aborted: "aborted"
    }
  }

  /// The server that is to be used in place of this one.
  func referredServer(from server: ServerAddress) -> ServerAddress? {
    switch self {
    case .session(.refused(let code, _, let reference?)), .session(.disconnectedByServer(let code, _, let reference?)):
      [.useAnotherServer, .serverMoved].contains(code) ? ServerReference.first(in: reference, like: server) : nil
    default: nil
    }
  }

  /// The server says that another client has connected with the same identifier (0x8E).
  public var isTakeOver: Bool {
    if case .session(.disconnectedByServer(.sessionTakenOver, _, _)) = self { true } else { false }
  }

  /// The server refuses this client as it is: user name, password, identifier or rights are wrong (CONNACK 0x85, 0x86,
  /// 0x87, 0x8A, 0x8C), and trying again is of no use before somebody changes something.
  public var isRefusedForGood: Bool { failure == .refused }

  /// The server closed a connection that it had accepted, perhaps because of a packet from this side: it gave no
  /// reason, or one that is about packets.
  public var mayBeAboutWhatWasSent: Bool {
    let others: Set<ReasonCode> = [
      .success, .serverBusy, .serverShuttingDown, .keepAliveTimeout, .sessionTakenOver, .messageRateTooHigh,
      .administrativeAction, .useAnotherServer, .serverMoved, .connectionRateExceeded, .maximumConnectTime,
    ]
    return switch self {
    case .closed(.connected, _, _): true
    case .session(.disconnectedByServer(let code, _, _)): !others.contains(code)
    default: false
    }
  }

  /// ECONNREFUSED in the C library's words.
  package static let nothingListens = "Connection refused"

  /// What the loss says about the next attempt.
  var failure: ReconnectSchedule.Failure {
    // Whether it is about time the error of the handshake does not say.
    if case .tls = self { return .tls }
    if case .unreachable(_, Self.nothingListens) = self { return .nothingListens }
    guard case .session(.refused(let code, _, _)) = self else { return .ordinary }
    let lasting: Set<ReasonCode> = [
      .badUserNameOrPassword, .notAuthorized, .clientIdentifierNotValid, .banned, .badAuthenticationMethod,
      .unsupportedProtocolVersion,
    ]
    return lasting.contains(code) ? .refused : .ordinary
  }
}
