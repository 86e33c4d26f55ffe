import Glibc
import MQTTCore
import NIOCore
import NIOPosix
import NIOSSL

/// What the errors of NIO and of the layers below MQTT mean for a connection.
extension ConnectionLoss {
  /// What opening a transport failed with.
  static func opening(_ attempt: Attempt, _ error: any Error) -> ConnectionLoss {
    let server = attempt.server
    switch error {
    case let error as TLSSettingsError: return .settings("\(error)")
    case let error as Preparation.EndpointFailure: return .endpoint(server, error.description)
    case let error as NameLookup.Failure:
      guard let proxy = attempt.proxy else { return .nameNotFound(host: error.host, error.description) }
      return .proxy(proxy, server, "its name cannot be resolved (\(error.description))")
    default:
      if let refusal = error as? ProxyTunnel.Refusal, let proxy = attempt.proxy {
        return .proxy(proxy, server, refusal.description)
      }
      let detail =
        (error as? NIOConnectionError).map {
          Set($0.connectionErrors.map { self.detail($0.error) }).sorted().joined(separator: ", ")
        } ?? detail(error)
      guard let proxy = attempt.proxy else { return .unreachable(server, detail) }
      return .proxy(proxy, server, "it cannot be reached (\(detail))")
    }
  }

  static func detail(_ error: any Error) -> String {
    switch error {
    case let error as IOError: String(cString: strerror(error.errnoCode))
    case ChannelError.connectTimeout: "no answer"
    default: "\(error)"
    }
  }
}
