import LimpetInstants
import MQTTCore
import NIOCore
import Plan
import Readings
import Testing

@testable import Core

@Suite struct CommandingTests {
  func bench(queued isObeyed: Bool = false, heartbeat: TopicFilter? = nil) -> CoreBench {
    CoreBench(plan: plan(queued: isObeyed, heartbeats: heartbeat.map { [$0] } ?? []))
  }

  /// - Parameter heartbeats: the pump's comes first.
  func plan(queued isObeyed: Bool = false, heartbeats: [TopicFilter]) -> DevicePlan {
    var plan = DevicePlan.bench()
    plan.streams.append(
      Stream(name: "pump", topic: "limpet/d/pump", qos: .atLeastOnce, isRetained: true, format: .json))
    plan.outbox.keepsLatest.append(false)
    plan.outputs = [
      OutputScene.plan("pump", stream: StreamID(plan.streams.count - 1)) {
        $0.obeysQueued = isObeyed
        if let heartbeat = heartbeats.first {
          $0.lost = .init(after: .seconds(60), isOn: false, heartbeat: heartbeat.description)
        }
      }
    ]
    plan.commands = CommandsPlan(
      filters: [TopicFilter("limpet/d/+/set")], heartbeats: heartbeats, fence: "limpet/d/fence/set",
      names: ["limpet/d/pump/set": "pump"],
      ownPrefixes: ["limpet/d/"])
    return plan
  }

  func command(
    _ text: String, _ identifier: UInt16, retain: Bool = false, duplicate: Bool = false, topic: String = "pump",
    response: String? = nil, qos: QoS = .atLeastOnce
  ) throws -> Packet {
    var properties = Properties()
    properties.responseTopic = response
    if response != nil { properties.correlationData = ByteBuffer(string: "c\(identifier)") }
    let message = Message(
      topic: try TopicName("limpet/d/\(topic)/set"), payload: ByteBuffer(string: text), qos: qos, retain: retain,
      properties: properties)
    return .publish(
      Publish(message, packetIdentifier: PacketIdentifier(rawValue: identifier), duplicate: duplicate))
  }

  @Test("on a new session commands are live from SUBACK, and acknowledged when the line has the level")
  func live() throws {
    var bench = bench()
    bench.connect()
    bench.receive(try command("on", 100, response: "house/answers"))
    #expect(bench.isDriven == [true])
    #expect(bench.acknowledged == [100])
    #expect(bench.answers.last == #"house/answers {"ok":true,"value":true}"#)
  }

  @Test("a command of QoS 2 is acknowledged once it is decided, whatever the store does, and costs it no write")
  func exactlyOnce() throws {
    var bench = bench()
    bench.connect()
    bench.store.manner = .held
    bench.forget()
    let answer = Acknowledgement(try #require(PacketIdentifier(rawValue: 100)))
    bench.receive(try command("on", 100, qos: .exactlyOnce))
    #expect(bench.isDriven == [true])
    #expect(bench.packets.map(\.packet).contains(.pubrec(answer)))
    bench.receive(.pubrel(answer))
    #expect(bench.packets.map(\.packet).contains(.pubcomp(answer)))
    #expect(!bench.writes.contains { !$0.session.isEmpty })
  }

  @Test("on a session that goes on everything waits for the agent's own word, and is refused before it")
  func fenced() throws {
    var bench = bench()
    bench.connect()
    bench.lose()
    bench.server.sessionPresent = true
    bench.reconnect()
    bench.receive(try command("on", 100, response: "house/answers"))
    #expect(bench.isDriven.isEmpty)
    #expect(bench.acknowledged == [100])
    #expect(bench.answers.last?.contains(#""ok":false"#) == true)
    let nonce = try #require(bench.nonce)
    bench.receive(try command(nonce, 101, topic: "fence"))
    bench.receive(try command("on", 102))
    #expect(bench.isDriven == [true])
  }

  @Test("with obey a level that waited is obeyed, and a toggle is not")
  func obeys() throws {
    var bench = bench(queued: true)
    bench.connect()
    bench.lose()
    bench.server.sessionPresent = true
    bench.reconnect()
    bench.receive(try command("toggle", 100))
    #expect(bench.isDriven.isEmpty)
    bench.receive(try command("on", 101))
    #expect(bench.isDriven == [true])
  }

  @Test("a retained command, one sent twice, and another device's word are not obeyed")
  func refuses() throws {
    var bench = bench()
    bench.connect()
    bench.receive(try command("on", 100, retain: true, response: "house/answers"))
    #expect(bench.answers.last?.contains("retained") == true)
    bench.receive(try command("on", 101, duplicate: true))
    #expect(bench.isDriven.isEmpty)
    #expect(bench.acknowledged == [100, 101])
  }

  @Test("a command for a name that no output has is refused, answered and counted; one that asks for nothing is not")
  func unknownName() throws {
    var bench = bench()
    bench.connect()
    bench.receive(try command("on", 100, topic: "pmup", response: "house/answers"))
    #expect(bench.answers.last == #"house/answers {"ok":false,"error":"there is no output \"pmup\"","value":null}"#)
    bench.receive(try command("", 101, topic: "pmup", response: "house/answers"))
    bench.receive(try command("nonsense", 102, topic: "pmup"))
    #expect(bench.acknowledged == [100, 101, 102])
    #expect(bench.core.conversation.acting.outputs.refusals.filter { $0.value > 0 } == ["unknown_output": 2])
  }

  @Test("what is no command over the control socket is refused as any other: counted, and the state told again")
  func malformedHere() throws {
    var bench = bench()
    bench.connect()
    bench.handle(.commanded("pump", .failure(Command.Flaw(text: "it is nonsense")), 7))
    bench.advance(by: .seconds(2))
    #expect(
      bench.orders.contains {
        if case .answer(7, .refused("it is nonsense", .flag(false), nil)) = $0 { true } else { false }
      })
    #expect(bench.core.conversation.acting.outputs.refusals.filter { $0.value > 0 } == ["malformed": 1])
    let states = bench.packets.compactMap { $0.packet.message }.filter { "\($0.topic)" == "limpet/d/pump" }
    #expect(states.count == 2)
  }

  @Test("with obey a command that the broker sends again to a new process is refused where it has an id")
  func redelivered() throws {
    var bench = bench(queued: true)
    bench.connect()
    bench.receive(try command(#"{"value":"on","id":"1"}"#, 100, duplicate: true, response: "house/answers"))
    #expect(bench.isDriven.isEmpty)
    #expect(bench.answers.last?.contains("another id") == true)
    bench.receive(try command(#"{"value":"on","id":"2"}"#, 101))
    bench.receive(try command(#"{"value":"on","id":"2"}"#, 102, duplicate: true, response: "house/answers"))
    #expect(bench.answers.last == #"house/answers {"ok":true,"value":true}"#)
    #expect(bench.isDriven == [true])
  }

  @Test("without its own word in 10 s nothing is obeyed, and the log says so")
  func noFence() throws {
    var bench = bench(queued: true)
    bench.connect()
    bench.lose()
    bench.server.sessionPresent = true
    bench.reconnect()
    bench.advance(by: .seconds(11))
    bench.receive(try command("on", 100, response: "house/answers"))
    #expect(bench.isDriven.isEmpty)
    #expect(bench.answers.last?.contains("own message") == true)
  }

  @Test("its own word is sent again each minute, and commands are obeyed once it is back", arguments: [false, true])
  func fenceIsTriedAgain(isSuspended: Bool) throws {
    var bench = bench(queued: true)
    bench.connect()
    bench.lose()
    bench.server.sessionPresent = true
    bench.reconnect()
    let first = try #require(bench.nonce)
    bench.advance(by: .seconds(11))
    bench.advance(by: .seconds(60))
    let second = try #require(bench.nonce)
    #expect(second != first)
    bench.receive(try command("on", 100))
    bench.receive(try command(first, 101, topic: "fence"))
    bench.receive(try command("on", 102))
    #expect(bench.isDriven.isEmpty)
    if isSuspended {
      // What waits in the socket comes behind it.
      bench.slept += .seconds(30)
      bench.now = bench.now + .seconds(30)
      bench.handle(.tick)
    }
    bench.receive(try command(second, 103, topic: "fence"))
    bench.receive(try command("on", 104))
    #expect(bench.isDriven.isEmpty == isSuspended)
    #expect(bench.noted.count { $0 == "commandsRefused" } == 1)
    guard isSuspended else { return }
    bench.advance(by: .seconds(60))
    bench.receive(try command(try #require(bench.nonce), 105, topic: "fence"))
    bench.receive(try command("on", 106))
    #expect(bench.isDriven == [true])
  }

  @Test("after a suspend, or a stall of more than 5 s, the agent wants its own word again")
  func stands() throws {
    var bench = bench()
    bench.connect()
    bench.slept += .seconds(30)
    bench.now = bench.now + .seconds(30)
    bench.handle(.tick)
    bench.receive(try command("on", 100))
    #expect(bench.isDriven.isEmpty)
    bench.receive(try command(try #require(bench.nonce), 101, topic: "fence"))
    bench.receive(try command("on", 102))
    #expect(bench.isDriven == [true])
  }

  @Test("a stall is seen though nothing was due: while it obeys the agent wants to be called every few seconds")
  func stalls() throws {
    var bench = bench()
    bench.connect()
    let due = try #require(bench.core.deadline)
    #expect(due <= bench.now + .milliseconds(2500))
    bench.now = bench.now + .milliseconds(5001)
    bench.handle(.tick)
    bench.receive(try command("on", 100))
    #expect(bench.isDriven.isEmpty)
    #expect(bench.report.commandsRefusal?.contains("may be an old one") == true)
  }

  @Test("a heartbeat counts while commands are not obeyed")
  func heartbeat() throws {
    var bench = bench(heartbeat: "house/alive")
    bench.connect()
    bench.lose()
    bench.server.sessionPresent = true
    bench.reconnect()
    bench.advance(by: .seconds(55))
    let alive = Message(topic: "house/alive", payload: ByteBuffer(), qos: .atMostOnce)
    bench.receive(.publish(Publish(alive)))
    bench.advance(by: .seconds(10))
    #expect(bench.core.conversation.acting.outputs.entries[0]?.output.isLost == false)
    bench.advance(by: .seconds(55))
    #expect(bench.core.conversation.acting.outputs.entries[0]?.output.isLost == true)
  }

  @Test("a broker that does not let it hear its controller lets it hear commands all the same")
  func deniedHeartbeat() throws {
    var bench = bench(heartbeat: "house/alive")
    bench.server.deniedFilters = ["house/alive"]
    bench.connect()
    #expect(bench.noted.contains("heartbeatsRefused"))
    bench.receive(try command("on", 100))
    #expect(bench.isDriven == [true])
  }

  @Test("a reload asks for heartbeats that are new, and gives back those that left: others are heard, or rest")
  func otherHeartbeats() throws {
    var bench = bench(heartbeat: "house/alive")
    bench.server.deniedFilters = ["house/alive"]
    bench.connect()
    bench.server.deniedFilters = []
    bench.server.subscribed = []
    bench.forget()
    bench.reload(plan(heartbeats: ["house/alive", "yard/alive"]))
    #expect(bench.server.subscribed == ["yard/alive"])
    bench.reload(plan(heartbeats: ["yard/alive", "house/alive"]))
    #expect(bench.server.subscribed == ["yard/alive"])
    #expect(bench.packets.count { if case .unsubscribe = $0.packet { true } else { false } } == 0)
    bench.advance(by: .seconds(58))
    #expect(bench.server.subscribed == ["yard/alive"], "what was refused rests")
    bench.server.subscribed = []
    bench.advance(by: .seconds(3))
    #expect(bench.server.subscribed == ["house/alive"], "and is asked for alone")
    bench.forget()
    bench.reload(plan(heartbeats: ["house/alive"]))
    #expect(bench.packets.count { if case .unsubscribe = $0.packet { true } else { false } } == 1)
    bench.server.subscribed = []
    bench.advance(by: .seconds(7200))
    #expect(bench.server.subscribed.isEmpty)
  }

  @Test("a rival stops the time of `lost` from beginning anew, and nothing that came before it is forgotten")
  func lossWithRival() {
    var plan = plan(heartbeats: [])
    plan.outputs[0].rules.lost = .init(after: .seconds(60), isOn: false)
    plan.commands = nil
    var bench = CoreBench(plan: plan)
    bench.connect()
    bench.advance(by: .seconds(70))
    bench.publish("status", "online", instance: "other")
    #expect(bench.noted.contains("rival"))
    bench.advance(by: .seconds(59))
    #expect(bench.core.conversation.acting.outputs.entries[0]?.output.isLost == false)
    bench.advance(by: .seconds(2))
    #expect(bench.core.conversation.acting.outputs.entries[0]?.output.isLost == true)
  }

  @Test("a broker that refuses commands and a heartbeat for now is asked again, ever more seldom")
  func deniedForNow() throws {
    var bench = bench(heartbeat: "house/alive")
    bench.server.deniedFilters = ["limpet/d/+/set", "house/alive"]
    bench.connect()
    #expect(bench.noted.filter { $0 == "commandsRefused" }.count == 1)
    bench.receive(try command("on", 100))
    #expect(bench.isDriven.isEmpty)
    bench.advance(by: .seconds(61))
    #expect(bench.noted.filter { $0 == "commandsRefused" }.count == 2)
    bench.server.deniedFilters = []
    bench.advance(by: .seconds(470))
    bench.server.subscribed = []
    for _ in 0..<15 where bench.server.subscribed.isEmpty { bench.advance(by: .seconds(1)) }
    #expect(bench.server.subscribed == ["limpet/d/+/set", "house/alive"])
    // Nothing was heard of the controller for so long.
    bench.receive(.publish(Publish(Message(topic: "house/alive", payload: ByteBuffer(), qos: .atMostOnce))))
    bench.receive(try command(try #require(bench.nonce), 101, topic: "fence"))
    bench.receive(try command("on", 102))
    #expect(bench.isDriven.last == true)
    bench.server.subscribed = []
    bench.advance(by: .seconds(7200))
    #expect(bench.server.subscribed.isEmpty, "what is granted is not asked for again")
  }

  @Test("a loss is over with the connection, before the first command")
  func returns() throws {
    var plan = bench().core.plan
    plan.outputs[0].rules.lost = .init(after: .seconds(60), isOn: false)
    var bench = CoreBench(plan: plan)
    bench.connect()
    bench.server.isReachable = false
    bench.lose()
    bench.advance(by: .seconds(61))
    #expect(bench.core.conversation.acting.outputs.entries[0]?.output.isLost == true)
    bench.server.isReachable = true
    bench.reconnect()
    #expect(bench.core.conversation.acting.outputs.entries[0]?.output.isLost == false)
  }

  @Test("an end waits until outputs have what they are left with, and not for ever")
  func ends() throws {
    for isAnswered in [true, false] {
      var bench = bench()
      bench.connect()
      bench.receive(try command("on", 100))
      bench.drivesOutputs = false
      bench.handle(.asked(.abort))
      bench.advance(by: .seconds(4))
      #expect(bench.exit == nil)
      guard isAnswered else {
        bench.advance(by: .seconds(1))
        #expect(bench.exit == false)
        #expect(bench.noted.contains("outputsDoNotAnswer"))
        continue
      }
      bench.handle(
        .driven([
          DriverReport(
            output: OutputID(place: 0), content: .driven(number: 2, readBack: nil), time: bench.now)
        ]))
      #expect(bench.exit == false)
      #expect(!bench.noted.contains("outputsDoNotAnswer"))
    }
  }
}
