import LimpetInstants
import NIOCore
import NIOPosix
import Synchronization
import TestScene
import Testing

@testable import Fleet
@testable import LimpetText
@testable import Web

/// A client that sends what it likes, and reads until the server ends the connection.
final class RawBrowser: Sendable {
  private struct State {
    var text = ""
    var isOver = false
  }

  private let state = Mutex(State())
  private let channel = Mutex<(any Channel)?>(nil)

  /// - Parameter reads: false: what is there at each `readOnce`.
  init(_ address: SocketAddress, sends text: String = "", reads: Bool = true) async throws {
    let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .channelOption(.autoRead, value: reads)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(Reader(client: self))
        }
      }
      .connect(to: address).get()
    self.channel.withLock { $0 = channel }
    channel.writeAndFlush(ByteBuffer(string: text), promise: nil)
  }

  deinit { channel.withLock { $0 }?.close(promise: nil) }

  func readOnce() { channel.withLock { $0 }?.read() }

  var text: String { state.withLock { $0.text } }

  /// All that the server said; it has ended the connection then.
  func answer(sourceLocation: SourceLocation = #_sourceLocation) async throws -> String {
    try await eventually("the end of the connection", sourceLocation: sourceLocation) {
      state.withLock { $0.isOver ? $0.text : nil }
    }
  }

  private final class Reader: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private weak let client: RawBrowser?

    init(client: RawBrowser) { self.client = client }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      client?.state.withLock { $0.text += String(buffer: unwrapInboundIn(data)) }
    }
    func channelInactive(context: ChannelHandlerContext) { client?.state.withLock { $0.isOver = true } }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
  }
}

@Suite("The fleet's page as a server: what it answers to whom") struct PageServerTests {
  private func withPage(
    _ body: (FleetPage, SocketAddress, Said) async throws -> Void
  ) async throws {
    try await withScene { scene in
      let path = scene.folder + "/page.sock"
      let settings = try PageSettings(address: "unix:" + path, hosts: ["fleet.example"], password: nil)
      let said = Said()
      let page = FleetPage(settings, expected: ["a"]) { text in said.texts.withLock { $0.append(text) } }
      #expect(page.start() == nil)
      try await body(page, try SocketAddress(unixDomainSocketPath: path), said)
      page.stop()
    }
  }

  private final class Said: Sendable { let texts = Mutex<[String]>([]) }

  private func get(_ path: String, _ headers: String...) -> String {
    "GET \(path) HTTP/1.1\r\nHost: fleet.example\r\n" + headers.map { $0 + "\r\n" }.joined() + "\r\n"
  }

  private func status(_ address: SocketAddress, _ bytes: String) async throws -> String {
    String(try await RawBrowser(address, sends: bytes).answer().prefix(12))
  }

  @Test("a number of a query that is none is refused; one that is huge asks for all there is")
  func numbers() async throws {
    try await withPage { _, address, _ in
      for value in ["=-1", "=x", "=", "", "=%zz", "=1.5", "=+1"] {
        let status = try await status(address, get("/metrics?devices" + value))
        #expect(status == "HTTP/1.1 400", "devices\(value)")
      }
      for value in ["0", "7", String(repeating: "9", count: 40)] {
        #expect(try await status(address, get("/metrics?devices=" + value)) == "HTTP/1.1 200", "\(value)")
      }
    }
  }

  @Test(
    "who goes on from a number that cannot be is told to begin anew",
    arguments: ["-1", "0", "x", "", "18446744073709551615", "99999999999999999999999"])
  func placesInTheStream(_ number: String) async throws {
    try await withPage { _, address, _ in
      let requests = [get("/events?after=" + number), get("/events", "Last-Event-ID: " + number)]
      for request in requests where number != "" || request.contains("?") {
        let client = try await RawBrowser(address, sends: request)
        try await until("it is told") { client.text.contains("event: reset") }
      }
    }
  }

  @Test("that the broker is lost, or is back, is said at once and not with the next beat")
  func losses() async throws {
    try await withPage { page, address, _ in
      let client = try await RawBrowser(address, sends: get("/events"))
      try await until("a beat") { client.text.contains("event: beat") }
      let started = ContinuousClock.now
      for number in 1...5 {
        page.lost("away \(number)", at: Timestamp(sinceEpoch: .seconds(number)))
        try await until("loss \(number)") { client.text.contains("away \(number)") }
        page.connected("back \(number)", at: Timestamp(sinceEpoch: .seconds(number)))
        try await until("return \(number)") { client.text.contains("back \(number)") }
      }
      // Beats alone would take 20 s, on any machine.
      #expect(ContinuousClock.now - started < .seconds(18))
    }
  }

  @Test("every answer has the headers that keep others out, refusals too")
  func safeHeaders() async throws {
    try await withPage { _, address, _ in
      var streams: [RawBrowser] = []
      let requests = [
        (get("/"), 200), (get("/none"), 404), (get("/metrics?devices=x"), 400),
        (get("/", "Origin: http://evil.example"), 403), ("GET / HTTP/1.1\r\n\r\n", 421),
        ("POST / HTTP/1.1\r\nHost: fleet.example\r\nContent-Length: 0\r\n\r\n", 405),
      ]
      func check(_ answer: String, _ status: Int) {
        #expect(answer.hasPrefix("HTTP/1.1 \(status)"), "\(answer.prefix(80))")
        for header in [
          "Content-Security-Policy: default-src 'none'; ", "X-Content-Type-Options: nosniff",
          "Referrer-Policy: no-referrer", "Cross-Origin-Resource-Policy: same-origin",
        ] { #expect(answer.contains(header), "\(status): \(header)") }
      }
      for (request, status) in requests { check(try await RawBrowser(address, sends: request).answer(), status) }
      for _ in 0..<64 { streams.append(try await RawBrowser(address, sends: get("/events"))) }
      for stream in streams { try await until("a stream") { stream.text.contains("retry: 1000") } }
      check(try await RawBrowser(address, sends: get("/")).answer(), 503)
    }
  }

  @Test(
    "what is no request of HTTP/1 is answered before the connection ends",
    arguments: [
      ("GET / HTTP/1.1\r\nHost: fleet.example\r\nX: \(String(repeating: "x", count: 9000))\r\n\r\n", 431),
      ("GET / HTTP/1.1\r\nX: \(String(repeating: "x", count: 300_000))\r\n\r\n", 431),
      ("FOO / HTTP/1.1\r\nHost: fleet.example\r\n\r\n", 405), ("\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}", 400),
      ("hello\r\n\r\n", 400), ("GET / HTTP/9.9\r\nHost: fleet.example\r\n\r\n", 505),
      (
        "GET / HTTP/1.1\r\nHost: fleet.example\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400
      ),
    ])
  func noRequest(_ bytes: String, _ status: Int) async throws {
    try await withPage { _, address, _ in
      let answer = try await RawBrowser(address, sends: bytes).answer()
      #expect(answer.hasPrefix("HTTP/1.1 \(status) "), "\(bytes.prefix(20)): \(answer.prefix(60))")
      #expect(answer.contains("nosniff"))
    }
  }

  @Test("who sends nothing, or half a request, is told that its time is over")
  func silence() async throws {
    let port = try freePort()
    let address = try #require(ListenAddress("127.0.0.1:\(port)"))
    let server = WebServer(
      .network(address), eventLoop: MultiThreadedEventLoopGroup.singleton.next(), patience: .milliseconds(300)
    ) { _ in
    } answer: { _ in
      WebReply(.ok, "ok")
    }
    await server.start()
    let place = try SocketAddress(ipAddress: "127.0.0.1", port: port)
    for bytes in ["", "GET / HT"] {
      let client = try await eventually("it listens") { try? await RawBrowser(place, sends: bytes) }
      #expect(try await client.answer().hasPrefix("HTTP/1.1 408 "), "\(bytes)")
    }
    await server.stop()
  }

  @Test("bodies that wait for clients have so many bytes together: beyond them a client is told to come back")
  func bodies() async throws {
    let port = try freePort()
    let address = try #require(ListenAddress("127.0.0.1:\(port)"))
    let made = Mutex(0)
    let server = WebServer(
      .network(address), memory: 20 << 20, eventLoop: MultiThreadedEventLoopGroup.singleton.next()
    ) { _ in
    } answer: { request in
      made.withLock { $0 += 1 }
      let size = (request.path == "/huge" ? 30 : 8) << 20
      return WebReply(ByteBuffer(repeating: UInt8(ascii: "x"), count: size), type: "text/plain")
    }
    await server.start()
    let place = try SocketAddress(ipAddress: "127.0.0.1", port: port)
    func ask(_ path: String) async throws -> RawBrowser {
      try await eventually("it listens") {
        try? await RawBrowser(place, sends: "GET \(path) HTTP/1.1\r\nHost: h\r\n\r\n", reads: false)
      }
    }
    func isRefused() async throws -> Bool {
      let browser = try await ask("/")
      browser.readOnce()
      try await until("an answer") { browser.text.utf8.count > 12 }
      guard browser.text.hasPrefix("HTTP/1.1 503 ") else { return false }
      #expect(browser.text.contains("Retry-After: 5\r\n"))
      return true
    }
    // One alone may have more.
    var slow = [try await ask("/huge")]
    try await until("it is made") { made.withLock { $0 } == 1 }
    #expect(try await isRefused())
    slow = []
    try await until("there is room") { try await !isRefused() }
    try await until("there is none") {
      slow.append(try await ask("/"))
      return try await isRefused()
    }
    slow = []
    try await until("there is room again") { try await !isRefused() }
    await server.stop()
  }

  @Test("a long answer is in chunks, and for a client of HTTP/1.0 without them")
  func chunks() async throws {
    try await withPage { _, address, _ in
      let new = try await RawBrowser(address, sends: get("/devices")).answer()
      #expect(new.hasPrefix("HTTP/1.1 200 ") && new.contains("transfer-encoding: chunked"), "\(new)")
      #expect(new.hasSuffix("]}\r\n0\r\n\r\n"), "\(new)")
      let request = get("/devices").replacing("HTTP/1.1", with: "HTTP/1.0")
      let old = try await RawBrowser(address, sends: request).answer()
      #expect(old.hasPrefix("HTTP/1.0 200 ") && !old.contains("chunked"), "\(old)")
      #expect(old.contains("\r\n\r\n{\"id\":") && old.hasSuffix("]}"), "\(old)")
      let head = try await RawBrowser(address, sends: get("/devices").replacing("GET", with: "HEAD")).answer()
      #expect(head.hasPrefix("HTTP/1.1 200 ") && !head.contains("devices"), "\(head)")
    }
  }

  @Test(
    "a request for a whole address is one for its path, where that address may be asked by",
    arguments: [
      ("http://fleet.example/healthz", 503), ("HTTP://Fleet.Example/healthz?x", 503), ("http://fleet.example", 200),
      ("http://evil.example/healthz", 421), ("http://x@fleet.example/healthz", 421), ("http:///healthz", 421),
    ])
  func absoluteForm(_ target: String, _ status: Int) async throws {
    try await withPage { _, address, _ in
      let answer = try await RawBrowser(address, sends: get(target)).answer()
      #expect(answer.hasPrefix("HTTP/1.1 \(status) "), "\(target): \(answer.prefix(60))")
    }
  }
}
