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
}
