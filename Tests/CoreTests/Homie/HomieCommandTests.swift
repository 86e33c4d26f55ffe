import Discovery
import LimpetInstants
import MQTTCore
import NIOCore
import Plan
import Readings
import Testing

@testable import Core

/// Commands on the Homie device's own connection.
struct HomieCommandTests {
  private func bench(isPressed: Bool = false, _ rules: (inout OutputRules) -> Void = { _ in }) -> CoreBench {
    var plan = DevicePlan.bench()
    plan.streams.append(
      Stream(name: "pump", topic: "limpet/d/pump", qos: .atLeastOnce, isRetained: true, format: .json))
    plan.outbox.keepsLatest.append(false)
    plan.outputs = [OutputScene.plan("pump", stream: StreamID(plan.streams.count - 1), rules)]
    var property = HomieDevice.Property(id: "value", title: "Pump", datatype: .boolean)
    if isPressed {
      property = HomieDevice.Property(id: "value", title: "Pump", datatype: .enum, format: "press", isRetained: false)
    }
    (property.isSettable, property.hasTarget) = (true, !isPressed)
    let homie = DevicePlan.homie()
    plan.homie = HomiePlan(
      device: HomieDevice(
        base: "homie/5/board", name: "board",
        nodes: [HomieDevice.Node(name: "pump", id: "pump", title: "Pump", properties: [property])]),
      link: homie.link, connect: homie.connect)
    return CoreBench(plan: plan)
  }

  private func command(
    _ text: String, _ identifier: UInt16, retain: Bool = false, duplicate: Bool = false, topic: String = "pump/value",
    expiry: UInt32? = nil
  ) throws -> Packet {
    var properties = Properties()
    properties.messageExpiryInterval = expiry
    let message = Message(
      topic: try TopicName("homie/5/board/\(topic)/set"), payload: ByteBuffer(string: text), qos: .atLeastOnce,
      retain: retain, properties: properties)
    return .publish(
      Publish(message, packetIdentifier: PacketIdentifier(rawValue: identifier), duplicate: duplicate))
  }

  private func homie(_ bench: inout CoreBench) -> [String] {
    bench.sent().filter { $0.hasPrefix("homie ") }.map {
      String($0.dropFirst(6)).replacing("homie/5/board/", with: "")
    }
  }

  @Test("it is obeyed from SUBACK on, acknowledged, and the target is told before the value")
  func live() throws {
    var bench = bench()
    bench.connect()
    let first = homie(&bench)
    #expect(first.contains("SUBSCRIBE +/+/set"))
    #expect(first.filter { $0.hasPrefix("pump/") } == ["pump/value/$target false", "pump/value false"])
    bench.receive(try command("true", 100), on: .homie)
    #expect(bench.isDriven == [true])
    #expect(bench.acknowledged == [100])
    #expect(homie(&bench) == ["pump/value/$target true", "pump/value true"])
  }

  @Test("it is acknowledged when the line has the level, after a reload too")
  func acknowledgedAfterReload() throws {
    var bench = bench()
    bench.connect()
    bench.reload(bench.core.plan, changesAttempts: true)
    bench.drivesOutputs = false
    bench.receive(try command("true", 100), on: .homie)
    #expect(bench.isDriven == [true])
    #expect(bench.acknowledged == [])
  }

  @Test("what waits for its time is the target, and the value is what there is until then")
  func pending() throws {
    var bench = bench { $0.minOn = .seconds(5) }
    bench.connect()
    bench.receive(try command("true", 100), on: .homie)
    _ = homie(&bench)
    bench.receive(try command("false", 101), on: .homie)
    #expect(bench.acknowledged == [101])
    #expect(homie(&bench) == ["pump/value/$target false"])
    bench.advance(by: .seconds(6))
    #expect(homie(&bench) == ["pump/value false"])
  }

  @Test("what is refused is never a target, and the value is told again")
  func refuses() throws {
    var bench = bench()
    bench.connect()
    _ = homie(&bench)
    bench.receive(try command("true", 100, retain: true), on: .homie)
    bench.receive(try command("true", 101, duplicate: true), on: .homie)
    bench.receive(try command("ON", 102), on: .homie)
    bench.receive(try command("true", 103, topic: "other/value"), on: .homie)
    bench.receive(try command("", 104), on: .homie)
    #expect(bench.isDriven.isEmpty)
    #expect(bench.acknowledged == [100, 101, 102, 103, 104])
    let told = homie(&bench)
    #expect(told.contains("pump/value false") && !told.contains { $0.contains("$target") }, "\(told)")
  }

  @Test("a refused command leaves the target as it was accepted, byte for byte")
  func keepsTarget() throws {
    var property = HomieDevice.Property(id: "value", title: "Strip", datatype: .float)
    (property.isSettable, property.hasTarget) = (true, true)
    let device = HomieDevice(
      base: "homie/5/board", name: "board",
      nodes: [HomieDevice.Node(name: "strip", id: "strip", title: "Strip", properties: [property])])
    var lifecycle = try HomieLifecycle(device, removed: [])
    lifecycle.connected()
    lifecycle.readingsAreLate()
    func told() -> [String] {
      var told: [String] = []
      while let publication = lifecycle.next() {
        let topic = "\(publication.message.topic)".replacing("homie/5/board/strip/", with: "")
        if topic.hasPrefix("value") { told.append("\(topic) \(String(buffer: publication.message.payload))") }
        _ = lifecycle.settled(publication.token, isDelivered: true)
      }
      return told
    }
    _ = told()
    lifecycle.accept(ByteBuffer(string: "5e1"), .number(50), of: 0)
    lifecycle.target(.number(50), of: 0)
    lifecycle.take(.good(.number(50)), of: 0)
    #expect(told() == ["value/$target 5e1", "value 50"])
    lifecycle.refuse(0)
    lifecycle.target(.number(50), of: 0)
    #expect(told() == ["value 50"])
  }

  @Test("what is pressed is an event once: a refused command meanwhile is none")
  func pressedOnce() throws {
    var bench = bench(isPressed: true) { $0.pulse = .seconds(10) }
    bench.connect()
    bench.advance(by: .seconds(6))
    _ = homie(&bench)
    bench.receive(try command("press", 100), on: .homie)
    bench.receive(try command("pull", 101), on: .homie)
    bench.advance(by: .seconds(2))
    #expect(homie(&bench).filter { $0 == "pump/value press" }.count == 1)
    bench.advance(by: .seconds(10))
    bench.receive(try command("press", 102), on: .homie)
    bench.advance(by: .seconds(1))
    #expect(homie(&bench).filter { $0 == "pump/value press" }.count == 1)
  }

  @Test("a command that waits for its time expires as its message says")
  func expires() throws {
    var bench = bench {
      $0.interlock = ["drain"]
      $0.deadTime = .seconds(5)
    }
    var plan = bench.core.plan
    plan.streams.append(
      Stream(name: "drain", topic: "limpet/d/drain", qos: .atLeastOnce, isRetained: true, format: .json))
    plan.outbox.keepsLatest.append(false)
    plan.outputs.append(OutputScene.plan("drain", stream: StreamID(plan.streams.count - 1)))
    bench = CoreBench(plan: plan)
    bench.connect()
    bench.handle(.commanded("drain", .success(Command(.on)), 1))
    bench.handle(.commanded("drain", .success(Command(.off)), 2))
    let before = bench.isDriven
    bench.receive(try command("true", 100, expiry: 2), on: .homie)
    bench.advance(by: .seconds(10))
    #expect(bench.isDriven == before)
  }

  @Test("after a suspend this connection wants its own word again too")
  func stands() throws {
    var bench = bench()
    bench.connect()
    bench.slept += .seconds(30)
    bench.now = bench.now + .seconds(30)
    bench.handle(.tick)
    bench.receive(try command("true", 100), on: .homie)
    #expect(bench.isDriven.isEmpty)
    let fence = bench.packets.compactMap { $0.packet.message }.last { "\($0.topic)" == "homie/5/board/fence/value/set" }
    let nonce = String(buffer: try #require(fence).payload)
    bench.receive(try command(nonce, 101, topic: "fence/value"), on: .homie)
    bench.receive(try command("true", 102), on: .homie)
    #expect(bench.isDriven == [true])
  }

  @Test("a new connection has nothing of the old one to obey")
  func reconnects() throws {
    var bench = bench()
    bench.connect()
    bench.lose(.homie)
    _ = homie(&bench)
    bench.advance(by: .seconds(5))
    #expect(homie(&bench).contains("SUBSCRIBE +/+/set"))
    bench.receive(try command("true", 100), on: .homie)
    #expect(bench.isDriven == [true])
  }
}
