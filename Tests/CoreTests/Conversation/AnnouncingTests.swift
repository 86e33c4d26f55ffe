import Discovery
import MQTTCore
import Plan
import Records
import Testing

@testable import Core

/// What Home Assistant is told of this device.
struct AnnouncingTests {
  private static func plan(_ entities: String...) -> DevicePlan {
    .bench { $0.homeAssistant = Self.device(entities) }
  }

  private static func device(_ entities: [String]) -> HomeAssistantDevice {
    HomeAssistantDevice(
      topic: "ha/board", births: ["ha/status"], head: [], shared: [],
      components: entities.map { HomeAssistantComponent($0, "sensor", HomeAssistantFields()) })
  }

  private static func announcement(_ topic: String, _ entities: String...) -> StoredAnnouncement {
    Announcement(
      topic: topic, digest: "", entries: Set(entities.map { Announcement.Entry(kind: "sensor", name: $0) })
    ).stored(.homeAssistant)
  }

  @Test(
    "a CONNECT without an answer may have begun a session: that of the next one does not show what the broker keeps")
  func unanswered() {
    var bench = CoreBench.connected(plan: Self.plan("a"))
    bench.server.sessionPresent = true
    bench.lose()
    bench.reconnect()
    #expect(bench.sent().filter { $0.hasPrefix("ha/board") }.count == 0, "it has kept what it had")
    bench.lose()
    bench.server.connack = nil
    bench.advance(by: .seconds(5))
    #expect(bench.sent().contains("CONNECT"))
    bench.server.connack = .success
    bench.reconnect()
    #expect(bench.sent().filter { $0.hasPrefix("ha/board") }.count == 1)
  }

  @Test("the description follows the birth, before every reading, and its acknowledgement is stored")
  func described() {
    var bench = CoreBench(plan: Self.plan("a"))
    bench.server.connack = nil
    bench.connect()
    bench.level("a")
    bench.receive(.connack(ConnAck(sessionPresent: false, reasonCode: .success)))
    #expect(
      bench.sent() == [
        "CONNECT", "SUBSCRIBE status presence", "status online", "presence birth", "SUBSCRIBE ha/status",
        #"ha/board {"cmps":{"a":{"p":"sensor"}}}"#, "a#1",
      ])
    bench.advance(by: .seconds(5))
    #expect(bench.writes.flatMap(\.announcements).map(\.topic).allSatisfy { $0 == "ha/board" })
    #expect(bench.writes.flatMap(\.announcements).count == 2, "what may be there, then what is")
  }

  @Test("1 to 2 s after a description was acknowledged the newest value of each name is told again, with its number")
  func reminds() {
    var bench = CoreBench.connected(plan: Self.plan("a"))
    bench.level("a", times: 2)
    bench.level("b")
    bench.advance(by: .milliseconds(999))
    bench.forget()
    #expect(bench.readings() == [])
    bench.advance(by: .milliseconds(1001))
    #expect(bench.readings() == ["a#2", "b#1"])
    bench.publish("ha/status", "online")
    bench.advance(by: .seconds(3))
    #expect(bench.readings() == ["a#2", "b#1"], "a Home Assistant that has started gets them too")
    bench.advance(by: .seconds(6))
    #expect(bench.readings() == [])
    bench.advance(by: .seconds(600))
    #expect(bench.readings() == ["a#2", "b#1"], "once more, for one that was too busy to subscribe in time")
  }

  @Test("a second reminder is one of the last description, and of its connection")
  func remindsAgain() {
    var bench = CoreBench.connected(plan: Self.plan("a"))
    bench.level("a")
    bench.advance(by: .seconds(3))
    bench.forget()
    for _ in 0..<5 {
      bench.publish("ha/status", "online")
      bench.advance(by: .seconds(5))
    }
    #expect(bench.readings().count == 5)
    bench.lose()
    bench.forget()
    bench.server.sessionPresent = true
    bench.reconnect()
    bench.advance(by: .seconds(60))
    #expect(bench.readings() == ["a#1", "a#1"])
  }

  @Test("what happened once, as a press of a button, is not told again: it would happen again")
  func remindsOfNoEvent() {
    let plan = DevicePlan.bench(retained: ["a"]) {
      $0.homeAssistant = Self.device(["a"])
      $0.streams[0].isEvent = true
    }
    var bench = CoreBench.connected(plan: plan)
    bench.level("a")
    bench.level("b")
    bench.advance(by: .seconds(3))
    bench.forget()
    bench.publish("ha/status", "online")
    bench.advance(by: .seconds(5))
    #expect(bench.readings() == ["b#1"])
    // A broker that has lost what it retained does not get it back either.
    bench.server.sessionPresent = false
    bench.lose()
    bench.reconnect()
    bench.advance(by: .seconds(5))
    #expect(bench.readings() == ["b#1"])
  }

  @Test("a Home Assistant that has started while there was no connection gets the values after the next")
  func remindsAfterAnOutage() {
    var bench = CoreBench.connected(plan: Self.plan("a"))
    bench.level("a")
    bench.advance(by: .seconds(3))
    bench.server.sessionPresent = true
    bench.lose()
    bench.forget()
    bench.reconnect()
    bench.advance(by: .seconds(2))
    #expect(bench.readings() == ["a#1"])
  }

  @Test("a value that is on its way is not told again beside that")
  func remindsAfterwards() {
    var bench = CoreBench.connected(plan: Self.plan("a"))
    bench.level("b")
    bench.server.ignores = ["a"]
    bench.level("a")
    bench.advance(by: .milliseconds(500))
    bench.forget()
    bench.advance(by: .seconds(3))
    #expect(bench.readings() == ["b#1"])
  }

  @Test("a value that waits to be told again is not any more, once a newer one was sent")
  func remindsOfNothingOlder() {
    var bench = CoreBench.connected(plan: Self.plan("a"))
    bench.server.ignores = ["a"]
    bench.level("a")
    bench.advance(by: .seconds(3))
    bench.level("a")
    bench.acknowledge()
    bench.advance(by: .seconds(3))
    #expect(bench.readings() == ["a#1", "a#2"])
  }

  @Test("nothing is published before the store has what may be there; nobody waits for a store that fails")
  func waitsForStore() {
    var bench = CoreBench(plan: Self.plan("a"))
    bench.store.manner = .held
    bench.connect()
    // CONNECT goes on after 2 s, and readings with it.
    bench.advance(by: .seconds(2))
    #expect(bench.isConnected)
    #expect(bench.sent().contains { $0.hasPrefix("ha/board") }, "late is of no use")

    var failing = CoreBench(plan: Self.plan("a"))
    failing.store.manner = .failing(.bench(.full))
    failing.connect()
    #expect(failing.sent().contains { $0.hasPrefix("ha/board") })

    var slow = CoreBench(plan: Self.plan("a"))
    slow.connect()
    slow.store.manner = .held
    slow.forget()
    slow.reload(Self.plan("a", "b"), names: [])
    #expect(!slow.sent().contains { $0.hasPrefix("ha/board") })
    slow.answerStore()
    #expect(slow.sent().contains { $0.hasPrefix("ha/board") })
  }

  @Test("Home Assistant's start is answered within a second; what it had said before is not")
  func homeAssistantStarts() {
    var bench = CoreBench.connected(plan: Self.plan("a"))
    bench.publish("ha/status", "online", retain: true)
    bench.publish("ha/status", "offline")
    bench.advance(by: .seconds(2))
    #expect(bench.sent() == [])
    bench.publish("ha/status", "online")
    bench.publish("ha/status", "online")
    bench.advance(by: .seconds(1))
    #expect(bench.sent().count == 1)
  }

  @Test("what a description of before had, and this one has not, is taken away first, and forgotten then")
  func removed() {
    var bench = CoreBench(plan: Self.plan("a")) {
      $0.state.announcements = [Self.announcement("ha/board", "a", "gone"), Self.announcement("old/board", "a")]
    }
    bench.connect()
    let lines = bench.sent().filter { $0.hasPrefix("ha/") || $0.hasPrefix("old/") }
    #expect(
      lines == [
        "old/board -", #"ha/board {"cmps":{"gone":{"p":"sensor"}}}"#, #"ha/board {"cmps":{"a":{"p":"sensor"}}}"#,
      ])
    bench.advance(by: .seconds(5))
    #expect(bench.writes.flatMap(\.forgotten).map(\.topic) == ["old/board"])
  }

  @Test("a session that goes on has the description: it is not said again")
  func sessionPresent() {
    var bench = CoreBench.connected(plan: Self.plan("a"))
    bench.server.sessionPresent = true
    bench.lose()
    bench.reconnect()
    #expect(!bench.sent().contains { $0.hasPrefix("ha/board") })
    bench.server.sessionPresent = false
    bench.lose()
    bench.reconnect()
    #expect(bench.sent().contains { $0.hasPrefix("ha/board") })
  }

  @Test("a description that is refused rests, and is tried again when the rest is over")
  func refused() {
    var bench = CoreBench(plan: Self.plan("a"))
    bench.server.refuses = ["ha/board": .notAuthorized]
    bench.connect()
    #expect(bench.noted.contains("rests"))
    bench.server.refuses = [:]
    bench.forget()
    bench.advance(by: .seconds(60))
    #expect(bench.sent().count { $0.hasPrefix("ha/board") } == 1)
    #expect(bench.noted.contains("takesAgain"))
  }

  @Test("who stops announces nothing")
  func stops() {
    var bench = CoreBench.connected(plan: Self.plan("a"))
    bench.server.ignores = ["a"]
    bench.level("a")
    bench.publish("ha/status", "online")
    bench.stop()
    bench.forget()
    bench.advance(by: .seconds(2))
    #expect(bench.sent() == [])
  }

  @Test("a reload that changes where Home Assistant says that it has started moves the subscription")
  func reload() {
    var bench = CoreBench.connected(plan: Self.plan("a"))
    bench.reload(
      .bench {
        $0.homeAssistant = HomeAssistantDevice(
          topic: "other/board", births: ["other/status"], head: [], shared: [],
          components: [HomeAssistantComponent("a", "sensor", HomeAssistantFields())])
      })
    let described = #"other/board {"cmps":{"a":{"p":"sensor"}}}"#
    #expect(bench.sent() == ["UNSUBSCRIBE ha/status", "SUBSCRIBE other/status", "ha/board -", described])
    bench.reload(.bench())
    #expect(bench.sent() == ["UNSUBSCRIBE other/status", "other/board -"])
  }

  @Test("between asking for an entity of another program and describing it, Home Assistant has 2 s to let it go")
  func handsOver() {
    let device = HomeAssistantDevice(
      topic: "ha/board", births: ["ha/status"], head: [], shared: [], components: [],
      handovers: ["a", "b"].map(Self.predecessor))
    var bench = CoreBench(plan: .bench { $0.homeAssistant = device })
    bench.connect()
    func announced() -> [String] { bench.sent().filter { $0.hasPrefix("ha/") } }
    let asked = ["a", "b"].map { #"ha/sensor/\#($0)/config {"migrate_discovery": true}"# }
    #expect(announced() == asked)
    bench.advance(by: .milliseconds(1999))
    #expect(announced() == [])
    bench.forget()
    bench.advance(by: .milliseconds(2))
    #expect(announced() == [#"ha/board {"cmps":{}}"#, "ha/sensor/a/config -", "ha/sensor/b/config -"])
    bench.advance(by: .seconds(5))
    #expect(bench.writes.flatMap(\.announcements).contains { $0.kind == .migrated })
    let tookOver = bench.notes.compactMap { note -> String? in
      guard case .tookOver(let name, let topic) = note else { return nil }
      return "\(name) from \(topic)"
    }
    #expect(tookOver == ["a from ha/sensor/a/config", "b from ha/sensor/b/config"])
    bench.forget()
    bench.lose()
    bench.reconnect()
    bench.advance(by: .seconds(5))
    #expect(!bench.noted.contains("tookOver"), "it is done once")
  }

  private static func predecessor(_ name: String) -> HomeAssistantDevice.Predecessor {
    HomeAssistantDevice.Predecessor(topic: TopicName(stringLiteral: "ha/sensor/\(name)/config"), name: name)
  }

  private static func handingOver(_ names: String...) -> DevicePlan {
    .bench {
      $0.homeAssistant = HomeAssistantDevice(
        topic: "ha/board", births: ["ha/status"], head: [], shared: [], components: [],
        handovers: names.map(Self.predecessor))
    }
  }

  private static let request = #" {"migrate_discovery": true}"#

  @Test("a request that is refused is made again when the rest of its topic is over, on the same connection")
  func asksAgain() {
    var bench = CoreBench(plan: Self.handingOver("a"))
    bench.server.refuses = ["ha/sensor/a/config": .notAuthorized]
    bench.connect()
    bench.advance(by: .seconds(10))
    #expect(bench.noted.contains("rests"))
    bench.server.refuses = [:]
    bench.forget()
    bench.advance(by: .seconds(60))
    let announced = bench.sent().filter { $0.hasPrefix("ha/") }
    #expect(
      announced == ["ha/sensor/a/config" + Self.request, #"ha/board {"cmps":{}}"#, "ha/sensor/a/config -"],
      "\(announced)")
  }

  @Test("a reload that names another topic to take over takes that entity over")
  func reloadHandsOver() {
    var bench = CoreBench.connected(plan: Self.handingOver())
    bench.advance(by: .seconds(5))
    bench.forget()
    bench.reload(Self.handingOver("a"))
    bench.advance(by: .seconds(3))
    let announced = bench.sent().filter { $0.hasPrefix("ha/") }
    #expect(
      announced == ["ha/sensor/a/config" + Self.request, #"ha/board {"cmps":{}}"#, "ha/sensor/a/config -"],
      "\(announced)")
  }

  @Test("Home Assistant has its 2 s for the requests that were taken, though the last one of all is not made")
  func handsOverBesideARest() {
    var bench = CoreBench(plan: Self.handingOver("a", "b"))
    bench.server.refuses = ["ha/sensor/b/config": .notAuthorized]
    bench.connect()
    bench.advance(by: .seconds(10))
    // The second topic rests by now, so the request for the first one is the only one.
    bench.reload(Self.handingOver("c", "b"))
    bench.forget()
    bench.advance(by: .milliseconds(1999))
    #expect(!bench.sent().contains { $0.hasPrefix("ha/board") })
    bench.advance(by: .milliseconds(2))
    let announced = bench.sent().filter { $0.hasPrefix("ha/") }
    #expect(announced == [#"ha/board {"cmps":{}}"#, "ha/sensor/c/config -"], "\(announced)")
  }
}
