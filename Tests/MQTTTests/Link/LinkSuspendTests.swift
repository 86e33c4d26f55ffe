import LimpetInstants
import NIOCore
import Testing

@testable import MQTTCore

/// A suspend of the machine while something is waited for: the clock that measures counts it, and comes back with every
/// deadline long past.
@Suite struct LinkSuspendTests {
  typealias Harness = LinkHarness

  /// What is waited for.
  enum Waiting: String, CaseIterable, CustomTestStringConvertible {
    case transport, connack, backOff, pingInterval, pingAnswer, goodbye, lingering, store, storeDelay, storeRetry
    case refusedMessage, probe, probeAnswer
    var testDescription: String { rawValue }
  }

  private func make(_ waiting: Waiting) throws -> Harness {
    let settings = Harness.settings(servers: 2) {
      $0.isStored = [.store, .storeDelay, .storeRetry].contains(waiting)
      $0.prefersFirst = .seconds(60)
    }
    var harness = Harness(settings)
    harness.handle(.start)
    switch waiting {
    case .transport: return harness
    case .connack:
      harness.ask()
      return harness
    case .backOff:
      harness.handle(.failed(harness.number, .unreachable(Harness.servers[0], "down")))
      return harness
    case .probe, .probeAnswer:
      harness.handle(.failed(harness.number, .unreachable(Harness.servers[0], "down")), .retryNow)
    default: break
    }
    let keepAlive: UInt16 = waiting == .pingInterval || waiting == .pingAnswer ? 60 : 0
    let agreed = harness.agree(Properties(), Harness.connect { $0.keepAlive = keepAlive })
    for write in agreed.writes { harness.handle(.stored(write.number, isDone: true)) }
    switch waiting {
    case .pingAnswer: #expect(harness.pass(.seconds(60)).sent == [.pingreq])
    case .goodbye: harness.handle(.disconnect(.success, within: .seconds(5)))
    case .lingering: harness.handle(.disconnect(.success, within: .seconds(5)), .outputClosed(harness.number))
    case .store, .storeRetry:
      let write = try #require(try harness.publish(1, .exactlyOnce).writes.last)
      if waiting == .storeRetry { harness.handle(.stored(write.number, isDone: false)) }
    case .storeDelay: _ = try harness.publish(1, .atLeastOnce)
    case .refusedMessage:
      _ = try harness.publish(1, .atLeastOnce)
      harness.receive(.puback(Acknowledgement(1, reasonCode: .quotaExceeded)))
    case .probeAnswer: #expect(harness.pass(.seconds(15)).probed.count == 1)
    default: break
    }
    return harness
  }

  @Test(
    "what was waited for is over in one turn, once, and what comes next is not due at once",
    arguments: Waiting.allCases, [Duration.seconds(3600), .seconds(86_400 * 30)])
  func suspend(waiting: Waiting, length: Duration) throws {
    var harness = try make(waiting)
    let due = try #require(harness.link.deadline)
    #expect(due > harness.now)
    harness.now += length
    let effects = harness.handle(.tick)
    if let deadline = harness.link.deadline { #expect(deadline > harness.now) }
    switch waiting {
    case .transport, .connack:
      #expect(effects.closings == [.atOnce])
      let losses = waiting == .connack ? harness.closed().losses : effects.losses
      guard case .timeout? = losses.first?.loss else {
        Issue.record("\(losses)")
        return
      }
    case .backOff: #expect(effects.opened.count == 1)
    case .pingInterval: #expect(effects.sent == [.pingreq] && harness.link.isConnected)
    case .pingAnswer: #expect(effects.closings == [.atOnce])
    case .goodbye, .lingering:
      #expect(effects.closings == [.atOnce])
      #expect(harness.closed().losses.count == 1 && harness.link.isStopped)
    case .store:
      #expect(effects.storing == [.late] && effects.sent == [.numbered(1, .exactlyOnce, 1)])
    case .storeDelay, .storeRetry: #expect(effects.writes.count == 1)
    case .refusedMessage: #expect(effects.sent == [.numbered(1, .atLeastOnce, 1)])
    case .probe: #expect(effects.probed.count == 1)
    case .probeAnswer: #expect(effects.probed.count == 1 && harness.link.isConnected, "no answer is one too")
    }
    #expect(harness.handle(.tick).isEmpty, "nothing is due twice")
  }

  @Test("what waited in the socket is read first: a server that answered before the suspend is not lost")
  func readsFirst() throws {
    var harness = try make(.pingAnswer)
    harness.now += .seconds(3600)
    harness.handle(.received(harness.number, .pingresp), .tick)
    #expect(harness.link.isConnected)
  }
}
