import NIOCore
import NIOPosix
import NIOSSL

/// How far a connection had come.
public enum ConnectionStage: String, Sendable, Hashable {
  case name = "looking up the name"
  case transport = "connecting"
  case tls = "the TLS handshake"
  case upgrade = "the WebSocket upgrade"
  case connect = "waiting for CONNACK"
  case connected
}

/// Why a connection could not be made, or ended.
public enum ConnectionLoss: Error, Sendable, CustomStringConvertible {
  case nameNotFound(host: String, String)
  case unreachable(ServerAddress, String)
  case tls(ServerAddress, String)
  /// The server is there, and does not speak MQTT over WebSocket at this path.
  case upgrade(ServerAddress, String)
  /// A file that the TLS settings name.
  case settings(TLSSettingsError)
  case timeout(ServerAddress, ConnectionStage, after: Duration)
  /// The transport ended without a word of MQTT about it; `received` says whether the server ever sent a byte.
  case closed(ConnectionStage, received: Bool, detail: String?)
  case session(Session.Ending)
  /// The authenticator gave up.
  case authentication(String)
  /// A text of CONNECT does not fit the wire.
  case notEncodable
  /// This side closed the transport at once.
  case aborted

  public var description: String {
    switch self {
    case .nameNotFound(let host, let detail):
      "the name \(host) cannot be resolved (\(detail)); check broker.url and the network's DNS"
    case .unreachable(let server, let detail): "\(server) cannot be reached: \(detail)"
    case .tls(let server, let detail): "TLS with \(server) failed: \(detail)"
    case .upgrade(let server, let detail):
      "no WebSocket with \(server): \(detail); check the path in broker.url"
    case .settings(let error): "\(error)"
    case .timeout(let server, let stage, let limit): "\(server) did not answer within \(limit) (\(stage.rawValue))"
    case .closed(.connected, _, let detail): "the connection was closed" + (detail.map { ": \($0)" } ?? "")
    case .closed(let stage, let received, let detail):
      "the server closed the connection while \(stage == .tls || stage == .upgrade ? "in " : "")\(stage.rawValue)"
        + (stage == .connect && !received ? ", without a byte" : "") + (detail.map { ": \($0)" } ?? "")
    case .session(let ending): "\(ending)"
    case .authentication(let detail): "the authentication failed: \(detail)"
    case .notEncodable: "CONNECT has a text of over 65,535 bytes or with U+0000, a wrong property, or no client id"
    case .aborted: "aborted"
    }
  }

  /// What opening a transport failed with.
  static func opening(_ server: ServerAddress, _ error: any Error) -> ConnectionLoss {
    switch error {
    case let error as TLSSettingsError: .settings(error)
    case let error as NameLookup.Failure: .nameNotFound(host: error.host, error.description)
    case let error as NIOConnectionError:
      .unreachable(server, Set(error.connectionErrors.map { detail($0.error) }).sorted().joined(separator: ", "))
    default: .unreachable(server, detail(error))
    }
  }

  static func detail(_ error: any Error) -> String {
    switch error {
    case let error as IOError: String(cString: strerror(error.errnoCode))
    case ChannelError.connectTimeout: "no answer"
    default: "\(error)"
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

  /// What the loss says about the next attempt.
  var failure: ReconnectSchedule.Failure {
    guard case .session(.refused(let code, _, _)) = self else { return .ordinary }
    let lasting: Set<ReasonCode> = [
      .badUserNameOrPassword, .notAuthorized, .clientIdentifierNotValid, .banned, .badAuthenticationMethod,
      .unsupportedProtocolVersion,
    ]
    return lasting.contains(code) ? .refused : .ordinary
  }
}
