import LimpetInstants
import Testing

@testable import MQTTCore

/// Several servers: which is tried when, and whose session is believed.
@Suite struct LinkServersTests {
  typealias Harness = LinkHarness

  private func host(_ effects: Link.Effects) -> String? { effects.opened.last?.host }

  private mutating func fail(_ harness: inout Harness) -> String? {
    host(harness.handle(.failed(harness.number, .unreachable(Harness.servers[0], "down")), .retryNow))
  }

  @Test("after a healthy hour the same server is tried first, and its session goes on; then the next one")
  mutating func sameServerFirst() {
    var harness = Harness.connected(Harness.settings(servers: 2))
    harness.pass(.seconds(3600))
    #expect(host(harness.lose()) == "a")
    #expect(harness.agree(sessionPresent: true).isConnected)
    harness.pass(.seconds(3600))
    #expect(host(harness.lose()) == "a")
    #expect(fail(&harness) == "b")
    #expect(fail(&harness) == "a")
  }

  @Test("a server that agrees and closes, for ever, is left for the next one")
  func leavesAServerThatCloses() {
    var harness = Harness.connected(Harness.settings(servers: 2))
    var hosts: [String?] = []
    for _ in 0..<6 {
      hosts.append(host(harness.lose()))
      harness.agree()
    }
    #expect(hosts == ["a", "b", "b", "a", "a", "b"])
  }

  @Test(
    "servers that share their sessions: a session present of the next one is believed, only where that is said",
    arguments: [true, false])
  mutating func shares(shares: Bool) throws {
    var harness = Harness.connected(Harness.settings(servers: 2) { $0.sharesSessions = shares })
    _ = try harness.publish(1, .atLeastOnce)
    harness.pass(.seconds(3600))
    harness.lose()
    #expect(fail(&harness) == "b")
    let effects = harness.agree(sessionPresent: true)
    #expect(effects.isConnected == shares)
    if shares { #expect(effects.sent.last == .numbered(1, .atLeastOnce, 1, duplicate: true)) }
  }

  @Test("a session of a server that is none of them any more is not believed of the others")
  func foreign() {
    var state = SessionState()
    state.owner = SessionOwner(server: "mqtt://elsewhere:1883", clientIdentifier: "c")
    var harness = Harness(Harness.settings(servers: 2) { $0.sharesSessions = true }, state: state)
    harness.handle(.start)
    #expect(!harness.agree(sessionPresent: true).isConnected)
  }

  /// Connected to the second server, since the first did not answer.
  private mutating func onSecond(_ patience: Duration?) -> Harness {
    var harness = Harness(Harness.settings(servers: 2) { $0.prefersFirst = patience })
    harness.handle(.start)
    #expect(fail(&harness) == "b")
    harness.agree()
    return harness
  }

  /// A quarter of 8 s passes, and a probe that goes out then is answered.
  private func quarter(_ harness: inout Harness, isReachable: Bool = true) -> Link.Effects {
    let effects = harness.pass(.seconds(2))
    guard effects.probed == [Harness.servers[0]] else { return effects }
    return harness.handle(.probed(harness.number, isReachable: isReachable))
  }

  @Test("a first server that has been reachable for as long as was said is gone back to, with a DISCONNECT")
  mutating func goesBack() {
    var harness = onSecond(.seconds(8))
    for _ in 0..<4 { #expect(quarter(&harness).sent.allSatisfy { $0 == .pingreq }) }
    let effects = quarter(&harness)
    #expect(effects.sent == [.disconnect(Disconnect())])
    #expect(host(harness.lose()) == "a")
  }

  @Test("an owner that has something to say first is told, and the link stays until it is told to move")
  mutating func leavesByHand() {
    var harness = Harness(Harness.settings(servers: 2) { ($0.prefersFirst, $0.leavesByHand) = (.seconds(8), true) })
    harness.handle(.start)
    #expect(fail(&harness) == "b")
    harness.agree()
    for _ in 0..<4 { _ = quarter(&harness) }
    let effects = quarter(&harness)
    #expect(effects.notices.contains(.firstServerIsBack(Harness.servers[0])))
    #expect(effects.sent.allSatisfy { $0 == .pingreq } && harness.link.isConnected)
    let moved = harness.handle(.returnToFirst())
    #expect(moved.sent == [.disconnect(Disconnect())])
    #expect(host(harness.lose()) == "a")
  }

  @Test("one that comes and goes is not, nor is one that a probe says nothing of")
  mutating func staysForAnUnstableOne() {
    var harness = onSecond(.seconds(8))
    for number in 0..<20 {
      #expect(!quarter(&harness, isReachable: number % 4 != 3).sent.contains(.disconnect(Disconnect())))
    }
    for _ in 0..<20 {
      _ = quarter(&harness)
      // Nothing answers for as long as an attempt to connect may take.
      _ = harness.pass(.seconds(2))
      #expect(harness.pass(harness.link.settings.connectTimeout).probed == [Harness.servers[0]])
      #expect(harness.link.isConnected)
      harness.handle(.probed(harness.number, isReachable: true))
    }
  }

  @Test("a probe may take its time: one that is slow has still reached the server, and no second one goes beside it")
  mutating func believesSlowProbes() {
    var harness = onSecond(.seconds(8))
    var effects = Link.Effects()
    for _ in 0..<4 {
      #expect(harness.pass(.seconds(2)).probed == [Harness.servers[0]])
      #expect(harness.pass(.seconds(5)).probed == [])
      effects = harness.handle(.probed(harness.number, isReachable: true))
    }
    #expect(effects.sent.contains(.disconnect(Disconnect())))
  }

  @Test("the switch waits for what is under way, up to twice the time")
  mutating func waitsForAQuietMoment() throws {
    var harness = onSecond(.seconds(8))
    _ = try harness.publish(1, .atLeastOnce)
    for _ in 0..<8 { #expect(!quarter(&harness).sent.contains(.disconnect(Disconnect()))) }
    #expect(quarter(&harness).sent.contains(.disconnect(Disconnect())))
  }

  @Test("without that, and on the first server itself, nothing is probed")
  mutating func doesNotProbe() {
    var second = onSecond(nil)
    var first = Harness.connected(Harness.settings(servers: 2) { $0.prefersFirst = .seconds(8) })
    for _ in 0..<20 {
      for effects in [second.pass(.seconds(2)), first.pass(.seconds(2))] {
        #expect(effects.probed == [])
      }
    }
  }

  @Test("an hour asleep between two probes is no hour of a server that can be reached: four probes have to reach it")
  mutating func countsProbes() {
    var harness = onSecond(.seconds(8))
    #expect(!quarter(&harness).sent.contains(.disconnect(Disconnect())))
    harness.now += .seconds(3600)
    #expect(harness.handle(.tick).probed == [Harness.servers[0]])
    var effects = harness.handle(.probed(harness.number, isReachable: true))
    #expect(!effects.sent.contains(.disconnect(Disconnect())))
    effects = quarter(&harness)
    #expect(!effects.sent.contains(.disconnect(Disconnect())))
    #expect(quarter(&harness).sent.contains(.disconnect(Disconnect())))
  }

  @Test("probes without an answer are no more frequent than others, however short an attempt is")
  mutating func probesSeldom() {
    var harness = Harness(
      Harness.settings(servers: 2) { ($0.prefersFirst, $0.connectTimeout) = (.seconds(8), .milliseconds(100)) })
    harness.handle(.start)
    #expect(fail(&harness) == "b")
    harness.agree()
    #expect(harness.pass(.seconds(60)).probed.count == 30)
  }

  @Test("a first server that refuses the login after a return costs no more than an ordinary delay")
  mutating func comesBackSoon() throws {
    var harness = onSecond(.seconds(8))
    for _ in 0..<5 { _ = quarter(&harness) }
    #expect(host(harness.closed()) == "a")
    _ = harness.ask()
    let effects = harness.connack(.notAuthorized).joined(with: harness.closed())
    let delay = try #require(effects.losses.last?.retryAfter)
    #expect(delay <= harness.link.settings.reconnect.minimum * 2)
    // Where nothing else works the server is left alone as before.
    _ = harness.handle(.retryNow)
    _ = harness.ask()
    let next = harness.connack(.notAuthorized).joined(with: harness.closed())
    #expect(try #require(next.losses.last?.retryAfter) >= harness.link.settings.reconnect.maximum / 2)
  }

  @Test("returns in vain count against the server that they were to, and no other")
  mutating func forgetsVainReturns() {
    var harness = onSecond(.seconds(8))
    harness.link.vainReturns = 3
    var settings = harness.link.settings
    harness.handle(.reconfigure(settings, reconnecting: false))
    #expect(harness.link.vainReturns == 3)
    settings.servers.reverse()
    harness.handle(.reconfigure(settings, reconnecting: true))
    #expect(harness.link.vainReturns == 0)
  }
}
