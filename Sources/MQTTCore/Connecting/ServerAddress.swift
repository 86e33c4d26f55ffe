/// Where a server listens, and how it is reached.
public struct ServerAddress: Sendable, Hashable, CustomStringConvertible {
  public enum Transport: String, Sendable, Hashable, CaseIterable {
    case tcp = "mqtt"
    case tls = "mqtts"
    /// MQTT in binary WebSocket frames (MQTT 5.0 §6), plain and over TLS.
    case webSocket = "ws"
    case secureWebSocket = "wss"
    case unix

    package var usesTLS: Bool { self == .tls || self == .secureWebSocket }
    package var isWebSocket: Bool { self == .webSocket || self == .secureWebSocket }
  }

  public var transport: Transport
  /// A name or an address; IPv6 without brackets. Empty for a Unix socket.
  public var host: String
  public var port: Int
  /// The resource of a WebSocket, query included, `/mqtt` as a rule; the path of a Unix socket; else empty.
  public var path: String

  public init(transport: Transport, host: String = "", port: Int = 0, path: String = "") {
    self.transport = transport
    self.host = host
    self.port = port
    self.path = path
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
