/// Where a server listens, and how it is reached.
public struct ServerAddress: Sendable, Hashable, CustomStringConvertible {
  public enum Transport: String, Sendable, Hashable, CaseIterable {
    case tcp = "mqtt"
    case tls = "mqtts"
  }

  public var transport: Transport
  /// A name or an address; IPv6 without brackets.
  public var host: String
  public var port: Int

  public init(transport: Transport, host: String, port: Int) {
    self.transport = transport
    self.host = host
    self.port = port
  }

  /// As a URL: `mqtts://mqtt.example.com:8883`.
  public var description: String {
    "\(transport.rawValue)://\(host.contains(":") ? "[\(host)]" : host):\(port)"
  }
}
