import MQTT
import Testing

@testable import Agent
@testable import LimpetInstants
@testable import LimpetPlatform
@testable import MQTTCore
@testable import Presence

struct WillFallbackTests {
  private let server = ServerAddress(transport: .tcp, host: "a", port: 1883)
  private let other = ServerAddress(transport: .tcp, host: "b", port: 1883)
  private let full = WillFlags(qos: .atLeastOnce, retain: true)
  private let now = BootClock.Instant.now

  @Test("0x9A takes the retain flag away, 0x9B a level of QoS; other servers get the full will")
  func codes() {
    var wills = WillFallback()
    #expect(wills.flags(for: server, full: full, at: now) == full)
    let first = wills.refused(.retainNotSupported, full, full: full, by: server, at: now)
    #expect(first)
    let flags = wills.flags(for: server, full: full, at: now)
    #expect(flags == WillFlags(qos: .atLeastOnce, retain: false))
    let second = wills.refused(.qosNotSupported, flags, full: full, by: server, at: now)
    #expect(second)
    #expect(wills.flags(for: server, full: full, at: now) == WillFlags(qos: .atMostOnce, retain: false))
    #expect(wills.flags(for: other, full: full, at: now) == full)
  }

  @Test(
    "what one node of a cluster takes all nodes take: what another refused was for a while", arguments: [true, false])
  func cluster(isCluster: Bool) {
    var wills = WillFallback()
    _ = wills.refused(.retainNotSupported, full, full: full, by: server, at: now)
    wills.accepted(full, full: full, by: other, isCluster: isCluster)
    #expect((wills.flags(for: server, full: full, at: now) == full) == isCluster)
  }

  @Test("QoS goes down one level for each 0x9B, and not below 0")
  func levels() {
    var wills = WillFallback()
    let full = WillFlags(qos: .exactlyOnce, retain: true)
    var flags = full
    for expected in [QoS.atLeastOnce, .atMostOnce] {
      let isSmaller = wills.refused(.qosNotSupported, flags, full: full, by: server, at: now)
      flags = wills.flags(for: server, full: full, at: now)
      #expect(isSmaller && flags == WillFlags(qos: expected, retain: true))
    }
    let isSmaller = wills.refused(.qosNotSupported, flags, full: full, by: server, at: now)
    #expect(!isSmaller)
  }

  @Test("other refusals say nothing about the will", arguments: [ReasonCode.notAuthorized, .serverBusy, .banned])
  func others(_ code: ReasonCode) {
    var wills = WillFallback()
    let isSmaller = wills.refused(code, full, full: full, by: server, at: now)
    #expect(!isSmaller && wills.flags(for: server, full: full, at: now) == full)
  }

  @Test("two closes without a byte: a lower QoS, then without retain; past the smallest the full one again")
  func closes() {
    var wills = WillFallback()
    var tried: [WillFlags] = []
    for _ in 0..<7 {
      tried.append(wills.flags(for: server, full: full, at: now))
      _ = wills.closedSilently(full: full, by: server, at: now)
    }
    let steps = [(1, true), (1, true), (0, true), (1, false), (0, false), (1, true), (1, true)]
    #expect(
      tried
        == steps.compactMap { level, retain in
          QoS(rawValue: UInt8(level)).map { WillFlags(qos: $0, retain: retain) }
        })
  }

  @Test("where the full will has worked, a close says nothing about it")
  func works() {
    var wills = WillFallback()
    wills.accepted(full, full: full, by: server)
    for _ in 0..<5 { #expect(wills.closedSilently(full: full, by: server, at: now) == false) }
    #expect(wills.flags(for: server, full: full, at: now) == full)
  }

  @Test("what a server takes is remembered for a day, and only for the will that it refused")
  func memory() {
    var wills = WillFallback()
    _ = wills.refused(.retainNotSupported, full, full: full, by: server, at: now)
    wills.accepted(WillFlags(qos: .atLeastOnce, retain: false), full: full, by: server)
    let later = now + .seconds(86_399)
    #expect(wills.flags(for: server, full: full, at: later).retain == false)
    let another = WillFlags(qos: .exactlyOnce, retain: true)
    var copy = wills
    #expect(copy.flags(for: server, full: another, at: later) == another)
    #expect(wills.flags(for: server, full: full, at: now + .seconds(86_400)) == full)
    #expect(wills.reduction(for: server) == nil)
  }

  @Test("it says what is given up, and what that means")
  func words() throws {
    var wills = WillFallback()
    _ = wills.refused(.retainNotSupported, full, full: full, by: server, at: now)
    #expect(
      try #require(wills.reduction(for: server)).sentence
        == """
        it refuses a will of QoS 1, retained: 0x9A retain not supported. presence works live only: the broker keeps no \
        status for later subscribers
        """)
  }
}
