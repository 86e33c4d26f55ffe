import MQTTCore
import Measuring
import Plan
import Testing

@testable import Core

/// Another configuration in the place of the one that runs.
struct ReloadTests {
  @Test("sensors that stay keep their ids and times; others get ids of their own, and are read at once")
  func sensors() {
    var bench = CoreBench(plan: .bench([], sensors: ["s", "t"]))
    bench.values = ["s": 1, "t": 2]
    bench.connect()
    bench.advance(by: .seconds(60))
    bench.forget()
    let words = bench.reload(.bench([], sensors: ["t", "s", "u"]), names: ["t"])
    #expect(words == ["new: u", "changed: t"])
    #expect(bench.core.plan.sensors.map(\.id.text) == ["t#1", "s", "u#1"])
    let read = bench.orders.compactMap { if case .read(let ids) = $0 { ids.map(\.text) } else { nil } }
    #expect(read == [["t#1", "u#1"]])
    // What the earlier source still reads is none of this one's.
    bench.measure("t", 9)
    bench.measure("t#1", 3)
    #expect(bench.readings() == ["t#2"])
  }

  @Test("numbers go on by name, also of one that comes back")
  func numbers() {
    var bench = CoreBench.connected()
    bench.level("a", times: 3)
    bench.reload(.bench(["b"]))
    bench.reload(.bench(["b", "a"]))
    bench.forget()
    bench.level("a")
    #expect(bench.readings() == ["a#4"])
  }

  @Test("what waits of a name that left is still sent, and the broker keeps it no more")
  func left() {
    var bench = CoreBench.connected(plan: .bench(retained: ["a"]))
    bench.server.isReachable = false
    bench.lose()
    bench.level("a", times: 2)
    bench.reload(.bench(["b"]))
    bench.server.isReachable = true
    bench.forget()
    bench.reconnect()
    let messages = bench.packets.compactMap(\.packet.message).filter { $0.topic == "a" }
    #expect(messages.map(\.line) == ["a -", "a#1", "a#2"])
    #expect(messages.map(\.retain) == [true, false, false])
  }

  @Test("retained topics that left are cleared; one that comes back before that says by itself what holds")
  func clears() {
    var bench = CoreBench.connected(plan: .bench(retained: ["a", "b"]))
    bench.reload(.bench(["b"], retained: ["b"]))
    #expect(bench.sent() == ["a -"])
    bench.server.isReachable = false
    bench.lose()
    bench.reload(.bench(["a"], retained: ["a"]))
    bench.reload(.bench(["a", "b"], retained: ["a", "b"]))
    bench.server.isReachable = true
    bench.reconnect()
    #expect(!bench.sent().contains("b -"))
  }

  @Test("lines: those that left are let go of, others are watched beside those that stay")
  func lines() {
    var bench = CoreBench.connected()
    bench.reload(.bench(["b", "c"]))
    let rewatches = bench.orders.compactMap { order -> ([LineID], [LineID])? in
      if case .rewatch(let released, let added) = order { (released, added.map(\.0)) } else { nil }
    }
    #expect(rewatches.count == 1)
    #expect(rewatches.first?.0 == [LineID(place: 0)] && rewatches.first?.1 == [LineID(place: 2)])
    bench.orders = []
    bench.reload(.bench(["c", "b"]))
    #expect(!bench.orders.contains { if case .rewatch = $0 { true } else { false } })
  }

  @Test("an agent that watched no lines begins to")
  func firstLines() {
    var bench = CoreBench.connected(plan: .bench([], sensors: ["s"]))
    bench.reload(.bench(["a"], sensors: ["s"]))
    #expect(bench.orders.contains { if case .watch = $0 { true } else { false } })
  }

  @Test("nothing changed: nothing is said to anybody")
  func nothing() {
    var bench = CoreBench.connected()
    #expect(bench.reload(.bench()) == [])
    bench.advance(by: .seconds(60))
    #expect(bench.sent() == [] && bench.store.asked.isEmpty)
  }

  // MARK: The connection

  @Test("a connection that another configuration replaces ends with a farewell, and the next one follows at once")
  func renews() {
    var bench = CoreBench.connected()
    let words = bench.reload(.bench(status: "moved") { $0.connect.keepAlive = 5 }, renewsConnection: true)
    #expect(words == ["the connection"])
    #expect(
      bench.sent() == [
        "presence stop", "status offline", "DISCONNECT", "CONNECT", "SUBSCRIBE moved presence", "moved online",
        "presence birth",
      ])
    #expect(bench.connects.last?.keepAlive == 5 && bench.connects.last?.will?.topic == "moved")
    #expect(bench.lastPresence == nil && bench.noted.contains("disconnectedToRenew"))
  }

  @Test("the farewell and the birth that follows say reload")
  func reasons() {
    var bench = CoreBench.connected()
    bench.reload(.bench(), renewsConnection: true)
    let reasons = bench.packets.compactMap(\.packet.message).filter { $0.topic == "presence" }.map {
      String(buffer: $0.payload).value(of: "reason")
    }
    #expect(reasons == ["reload", "reload"])
  }

  @Test("an offline that is not acknowledged within 2 s: cut without DISCONNECT, so that the will says it")
  func noAcknowledgement() {
    var bench = CoreBench.connected()
    bench.server.ignores = ["status"]
    bench.reload(.bench(), renewsConnection: true)
    bench.level("a")
    bench.advance(by: .milliseconds(1999))
    #expect(bench.sent() == ["presence stop", "status offline"], "from here on nothing else is published")
    bench.advance(by: .milliseconds(1))
    #expect(
      bench.sent() == ["cut", "CONNECT", "SUBSCRIBE status presence", "status online", "presence birth", "a#1"])
    #expect(bench.noted.contains("cutsToRenew"))
  }

  @Test("an offline that is refused: the same, at once")
  func refused() {
    var bench = CoreBench.connected()
    bench.server.refuses = ["status": .notAuthorized]
    bench.reload(.bench(), renewsConnection: true)
    #expect(bench.sent().prefix(4) == ["presence stop", "status offline", "cut", "CONNECT"])
  }

  @Test("a take-over behind the DISCONNECT of a reload: what the session has by then is another client's")
  func takenOver() {
    var bench = CoreBench.connected()
    bench.server.closesWhenAsked = false
    bench.server.sessionPresent = true
    bench.reload(.bench(), renewsConnection: true)
    #expect(bench.sent() == ["presence stop", "status offline", "DISCONNECT"])
    bench.receive(.disconnect(Disconnect(reasonCode: .sessionTakenOver)))
    bench.server.closesWhenAsked = true
    let connects = bench.connects.count
    bench.advance(by: .seconds(10))
    #expect(bench.connects.dropFirst(connects).map(\.cleanStart) == [false, true])
    #expect(bench.isConnected && bench.noted.contains("beginsSessionAnew"))
  }

  @Test("a connection that ends before the acknowledgement: the next one is the new configuration's")
  func lost() {
    var bench = CoreBench.connected()
    bench.server.ignores = ["status"]
    bench.reload(.bench { $0.connect.keepAlive = 5 }, renewsConnection: true)
    bench.server.ignores = []
    bench.lose()
    #expect(bench.isConnected && bench.connects.last?.keepAlive == 5)
  }

  @Test("without a connection the next attempt is made at once, by the new configuration")
  func notConnected() {
    var bench = CoreBench.connected()
    bench.server.isReachable = false
    bench.lose()
    bench.advance(by: .seconds(300))
    bench.server.isReachable = true
    bench.forget()
    bench.reload(.bench { $0.connect.keepAlive = 5 }, renewsConnection: true)
    #expect(bench.isConnected && bench.connects.last?.keepAlive == 5)
  }

  @Test("a stop during the farewell of a reload is a stop: one offline, nothing behind it, and no connection after it")
  func stopWhileRenewing() {
    var bench = CoreBench.connected()
    bench.server.acknowledges = false
    bench.reload(.bench(), renewsConnection: true)
    bench.level("a")
    bench.stop()
    bench.acknowledge()
    #expect(bench.sent() == ["presence stop", "status offline", "DISCONNECT"])
    #expect(bench.exit == true)
  }

  @Test("what changes attempts only says nothing, nor does anything but the lease say online again")
  func attempts() {
    var bench = CoreBench.connected()
    let next = DevicePlan.bench { $0.link.reconnect.maximum = .seconds(5) }
    #expect(bench.reload(next, changesAttempts: true) == ["broker.reconnect"])
    let third = DevicePlan.bench { ($0.link.reconnect, $0.link.connectTimeout) = (next.link.reconnect, .seconds(3)) }
    #expect(bench.reload(third, changesAttempts: true) == ["broker.connect_timeout"])
    #expect(bench.sent() == [])
    bench.reload(.bench(lease: .seconds(60)))
    #expect(bench.sent() == ["status online", "presence birth"])
    bench.advance(by: .seconds(60))
    #expect(bench.sent() == ["status online", "presence birth"])
  }

  @Test("who is about to end takes nothing")
  func stops() {
    var bench = CoreBench.connected()
    bench.server.ignores = ["status"]
    bench.stop()
    bench.forget()
    #expect(bench.reload(.bench(["c"]), renewsConnection: true) == nil)
    #expect(bench.sent() == [])
  }

  @Test("whatever the session has with its store stays, whatever the new plan says")
  func session() {
    var bench = CoreBench.connected()
    bench.reload(.bench { $0.link.isStored = false })
    #expect(bench.core.plan.link.isStored)
  }
}
