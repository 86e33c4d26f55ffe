/// Another server, as a Server Reference names it (MQTT 5.0 §4.13.2): `host` or `host:port`, several of them separated
/// by spaces. The way to reach it stays that of the server that named it.
enum ServerReference {
  /// The first of them that can be read; nil: none.
  static func first(in reference: String, like server: ServerAddress) -> ServerAddress? {
    reference.split(separator: " ").lazy.compactMap { address(String($0), like: server) }.first
  }

  private static func address(_ text: String, like server: ServerAddress) -> ServerAddress? {
    guard server.transport != .unix else { return nil }
    var address = server
    let rest: Substring
    if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
      address.host = String(text[text.index(after: text.startIndex)..<end])
      rest = text[text.index(after: end)...]
    } else {
      address.host = String(text.prefix { $0 != ":" })
      rest = text.dropFirst(address.host.count)
    }
    guard !address.host.isEmpty else { return nil }
    if rest.isEmpty { return address }
    guard rest.hasPrefix(":"), let port = Int(rest.dropFirst()), (1...65_535).contains(port) else { return nil }
    address.port = port
    return address
  }
}
