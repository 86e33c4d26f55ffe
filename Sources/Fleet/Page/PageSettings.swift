internal import Glibc
import LimpetPlatform
import LimpetText
import Web

/// Where and for whom the page is.
public struct PageSettings: Sendable {
  package let place: PagePlace
  package let hosts: [String]
  package let password: String?
  /// Where what devices were is kept; nil: nowhere.
  public var history: String?
  /// For so long.
  public var historyDays = 30
  /// How long that may be.
  public static let historyDaysRange = 1...365

  /// - Parameters:
  ///   - address: as written, `ADDRESS:PORT` or `unix:PATH`.
  ///   - hosts: further names that browsers may ask by; a socket has no other.
  ///   - password: without one, loopback or a socket only.
  public init(address: String, hosts: [String], password: String?) throws(ArgumentError) {
    place = try PagePlace(address)
    switch place {
    case .network(let address) where !address.isLoopback && password == nil:
      throw ArgumentError(
        description: "\(address) can be reached from elsewhere: add --http-password-file FILE, or listen on 127.0.0.1 "
          + "behind a proxy")
    case .socket where hosts.isEmpty:
      throw ArgumentError(
        description: "browsers ask for a page on a socket by its proxy's name only: add --http-host NAME, and have the "
          + "proxy pass on the Host of its browsers")
    case .network, .socket: break
    }
    // An address of IPv6 as `ip address` prints it: browsers put it in brackets (RFC 3986, 3.2.2).
    self.hosts = hosts.map { $0.count { $0 == ":" } > 1 && !$0.hasPrefix("[") ? "[\($0)]" : $0 }
    self.password = password
  }
}

/// An address of this machine, or a socket in its file system.
package enum PagePlace: Sendable, Hashable {
  case network(ListenAddress)
  case socket(path: String)

  /// A proxy is of the socket's group.
  private static let mode: UInt32 = 0o660

  init(_ text: String) throws(ArgumentError) {
    if text.hasPrefix("unix:") {
      let path = String(text.dropFirst(5))
      guard path.hasPrefix("/"), !path.hasSuffix("/") else {
        throw ArgumentError(
          description: "\"\(printable(text, limit: 80))\" is not unix:/PATH with the socket's whole path; write one "
            + "such as unix:/run/limpet-watch/page.sock")
      }
      self = .socket(path: path)
    } else if let address = ListenAddress(text) {
      self = .network(address)
    } else {
      throw ArgumentError(
        description:
          "\"\(printable(text, limit: 80))\" is not ADDRESS:PORT with an address in numbers or localhost; write "
          + "one such as 127.0.0.1:8480, or unix:/PATH")
    }
  }

  /// Takes the path of a socket; it blocks.
  func bound() throws(ArgumentError) -> WebPlace {
    let path: String
    switch self {
    case .network(let address): return .network(address)
    case .socket(let written): path = written
    }
    do throws(SocketFile.Failure) { return .socket(try SocketFile.bind(path, mode: Self.mode)) } catch {
      let name = printable(path, limit: 120)
      let reason =
        switch error {
        case .inUse: "another program listens on \(name); end it, or write another path"
        case .noSocket: "\(name) exists and is not a socket; remove it, or write another path"
        case .tooLong: "\(name) is longer than the path of a socket can be (107 bytes); write a shorter one"
        case .system(let attempt, let code):
          "the socket \(name) cannot be made (\(attempt): \(String(cString: strerror(code)))); make its folder, and "
            + "let limpet write there"
        }
      throw ArgumentError(description: reason)
    }
  }
}
