import Glibc
import MQTTCore
import NIOCore
import Synchronization
import Testing

@testable import Configuration
@testable import Fleet
@testable import LimpetText

@Suite("Readings on the fleet's page: of devices that somebody looks at, and no longer") struct LookedAtTests {
  private static let template = "limpet/{device}/{name}"

  private func looks(_ template: String = template) throws -> LookedAt {
    LookedAt(
      try TopicTemplate(template, allowing: [.device, .name]),
      besides: [PresenceKeys.topic.standard, TopicTemplate.description], presence: TopicTemplate.description)
  }

  @Test("the first who looks subscribes, the last who goes unsubscribes, and nothing is kept of it")
  func subscription() throws {
    var looks = try looks()
    let filters: [TopicFilter] = ["limpet/a/+", "limpet/a/presence"]
    #expect(looks.begin("a") == .subscribe(filters))
    #expect(looks.begin("a") == .shared)
    #expect(looks.filters == filters)
    let isTaken = looks.take("limpet/a/door", ByteBuffer(string: "true"), isRetained: true)
    #expect(isTaken)
    #expect(looks.end("a") == nil)
    #expect(looks.end("a") == filters)
    #expect(looks.filters.isEmpty)
    let isNews = looks.take("limpet/a/door", ByteBuffer(string: "true"), isRetained: false)
    #expect(!isNews)
    #expect(looks.events(of: "a", after: 0) == nil)
  }

  @Test("each sees the newest of each reading, and what came since it looked last")
  func events() throws {
    var looks = try looks()
    _ = looks.begin("a")
    _ = looks.take("limpet/a/door", ByteBuffer(string: "1"), isRetained: true)
    _ = looks.take("limpet/a/water", ByteBuffer(string: "2"), isRetained: false)
    _ = looks.take("limpet/a/door", ByteBuffer(string: "3"), isRetained: false)
    let (events, last) = try #require(looks.events(of: "a", after: 0))
    #expect(
      String(buffer: events) == """
        event: reading
        data: {"name":"water","payload":"2","retained":false}

        event: reading
        data: {"name":"door","payload":"3","retained":false}


        """)
    #expect(looks.events(of: "a", after: last) == nil)
    _ = looks.take("limpet/a/door", ByteBuffer(string: "4"), isRetained: false)
    #expect(String(buffer: try #require(looks.events(of: "a", after: last)).events).contains(#""payload":"4""#))
  }

  @Test("status and presence are no readings, nor is what is below one or another device's")
  func others() throws {
    var looks = try looks()
    _ = looks.begin("a")
    for topic in ["limpet/a/status", "limpet/a/pump/set", "limpet/b/door", "limpet/a/"] {
      let isNews = looks.take(topic, ByteBuffer(string: "x"), isRetained: false)
      #expect(!isNews, "\(topic)")
    }
  }

  @Test("no wildcard, no more than 16 devices, 200 readings of each and 1 KiB of a payload")
  func bounds() throws {
    var looks = try looks()
    for name in ["+", "#", "a/b", "a#", "{name}", "+/x"] { #expect(looks.begin(name) == .impossible, "\(name)") }
    for number in 0..<16 {
      guard case .subscribe = looks.begin("d\(number)") else {
        Issue.record("d\(number) is not subscribed to")
        return
      }
    }
    #expect(looks.begin("d16") == .full)
    #expect(looks.begin("d3") == .shared)
    _ = looks.end("d5")
    #expect(
      looks.begin("d16") == .subscribe(["limpet/d16/+", "limpet/d16/presence"]))
    for number in 0..<300 {
      _ = looks.take("limpet/d1/r\(number)", ByteBuffer(repeating: UInt8(ascii: "x"), count: 5000), isRetained: false)
    }
    let events = String(buffer: try #require(looks.events(of: "d1", after: 0)).events)
    #expect(events.split(separator: "\n\n").count == 200)
    #expect(events.utf8.count < 200 * 1200)
  }

  @Test("what a device says of itself is there, and is no reading")
  func presence() throws {
    var looks = try looks()
    _ = looks.begin("a")
    let isTaken = looks.take("limpet/a/presence", ByteBuffer(string: #"{"event":"birth"}"#), isRetained: true)
    #expect(isTaken)
    let (events, _) = try #require(looks.events(of: "a", after: 0))
    #expect(
      String(buffer: events) == """
        event: presence
        data: {"name":"presence","payload":"{\\"event\\":\\"birth\\"}","retained":true}


        """)
  }

  @Test("a subscription that the broker refuses is said to who looks")
  func refused() throws {
    var looks = try looks()
    guard case .subscribe(let filters) = looks.begin("a") else { return }
    looks.refused(filters[0], "not authorized")
    let (events, last) = try #require(looks.events(of: "a", after: 0))
    #expect(String(buffer: events) == "event: refused\ndata: {\"reason\":\"not authorized\"}\n\n")
    #expect(looks.events(of: "a", after: last) == nil)
  }

  @Test("a topic of another shape")
  func shape() throws {
    var looks = try looks("site/{name}/of/{device}")
    #expect(looks.begin("a") == .subscribe(["site/+/of/a", "limpet/a/presence"]))
    let isTaken = looks.take("site/door/of/a", ByteBuffer(string: "1"), isRetained: false)
    #expect(isTaken)
    let isNews = looks.take("site/door/of/b", ByteBuffer(string: "1"), isRetained: false)
    #expect(!isNews)
  }

  @Test("a reading of a device that is looked at does not wake the main thread, nor whoever looks at another one")
  func wakesNobodyElse() throws {
    let configuration = try #require(loadConfiguration("broker: {url: mqtt://h}\n").configuration)
    let desk = ReadingsDesk(try looks())
    let topics = try WatchedTopics(status: WatchedTopics.standardStatus, hasPresence: true)
    let feed = WatchFeed(configuration, topics: topics, payloadLimit: 100, reconnects: false, readings: desk)
    let isWoken = { () -> Bool in
      var bell = pollfd(fd: feed.bell, events: Int16(POLLIN), revents: 0)
      return poll(&bell, 1, 0) > 0
    }
    _ = desk.begin("a")
    _ = desk.begin("b")
    let told = Mutex(0)
    desk.onNews { told.withLock { $0 += 1 } }
    feed.receive(Message(topic: "limpet/a/door", payload: ByteBuffer(string: "true")))
    #expect(!isWoken() && feed.take().events.isEmpty)
    #expect(desk.events(of: "a", after: 0) != nil && desk.events(of: "b", after: 0) == nil)
    feed.receive(Message(topic: "limpet/c/door", payload: ByteBuffer(string: "true")))
    #expect(told.withLock { $0 } == 1, "nobody looks at it")
    feed.receive(Message(topic: "limpet/a/status", payload: ByteBuffer(string: "online")))
    #expect(isWoken() && feed.take().events.count == 1)
  }

  @Test("who looks at one device has none of the changes of another, and goes through none of them")
  func apart() throws {
    var looks = try looks()
    _ = looks.begin("a")
    _ = looks.begin("b")
    _ = looks.take("limpet/b/door", ByteBuffer(string: "1"), isRetained: false)
    let (_, last) = try #require(looks.events(of: "b", after: 0))
    for number in 0..<100 { _ = looks.take("limpet/a/door", ByteBuffer(string: "\(number)"), isRetained: false) }
    #expect(looks.events(of: "b", after: last) == nil)
    #expect(looks.events(of: "a", after: 0)?.last == last + 100)
  }

  @Test(
    "percent-encoding",
    arguments: [
      ("a%20b", "a b"), ("%C3%A9", "é"), ("plain", "plain"), ("", ""), ("%", nil), ("%4", nil), ("%zz", nil),
      ("%ff", nil), ("%2F%23", "/#"), ("%+1", nil),
    ] as [(String, String?)])
  func percent(_ text: String, _ decoded: String?) { #expect(text.percentDecoded == decoded) }
}
