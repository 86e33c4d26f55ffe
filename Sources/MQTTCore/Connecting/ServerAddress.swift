/// Where a server listens, and how it is reached.
public struct ServerAddress: Sendable, Hashable, CustomStringConvertible {
  /// What carries MQTT to the server (§4.2); the raw value is the scheme of a URL.
  public enum Transport: String, Sendable, Hashable, CaseIterable {
    /// MQTT over TCP, in plain text; port 1883 usually.
    case tcp = "mqtt"
    /// MQTT over TLS; port 8883 usually.
    case tls = "mqtts"
    /// MQTT in binary WebSocket frames (MQTT 5.0 §6), in plain text; port 80 usually.
    case webSocket = "ws"
    /// The same over TLS; port 443 usually.
    case secureWebSocket = "wss"
    /// A Unix socket of this machine.
    case unix

    package var usesTLS: Bool { self == .tls || self == .secureWebSocket }
    package var isWebSocket: Bool { self == .webSocket || self == .secureWebSocket }

    fileprivate var usualPort: Int {
      switch self {
      case .tcp: 1883
      case .tls: 8883
      case .webSocket: 80
      case .secureWebSocket: 443
      case .unix: 0
      }
    }
  }

  /// What carries MQTT to the server, with or without TLS.
  public var transport: Transport
  /// A name or an address; IPv6 without brackets. Empty for a Unix socket.
  public var host: String
  /// 1 to 65,535; 0 for a Unix socket.
  public var port: Int
  /// The resource of a WebSocket, query included, usually `/mqtt`; the path of a Unix socket; else empty.
  public var path: String

  /// An address from its parts, which it does not check.
  ///
  /// - Parameters:
  ///   - transport: how to reach the server.
  ///   - host: a name or an address; IPv6 without brackets. Empty for a Unix socket.
  ///   - port: nil: the usual one of the transport: 1883, 8883 with TLS, 80 or 443 for a WebSocket.
  ///   - path: nil: `/mqtt` for a WebSocket, else none.
  public init(transport: Transport, host: String = "", port: Int? = nil, path: String? = nil) {
    self.transport = transport
    self.host = host
    self.port = port ?? transport.usualPort
    self.path = path ?? (transport.isWebSocket ? "/mqtt" : "")
  }

  /// As a URL: `mqtts://mqtt.example.com:8883`. A query may be a secret and is left out.
  public var description: String {
    guard transport != .unix else { return "unix://\(path)" }
    return "\(transport.rawValue)://\(authority)\(path.prefix { $0 != "?" })"
  }

  /// `host:port`, with brackets around IPv6 (RFC 3986 §3.2).
  package var authority: String { "\(bracketedHost):\(port)" }

  package var bracketedHost: String { host.contains(":") ? "[\(host)]" : host }
}
