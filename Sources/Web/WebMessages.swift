import NIOCore
import NIOHTTP1

/// A request.
package struct WebRequest: Sendable {
  package let method: HTTPMethod
  /// Host and port of a target that is a whole address (RFC 9112, section 3.2.2); nil: it is a path.
  package let authority: String?
  /// Without the query.
  package let path: String
  package let query: String?
  /// Of HTTP.
  let version: HTTPVersion
  package let headers: HTTPHeaders
  /// The address that it came from; nil: unknown.
  package let remote: String?

  init(_ head: HTTPRequestHead, from remote: String?) {
    self.remote = remote
    method = head.method
    version = head.version
    var target = head.uri[...]
    authority = Self.takeAuthority(of: &target)
    let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    let path = parts.first.map(String.init) ?? ""
    self.path = path.isEmpty ? "/" : path
    query = parts.count > 1 ? String(parts[1]) : nil
    headers = head.headers
  }

  private static func takeAuthority(of target: inout Substring) -> String? {
    for scheme in ["http://", "https://"] where target.prefix(scheme.count).lowercased() == scheme {
      let rest = target.dropFirst(scheme.count)
      let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
      target = rest[end...]
      return String(rest[..<end])
    }
    return nil
  }
}

/// An answer.
package struct WebReply: Sendable {
  package var status: HTTPResponseStatus
  /// The media type of the body.
  package var type: String
  package var body: ByteBuffer
  /// What follows the body, part by part, each made when the client takes it; nil from it is the end. So a client that is
  /// slow costs one part, however long the answer is.
  package var parts: (@Sendable () -> ByteBuffer?)?
  package var headers: HTTPHeaders
  /// A stream that follows the body for as long as the client reads.
  package var stream: (any WebStream)?
  /// Whether the answer counts among those served at one time; false for a refusal.
  package var isServed = true

  package init(
    _ body: ByteBuffer, type: String, status: HTTPResponseStatus = .ok, headers: HTTPHeaders = HTTPHeaders(),
    stream: (any WebStream)? = nil
  ) {
    self.status = status
    self.type = type
    self.body = body
    self.headers = headers
    self.stream = stream
  }

  /// A sentence as the answer, for a page that does not exist.
  package init(_ status: HTTPResponseStatus, _ sentence: String) {
    self.init(ByteBuffer(string: sentence + "\n"), type: "text/plain; charset=utf-8", status: status)
  }
}

/// An answer without an end. The server asks it for more when it is woken, and as long as the connection takes more.
package protocol WebStream: AnyObject, Sendable {
  /// The bytes since the last call; nil: none.
  func next() -> ByteBuffer?
  /// Sent every `WebServer.beat`, so that both sides notice an end, and whenever the server is told to.
  func beat() -> ByteBuffer
}
