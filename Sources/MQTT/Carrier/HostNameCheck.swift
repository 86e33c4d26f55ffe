import NIOCore
import NIOSSL

/// The server's certificate must carry the name that was asked for (RFC 6125 §6.4).
///
/// NIOSSL also takes a certificate for the address that was reached where a name is expected: who forges the name's
/// address and has a certificate for their own would pass. This check comes on top of it.
enum HostNameCheck {
  struct Mismatch: Error, CustomStringConvertible {
    let host: String
    var description: String { "the certificate is for the server's address and not for the name \(host)" }
  }

  struct AddressMismatch: Error, CustomStringConvertible {
    let address: String
    var description: String { "the certificate is not for the address \(address)" }
  }

  static func verify(_ certificate: NIOSSLCertificate, host: String) throws(Mismatch) {
    var hasNames = false
    for name in certificate._subjectAlternativeNames() {
      hasNames = true
      guard name.nameType == .dnsName else { continue }
      let pattern = name.contents.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
      if matches(pattern, host) { return }
    }
    // Without alternative names NIOSSL has compared the common name, which cannot be an address.
    if hasNames { throw Mismatch(host: host) }
  }

  /// The certificate must carry the address itself.
  static func verify(_ certificate: NIOSSLCertificate, address: SocketAddress) throws(AddressMismatch) {
    let wanted: [UInt8]
    switch address {
    case .v4(let address): wanted = withUnsafeBytes(of: address.address.sin_addr) { Array($0) }
    case .v6(let address): wanted = withUnsafeBytes(of: address.address.sin6_addr) { Array($0) }
    case .unixDomainSocket: wanted = []
    }
    let names = certificate._subjectAlternativeNames()
    guard names.contains(where: { $0.nameType == .ipAddress && $0.contents.elementsEqual(wanted) }) else {
      throw AddressMismatch(address: address.ipAddress ?? "")
    }
  }

  /// Labels compare without case; `*` stands for the whole first label and nothing more (RFC 6125 §6.4.3).
  static func matches(_ pattern: String, _ host: String) -> Bool {
    func labels(_ name: String) -> [Substring] {
      let name = name.hasSuffix(".") ? name.dropLast() : name[...]
      return name.lowercased().split(separator: ".", omittingEmptySubsequences: false).map { Substring($0) }
    }
    let (wanted, given) = (labels(pattern), labels(host))
    guard wanted.count == given.count, let first = wanted.first else { return false }
    guard first == "*", wanted.count > 2 else { return wanted == given }
    return wanted.dropFirst() == given.dropFirst()
  }
}
