import MQTTCore
import Plan
import Presence
import Records
import Testing

@testable import Core
@testable import LimpetInstants

/// What the agent says about itself.
struct TellingTests {
  @Test("CONNACK, then SUBSCRIBE, status, presence, then readings")
  func order() {
    var bench = CoreBench()
    bench.server.connack = nil
    bench.connect()
    bench.level("a")
    #expect(bench.sent() == ["CONNECT"])
    bench.receive(.connack(ConnAck(sessionPresent: false, reasonCode: .success)))
    #expect(bench.sent() == ["SUBSCRIBE status presence", "status online", "presence birth", "a#1"])
  }

  @Test("birth and will say the same epoch, which is one more in every CONNECT")
  func epochs() throws {
    var bench = CoreBench()
    bench.connect()
    #expect(bench.store.epoch == 5)
    bench.lose()
    bench.reconnect()
    #expect(bench.store.epoch == 6)
    let wills = bench.connects.compactMap { $0.will?.properties.userProperties.first { $0.name == "epoch" }?.value }
    #expect(wills == ["5", "6"])
    let births = bench.packets.compactMap(\.packet.message).filter { $0.line == "status online" }
    #expect(births.map { $0.properties.userProperties.first { $0.name == "epoch" }?.value } == ["5", "6"])
    let will = try #require(bench.connects.last?.will)
    #expect(will.topic == "status" && will.retain && will.qos == .atLeastOnce)
    #expect(will.properties.messageExpiryInterval == nil)
  }

  @Test("the first birth says why the agent started and how long it was gone, later ones that it has reconnected")
  func reasons() {
    var bench = CoreBench { $0.reason = Beginning.Reason("crash", goneFor: 30) }
    bench.connect()
    #expect(bench.lastPresence?.value(of: "reason") == "crash")
    #expect(bench.lastPresence?.value(of: "gone_for") == "30")
    bench.lose()
    bench.reconnect()
    #expect(bench.lastPresence?.value(of: "reason") == "reconnected")
    #expect(bench.lastPresence?.value(of: "gone_for") == nil)
  }

  @Test("the birth is said once: nothing that goes on makes it be said again")
  func once() {
    var bench = CoreBench.connected()
    bench.level("a", times: 3)
    bench.handle(.networkChanged(["10.0.0.2"]))
    bench.handle(.clockJumped)
    bench.advance(by: .seconds(600))
    #expect(bench.sentBesideReadings() == [])
  }

  @Test("the birth is said again when the store fails and when it works again, and says so")
  func storageError() {
    var bench = CoreBench.connected()
    bench.store.manner = .failing(.bench(.full))
    bench.server.acknowledges = false
    bench.level("a")
    bench.advance(by: .seconds(3))
    bench.acknowledge()
    #expect(bench.lastPresence?.value(of: "storage_error") != nil)
    #expect(bench.sentBesideReadings() == ["status online", "presence birth"])
    bench.advance(by: .seconds(300))
    #expect(bench.sentBesideReadings() == [], "it fails again and again, and that is said once")
    bench.store.manner = .atOnce
    bench.server.ignores = ["a"]
    bench.level("a")
    bench.advance(by: .seconds(120))
    #expect(bench.lastPresence?.contains("storage_error") == false)
    #expect(bench.sentBesideReadings() == ["status online", "presence birth"])
    #expect(bench.noted.filter { $0 == "storeFails" || $0 == "storeWorks" } == ["storeFails", "storeWorks"])
  }

  @Test("with a lease the birth expires and is said again in time; without a connection it is not")
  func lease() {
    var bench = CoreBench.connected(plan: .bench(lease: .seconds(300)))
    bench.advance(by: .seconds(299))
    #expect(bench.sent() == [])
    bench.advance(by: .seconds(1))
    let births = bench.packets.compactMap(\.packet.message)
    #expect(births.map(\.properties.messageExpiryInterval) == [900, 900])
    #expect(bench.sent() == ["status online", "presence birth"])
    bench.server.isReachable = false
    bench.lose()
    bench.advance(by: .seconds(3600))
    #expect(bench.sent() == [])
  }

  @Test("a step of the wall clock may have used the lease up: it is renewed, at most once a second")
  func leaseAndClock() {
    var bench = CoreBench.connected(plan: .bench(lease: .seconds(300)))
    bench.advance(by: .seconds(30))
    for _ in 0..<5 { bench.handle(.clockJumped) }
    #expect(bench.sent() == ["status online", "presence birth"])
    bench.advance(by: .seconds(1))
    #expect(bench.sent() == ["status online", "presence birth"])
    bench.advance(by: .seconds(299))
    #expect(bench.sent() == [])
  }

  @Test("a server of 3.1.1 forgets nothing: once is enough, and that is noted")
  func leaseOn311() {
    var bench = CoreBench(plan: .bench(lease: .seconds(300)) { $0.link.version = .v311 })
    bench.connect()
    #expect(bench.noted.contains("hasNoExpiry"))
    bench.forget()
    bench.advance(by: .seconds(3600))
    #expect(bench.sent() == [])
  }

  @Test("presence keeps one place of two: readings that are not acknowledged do not hold it up")
  func place() {
    var bench = CoreBench()
    bench.server.properties.receiveMaximum = 2
    bench.connect()
    bench.server.ignores = ["a", "b"]
    bench.forget()
    bench.level("a", times: 5)
    #expect(bench.sent() == ["a#1"])
    bench.stop()
    bench.advance(by: .milliseconds(2500))
    #expect(bench.sent().contains("presence stop"))
  }

  @Test("where no place is free presence waits, in its order, and before every reading")
  func waits() {
    var bench = CoreBench()
    bench.server.properties.receiveMaximum = 1
    bench.server.acknowledges = false
    bench.connect()
    #expect(bench.sent() == ["CONNECT", "SUBSCRIBE status presence", "status online"])
    bench.level("a")
    #expect(bench.sent() == [])
    bench.acknowledgeOne()
    #expect(bench.sent() == ["presence birth"])
    bench.acknowledgeOne()
    #expect(bench.sent() == ["a#1"])
  }

  @Test("after a farewell nothing says online again: not the store, nor a rival, nor a wrong status")
  func afterFarewell() {
    var bench = CoreBench.connected()
    bench.server.ignores = ["status"]
    bench.stop()
    #expect(bench.sent() == ["presence stop", "status offline"])
    bench.publish("status", "offline", instance: "rival")
    bench.publish("presence", #"{"instance":"rival","epoch":9}"#)
    bench.store.manner = .failing(.bench(.inputOutput))
    bench.advance(by: .milliseconds(4900))
    #expect(bench.sent() == [])
  }

  @Test("what the broker says of online is what the report says")
  func answers() {
    var bench = CoreBench()
    bench.server.ignores = ["status"]
    bench.connect()
    #expect(bench.report.presence.birth == .none)
    bench.acknowledge()
    #expect(bench.report.presence.birth == .acknowledged)
    bench.server.ignores = []
    bench.server.refuses = ["status": .notAuthorized]
    bench.lose()
    #expect(bench.report.presence.birth == .none)
    bench.reconnect()
    #expect(bench.report.presence.birth == .refused(.notAuthorized))
  }

  // MARK: Wills

  @Test("a will that the server refuses is asked for smaller, and that is what it is told from then on")
  func willFallback() {
    var bench = CoreBench()
    bench.server.connack = .retainNotSupported
    bench.connect()
    #expect(bench.connects.map { $0.will?.retain } == [true])
    #expect(bench.noted.contains("triesSmallerWill"))
    bench.server.connack = .success
    bench.reconnect()
    #expect(bench.connects.map { $0.will?.retain } == [true, false])
    #expect(bench.noted.contains("takesLessOfWill"))
    let births = bench.packets.compactMap(\.packet.message).filter { $0.line == "status online" }
    #expect(births.map(\.retain) == [false])
    #expect(bench.report.presence.reduction != nil)
    // A day later the full will is tried again.
    bench.advance(by: .seconds(86_400))
    bench.lose()
    bench.reconnect()
    #expect(bench.connects.last?.will?.retain == true)
  }

  @Test("a delay of the will that the server cuts, or 3.1.1 does not know, is noted")
  func willDelay() {
    var bench = CoreBench(plan: .bench(willDelay: .seconds(60)))
    bench.server.properties.sessionExpiryInterval = 10
    bench.connect()
    #expect(bench.noted.contains("cutsWillDelay"))
    #expect(bench.connects.last?.will?.properties.willDelayInterval == 60)
    var old = CoreBench(plan: .bench(willDelay: .seconds(60)) { $0.link.version = .v311 })
    old.connect()
    #expect(old.noted.contains("hasNoWillDelay"))
  }

  // MARK: Owed farewells

  @Test(
    "a connection that another configuration replaced owes the old topic an offline, with a delayed will and without",
    arguments: [0, 60])
  func owed(delay: Int64) {
    var bench = CoreBench.connected(plan: .bench(willDelay: .seconds(delay)))
    bench.server.ignores = ["status"]
    bench.reload(.bench(willDelay: .seconds(delay), status: "moved"), renewsConnection: true)
    #expect(bench.sent() == ["presence stop", "status offline"])
    // Not acknowledged: it is cut, and the will that would say so is deleted by the next connection of its session.
    bench.server.ignores = []
    bench.advance(by: .seconds(2))
    #expect(
      bench.sent() == [
        "cut", "CONNECT", "SUBSCRIBE moved presence", "moved online", "presence birth", "status offline",
      ])
    #expect(bench.figure("owed_offlines") == .count(0))
    #expect(bench.store.farewells.map(\.topic) == ["moved"])
  }

  @Test("what is owed is said on each connection; after three ends when online is acknowledged and 5 s have passed")
  func owedAgain() {
    var bench = CoreBench.connected(plan: .bench(willDelay: .seconds(60)))
    bench.server.ignores = ["status"]
    bench.reload(.bench(willDelay: .seconds(60), status: "moved"), renewsConnection: true)
    bench.advance(by: .seconds(2))
    var times = bench.sent().count { $0 == "status offline" } - 1
    for _ in 0..<5 {
      bench.lose()
      bench.reconnect()
      times += bench.sent().count { $0 == "status offline" }
    }
    #expect(times == 3)
    #expect(bench.figure("owed_offlines") == .count(1))
    bench.server.ignores = []
    bench.forget()
    // The connection is there for a second at the most.
    bench.advance(by: .seconds(3))
    #expect(bench.sent() == [])
    bench.advance(by: .seconds(2))
    #expect(bench.sent() == ["status offline"])
    #expect(bench.figure("owed_offlines") == .count(0))
  }

  @Test("an offline of QoS 0 was sent and perhaps not heard: the connection to another topic says it again")
  func owedAfterQoS0() {
    var bench = CoreBench()
    bench.server.properties.maximumQoS = .atMostOnce
    bench.connect()
    bench.forget()
    bench.reload(.bench(status: "moved"), renewsConnection: true)
    #expect(bench.sent().count { $0 == "status offline" } == 2)
    #expect(bench.store.farewells.map(\.topic) == ["moved"])
  }

  @Test("an offline that the broker refuses is owed still: an hour later it is said again")
  func owedAfterRefusal() {
    var bench = CoreBench.connected()
    bench.server.refuses = ["status": .notAuthorized]
    bench.reload(.bench(status: "moved"), renewsConnection: true)
    #expect(bench.sent().last == "status offline")
    #expect(bench.figure("owed_offlines") == .count(1))
    #expect(bench.store.farewells.map(\.topic) == ["status", "moved"])
    bench.server.refuses = [:]
    bench.forget()
    bench.advance(by: .seconds(3599))
    #expect(!bench.sent().contains("status offline"))
    bench.advance(by: .seconds(1))
    #expect(bench.sent().last == "status offline")
    #expect(bench.store.farewells.map(\.topic) == ["moved"])
  }

  @Test("an offline that was not retained leaves the online of before: the connection to another topic says it again")
  func owedAfterUnretained() {
    var bench = CoreBench.connected()
    bench.server.connack = .retainNotSupported
    bench.lose()
    while !bench.noted.contains("triesSmallerWill") { bench.advance(by: .seconds(1)) }
    bench.server.connack = .success
    bench.reconnect()
    #expect(bench.connects.last?.will?.retain == false)
    bench.forget()
    bench.reload(.bench(status: "moved"), renewsConnection: true)
    let farewells = bench.packets.compactMap(\.packet.message).filter { $0.line == "status offline" }
    #expect(farewells.map(\.retain) == [false, true])
    #expect(bench.store.farewells.map(\.topic) == ["moved"])
  }

  @Test("the next process owes what this one could not say: the store has it")
  func owedByNextProcess() {
    var bench = CoreBench.connected()
    #expect(bench.store.farewells.map(\.topic) == ["status"])
    let stored = bench.store.farewells
    var next = CoreBench(plan: .bench(status: "moved")) { $0.state.farewells = stored }
    next.connect()
    #expect(next.sent().suffix(3) == ["moved online", "presence birth", "status offline"])
    next.stop()
    #expect(next.store.farewells.isEmpty)
    bench.stop()
    #expect(bench.store.farewells.isEmpty)
  }

  @Test("what is owed is said before a farewell, and no DISCONNECT follows before the broker has it")
  func owedBeforeDisconnect() {
    var bench = CoreBench.connected()
    bench.server.ignores = ["status"]
    bench.reload(.bench(status: "moved"), renewsConnection: true)
    bench.advance(by: .seconds(2))
    for _ in 0..<2 {
      bench.lose()
      bench.reconnect()
    }
    bench.server.ignores = []
    bench.lose()
    bench.reconnect()
    bench.forget()
    bench.stop()
    #expect(bench.sent() == ["status offline", "presence stop", "moved offline", "DISCONNECT"])
    #expect(bench.exit == true)
  }
}
