import DequeModule
import LimpetInstants
import LimpetText
import Web

/// Who may look at the page: a value that takes a request and the time.
///
/// A page on loopback is within reach of every site that its owner visits: a name of somebody else that leads to
/// 127.0.0.1 (DNS rebinding) shows in Host, a request of another page in Origin and Sec-Fetch-Site.
struct PageGate {
  /// Wrong passwords that are listened to in a minute.
  static let failures = 10

  private let hosts: Set<String>
  private let password: [UInt8]?
  /// When wrong passwords came and from where, within the last minute.
  private var wrong: Deque<(time: BootClock.Instant, remote: String?)> = []
  /// Of them that are remembered.
  private static let memory = 10_000

  /// - Parameters:
  ///   - others: further names; one without a port stands for itself, and for itself with the port of the place: a proxy
  ///     passes on the one, and a browser that asks here directly sends the other.
  ///   - password: nil: none is asked for.
  init(_ place: PagePlace, others: [String], password: String?) {
    hosts = Set((Self.names(of: place) + Self.names(others, at: place)).map { $0.lowercased() })
    self.password = password.map { Array($0.utf8) }
  }

  private static func names(of place: PagePlace) -> [String] {
    // A socket has no name of its own: browsers ask for the proxy's, and some proxies say "localhost" to it whatever they
    // were asked for.
    guard case .network(let address) = place else { return [] }
    let own =
      ["127.0.0.1", "[::1]", "localhost"].map { "\($0):\(address.port)" } + (address.isAny ? [] : ["\(address)"])
    // Nobody writes HTTP's own port.
    return address.port == 80 ? own + own.map { String($0.dropLast(3)) } : own
  }

  private static func names(_ others: [String], at place: PagePlace) -> [String] {
    guard case .network(let address) = place else { return others }
    return others + others.filter { !$0.hasPort }.map { "\($0):\(address.port)" }
  }

  /// nil: it may pass.
  mutating func refusal(of request: WebRequest, at now: BootClock.Instant) -> WebReply? {
    var reply = judgement(of: request, at: now)
    reply?.isServed = false
    return reply
  }

  private mutating func judgement(of request: WebRequest, at now: BootClock.Instant) -> WebReply? {
    let host = request.headers["Host"]
    guard host.count == 1, hosts.isSuperset(of: (host + [request.authority].compactMap(\.self)).map { $0.lowercased() })
    else {
      return WebReply(
        .misdirectedRequest,
        "limpet watch does not answer to this name; if a proxy uses it, add --http-host NAME[:PORT].")
    }
    let origins = request.headers["Origin"]
    let isOwn = origins.allSatisfy { origin in
      let text = origin.lowercased()
      // A proxy has TLS in front of it.
      return ["http://", "https://"].contains { text.hasPrefix($0) && hosts.contains(String(text.dropFirst($0.count))) }
    }
    guard isOwn, !request.headers["Sec-Fetch-Site"].contains(where: { $0.lowercased() == "cross-site" }) else {
      return WebReply(.forbidden, "A page of another site sent this request; open the address directly.")
    }
    return refusalByPassword(request, at: now)
  }

  private mutating func refusalByPassword(_ request: WebRequest, at now: BootClock.Instant) -> WebReply? {
    guard let password else { return nil }
    while let first = wrong.first, first.time.duration(to: now) >= .seconds(60) { wrong.removeFirst() }
    // Whoever guesses keeps nobody else out.
    let own = wrong.filter { $0.remote == request.remote }
    guard own.count < Self.failures else {
      var reply = WebReply(.tooManyRequests, "Too many wrong passwords; wait a minute.")
      // Then so many of them are older than a minute that one more is listened to.
      let wait = now.duration(to: own[own.count - Self.failures].time + .seconds(60))
      reply.headers.add(name: "Retry-After", value: String(max(1, (wait.wholeMilliseconds + 999) / 1000)))
      return reply
    }
    if let given = Self.password(in: request.headers["Authorization"]), Self.isEqual(given, password) { return nil }
    if !request.headers["Authorization"].isEmpty { wrong.append((now, request.remote)) }
    if wrong.count > Self.memory { wrong.removeFirst() }
    var reply = WebReply(.unauthorized, "A password is needed; any user name will do.")
    reply.headers.add(name: "WWW-Authenticate", value: "Basic realm=\"limpet watch\", charset=\"UTF-8\"")
    return reply
  }

  /// What is behind the first colon of Basic's user-id and password (RFC 7617, section 2).
  private static func password(in values: [String]) -> ArraySlice<UInt8>? {
    guard values.count == 1, values[0].lowercased().hasPrefix("basic "),
      let text = Base64.decoded(values[0].dropFirst(6)), let colon = text.firstIndex(of: UInt8(ascii: ":"))
    else { return nil }
    return text[(colon + 1)...]
  }

  /// In a time that does not depend on how much of it is right.
  private static func isEqual(_ one: some Collection<UInt8>, _ other: [UInt8]) -> Bool {
    var difference: UInt8 = one.count == other.count ? 0 : 1
    for (index, byte) in one.enumerated() {
      difference |= byte ^ (other.isEmpty ? 0xFF : other[index % other.count])
    }
    return difference == 0
  }
}

extension String {
  /// A host with a port behind it; the colons of IPv6 are in brackets.
  var hasPort: Bool { contains(":") && !hasSuffix("]") }
}

/// RFC 4648, section 4.
enum Base64 {
  /// nil: it is none.
  static func decoded(_ text: some StringProtocol) -> [UInt8]? {
    var bytes: [UInt8] = []
    var (bits, count) = (UInt32(0), 0)
    for byte in text.utf8 where byte != UInt8(ascii: "=") {
      let value: UInt8
      switch byte {
      case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = byte - UInt8(ascii: "A")
      case UInt8(ascii: "a")...UInt8(ascii: "z"): value = byte - UInt8(ascii: "a") + 26
      case UInt8(ascii: "0")...UInt8(ascii: "9"): value = byte - UInt8(ascii: "0") + 52
      case UInt8(ascii: "+"): value = 62
      case UInt8(ascii: "/"): value = 63
      default: return nil
      }
      bits = bits << 6 | UInt32(value)
      count += 6
      guard count >= 8 else { continue }
      count -= 8
      bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
    }
    return bytes
  }
}
