import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import TestScene
import Testing

@testable import Fleet
@testable import LimpetInstants
@testable import LimpetText
@testable import Web

@Suite("The fleet's page: what browsers are told, and which") struct FleetPageTests {
  private func log(_ fleet: WatchedFleet, expected: [String] = []) -> FleetLog {
    FleetLog(expected: expected, at: Timestamp(sinceEpoch: .zero))
  }

  @Test("who comes has all and the number to go on from; what is expected is missing until it is heard of")
  func all() throws {
    var fleet = try WatchedFleet()
    var log = log(fleet, expected: ["a", "b"])
    for change in fleet.status("online", of: "b") { log.take(change) }
    #expect(log.last == 1 && log.counts == ["missing": 1, "online": 1])
    let text = String(buffer: log.all)
    #expect(
      text.hasPrefix(
        #"{"id":1,"connected":false,"broker":"connecting","watched":[],"devices":[{"device":"a","state":"missing"},"#))
    #expect(text.contains(#""device":"b","state":"online""#))
    #expect(text.contains(#""history":[["#))
  }

  @Test("who asks for all has it as it is now, after every change")
  func current() throws {
    var fleet = try WatchedFleet()
    var log = log(fleet)
    #expect(String(buffer: log.all).hasSuffix(#""devices":[]}"#))
    for change in fleet.status("online", of: "a") { log.take(change) }
    #expect(String(buffer: log.all).contains(#""state":"online""#))
    for change in fleet.status("offline", of: "a") { log.take(change) }
    #expect(String(buffer: log.all).contains(#""state":"offline""#))
    log.connected("mqtt://h", at: Timestamp(sinceEpoch: .zero))
    #expect(String(buffer: log.all).contains(#""connected":true"#))
    log.lost("gone", at: Timestamp(sinceEpoch: .zero))
    #expect(String(buffer: log.all).contains(#""broker":"gone""#))
  }

  @Test("a device that changed often is told once, as it is now; who is told everything has nothing more to hear")
  func newest() throws {
    var fleet = try WatchedFleet()
    var log = log(fleet)
    for payload in ["online", "offline", "online", "offline"] {
      fleet.seconds += 1
      for change in fleet.status(payload) { log.take(change) }
    }
    for change in fleet.status("online", of: "b") { log.take(change) }
    let (events, last) = try #require(log.events(after: 0))
    let text = String(buffer: events)
    #expect(last == 5)
    #expect(text.components(of: "event: device") == 2)
    #expect(text.contains("id: 4\nevent: device\ndata: {") && text.contains("id: 5\n"))
    #expect(log.events(after: 5) == nil)
    #expect(String(buffer: try #require(log.events(after: 4)).events).components(of: "event: device") == 1)
  }

  @Test("who was away for longer than what is remembered begins anew; memory stays what it is")
  func forgotten() throws {
    var fleet = try WatchedFleet()
    var log = log(fleet)
    for number in 0..<(FleetLog.limit + 10) {
      fleet.seconds += 1
      for change in fleet.status(number % 2 == 0 ? "online" : "offline") { log.take(change) }
    }
    let last = UInt64(FleetLog.limit + 10)
    #expect(log.last == last)
    #expect(!log.remembers(after: 9) && log.remembers(after: 10) && !log.remembers(after: last + 1))
    let (events, reached) = try #require(log.events(after: 3))
    #expect(String(buffer: events).contains("event: reset") && reached == last)
    #expect(String(buffer: log.all).components(of: "online") <= FleetLog.history.states + 4)
  }

  @Test("who asks with a number of an earlier process begins anew, whether anything has come since or not")
  func restarted() throws {
    var fleet = try WatchedFleet()
    var earlier = FleetLog(expected: [], at: Timestamp(sinceEpoch: .seconds(1)))
    for change in fleet.status("online") { earlier.take(change) }
    var log = FleetLog(expected: [], at: Timestamp(sinceEpoch: .seconds(2)))
    #expect(String(buffer: try #require(log.events(after: earlier.last)).events).contains("event: reset"))
    for change in fleet.status("online", of: "b") { log.take(change) }
    #expect(String(buffer: try #require(log.events(after: earlier.last)).events).contains("event: reset"))
    #expect(String(buffer: try #require(log.events(after: log.last + 5)).events).contains("event: reset"))
    #expect(log.events(after: log.last) == nil)
  }

  @Test("of what nothing is kept any more the page forgets; what is expected is missing again")
  func gone() throws {
    var fleet = try WatchedFleet()
    var log = log(fleet, expected: ["b"])
    for name in ["a", "b"] { for change in fleet.status("online", of: name) { log.take(change) } }
    for name in ["a", "b"] { for change in fleet.status("", of: name) { log.take(change) } }
    #expect(log.counts == ["missing": 1] && !log.knows("a") && log.knows("b"))
    let text = String(buffer: try #require(log.events(after: 2)).events)
    #expect(text.contains("event: gone\ndata: {\"device\":\"a\""))
    #expect(text.contains("event: device\ndata: {\"device\":\"b\",\"state\":\"missing\",\"cleared\":true}"))
  }

  @Test("a device that is lost is told apart from one that said offline itself")
  func lost() throws {
    var fleet = try WatchedFleet()
    var log = log(fleet)
    for change in fleet.status("offline", of: "a", reason: "lost") { log.take(change) }
    for change in fleet.status("offline", of: "b", reason: "shutdown") { log.take(change) }
    #expect(log.counts == ["lost": 1, "offline": 1])
    let text = String(buffer: log.all)
    #expect(text.components(of: ",\"lost\"]]") == 1 && text.components(of: ",\"offline\"]]") == 1, "\(text)")
    let open = String(buffer: log.metrics(devices: 0, .openMetrics))
    #expect(open.contains(#"limpet_fleet_devices{state="lost"} 1"#) && open.hasSuffix("# EOF\n"))
  }

  @Test("how a device went is known a moment later: its history has one end, and not two")
  func lostOrClean() throws {
    var fleet = try WatchedFleet()
    var log = log(fleet)
    for change in fleet.status("online", of: "a") + fleet.status("offline", of: "a") { log.take(change) }
    #expect(String(buffer: log.all).contains(",\"lost\"]]"))
    fleet.seconds += 1
    for change in fleet.presence("stop", of: "a") + fleet.view.takeDetails(at: fleet.now) { log.take(change) }
    let text = String(buffer: log.all)
    #expect(text.contains(",\"offline\"]]") && !text.contains(",\"lost\"]"), "\(text)")
  }

  @Test("numbers for Prometheus: devices by state, and each one for as many as were asked for")
  func metrics() throws {
    var fleet = try WatchedFleet()
    var log = log(fleet)
    for name in ["a", "b\"\\"] { for change in fleet.status("online", of: name) { log.take(change) } }
    let lines = String(buffer: log.metrics(devices: 10)).split(separator: "\n")
    #expect(lines.contains(#"limpet_fleet_devices{state="online"} 2"#))
    #expect(lines.contains(#"limpet_device_up{device="b\"\\"} 1"#))
    #expect(String(buffer: log.metrics(devices: 0)).components(of: "limpet_device_up{") == 0)
  }

  // MARK: Who may look

  private func request(
    _ headers: [(String, String)], path: String = "/devices", from remote: String? = "192.0.2.1"
  ) -> WebRequest {
    var head = HTTPRequestHead(version: .http1_1, method: .GET, uri: path)
    for (name, value) in headers { head.headers.add(name: name, value: value) }
    return WebRequest(head, from: remote)
  }

  private func gate(others: [String] = [], password: String? = nil) throws -> PageGate {
    PageGate(try PagePlace("127.0.0.1:8480"), others: others, password: password)
  }

  @Test(
    "which Host and Origin pass",
    arguments: [
      ([("Host", "127.0.0.1:8480")], nil), ([("Host", "localhost:8480")], nil), ([("Host", "LOCALHOST:8480")], nil),
      ([("Host", "[::1]:8480")], nil), ([("Host", "fleet.example")], nil), ([("Host", "localhost")], 421),
      ([("Host", "fleet.example:8480")], nil), ([("Host", "fleet.example:8481")], 421),
      ([("Host", "[fd00::1]")], nil), ([("Host", "[fd00::1]:8480")], nil), ([("Host", "other.example:81")], nil),
      ([("Host", "other.example")], 421), ([("Host", "other.example:8480")], 421),
      ([("Host", "evil.example:8480")], 421), ([], 421), ([("Host", "localhost:8480"), ("Host", "x")], 421),
      ([("Host", "localhost:8480"), ("Origin", "http://localhost:8480")], nil),
      ([("Host", "localhost:8480"), ("Origin", "https://fleet.example")], nil),
      ([("Host", "localhost:8480"), ("Origin", "http://evil.example")], 403),
      ([("Host", "localhost:8480"), ("Origin", "null")], 403),
      ([("Host", "localhost:8480"), ("Origin", "http://evil.example/localhost:8480")], 403),
      ([("Host", "localhost:8480"), ("Sec-Fetch-Site", "cross-site")], 403),
      ([("Host", "localhost:8480"), ("Sec-Fetch-Site", "Cross-Site")], 403),
      ([("Host", "localhost:8480"), ("Sec-Fetch-Site", "same-origin")], nil),
      ([("Host", "localhost:8480"), ("Sec-Fetch-Site", "none")], nil),
    ] as [([(String, String)], UInt?)])
  func names(_ example: (headers: [(String, String)], status: UInt?)) throws {
    var gate = try gate(others: ["fleet.example", "[fd00::1]", "other.example:81"])
    #expect(gate.refusal(of: request(example.headers), at: .now)?.status.code == example.status)
  }

  @Test("a link on another site leads nobody to the page, and the answer says what does")
  func links() throws {
    var gate = try gate()
    let headers = [("Host", "localhost:8480"), ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate")]
    let refusal = gate.refusal(of: request(headers, path: "/"), at: .now)
    let text = refusal.map { String(buffer: $0.body) } ?? ""
    #expect(refusal?.status == .forbidden && text.contains("open the address directly"))
  }

  @Test(
    "an address that stands for all of a machine is none that browsers ask by",
    arguments: [
      ("0.0.0.0:8480", "0.0.0.0:8480", 421), ("[::]:8480", "[::]:8480", 421), ("0.0.0.0:8480", "127.0.0.1:8480", nil),
      ("192.0.2.1:8480", "192.0.2.1:8480", nil), ("[2001:db8::]:8480", "[2001:db8::]:8480", nil),
      ("0.0.0.0:8480", "fleet.example:8480", nil),
    ] as [(String, String, UInt?)])
  func wildcards(_ place: String, _ host: String, _ status: UInt?) throws {
    var gate = PageGate(try PagePlace(place), others: ["fleet.example"], password: nil)
    #expect(gate.refusal(of: request([("Host", host)]), at: .now)?.status.code == status)
  }

  @Test("the line at the start says by which names browsers ask, and what to add where there is none")
  func startLine() throws {
    func line(_ hosts: [String]) throws -> String {
      let settings = try PageSettings(address: "0.0.0.0:\(try freePort())", hosts: hosts, password: "x")
      let said = Mutex<[String]>([])
      let page = FleetPage(settings, expected: []) { text in said.withLock { $0.append(text) } }
      #expect(page.start() == nil)
      page.stop()
      return said.withLock { $0.joined() }
    }
    let (named, unnamed) = (try line(["fleet.example"]), try line([]))
    #expect(named.contains("http://fleet.example:") && !named.contains("must use that address"), "\(named)")
    #expect(try line(["fd00::1"]).contains("http://[fd00::1]:"))
    #expect(unnamed.contains("add --http-host") && !unnamed.contains("must use that address"), "\(unnamed)")
  }

  @Test(
    "on a socket only the proxy's name passes: its own would be the same for every page",
    arguments: [("fleet.example", nil), ("localhost", 421), ("127.0.0.1", 421), ("evil.example", 421)]
      as [(String, UInt?)])
  func socketNames(_ name: String, _ status: UInt?) throws {
    var gate = PageGate(try PagePlace("unix:/run/page.sock"), others: ["fleet.example"], password: nil)
    #expect(gate.refusal(of: request([("Host", name)], from: nil), at: .now)?.status.code == status)
  }

  @Test(
    "where a page may be, and what is said of the others",
    arguments: [
      ("127.0.0.1:8480", [], nil), ("unix:/run/page.sock", ["fleet.example"], nil),
      ("unix:/run/page.sock", [], "--http-host"), ("unix:page.sock", ["x"], "whole path"),
      ("unix:", ["x"], "whole path"), ("unix:/run/", ["x"], "whole path"),
      ("0.0.0.0:8480", ["x"], "--http-password-file"), ("/run/x", ["x"], "unix:/PATH"),
    ] as [(String, [String], String?)])
  func places(_ address: String, _ hosts: [String], _ problem: String?) {
    do throws(ArgumentError) {
      _ = try PageSettings(address: address, hosts: hosts, password: nil)
      #expect(problem == nil, "\(address)")
    } catch {
      #expect(problem.map { error.description.contains($0) } == true, "\(error)")
    }
  }

  @Test("a socket's path: one that is in use, too long or something else is said; its file is for owner and group")
  func socketFile() async throws {
    try await withScene { scene in
      let path = scene.folder + "/page.sock"
      let place = try PagePlace("unix:" + path)
      guard case .socket(let file) = try place.bound() else {
        Issue.record("it is no socket")
        return
      }
      defer { close(file.descriptor) }
      var status = stat()
      #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o660)
      func problem(_ path: String) -> String {
        do throws(ArgumentError) { _ = try PagePlace("unix:" + path).bound() } catch { return error.description }
        return "none"
      }
      #expect(problem(path).contains("another program listens"))
      #expect(problem(try scene.write("x", to: "text")).contains("not a socket"))
      #expect(problem(scene.folder + "/none/page.sock").contains("make its folder"))
      #expect(problem("/" + String(repeating: "x", count: 107)).contains("write a shorter one"))
      file.remove()
      #expect(stat(path, &status) != 0)
    }
  }

  @Test("on a socket the page is served under the proxy's name, and the file is gone at the end")
  func servesOnSocket() async throws {
    try await withScene { scene in
      let path = scene.folder + "/page.sock"
      let settings = try PageSettings(address: "unix:" + path, hosts: ["fleet.example"], password: nil)
      let said = Mutex<[String]>([])
      let page = FleetPage(settings, expected: ["a"]) { text in said.withLock { $0.append(text) } }
      #expect(page.start() == nil)
      #expect(said.withLock { $0 }.contains { $0.contains(path) })
      let second = FleetPage(settings, expected: []) { _ in }
      #expect(second.start()?.contains("another program listens") == true)
      let answer = try ask(path, host: "fleet.example")
      #expect(answer.hasPrefix("HTTP/1.1 200") && answer.contains(#""device":"a","state":"missing""#), "\(answer)")
      #expect(try ask(path, host: "localhost").hasPrefix("HTTP/1.1 421"))
      page.stop()
      #expect(access(path, F_OK) != 0)
    }
  }

  private func ask(_ path: String, host: String) throws -> String {
    let channel = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .connect(unixDomainSocketPath: path).flatMap { channel in
        let answer = channel.eventLoop.makePromise(of: String.self)
        return channel.eventLoop.submit {
          try channel.pipeline.syncOperations.addHandler(Collector(answer))
        }.flatMap {
          channel.writeAndFlush(ByteBuffer(string: "GET /devices HTTP/1.1\r\nHost: \(host)\r\n\r\n"))
        }.flatMap { answer.futureResult }
      }
    return try channel.wait()
  }

  private final class Collector: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let answer: EventLoopPromise<String>
    private var text = ""

    init(_ answer: EventLoopPromise<String>) { self.answer = answer }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { text += String(buffer: unwrapInboundIn(data)) }
    func channelInactive(context: ChannelHandlerContext) { answer.succeed(text) }
  }

  @Test("a password: any user's, in whole; ten wrong ones a minute are listened to")
  func password() throws {
    var gate = try gate(password: "se:cret")
    let host = ("Host", "localhost:8480")
    let start = BootClock.now
    func status(_ value: String?, after seconds: Int = 0) -> UInt? {
      let request = request([host] + (value.map { [("Authorization", $0)] } ?? []))
      return gate.refusal(of: request, at: start + .seconds(seconds))?.status.code
    }
    #expect(status(nil) == 401)
    // any:se:cret
    #expect(status("Basic YW55OnNlOmNyZXQ=") == nil)
    #expect(status("basic YW55OnNlOmNyZXQ=") == nil)
    for wrong in ["Basic YW55OnNlOmNyZQ==", "Basic YW55Og==", "Basic ****", "Bearer x", "Basic YW55"] {
      #expect(status(wrong) == 401)
    }
    for _ in 0..<5 { #expect(status("Basic YW55OnNl") == 401) }
    #expect(status("Basic YW55OnNlOmNyZXQ=") == 429)
    let limited = gate.refusal(of: request([host]), at: start + .milliseconds(20_500))
    #expect(limited?.headers["Retry-After"] == ["40"])
    let other = request([host, ("Authorization", "Basic YW55OnNlOmNyZXQ=")], from: "192.0.2.2")
    let refusal = gate.refusal(of: other, at: start)
    #expect(refusal == nil, "whoever guesses keeps nobody else out")
    #expect(status("Basic YW55OnNlOmNyZXQ=", after: 61) == nil)
  }

  @Test(
    "addresses to listen on",
    arguments: [
      ("127.0.0.1:9480", true), ("[::1]:9480", true), ("0.0.0.0:1", false), ("[fe80::1]:65535", false),
      ("localhost:9480", true), ("LocalHost:1", true), ("localhost", nil), ("localhosts:1", nil), ("127.0.0.1", nil),
      ("127.0.0.1:0", nil), ("127.0.0.1:65536", nil), (":9480", nil),
      ("::1:9480", nil), ("1.2.3:4", nil), ("1.2.3.256:4", nil), ("127.0.0.1:+1", nil), ("[127.0.0.1]:1", nil),
    ] as [(String, Bool?)])
  func addresses(_ example: (text: String, isLoopback: Bool?)) {
    let address = ListenAddress(example.text)
    #expect(address?.isLoopback == example.isLoopback)
    let text = example.text.lowercased().replacing("localhost", with: "127.0.0.1")
    #expect(address.map { "\($0)" == text } ?? true)
  }
}

extension String {
  fileprivate func components(of part: String) -> Int {
    split(separator: part, omittingEmptySubsequences: false).count - 1
  }
}
