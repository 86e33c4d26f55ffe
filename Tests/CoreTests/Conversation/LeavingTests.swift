import MQTTCore
import Plan
import Records
import Testing

@testable import Core

/// The clean shutdown, and its opposite.
struct LeavingTests {
  @Test("readings, presence stop, status offline, PUBACK, DISCONNECT, the store's last words, and then the end")
  func clean() throws {
    var bench = CoreBench.connected()
    bench.server.acknowledges = false
    bench.level("a")
    bench.stop(because: .reboot)
    #expect(bench.sent() == ["a#1"])
    bench.acknowledgeOne()
    #expect(bench.sent() == ["presence stop", "status offline"])
    #expect(bench.packets.isEmpty)
    bench.acknowledgeOne()
    #expect(bench.sent() == [] && bench.exit == nil, "that of presence is not enough")
    #expect(bench.writes.allSatisfy { $0.lastStop == nil })
    bench.acknowledgeOne()
    #expect(bench.sent() == ["DISCONNECT"])
    #expect(bench.closings.map(\.closing) == [.afterSending])
    #expect(bench.exit == true)
    let last = try #require(bench.writes.last)
    #expect(last.lastStop?.reason == "reboot" && last.exact == ["a": 2, "b": 1])
    #expect(bench.core.deadline == nil)
  }

  @Test("the farewell says why, and is retained")
  func reason() throws {
    var bench = CoreBench.connected()
    bench.stop(because: .upgrade)
    #expect(bench.lastPresence?.value(of: "reason") == "upgrade")
    let offline = try #require(bench.packets.compactMap(\.packet.message).first { $0.line == "status offline" })
    #expect(offline.retain && offline.properties.messageExpiryInterval == nil)
    #expect(offline.properties.userProperties.contains { $0.name == "reason" && $0.value == "upgrade" })
  }

  @Test("nobody has said why: that is asked, and half a second later it is a shutdown")
  func asksWhy() {
    var bench = CoreBench.connected()
    bench.stop(because: nil)
    #expect(bench.orders.count { if case .findStopReason = $0 { true } else { false } } == 1)
    #expect(bench.sent() == [])
    bench.advance(by: .milliseconds(500))
    #expect(bench.lastPresence?.value(of: "reason") == "shutdown")
    #expect(bench.exit == true)
    // The answer comes too late.
    bench.handle(.asked(.stopBecause(.reboot)))
    #expect(bench.sent() == ["presence stop", "status offline", "DISCONNECT"])
  }

  @Test("told to stop a second time, while the reason is asked for or later: the end at once", arguments: [0, 1])
  func again(isLater: Int) {
    var bench = CoreBench.connected()
    bench.server.ignores = ["status"]
    bench.stop(because: nil)
    bench.advance(by: .milliseconds(isLater * 600))
    #expect(bench.exit == nil && bench.noted.contains("aborted") == false)
    bench.stop(because: nil)
    #expect(bench.noted.contains("aborted") && bench.exit == false)
    #expect(!bench.sent().contains("DISCONNECT"))
  }

  @Test("told to stop in a back-off with nothing to send: it connects, says offline, and ends cleanly")
  func inBackOff() {
    var bench = CoreBench.connected()
    bench.server.isReachable = false
    bench.lose()
    bench.advance(by: .seconds(30))
    bench.server.isReachable = true
    bench.forget()
    bench.stop()
    #expect(bench.sent() == ["CONNECT", "presence stop", "status offline", "DISCONNECT"])
    #expect(bench.exit == true)
  }

  @Test("no PUBACK for offline: the connection is cut without DISCONNECT, so that the will says it")
  func noAcknowledgement() {
    var bench = CoreBench.connected()
    bench.server.ignores = ["status"]
    bench.stop()
    bench.advance(by: .seconds(5))
    #expect(bench.sent() == ["presence stop", "status offline", "cut"])
    #expect(bench.exit == false)
    #expect(bench.noted.contains("stopTookTooLong"))
    #expect(bench.store.lastStop == nil)
  }

  @Test("an offline that the broker refuses: the same, at once")
  func refused() {
    var bench = CoreBench.connected()
    bench.server.refuses = ["status": .notAuthorized]
    bench.stop()
    #expect(bench.sent() == ["presence stop", "status offline", "cut"])
    #expect(bench.exit == false)
  }

  @Test("readings have half of the time; then the farewell is said, and what waits is kept for the next start")
  func halfTime() {
    var bench = CoreBench.connected()
    bench.server.ignores = ["a"]
    bench.level("a")
    bench.stop()
    bench.advance(by: .milliseconds(2499))
    #expect(bench.sent() == ["a#1"])
    bench.advance(by: .milliseconds(1))
    #expect(bench.sent() == ["presence stop", "status offline", "DISCONNECT"])
    #expect(bench.exit == true)
    #expect(bench.writes.flatMap(\.session).contains { if case .message = $0 { true } else { false } })
    #expect(bench.noted.contains("keptForNextStart"))
  }

  @Test("nothing is measured or watched any more once it leaves; what was measured before is sent")
  func letsGo() {
    var bench = CoreBench.connected(plan: .bench(sensors: ["s"]))
    bench.answersLines = false
    bench.measure("s", 1)
    bench.forget()
    bench.stop()
    #expect(bench.sent() == [], "lines have not been let go of")
    bench.handle(.lines([LineReport(line: LineID(place: 0), content: .level(true), time: bench.now)], isFinished: true))
    #expect(bench.sent() == ["a#1", "presence stop", "status offline", "DISCONNECT"])
    #expect(!bench.orders.contains { if case .read = $0 { true } else { false } })
  }

  @Test("a stop waits until the broker has forgotten what left")
  func clearings() {
    var bench = CoreBench.connected(plan: .bench(retained: ["a"]))
    bench.server.ignores = ["a"]
    bench.reload(.bench(["b"]))
    bench.stop()
    #expect(bench.sent() == ["a -"])
    bench.acknowledgeOne()
    #expect(bench.sent() == ["presence stop", "status offline", "DISCONNECT"])
    #expect(bench.store.clearings == [])
  }

  // MARK: Without a connection

  @Test("a stop without a connection makes one attempt, at once, and says it all there")
  func attempt() {
    var bench = CoreBench.connected()
    bench.server.isReachable = false
    bench.lose()
    bench.advance(by: .seconds(30))
    bench.level("a")
    bench.server.isReachable = true
    bench.forget()
    bench.stop()
    #expect(bench.said.last == "DISCONNECT" && !bench.said.contains("status online"))
    #expect(bench.said.contains("a#1") && bench.said.contains("status offline"))
    #expect(bench.exit == true)
  }

  @Test("an attempt that fails is the only one: the will says it, and that is a clean end")
  func oneAttempt() throws {
    var bench = CoreBench.connected()
    bench.server.connack = .serverUnavailable
    bench.lose()
    let connects = bench.connects.count
    bench.stop()
    #expect(bench.connects.count == connects + 1)
    #expect(bench.exit == true)
    #expect(bench.noted.contains("leavesToWill"))
    #expect(bench.store.lastStop?.reason == "shutdown")
  }

  @Test("a server that never answers the attempt: cut at the end of the time")
  func hangs() {
    var bench = CoreBench.connected()
    bench.server.connack = nil
    bench.lose()
    bench.stop()
    bench.advance(by: .milliseconds(4999))
    #expect(bench.exit == nil)
    bench.advance(by: .milliseconds(1))
    #expect(bench.exit == false)
  }

  @Test("a farewell that is lost with its connection is said first on the one attempt that follows")
  func lostFarewell() {
    var bench = CoreBench.connected()
    bench.server.ignores = ["status"]
    bench.stop()
    bench.forget()
    bench.server.ignores = []
    bench.lose()
    #expect(bench.sent() == ["CONNECT", "presence stop", "status offline", "DISCONNECT"])
    #expect(bench.exit == true)
  }

  // MARK: Abort

  @Test("an abort cuts the connection at once, without DISCONNECT and without a farewell")
  func abort() {
    var bench = CoreBench.connected()
    bench.handle(.asked(.abort))
    #expect(bench.sent() == ["cut"])
    #expect(bench.exit == false)
    #expect(bench.store.lastStop == nil && bench.store.exact?["a"] == 1)
    #expect(bench.noted.contains("aborted"))
  }

  @Test("a stop that is under way is ended by an abort, once")
  func abortWhileStopping() {
    var bench = CoreBench.connected()
    bench.server.ignores = ["a", "status"]
    bench.level("a")
    bench.stop()
    bench.handle(.asked(.abort))
    bench.handle(.asked(.abort))
    #expect(bench.exit == false)
    #expect(bench.noted.count { $0 == "aborted" } == 1)
  }

  @Test("without a server in sight an abort ends at once too")
  func abortBeforeConnection() {
    var bench = CoreBench()
    bench.server.isReachable = false
    bench.connect()
    bench.handle(.asked(.abort))
    #expect(bench.exit == false)
  }
}
