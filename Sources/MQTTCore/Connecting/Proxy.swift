/// A proxy that carries connections to servers. It looks up their names itself: only its own is looked up here.
///
/// It sees where a connection goes, and what it carries where that is not TLS. Unix sockets are reached without it.
public struct Proxy: Sendable, Hashable, CustomStringConvertible {
  /// The protocol that it is spoken to.
  public enum Kind: String, Sendable, Hashable {
    /// CONNECT of HTTP/1.1 (RFC 9110 §9.3.6), in plain text.
    case httpConnect = "http"
    /// SOCKS 5 (RFC 1928), without authentication.
    case socks5
  }

  /// A user name and a password for the Basic scheme (RFC 7617).
  ///
  /// They travel to the proxy in plain text. They are never part of a description or a dump.
  public struct Credentials: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
  {
    package let userName: String
    package let password: String

    /// - Throws: where the proxy would read something else: a colon in the name, which it would take for a shorter name and
    ///   a longer password, or a control character in either (RFC 7617 §2).
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
      description: "a user name for a proxy has no colon: the proxy takes what is behind one for the password")
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

  /// With credentials where the proxy asks for them; it has to allow CONNECT to the server's port.
  public static func httpConnect(host: String, port: Int, credentials: Credentials? = nil) -> Proxy {
    Proxy(kind: .httpConnect, host: host, port: port, credentials: credentials)
  }

  /// Takes no credentials: swift-nio-extras has no user name and password for SOCKS (RFC 1929).
  public static func socks5(host: String, port: Int) -> Proxy {
    Proxy(kind: .socks5, host: host, port: port, credentials: nil)
  }

  /// As a URL, without credentials: `http://proxy.example.com:3128`.
  public var description: String { "\(kind.rawValue)://\(host.contains(":") ? "[\(host)]" : host):\(port)" }
}
