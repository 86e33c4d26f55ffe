/// An address and a port to listen on, as people write them: `127.0.0.1:9480`, `[::1]:9480`, `localhost:9480`.
package struct ListenAddress: Sendable, Hashable, CustomStringConvertible {
  /// In numbers, IPv6 without its brackets.
  package let host: String
  /// 1 to 65535.
  package let port: Int

  /// nil: it is something else. `localhost` is 127.0.0.1; no other name is taken: which of its addresses would be meant?
  package init?(_ text: String) {
    guard let colon = text.lastIndex(of: ":") else { return nil }
    let (host, port) = (text[..<colon], text[text.index(after: colon)...])
    guard let number = Int(strict: String(port)), (1...65535).contains(number) else { return nil }
    self.port = number
    if host.lowercased() == "localhost" {
      self.host = "127.0.0.1"
    } else if host.hasPrefix("["), host.hasSuffix("]") {
      self.host = String(host.dropFirst().dropLast())
      guard self.host.contains(":"), self.host.allSatisfy({ $0.isHexDigit || $0 == ":" || $0 == "." }) else {
        return nil
      }
    } else {
      self.host = String(host)
      let parts = host.split(separator: ".", omittingEmptySubsequences: false).map { Int(strict: String($0)) }
      guard parts.count == 4, parts.allSatisfy({ $0.map { (0...255).contains($0) } ?? false }) else { return nil }
    }
  }

  /// Only programs of this machine can connect to it.
  package var isLoopback: Bool { host.hasPrefix("127.") || host == "::1" }

  /// It stands for all addresses of the machine, and nothing can be reached by it.
  package var isAny: Bool { host == "0.0.0.0" || host.allSatisfy { $0 == "0" || $0 == ":" } }

  package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
