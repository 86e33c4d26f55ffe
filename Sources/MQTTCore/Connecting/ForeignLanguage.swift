import NIOCore

/// The protocol of a server that does not speak MQTT on this port, recognised by the first bytes it sends. No answer to
/// CONNECT can begin with them [MQTT-3.2.0-1].
public enum ForeignLanguage: String, Sendable, Hashable, CustomStringConvertible, CaseIterable {
  /// A status line, or a page (RFC 9112).
  case http = "HTTP"
  /// An alert to a CONNECT that is no ClientHello (RFC 8446, 5.1).
  case tls = "TLS"
  /// The line that names an SSH server's version (RFC 4253 §4.2).
  case ssh = "SSH"

  /// nil: it may be MQTT.
  package init?(_ bytes: ByteBuffer) {
    let head = Array(bytes.readableBytesView.prefix(5))
    if head.starts(with: "HTTP/".utf8) || head.starts(with: "<html".utf8) || head.starts(with: "<!DOC".utf8) {
      self = .http
    } else if head.starts(with: [0x15, 0x03]) {
      self = .tls
    } else if head.starts(with: "SSH-".utf8) {
      self = .ssh
    } else {
      return nil
    }
  }

  /// Its usual name, in capitals.
  public var description: String { rawValue }
}
