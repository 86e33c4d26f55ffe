import LimpetInstants
import Testing

@testable import MQTTCore

/// How a link ends, and how its owner guides it.
@Suite struct LinkEndingTests {
  typealias Harness = LinkHarness

  /// Where a link can be.
  enum Place: String, CaseIterable, CustomTestStringConvertible {
    case idle, opening, open, asked, connected, waiting
    var testDescription: String { rawValue }
    var hasTransport: Bool { [.open, .asked, .connected].contains(self) }

    func harness(_ settings: Link.Settings = Harness.settings()) -> Harness {
      var harness = Harness(settings)
      if self == .idle { return harness }
      harness.handle(.start)
      switch self {
      case .idle, .opening: break
      case .open: harness.open()
      case .asked: harness.ask()
      case .connected: harness.agree()
      case .waiting:
        harness.agree()
        harness.closed()
      }
      return harness
    }
  }

  @Test("abort closes at once, without DISCONNECT, and nothing follows", arguments: Place.allCases)
  func aborts(place: Place) {
    var harness = place.harness()
    var effects = harness.handle(.abort)
    #expect(effects.sent.isEmpty)
    #expect(effects.closings == (place.hasTransport || place == .opening ? [.atOnce] : []))
    if place.hasTransport {
      #expect(effects.losses.isEmpty && !harness.link.isStopped, "its end is told when it is closed")
      effects = harness.closed()
    }
    #expect(effects.losses.map(\.loss) == [.aborted] && effects.losses.allSatisfy { $0.retryAfter == nil })
    #expect(harness.link.isStopped && harness.link.deadline == nil)
    for event in [.abort, .start, .retryNow, .wait(.zero), .tick, .clockChanged(jitter: .zero)] as [Link.Event] {
      #expect(harness.handle(event).isEmpty, "\(event)")
    }
  }

  @Test("DISCONNECT, then this side's half is closed; a server that closes its own ends the link")
  func disconnects() {
    var harness = Place.connected.harness()
    let effects = harness.handle(.disconnect(.success, within: .seconds(5)))
    #expect(effects.sent == [.disconnect(Disconnect())] && effects.closings == [.afterSending])
    #expect(harness.closed().losses.map(\.loss) == [.session(.requested)])
    #expect(harness.link.isStopped)
  }

  @Test("DISCONNECT has all of the limit to leave, on a slow link: cut short, the broker publishes the will (§3.1.2.5)")
  func disconnectsOnASlowLink() {
    var harness = Place.connected.harness()
    harness.handle(.disconnect(.success, within: .seconds(30)))
    #expect(harness.pass(.seconds(29)).closings.isEmpty, "it has not left yet")
    harness.handle(.outputClosed(1))
    #expect(harness.link.deadline == harness.now + .seconds(1), "never past the limit")
    #expect(harness.pass(.seconds(1)).closings == [.atOnce])
  }

  @Test("what is sent because the server broke the protocol has a few seconds to leave")
  func violatesOnASlowLink() {
    var harness = Place.connected.harness()
    harness.receive(.connect(Harness.connect()))
    #expect(harness.link.deadline == harness.now + .seconds(5))
    for event in [.outputClosed(7), .outputClosed(1)] as [Link.Event] { harness.handle(event) }
    #expect(harness.link.deadline == harness.now + .seconds(1))
  }

  @Test("output that is closed says nothing while a connection is up")
  func outputClosedEarly() {
    var harness = Place.connected.harness()
    harness.handle(.outputClosed(1))
    #expect(harness.link.deadline == nil && harness.link.isConnected)
  }

  @Test(
    "a server that does not close is left after a second, or after the limit where that is shorter",
    arguments: [Duration.milliseconds(200), .seconds(5)])
  func disconnectsInTime(limit: Duration) {
    var harness = Place.connected.harness()
    harness.handle(.disconnect(.success, within: limit), .outputClosed(1))
    #expect(harness.link.deadline == harness.now + min(limit, .seconds(1)))
    #expect(harness.pass(min(limit, .seconds(1))).closings == [.atOnce])
    #expect(harness.closed().losses.map(\.loss) == [.session(.requested)])
  }

  @Test("where there is no connection a disconnect is an abort", arguments: Place.allCases.filter { $0 != .connected })
  func disconnectsFromElsewhere(place: Place) {
    var harness = place.harness()
    var effects = harness.handle(.disconnect(.success, within: .seconds(5)))
    if place.hasTransport { effects.append(harness.closed()) }
    #expect(effects.sent.isEmpty && effects.losses.map(\.loss) == [.aborted])
  }

  @Test("a layer that fails while the end is decided changes nothing about it")
  func firstReasonCounts() {
    var harness = Place.connected.harness()
    harness.receive(.disconnect(Disconnect(reasonCode: .sessionTakenOver)))
    harness.handle(.failed(1, .closed(.connected, received: true, detail: "reset")))
    #expect(harness.closed().losses.map { $0.loss.isTakeOver } == [true])
  }

  @Test("after a take-over the owner's wait holds: neither the network nor the clock ends it, only the owner")
  func takeOver() {
    var harness = Place.connected.harness()
    harness.receive(.disconnect(Disconnect(reasonCode: .sessionTakenOver)))
    #expect(harness.closed().losses.count == 1)
    harness.handle(.wait(.seconds(300)))
    harness.handle(.networkChanged(addresses: [], jitter: .zero), .clockChanged(jitter: .zero))
    #expect(harness.pass(.seconds(299)).opened.isEmpty)
    #expect(harness.pass(.seconds(1)).opened.count == 1)
  }

  @Test(
    "a session that was taken over is not believed any more, wherever the server says so: connected, or after DISCONNECT",
    arguments: [false, true], [false, true])
  func takenOverSession(isAfterDisconnect: Bool, isAborted: Bool) {
    var harness = Harness.connected(Harness.settings { $0.isStored = true })
    harness.handle(.stored(1, isDone: true))
    if isAfterDisconnect {
      harness.handle(.reconfigure(Harness.settings(), reconnecting: true, isAborted: isAborted))
    }
    #expect(harness.link.takesPackets)
    let effects = harness.receive(.disconnect(Disconnect(reasonCode: .sessionTakenOver)))
    #expect(effects.writes.map(\.changes) == [[.owner(.nobody(clientIdentifier: "c"))]], "another process learns of it")
    harness.lose()
    #expect(!harness.agree(sessionPresent: true).isConnected)
    harness.closed()
    #expect(harness.ask().connect?.cleanStart == true)
  }

  @Test("what else comes after DISCONNECT changes nothing, nor does a take-over where any session is believed")
  func lateWords() {
    for code in [ReasonCode.sessionTakenOver, .serverShuttingDown] {
      var harness = Harness.connected(Harness.settings { $0.believesAnySession = code == .sessionTakenOver })
      harness.handle(.reconfigure(harness.link.settings, reconnecting: true))
      #expect(harness.receive(.disconnect(Disconnect(reasonCode: code))).isEmpty)
      #expect(harness.receive(.pingresp).isEmpty)
      harness.closed()
      #expect(!harness.link.takesPackets)
      #expect(harness.agree(sessionPresent: true).isConnected)
    }
  }

  @Test("a network that changes ends a back-off early, and never makes it longer")
  func networkChanges() throws {
    var harness = Harness(Harness.settings { $0.reconnect.minimum = .seconds(100) })
    harness.handle(.start)
    let effects = harness.handle(.failed(1, .unreachable(Harness.servers[0], "no route")))
    let delay = try #require(effects.losses.first?.retryAfter)
    harness.handle(.networkChanged(addresses: [], jitter: delay + .seconds(1)))
    #expect(harness.link.deadline == harness.now + delay)
    harness.handle(.networkChanged(addresses: [], jitter: .milliseconds(5)))
    #expect(harness.pass(.milliseconds(5)).opened.count == 1)
  }

  @Test("a connection from an address that is gone is cut, another one is not")
  func addressIsGone() {
    var harness = Place.connected.harness()
    #expect(harness.handle(.networkChanged(addresses: ["10.0.0.2", "::1"], jitter: .zero)).isEmpty)
    #expect(harness.handle(.networkChanged(addresses: ["::1"], jitter: .zero)).closings == [.atOnce])
    #expect(harness.closed().losses.map(\.loss) == [.addressLost("10.0.0.2")])
  }

  @Test("a clock that is set ends a back-off after TLS failed, and no other", arguments: [false, true])
  func clockChanges(isForTLS: Bool) {
    var harness = Harness(Harness.settings { $0.reconnect.minimum = .seconds(100) })
    harness.handle(.start)
    let server = Harness.servers[0]
    harness.handle(.failed(1, isForTLS ? .tls(server, .notYetValid(0)) : .unreachable(server, "down")))
    #expect(harness.handle(.clockChanged(jitter: .zero)).opened.count == (isForTLS ? 1 : 0))
  }

  @Test("other settings: the next attempt follows at once, by them, from wherever it was", arguments: Place.allCases)
  func reconfigures(place: Place) {
    var harness = place.harness(Harness.settings(servers: 2))
    let before = harness.number
    var settings = Harness.settings(version: .v311)
    settings.servers = [Harness.servers[1]]
    settings.isStored = true
    var effects = harness.handle(.reconfigure(settings, reconnecting: true))
    if place == .connected {
      #expect(effects.sent == [.disconnect(Disconnect())] && effects.closings == [.afterSending])
    }
    if place.hasTransport { effects = harness.closed() }
    if place == .idle {
      #expect(effects.isEmpty)
      effects = harness.handle(.start)
    }
    #expect(effects.opened == [Harness.servers[1]] && effects.versions == [.v311])
    #expect(harness.number == before + 1)
    #expect(harness.agree().isConnected)
    #expect(harness.pass(.seconds(60)).writes.isEmpty, "whether there is a store belongs to the session")
  }

  @Test("settings for later leave what is under way alone", arguments: Place.allCases)
  func reconfiguresLater(place: Place) {
    var harness = place.harness()
    #expect(harness.handle(.reconfigure(Harness.settings(servers: 2), reconnecting: false)).isEmpty)
  }

  @Test("what was sent last is known until the next transport, and PINGREQ does not count")
  func lastSent() throws {
    var harness = Harness()
    harness.handle(.start)
    #expect(harness.link.lastSent == nil)
    harness.agree(Properties(), Harness.connect { $0.keepAlive = 10 })
    _ = try harness.publish(1, .atLeastOnce)
    #expect(harness.pass(.seconds(10)).sent == [.pingreq])
    #expect(harness.link.lastSent == "PUBLISH to t")
    harness.lose()
    #expect(harness.link.lastSent == "PUBLISH to t")
    harness.open()
    #expect(harness.link.lastSent == nil)
  }

  @Test("an unanswered PINGREQ cuts the connection, without DISCONNECT [behaviour 28]")
  func keepAlive() {
    var harness = Harness()
    harness.handle(.start)
    harness.agree(Properties(), Harness.connect { $0.keepAlive = 10 })
    let effects = harness.pass(.seconds(15))
    #expect(effects.sent == [.pingreq] && effects.closings == [.atOnce])
    #expect(harness.closed().losses.map(\.loss) == [.session(.keepAliveTimeout)])
  }

  @Test("a transport that is full has no room, until it says so")
  func writability() {
    var harness = Place.connected.harness()
    harness.handle(.writable(1, false))
    #expect(harness.link.room(for: .atLeastOnce) == 0)
    harness.handle(.writable(1, true))
    #expect(harness.link.room(for: .atLeastOnce) > 0)
  }
}
