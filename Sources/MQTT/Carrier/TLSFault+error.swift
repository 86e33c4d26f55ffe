import Glibc
import MQTTCore
import NIOCore
import NIOSSL

/// What errors of NIOSSL and BoringSSL mean. Their texts name lines of source code; of them only the words are taken
/// that BoringSSL has for what happened, which are the same in all its versions.
extension TLSFault {
  /// - Parameters:
  ///   - host: who the server has to be.
  ///   - certificate: what the server has shown, as far as that came.
  ///   - now: seconds since 1970, by the clock that certificates are held against.
  init(_ error: any Error, host: String, certificate: NIOSSLCertificate?, now: Int64 = Int64(time(nil))) {
    let text = "\(error)"
    self =
      switch error {
      case let error as HostNameCheck.Mismatch: .wrongName(error.host)
      case let error as HostNameCheck.AddressMismatch: .wrongName("the address \(error.address)")
      case let error as PinnedCertificates.Mismatch: .other(error.description)
      case let error as CertificateRefusal: .other(error.description)
      case let error as IOError where error.errnoCode == ECONNRESET || error.errnoCode == EPIPE: .closed
      case let error as IOError: .other(String(cString: strerror(error.errnoCode)))
      case let error as NIOSSLExtraError
      where error == .failedToValidateHostname || error == .serverHostnameImpossibleToMatch:
        .wrongName(host)
      case NIOSSLError.noCertificateToValidate: .other("the server shows no certificate")
      case NIOSSLError.uncleanShutdown, ChannelError.eof: .closed
      default: Self.known(text, certificate, now) ?? .other("the handshake failed\(Self.word(in: text))")
      }
  }

  /// A layer of TLS has failed with it.
  static func isMeant(by error: any Error) -> Bool {
    error is NIOSSLError || error is NIOSSLExtraError || error is BoringSSLError || error is HostNameCheck.Mismatch
      || error is HostNameCheck.AddressMismatch
  }

  private static func known(_ text: String, _ certificate: NIOSSLCertificate?, _ now: Int64) -> TLSFault? {
    func has(_ words: String...) -> Bool { words.contains { text.contains($0) } }
    if has("CERTIFICATE_VERIFY_FAILED") { return verification(certificate, now) }
    if has("CERTIFICATE_REQUIRED") { return .certificateWanted }
    for (word, reason) in refusals where has(word) { return .certificateRefused(reason) }
    // An old server's way to ask for a certificate, and that of one which has nothing in common.
    if has("ALERT_PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL", "HANDSHAKE_FAILURE", "INSUFFICIENT_SECURITY") {
      return .nothingInCommon
    }
    if has("WRONG_VERSION_NUMBER", "UNEXPECTED_RECORD", "HTTP_REQUEST", "UNEXPECTED_MESSAGE", "BAD_PACKET_LENGTH") {
      return .notTLS
    }
    return has("EOF during handshake", "UNEXPECTED_EOF") ? .closed : nil
  }

  /// Alerts of the server about this side's certificate (RFC 8446, 6.2).
  private static let refusals = [
    ("ALERT_UNKNOWN_CA", "its authority is unknown there"), ("ALERT_CERTIFICATE_EXPIRED", "it expired"),
    ("ALERT_CERTIFICATE_REVOKED", "it is revoked"), ("ALERT_BAD_CERTIFICATE", "it is bad"),
    ("ALERT_UNSUPPORTED_CERTIFICATE", "its kind is not supported"), ("ALERT_CERTIFICATE_UNKNOWN", "it is not accepted"),
    ("ALERT_ACCESS_DENIED", "access denied"),
  ]

  /// BoringSSL does not say what it found; the certificate's dates do, or it is the signature.
  private static func verification(_ certificate: NIOSSLCertificate?, _ now: Int64) -> TLSFault {
    guard let certificate else { return .unknownAuthority }
    let (begin, end) = (Int64(certificate.notValidBefore), Int64(certificate.notValidAfter))
    if now < begin { return .notYetValid(begin) }
    return now > end ? .expired(end) : .unknownAuthority
  }

  /// `: tlsv1 alert internal error`, of `error:10000438:SSL routines:OPENSSL_internal:TLSV1_ALERT_INTERNAL_ERROR at …`.
  private static func word(in text: String) -> String {
    let letters = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
    let words = text.split { !letters.contains($0) }.filter { $0.count > 6 && $0.contains("_") && $0.first != "_" }
    return words.last.map { ": \(String($0).lowercased().split(separator: "_").joined(separator: " "))" } ?? ""
  }
}
