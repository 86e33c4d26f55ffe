/// A URL that names no MQTT server. The error never repeats the URL, which may contain a password.
public struct ServerURLError: Error, Sendable, Hashable, CustomStringConvertible {
  /// What a server's URL has to look like. It does not repeat the given URL, so it may be shown and logged.
  public let description: String

  init(_ description: String) { self.description = description }
}

/// A server as a URL: `mqtt://host[:port]`, `mqtts://…`, `ws://host[:port][/path]`, `wss://…`, `unix:///path`.
///
/// The usual ports are 1883, 8883, 80 and 443, the usual path of a WebSocket is `/mqtt`; `tcp` means `mqtt`, and `ssl`
/// and `tls` mean `mqtts`. User name and password may stand before the host, in percent-encoding.
public struct ServerURL: Sendable, Hashable {
  /// Where the server listens; the port is the usual one where the URL has none.
  public let address: ServerAddress
  /// What stands before the host, percent-encoding undone; nil: nothing does. It belongs into CONNECT (§3.1.3.5).
  public let username: String?
  /// What stands behind the user name's colon, percent-encoding undone; nil: there is none. It belongs into CONNECT.
  public let password: String?

  /// - Throws: what is wrong with it: no server, a fragment, a path without WebSocket, a `%` without two digits.
  public init(_ text: String) throws(ServerURLError) {
    guard let colon = text.firstIndex(of: ":"), text[colon...].hasPrefix("://") else {
      throw ServerURLError("a server's URL begins with a scheme, such as mqtt://")
    }
    let transport = try Self.transport(text[..<colon])
    let rest = text[colon...].dropFirst(3)
    guard transport != .unix else {
      guard rest.hasPrefix("/"), rest.utf8.count > 1 else {
        throw ServerURLError("a socket's URL has three slashes after unix: and then the socket's path")
      }
      (address, username, password) = (ServerAddress(transport: .unix, path: String(rest)), nil, nil)
      return
    }
    guard !rest.contains("#") else { throw ServerURLError("a server's URL has no fragment (#)") }
    let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
    var authority = rest[..<end]
    var path = String(rest[end...])
    if let at = authority.lastIndex(of: "@") {
      let parts = authority[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      username = try Self.decoded(parts[0])
      password = parts.count > 1 ? try Self.decoded(parts[1]) : nil
      authority = authority[authority.index(after: at)...]
    } else {
      (username, password) = (nil, nil)
    }
    let (host, port) = try Self.hostAndPort(authority)
    if transport.isWebSocket {
      if path.isEmpty || path.hasPrefix("?") { path = "/mqtt" + path }
    } else {
      guard path.isEmpty || path == "/" else { throw ServerURLError("only ws and wss have a path in a server's URL") }
      path = ""
    }
    address = ServerAddress(transport: transport, host: host, port: port, path: path)
  }

  private static func transport(_ scheme: Substring) throws(ServerURLError) -> ServerAddress.Transport {
    switch scheme.lowercased() {
    case "mqtt", "tcp": return .tcp
    case "mqtts", "ssl", "tls": return .tls
    case "ws": return .webSocket
    case "wss": return .secureWebSocket
    case "unix": return .unix
    default: throw ServerURLError("a server's URL begins with mqtt, mqtts, ws, wss or unix")
    }
  }

  /// IPv6 addresses stand in brackets (RFC 3986 §3.2.2).
  private static func hostAndPort(_ authority: Substring) throws(ServerURLError) -> (String, Int?) {
    var host = authority
    var port: Substring?
    if authority.hasPrefix("[") {
      guard let close = authority.firstIndex(of: "]") else {
        throw ServerURLError("an IPv6 address in a server's URL is written [address]")
      }
      host = authority[authority.index(after: authority.startIndex)..<close]
      let behind = authority[authority.index(after: close)...]
      guard behind.isEmpty || behind.hasPrefix(":") else {
        throw ServerURLError("an IPv6 address in a server's URL is followed by :port or nothing")
      }
      port = behind.isEmpty ? nil : behind.dropFirst()
    } else if let colon = authority.firstIndex(of: ":") {
      host = authority[..<colon]
      port = authority[authority.index(after: colon)...]
    }
    guard !host.isEmpty, host.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else {
      throw ServerURLError("a server's URL names a host")
    }
    guard let port else { return (String(host), nil) }
    guard let number = UInt16(port), number > 0, port.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else {
      throw ServerURLError("a port in a server's URL is a number from 1 to 65535")
    }
    return (String(host), Int(number))
  }

  private static func decoded(_ text: Substring) throws(ServerURLError) -> String {
    var bytes: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else {
        throw ServerURLError("a % in a user name or password of a URL is followed by two hexadecimal digits")
      }
      bytes.append(value)
      rest = rest.dropFirst(2)
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw ServerURLError("a user name or password in a URL is UTF-8")
    }
    return text
  }
}

extension ServerAddress {
  /// A server as a URL, without user name and password: see `ServerURL`.
  public init(url: String) throws(ServerURLError) {
    let parsed = try ServerURL(url)
    guard parsed.username == nil, parsed.password == nil else {
      throw ServerURLError("a server's address has no user name; it belongs to CONNECT")
    }
    self = parsed.address
  }
}
