import LimpetInstants

/// What was wrong with TLS, in words for people: the texts of TLS libraries are for their programmers.
public enum TLSFault: Sendable, Hashable, CustomStringConvertible, ExpressibleByStringLiteral {
  /// No authority that this side trusts has signed the server's certificate.
  case unknownAuthority
  /// The certificate is not for this name or address.
  case wrongName(String)
  /// When the certificate ended, in seconds since 1970.
  case expired(Int64)
  /// When the certificate begins, in seconds since 1970.
  case notYetValid(Int64)
  /// The two sides have no version, or no cipher, in common.
  case nothingInCommon
  /// The server demands a certificate from this side, and got none.
  case certificateWanted
  /// The server refuses the certificate of this side, and why.
  case certificateRefused(String)
  /// What the server sends is not TLS.
  case notTLS
  /// The server closed the connection within the handshake.
  case closed
  /// Any other fault, as half a sentence.
  case other(String)

  /// Makes `other` of a text.
  public init(stringLiteral text: String) { self = .other(text) }

  /// What is wrong, as half a sentence for a person. It names no server: `ConnectionLoss.tls` does.
  public var description: String { text(of: "the server") }

  /// The same of another peer, such as `the proxy`.
  package func text(of peer: String) -> String {
    switch self {
    case .unknownAuthority: "\(peer)'s certificate is not signed by an authority that this machine trusts"
    case .wrongName(let name): "\(peer)'s certificate is not for \(name)"
    case .expired(let second): "\(peer)'s certificate expired on \(Self.day(second))"
    case .notYetValid(let second):
      "\(peer)'s certificate is not valid before \(Self.day(second)), by this machine's clock"
    case .nothingInCommon: "\(peer) and this client have no TLS version or cipher in common"
    case .certificateWanted: "\(peer) wants a client certificate"
    case .certificateRefused(let reason): "\(peer) refuses this client's certificate (\(reason))"
    case .notTLS: "\(peer)'s answer is not TLS"
    case .closed: "\(peer) closed the connection in the TLS handshake"
    case .other(let text): text
    }
  }

  /// `2026-12-01`
  private static func day(_ second: Int64) -> String {
    let time = Timestamp(sinceEpoch: .seconds(second))
    return time.isWritable ? String(time.description.prefix(10)) : "a date that no calendar has"
  }
}
