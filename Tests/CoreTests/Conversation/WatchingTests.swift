import MQTTCore
import Plan
import Presence
import Testing

@testable import Core

/// What is heard on the own topics, and what a server closes connections on.
struct WatchingTests {
  // MARK: Healing

  @Test("a wrong status is put right within a second, once the own presence has come back")
  func heals() {
    var bench = CoreBench.connected()
    #expect(bench.report.presence.healing == .armed)
    bench.publish("status", "offline")
    bench.advance(by: .seconds(1))
    #expect(bench.sent() == ["status online", "presence birth"])
    #expect(bench.noted == ["correctsStatus"])
    #expect(bench.figure("status_corrections") == .count(1))
    // The answer is the echo of its own.
    bench.advance(by: .seconds(60))
    #expect(bench.sent() == [])
  }

  @Test("only the echo of this connection's presence arms it: not a status, nor an earlier presence, nor another's")
  func ownEcho() {
    var bench = CoreBench.connected(echoes: false)
    bench.publish("status", "offline")
    bench.publish("status", "online")
    bench.publish("presence", #"{"event":"birth","instance":"this","epoch":4}"#)
    bench.publish("presence", #"{"event":"birth","instance":"earlier","epoch":5}"#)
    bench.publish("status", "offline")
    bench.advance(by: .seconds(9))
    #expect(bench.sent() == [])
    bench.publish("presence", #"{"event":"birth","instance":"this","epoch":5}"#)
    bench.advance(by: .seconds(1))
    #expect(bench.sent() == ["status online", "presence birth"])
  }

  @Test("without an echo in 10 s it is unavailable, which is said once, and available again when it comes")
  func unavailable() {
    var bench = CoreBench.connected(echoes: false)
    bench.advance(by: .seconds(60))
    #expect(bench.noted == ["cannotHeal"])
    bench.publish("status", "offline")
    bench.publish("presence", #"{"instance":"this","epoch":5}"#)
    bench.advance(by: .seconds(1))
    #expect(bench.noted == ["cannotHeal", "canHealAgain", "correctsStatus"])
  }

  @Test("a status that stays wrong is answered once in 10 s, for as long as it is wrong")
  func rests() {
    var bench = CoreBench.connected()
    bench.server.echoes = false
    bench.publish("status", "offline")
    bench.advance(by: .seconds(35))
    let times = bench.sent().count { $0 == "status online" }
    #expect(times == 4)
    bench.publish("status", "online")
    bench.advance(by: .seconds(60))
    #expect(bench.sent() == [])
  }

  @Test("a server that does not let it read its status: nothing is watched, and nothing else suffers")
  func denied() {
    var bench = CoreBench()
    bench.server.subscribes = .notAuthorized
    bench.connect()
    #expect(bench.noted.contains("cannotHeal"))
    bench.level("a")
    #expect(bench.readings() == ["a#1"])
    bench.publish("status", "offline")
    bench.advance(by: .seconds(50))
    #expect(bench.sent() == [])
  }

  @Test("a server that refuses its status for now is asked again after a minute, and then no more")
  func deniedForNow() {
    var bench = CoreBench()
    bench.server.subscribes = .unspecifiedError
    bench.connect()
    bench.server.subscribed = []
    bench.server.subscribes = .grantedQoS1
    bench.advance(by: .seconds(59))
    #expect(bench.server.subscribed.isEmpty)
    bench.advance(by: .seconds(2))
    #expect(bench.server.subscribed == ["status", "presence"])
    bench.server.subscribed = []
    bench.advance(by: .seconds(7200))
    #expect(bench.server.subscribed.isEmpty)
  }

  @Test("who stops answers no wrong status")
  func stops() {
    var bench = CoreBench.connected()
    bench.server.ignores = ["a"]
    bench.level("a")
    bench.stop()
    bench.forget()
    bench.publish("status", "offline")
    bench.advance(by: .seconds(2))
    #expect(bench.sent() == [])
  }

  // MARK: Conflict

  @Test(
    "a live message of another instance is a rival: it is named in the log and in presence, with another birth"
  )
  func rival() throws {
    var bench = CoreBench.connected()
    bench.publish("status", "online", instance: "other")
    #expect(bench.noted == ["rival"])
    #expect(bench.lastPresence?.value(of: "conflict") == "instance other uses this client id")
    #expect(bench.sent() == ["status online", "presence birth"])
    bench.publish("status", "online", instance: "other")
    bench.publish("presence", #"{"instance":"other","epoch":8}"#)
    #expect(bench.sent() == [], "it is known")
    #expect(bench.report.presence.conflict != nil)
  }

  @Test("what an earlier process of this board has left is no rival, nor is a retained message from before the birth")
  func noRival() {
    var bench = CoreBench()
    bench.server.ignores = ["presence"]
    bench.connect()
    bench.forget()
    bench.publish("status", "offline", instance: "earlier")
    bench.publish("presence", #"{"instance":"before","epoch":3}"#, retain: true)
    #expect(bench.noted == [])
  }

  @Test("what another broker has retained of a client that had the identifier before is no rival there")
  func noRivalElsewhere() {
    var bench = CoreBench.connected()
    bench.server.ignores = ["presence"]
    bench.reload(.bench { $0.link.servers = [DevicePlan.server("b")] }, renewsConnection: true)
    #expect(bench.isConnected && bench.core.server == DevicePlan.server("b"))
    bench.publish("presence", #"{"instance":"before","epoch":3}"#, retain: true)
    #expect(!bench.noted.contains("rival"))
    bench.server.ignores = []
    bench.lose()
    bench.reconnect()
    bench.publish("presence", #"{"instance":"before","epoch":3}"#, retain: true)
    #expect(!bench.noted.contains("rival"), "it is known from the first time")
    bench.publish("presence", #"{"instance":"other","epoch":3}"#, retain: true)
    #expect(bench.noted.contains("rival"), "it has appeared since")
  }

  @Test("at QoS 0 a retained presence that answers the SUBSCRIBE is no rival's, and one behind the own echo is")
  func rivalAtQoS0() {
    var bench = CoreBench()
    bench.server.properties.maximumQoS = .atMostOnce
    bench.server.echoes = false
    bench.connect()
    bench.forget()
    bench.publish("presence", #"{"instance":"before","epoch":3}"#, retain: true)
    #expect(bench.noted == [])
    bench.publish("presence", #"{"event":"birth","instance":"this","epoch":\#(bench.report.presence.epoch)}"#)
    bench.publish("presence", #"{"instance":"other","epoch":3}"#, retain: true)
    #expect(bench.noted == ["rival"])
  }

  @Test("with a rival each end of a connection is followed by minutes, and a connection that lasts is the end of it")
  func waits() {
    var bench = CoreBench.connected()
    bench.publish("status", "online", instance: "other")
    bench.server.sessionPresent = true
    bench.lose()
    let connects = bench.connects.count
    bench.advance(by: .seconds(59))
    #expect(bench.connects.count == connects)
    bench.advance(by: .seconds(62))
    // Somebody else has used the session.
    #expect(bench.connects.dropFirst(connects).map(\.cleanStart) == [false, true])
    #expect(bench.noted.contains("beginsSessionAnew"))
    #expect(bench.figure("conflicts") == .count(1))
    bench.forget()
    bench.advance(by: .seconds(61))
    #expect(bench.noted == ["conflictIsOver"])
    #expect(bench.sent() == ["status online", "presence birth"])
    #expect(bench.lastPresence == nil && bench.report.presence.conflict == nil)
  }

  @Test("with a rival a reload connects at once: that the connection ended was the device's own wish")
  func reloads() {
    var bench = CoreBench.connected()
    bench.publish("status", "online", instance: "other")
    let connects = bench.connects.count
    bench.reload(.bench(status: "moved"), renewsConnection: true)
    if bench.open[.agent] != nil { bench.lose() }
    bench.advance(by: .seconds(1))
    #expect(bench.connects.count > connects)
  }

  @Test("a take-over is a conflict without a name, and a network that comes back does not end the wait")
  func takeOver() {
    var bench = CoreBench.connected()
    bench.disconnect(.sessionTakenOver)
    #expect(bench.report.presence.conflict == "another client uses this client id")
    let connects = bench.connects.count
    bench.handle(.networkChanged(["10.0.0.2"]))
    bench.advance(by: .seconds(30))
    #expect(bench.connects.count == connects)
    bench.advance(by: .seconds(91))
    #expect(bench.connects.count == connects + 1)
    #expect(bench.lastPresence?.value(of: "conflict") == "another client uses this client id")
  }

  @Test("with a rival a stop without a connection makes none: its offline would be said of the other too")
  func stopWithRival() {
    var bench = CoreBench.connected()
    bench.disconnect(.sessionTakenOver)
    let connects = bench.connects.count
    bench.stop()
    #expect(bench.exit == true && bench.connects.count == connects)
  }

  // MARK: Closes

  @Test("two closes behind an unanswered SUBSCRIBE, and it runs without one")
  func closesOnSubscribe() {
    var bench = CoreBench()
    bench.server.subscribes = nil
    bench.connect()
    for _ in 0..<2 {
      bench.lose()
      bench.reconnect()
    }
    #expect(bench.sent().suffix(3) == ["CONNECT", "status online", "presence birth"])
    #expect(bench.noted.contains("cannotHeal"))
  }

  @Test("what closed it may have been something else: once the connection has lasted it subscribes, and then hourly")
  func subscribesAfterAll() {
    var bench = CoreBench()
    bench.server.subscribes = nil
    bench.connect()
    for _ in 0..<2 {
      bench.lose()
      bench.reconnect()
    }
    bench.forget()
    bench.advance(by: .seconds(61))
    #expect(bench.sent().filter { $0.hasPrefix("SUBSCRIBE") } == ["SUBSCRIBE status presence"])
    bench.lose()
    bench.reconnect()
    bench.forget()
    bench.advance(by: .seconds(3500))
    #expect(!bench.sent().contains("SUBSCRIBE status presence"))
    bench.server.subscribes = .grantedQoS1
    bench.advance(by: .seconds(120))
    #expect(bench.sent().contains("SUBSCRIBE status presence"))
  }

  @Test(
    "a message under way at three closes of its topic sends the topic to rest, the others go one at a time and then on")
  func closesOnMessage() {
    var bench = CoreBench.connected()
    bench.server.ignores = ["a"]
    bench.level("a")
    for _ in 0..<3 {
      bench.lose()
      bench.reconnect()
    }
    #expect(bench.noted.contains("rests"))
    bench.forget()
    bench.level("a")
    bench.level("b", times: 2)
    #expect(bench.readings() == ["b#1", "b#2"])
    #expect(bench.report.resting.map(\.topic) == ["a"])
  }

  @Test("a message that is closed on though its topic works is set aside, stored as such, and counted")
  func setAside() throws {
    var bench = CoreBench.connected()
    bench.level("a")
    bench.server.ignores = ["a"]
    bench.level("a")
    for _ in 0..<3 {
      bench.lose()
      bench.reconnect()
    }
    #expect(bench.noted.contains("setAside") && !bench.noted.contains("rests"))
    let aside = try #require(bench.writes.flatMap(\.setAside).first)
    #expect(aside.owner == "board" && aside.message.topic == "a")
    #expect(bench.figure("set_aside_readings") == .count(1))
    bench.server.ignores = []
    bench.forget()
    bench.level("a")
    #expect(bench.readings() == ["a#3"])
  }

  @Test("a server that closes again and again is told with what was sent last, from the second time on")
  func remarks() {
    var bench = CoreBench.connected()
    bench.lose()
    bench.reconnect()
    bench.lose()
    let remarks = bench.notes.compactMap { note -> String? in
      if case .lost(_, wasConnected: true, let remark, _, _, _) = note { remark.map { "\($0)" } ?? "none" } else { nil }
    }
    #expect(remarks == ["none", #"closes(lastSent: "PUBLISH to presence")"#])
  }

  @Test("a loss of the network, a server that is busy or shuts down says nothing about messages")
  func innocent() {
    for code in [ReasonCode.serverBusy, .serverShuttingDown, .keepAliveTimeout] {
      var bench = CoreBench.connected()
      bench.server.ignores = ["a"]
      bench.level("a")
      for _ in 0..<4 {
        bench.disconnect(code)
        bench.reconnect()
      }
      #expect(!bench.noted.contains("rests") && !bench.noted.contains("setAside"))
    }
  }
}
