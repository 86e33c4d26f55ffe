import MQTTCore
import NIOCore
import Outbox
import Plan
import Readings
import Records
import Testing

@testable import Core
@testable import LimpetInstants

/// The one order in which all that waits takes its place in the send window.
struct SenderTests {
  private static func message(_ token: UInt64, _ topic: TopicName) -> StoredMessage {
    StoredMessage(
      token: token, state: .queued,
      message: Message(topic: topic, payload: ByteBuffer(string: #"{"seq":\#(token)}"#), qos: .atLeastOnce))
  }

  @Test("presence, announcements, what an earlier process left, clearings, retained readings, fresh ones, the backlog")
  func order() {
    // The broker has had a reading of `r`, retained, from this process, and loses it with its session.
    var plan = DevicePlan.bench(["a", "b", "r"], retained: ["r"])
    plan.homeAssistant = DevicePlan.homeAssistant("a")
    var bench = CoreBench.connected(plan: plan) {
      $0.session.owner = SessionOwner(server: "\(DevicePlan.server("a"))", clientIdentifier: "board")
    }
    bench.level("r")
    bench.server.isReachable = false
    bench.lose()
    bench.level("a", times: 2)
    bench.core.conversation.clear(["gone"])
    bench.core.conversation.sender.leftOver.append(Self.message(3, "earlier"))
    bench.server.isReachable = true
    bench.server.connack = nil
    bench.forget()
    var passed = 0
    while bench.open[.agent] == nil, passed < 300 {
      bench.advance(by: .seconds(1))
      passed += 1
    }
    bench.receive(.connack(ConnAck(sessionPresent: false, reasonCode: .success)))
    #expect(
      bench.sent() == [
        "CONNECT", "SUBSCRIBE status presence", "status online", "presence birth", "SUBSCRIBE homeassistant/status",
        #"homeassistant/device/board/config {"cmps":{"a":{"p":"sensor"}}}"#, "earlier#3", "gone -", "r#1", "a#1", "a#2",
      ])
  }

  @Test("readings that rest are no stall and keep no stop waiting, those of an earlier process neither")
  func restsInPeace() {
    var bench = CoreBench(plan: .bench(["a"])) {
      $0.watchdogInterval = .seconds(15)
      $0.session.owner = SessionOwner(server: "\(DevicePlan.server("a"))", clientIdentifier: "board")
      $0.session.messages = [Self.message(21, "a"), Self.message(22, "a")]
    }
    bench.server.sessionPresent = true
    bench.server.properties.receiveMaximum = 2
    bench.server.refuses = ["a": .notAuthorized]
    bench.connect()
    bench.level("a", times: 3)
    bench.forget()
    for _ in 0..<11 {
      bench.advance(by: .seconds(5))
      bench.handle(.looked(gpioTurns: nil, isKernelStuck: false))
    }
    #expect(bench.sent() == [] && bench.core.unsent > 0)
    #expect(!bench.noted.contains("stalls"))
    bench.stop()
    #expect(bench.exit == true)
  }

  @Test("what was under way goes first, and again; what an earlier process had not sent follows as new")
  func earlierProcess() {
    var bench = CoreBench {
      $0.session.owner = SessionOwner(server: "\(DevicePlan.server("a"))", clientIdentifier: "board")
      var sent = Self.message(20, "x")
      sent.state = .published(.first)
      $0.session.messages = [sent, Self.message(21, "y"), Self.message(22, "z")]
      $0.session.nextIdentifier = PacketIdentifier.first.next
    }
    bench.server.sessionPresent = true
    #expect(bench.core.unsent == 3)
    bench.connect()
    bench.level("a")
    #expect(
      bench.sent() == [
        "CONNECT", "again x#20", "SUBSCRIBE status presence", "status online", "presence birth", "y#21", "z#22", "a#1",
      ])
    #expect(bench.core.unsent == 0)
    // Tokens of readings go on behind what was stored.
    bench.server.acknowledges = false
    bench.level("a")
    bench.advance(by: .seconds(3))
    let tokens = bench.writes.flatMap(\.session).compactMap { change -> UInt64? in
      if case .message(let message, _) = change { message.token } else { nil }
    }
    #expect(tokens.allSatisfy { $0 > 22 } && !tokens.isEmpty)
  }

  @Test("fresh readings pass a backlog, which goes out as fast as the rate allows")
  func backlog() {
    var bench = CoreBench.connected(plan: .bench { $0.outbox.drainRate = 10 })
    bench.server.isReachable = false
    bench.lose()
    bench.level("a", times: 50)
    bench.server.isReachable = true
    bench.reconnect()
    let sent = bench.readings().count
    #expect(sent < 15)
    bench.level("b")
    #expect(bench.readings() == ["b#1"])
    bench.advance(by: .seconds(1))
    #expect((8...12).contains(bench.readings().count))
    bench.advance(by: .seconds(10))
    #expect(bench.core.unsent == 0)
  }

  @Test("a backlog that this process finds on the disk is read page by page and sent in order")
  func storedBacklog() {
    var first = CoreBench(plan: .bench())
    first.server.isReachable = false
    first.connect()
    first.level("a", times: 300)
    first.advance(by: .seconds(30))
    #expect(first.store.rows.count == 300)

    var section = OutboxSection(first: 16)
    var sections: [OutboxSection] = []
    for row in first.store.rows.values.sorted(by: { $0.token < $1.token }) {
      if section.isFull {
        sections.append(section)
        section = OutboxSection(first: row.token)
      }
      section.append(row.token, stream: row.stream, bytes: StoredReading.size(ofData: row.data.count))
    }
    sections.append(section)
    var bench = CoreBench(numbers: ["a": StoredSequence(next: 1000, exact: false)]) {
      $0.outbox?.sections = sections
    }
    bench.store.rows = first.store.rows
    bench.connect()
    bench.advance(by: .seconds(5))
    bench.level("a")
    #expect(bench.readings() == (1...300).map { "a#\($0)" } + ["a#1000"])
    bench.advance(by: .seconds(5))
    #expect(bench.store.rows.isEmpty)
  }

  @Test("a window that is full holds readings back, and each acknowledgement makes room for one")
  func window() {
    var bench = CoreBench()
    bench.server.properties.receiveMaximum = 4
    bench.connect()
    bench.server.ignores = ["a"]
    bench.forget()
    bench.level("a", times: 6)
    #expect(bench.readings() == ["a#1", "a#2", "a#3"])
    bench.acknowledgeOne()
    #expect(bench.readings() == ["a#4"])
  }

  @Test("a transport that takes no more bytes holds readings back until it does")
  func unwritable() {
    var bench = CoreBench.connected()
    let attempt = bench.attempts[.agent] ?? 0
    bench.handle(.link(.agent, .writable(attempt, false)))
    bench.level("a", times: 2)
    bench.advance(by: .seconds(5))
    let held = bench.readings()
    bench.handle(.link(.agent, .writable(attempt, true)))
    #expect(held == [])
    #expect(bench.readings() == ["a#1", "a#2"])
  }

  @Test("at QoS 0 no acknowledgement brings the next turn: all that waits goes all the same, in bursts")
  func unacknowledged() {
    let plan = DevicePlan.bench {
      $0.qos = .atMostOnce
      $0.streams[0] = Stream(name: "a", topic: "a", qos: .atMostOnce, isRetained: false, format: .json)
    }
    var bench = CoreBench.connected(plan: plan)
    bench.server.properties.receiveMaximum = 1
    bench.server.isReachable = false
    bench.lose()
    bench.level("a", times: 250)
    bench.server.isReachable = true
    bench.reconnect()
    bench.advance(by: .seconds(1))
    #expect(bench.readings().count == 250)
  }

  @Test("a connection that is cut takes nothing more: at QoS 0 it would be lost, and count as delivered")
  func cut() {
    let plan = DevicePlan.bench {
      $0.qos = .atMostOnce
      $0.streams[0] = Stream(name: "a", topic: "a", qos: .atMostOnce, isRetained: false, format: .json)
    }
    var bench = CoreBench.connected(plan: plan)
    bench.handle(.networkChanged([]))
    let report = LineReport(line: LineID(place: 0), content: .level(true), time: bench.now)
    bench.now += .milliseconds(300)
    bench.handle(.tick, .lines([report], isFinished: false))
    #expect(bench.sent() == ["cut"])
    bench.reconnect()
    #expect(bench.readings() == ["a#1"])
  }

  @Test("with an expiry what is too old is not sent, and what is sent says how long it is worth something")
  func expiry() {
    var bench = CoreBench.connected(plan: .bench { $0.outbox.expiry = .seconds(60) })
    bench.server.isReachable = false
    bench.lose()
    bench.level("a")
    bench.advance(by: .seconds(40))
    bench.level("a")
    bench.advance(by: .seconds(30))
    bench.server.isReachable = true
    bench.reconnect()
    let messages = bench.packets.compactMap(\.packet.message).filter { $0.topic == "a" }
    #expect(messages.map(\.line) == ["a#2"])
    #expect(messages.first?.properties.messageExpiryInterval.map { $0 < 60 && $0 > 0 } == true)
    #expect(bench.report.buffer.readings == 0)
  }

  @Test("a broker with a new session gets the retained readings again, byte for byte, but for what is newer")
  func retained() {
    var bench = CoreBench.connected(plan: .bench(["r", "s", "t"], retained: ["r", "s"]))
    for name in ["r", "s", "t"] { bench.level(name) }
    let before = bench.packets.compactMap(\.packet.message)
    bench.server.isReachable = false
    bench.lose()
    bench.level("s")
    bench.server.isReachable = true
    bench.forget()
    bench.reconnect()
    #expect(bench.readings() == ["r#1", "s#2"])
    #expect(bench.figure("restored_retained") == .count(1))
    bench.server.sessionPresent = true
    bench.lose()
    bench.reconnect()
    let again = bench.packets.compactMap(\.packet.message).filter { $0.topic == "r" }
    #expect(again == [] && before.contains { $0.topic == "r" && $0.retain })
    #expect(bench.readings() == [], "the session is there")
  }

  @Test("topics to be forgotten are stored, cleared one at a time, and removed from the store")
  func clearings() {
    var bench = CoreBench { $0.outbox?.clearings = ["old"] }
    bench.connect()
    #expect(bench.sent().contains("old -"))
    bench.server.ignores = ["a", "b"]
    bench.reload(.bench(["c"]))
    #expect(bench.sent() == [])
    var retained = CoreBench.connected(plan: .bench(retained: ["a", "b"]))
    retained.server.ignores = ["a"]
    retained.reload(.bench(["c"]))
    #expect(retained.store.clearings == ["a", "b"])
    #expect(retained.sent() == ["a -"])
    retained.acknowledge()
    retained.server.ignores = []
    retained.advance(by: .seconds(2))
    #expect(retained.sent() == ["b -"])
    retained.level("c")
    retained.advance(by: .seconds(60))
    #expect(retained.store.clearings == [])
    #expect(retained.figure("cleared_readings") == .count(2))
  }

  @Test("a message that this server does not take is given up and said so; those behind it go on")
  func rejected() {
    var bench = CoreBench()
    bench.server.properties.maximumPacketSize = 60
    bench.connect()
    bench.forget()
    bench.level("a")
    #expect(bench.noted == ["readingGivenUp"])
    #expect(bench.core.unsent == 0)
  }
}
