internal import Glibc
import LimpetText
import Measuring

/// Where a broker listens.
public struct BrokerURL: Sendable, Hashable, CustomStringConvertible {
  public enum Scheme: String, Sendable, CaseIterable {
    case mqtt, mqtts, ws, wss, unix

    /// The usual port; nil for unix.
    public var standardPort: Int? {
      switch self {
      case .mqtt: 1883
      case .mqtts: 8883
      case .ws: 80
      case .wss: 443
      case .unix: nil
      }
    }

    public var usesTLS: Bool { self == .mqtts || self == .wss }
    public var isWebSocket: Bool { self == .ws || self == .wss }
  }

  public var scheme: Scheme
  /// A name or an address, IPv6 without brackets (with its zone); empty for unix.
  public var host: String
  /// 1 to 65535; 0 for unix.
  public var port: Int
  /// The socket of unix, the resource of WebSockets (query included); else empty.
  public var path: String

  /// As a URL that may be shown: user information is refused, and a query, which may be a token, is left out.
  public var description: String {
    guard scheme != .unix else { return "unix://\(path)" }
    let shown = host.contains(":") ? "[\(host)]" : host
    return "\(scheme.rawValue)://\(shown):\(port)\(Self.withoutQuery(path))"
  }

  /// A port that usually belongs to another service, and the probable intention; nil: there is no such port.
  var portDoubt: String? {
    let shown = host.contains(":") ? "[\(host)]" : host
    return switch (scheme, port) {
    case (.mqtt, 8883): "port 8883 is usually for TLS; write mqtts://\(shown) if it is"
    case (.mqtts, 1883): "port 1883 is usually without TLS; write mqtts://\(shown) for 8883, or mqtt://\(shown)"
    case (.mqtt, 8123), (.mqtts, 8123):
      "port 8123 is Home Assistant's own page; its broker usually listens on 1883: write mqtt://\(shown)"
    case (.mqtt, 80), (.mqtt, 443), (.mqtts, 80), (.mqtts, 443):
      "port \(port) is a web server's; write ws:// or wss:// for MQTT over WebSocket, or leave the port out"
    case (.mqtt, 9001): "port 9001 is usually for WebSocket; write ws://\(shown):9001 if it is"
    default: nil
    }
  }

  /// Reads `scheme://host[:port][/path]` or `unix:///path`.
  package init(_ text: String) throws(Mismatch) {
    // Checked first, so that no message repeats a password.
    if text.prefix(while: { $0 != "?" }).contains("@"), !text.lowercased().hasPrefix("unix:") {
      throw Mismatch(
        message: "contains a user name or password; put them in \"username\" and \"password\", and leave them out here")
    }
    let shown = Self.withoutQuery(text)
    guard !text.isEmpty else { throw Mismatch(message: "empty; write a URL such as mqtt://mqtt.example.com") }
    guard text.unicodeScalars.allSatisfy({ $0.value > 0x20 && $0.value < 0x7F }) else {
      throw Mismatch(
        message: text.unicodeScalars.contains { $0.value <= 0x20 }
          ? "\(quoted(shown)) contains a space; remove it"
          : "\(quoted(shown)) contains letters beyond ASCII; write the name in its xn-- form")
    }
    guard let mark = text.range(ofSeparator: "://") else {
      // `mqtt:host` and `mqtt//host` have one, but for a sign; `mqtt:1883` is a host that is called so.
      let begun = Scheme.allCases.last { scheme in
        ["\(scheme):", "\(scheme)/"].contains { text.lowercased().hasPrefix($0) }
          && !text.dropFirst("\(scheme):".count).allSatisfy(\.isNumber)
      }
      let scheme = begun ?? (text.contains(":8883") ? .mqtts : .mqtt)
      let rest = shown.dropFirst(begun.map { "\($0)".count } ?? 0).drop { $0 == "/" || begun != nil && $0 == ":" }
      throw Mismatch(message: "\(quoted(shown)) has no \"://\"; write \(scheme)://\(rest.prefix(60))")
    }
    scheme = try Self.scheme(String(text[..<mark.lowerBound]))
    let rest = text[mark.upperBound...]
    guard !rest.contains("#") else {
      throw Mismatch(message: "\(quoted(shown)) contains a fragment; remove \"#\" and what follows")
    }
    if scheme == .unix {
      (host, port) = ("", 0)
      path = String(rest)
      guard path.hasPrefix("/"), path.utf8.count > 1 else {
        throw Mismatch(
          message: "\(quoted(shown)) names no socket; write unix:///run/mosquitto.sock, with three slashes")
      }
      _ = try ValueKind<String>.socketPath.parse(path)
      return
    }
    let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
    (host, port) = try Self.authority(rest[..<end], scheme, shown)
    path = try Self.resource(rest[end...], scheme, shown)
  }

  private static func withoutQuery(_ text: String) -> String {
    text.firstIndex(of: "?").map { "\(text[..<$0])?..." } ?? text
  }

  private static func scheme(_ word: String) throws(Mismatch) -> Scheme {
    let lowered = word.lowercased()
    if let scheme = Scheme(rawValue: lowered) { return scheme }
    let others = [
      "tcp": "mqtt", "ssl": "mqtts", "tls": "mqtts", "mqtt+ssl": "mqtts", "mqttssl": "mqtts",
      "http": "mqtt, or ws for MQTT over WebSocket", "https": "mqtts, or wss for MQTT over WebSocket",
    ]
    let words = Scheme.allCases.map(\.rawValue)
    let advice =
      others[lowered].map { "; did you mean \($0)?" } ?? Suggestion(candidates: words).unquotedAdvice(for: lowered)
    throw Mismatch(message: "the scheme \(quoted(word)) is not known\(advice)")
  }

  private static func authority(
    _ authority: Substring, _ scheme: Scheme, _ shown: String
  ) throws(Mismatch) -> (String, Int) {
    var host = authority
    var port: Substring?
    if authority.hasPrefix("[") {
      guard let close = authority.firstIndex(of: "]") else {
        throw Mismatch(message: "\(quoted(shown)) has a \"[\" without \"]\"; write [address]:port")
      }
      host = authority[authority.index(after: authority.startIndex)..<close]
      let behind = authority[authority.index(after: close)...]
      guard behind.isEmpty || behind.hasPrefix(":") else {
        throw Mismatch(message: "\(quoted(shown)) has text after \"]\"; write [address]:port")
      }
      port = behind.isEmpty ? nil : behind.dropFirst()
      guard isIPv6(host) else {
        throw Mismatch(message: "\(quoted(host)) is not an IPv6 address; write one such as [2001:db8::1]")
      }
    } else {
      let colons = authority.filter { $0 == ":" }.count
      guard colons <= 1 else {
        throw Mismatch(
          message: "\(quoted(shown)) has several colons; put an IPv6 address in brackets: [2001:db8::1]:1883")
      }
      if let colon = authority.firstIndex(of: ":") {
        host = authority[..<colon]
        port = authority[authority.index(after: colon)...]
      }
      guard !host.isEmpty else {
        throw Mismatch(message: "\(quoted(shown)) has no host; write one such as mqtt.example.com")
      }
      guard isHost(host) else {
        throw Mismatch(
          message: "\(quoted(host)) is not a host name or address; write "
            + (host.contains(",") ? "several brokers as a list: [mqtt://a, mqtt://b]" : "one such as mqtt.example.com"))
      }
    }
    let standard = scheme.standardPort ?? 0
    guard let port else { return (String(host), standard) }
    guard let number = Int(strict: String(port)), (1...65535).contains(number) else {
      throw Mismatch(message: "the port \(quoted(port)) is not one; write 1 to 65535, usually \(standard)")
    }
    return (String(host), number)
  }

  private static func resource(_ rest: Substring, _ scheme: Scheme, _ shown: String) throws(Mismatch) -> String {
    if scheme.isWebSocket {
      // RFC 6455, 3: the resource name has the query, and the path is "/" where it is empty; brokers serve "/mqtt".
      if rest.isEmpty { return "/mqtt" }
      return rest.hasPrefix("?") ? "/\(rest)" : String(rest)
    }
    guard rest.isEmpty || rest == "/" else {
      let part = rest.contains("?") ? "query" : "path"
      throw Mismatch(message: "\(quoted(shown)) has a \(part), which \(scheme.rawValue) does not use; remove it")
    }
    return ""
  }

  private static func isHost(_ host: Substring) -> Bool {
    if host.unicodeScalars.allSatisfy({ $0.isDigit || $0 == "." }) {
      var address = in_addr()
      return inet_pton(AF_INET, String(host), &address) == 1
    }
    var name = host
    if name.hasSuffix(".") { name = name.dropLast() }
    return name.utf8.count <= 253
      && name.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
        (1...63).contains(label.utf8.count) && !label.hasPrefix("-") && !label.hasSuffix("-")
          && label.unicodeScalars.allSatisfy(\.isNameCharacter)
      }
  }

  private static func isIPv6(_ text: Substring) -> Bool {
    let parts = text.split(separator: "%", omittingEmptySubsequences: false)
    guard let first = parts.first, parts.count <= 2 else { return false }
    if parts.count == 2 {
      // The zone of a link-local address (RFC 4007): an interface.
      guard let zone = parts.last, (1...15).contains(zone.utf8.count),
        zone.unicodeScalars.allSatisfy(\.isNameCharacter)
      else { return false }
    }
    var address = in6_addr()
    return inet_pton(AF_INET6, String(first), &address) == 1
  }
}

extension String {
  fileprivate func range(ofSeparator separator: String) -> Range<Index>? {
    indices.first { self[$0...].hasPrefix(separator) }
      .map { $0..<index($0, offsetBy: separator.count) }
  }
}

extension Suggestion {
  fileprivate func unquotedAdvice(for word: String) -> String {
    nearest(to: word).map { "; did you mean \($0)?" } ?? "; write \(Self.list(candidates))"
  }
}

extension ValueKind where Value == BrokerURL {
  package static let brokerURL = ValueKind(.url(schemes: BrokerURL.Scheme.allCases.map(\.rawValue))) {
    text throws(Mismatch) in
    try BrokerURL(text)
  }.matching(
    #"[A-Za-z]+://(\[[^\]@]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?/?|[Ww][Ss]{1,2}://[^/?@]+[/?][^@]*|[Uu][Nn][Ii][Xx]:///.+"#
  )
}
