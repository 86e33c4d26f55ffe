/// A proxy that carries connections to servers. The proxy looks up their names; this side looks up only the proxy's.
///
/// It sees where a connection goes and, without TLS, what it carries. Unix sockets do not use it.
public struct Proxy: Sendable, Hashable, CustomStringConvertible {
  /// The protocol between this side and the proxy.
  public enum Kind: String, Sendable, Hashable {
    /// CONNECT of HTTP/1.1 (RFC 9110 §9.3.6), over TCP or TLS.
    case httpConnect = "http"
    /// SOCKS 5 (RFC 1928), without authentication or with a user name and a password (RFC 1929).
    case socks5
  }

  /// A user name and a password: for the Basic scheme of HTTP (RFC 7617), or for SOCKS 5 (RFC 1929), where each has 1 to
  /// 255 bytes.
  ///
  /// Without TLS to the proxy they travel there in plain text. No description or dump shows them.
  public struct Credentials: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
  {
    package let userName: String
    package let password: String

    /// - Throws: if the proxy would misread them: a colon in the name, which ends the name there, or a control
    ///   character in either (RFC 7617 §2).
    public init(userName: String, password: String) throws(CredentialsError) {
      guard !userName.utf8.contains(UInt8(ascii: ":")) else { throw .colonInUserName }
      let isControl = { (byte: UInt8) in byte < 0x20 || byte == 0x7F }
      guard !userName.utf8.contains(where: isControl), !password.utf8.contains(where: isControl) else {
        throw .controlCharacter
      }
      self.userName = userName
      self.password = password
    }

    /// `(secret)`, whatever it holds.
    public var description: String { "(secret)" }
    /// `(secret)`, whatever it holds.
    public var debugDescription: String { description }
    /// Without children: `dump` shows nothing of it.
    public var customMirror: Mirror { Mirror(self, children: []) }
  }

  /// What the Basic scheme cannot carry (RFC 7617 §2). It repeats nothing of a name or a password.
  public struct CredentialsError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is wrong and why, as a sentence that may be shown and logged.
    public let description: String

    static let colonInUserName = CredentialsError(
      description:
        "a user name for a proxy must not contain a colon: the proxy would take what follows it for the password")
    static let controlCharacter = CredentialsError(
      description: "user name and password for a proxy have no control characters, such as line ends")
  }

  /// The protocol that this side speaks with it.
  public let kind: Kind
  /// A name or an address; IPv6 without brackets.
  public let host: String
  /// TCP, 1 to 65,535; 3128 and 1080 are usual, and none is filled in.
  public let port: Int
  package let credentials: Credentials?
  /// How the connection to the proxy itself is protected; nil: it is plain TCP.
  package let tls: TLSSettings?

  /// With credentials where the proxy asks for them; it has to allow CONNECT to the server's port.
  ///
  /// - Parameters:
  ///   - host: a name or an address; IPv6 without brackets.
  ///   - port: TCP, 1 to 65,535.
  ///   - credentials: for the Basic scheme; nil: none.
  ///   - tls: for a proxy that is reached over TLS: who may be the proxy. A TLS connection to the server runs inside
  ///     that one, by settings of its own. nil: plain TCP.
  public static func httpConnect(
    host: String, port: Int, credentials: Credentials? = nil, tls: TLSSettings? = nil
  ) -> Proxy {
    Proxy(kind: .httpConnect, host: host, port: port, credentials: credentials, tls: tls)
  }

  /// With credentials where the proxy asks for them. They travel in plain text: SOCKS 5 knows no TLS.
  public static func socks5(host: String, port: Int, credentials: Credentials? = nil) -> Proxy {
    Proxy(kind: .socks5, host: host, port: port, credentials: credentials, tls: nil)
  }

  /// As a URL, without credentials: `http://proxy.example.com:3128`, or `https` where the proxy is reached over TLS.
  public var description: String {
    "\(tls == nil ? kind.rawValue : "https")://\(host.contains(":") ? "[\(host)]" : host):\(port)"
  }
}
