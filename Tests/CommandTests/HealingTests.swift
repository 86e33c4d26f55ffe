import LimpetInstants
import MQTT
import MQTTCore
import NIOCore
import TestScene
import Testing

@Suite("The status stays right while others write to it, close on it or share it", .showsLogs, .timed)
struct HealingTests {
  private func publish(_ scene: Scene, _ broker: Mosquitto, _ payload: String) async throws {
    let outcome = try await scene.run(
      "mosquitto_pub",
      ["mosquitto_pub", "-p", "\(broker.port)", "-t", "limpet/board/status", "-m", payload, "-q", "1", "-r"])
    #expect(outcome.ending == .exited(0))
  }

  @Test("a wrong status is put right within a second or two, again after ten", arguments: ["5", "3.1.1"])
  func wrong(_ version: String) async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      var settings = scene.settings(broker)
      settings.version = version
      let agent = try scene.agent(settings)
      _ = try await subscriber.presence("birth")
      try await publish(scene, broker, "offline")
      try await agent.line("another client overwrote the status", within: .seconds(4))
      let first = ContinuousClock.now
      try await until("online again") { subscriber.records(of: "limpet/board/status").last?.payload == "online" }
      try await publish(scene, broker, "nonsense")
      try await until("online again", within: .seconds(14)) {
        let statuses = subscriber.records(of: "limpet/board/status").map(\.payload)
        return statuses.contains("nonsense") && statuses.last == "online"
      }
      #expect(ContinuousClock.now - first > .seconds(8), "not twice within ten seconds")
      #expect(try await scene.retained(by: broker)["limpet/board/status"]?.payload == "online")
    }
  }

  @Test("a broker that lets nobody read the status: said once, and everything else goes on")
  func refused() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker { packet, connection in
        guard case .subscribe(let subscribe) = packet else { return FakeBroker.obliging(packet, connection) }
        let codes = subscribe.subscriptions.map { _ in ReasonCode.notAuthorized }
        connection.send(.suback(SubscriptionAcknowledgement(subscribe.packetIdentifier, reasonCodes: codes)))
      }
      let agent = try scene.agent(scene.settings(port: broker.port))
      try await agent.line("self-heal unavailable: the broker does not let this device read its own status")
      let connection = try await broker.connection(1)
      try await until("readings go on") { connection.publishes("load").count > 5 }
      #expect(connection.closed == nil)
    }
  }

  @Test("a broker that closes on SUBSCRIBE is used without it after the second time")
  func closesOnSubscribe() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker { packet, connection in
        if case .subscribe = packet { connection.close() } else { FakeBroker.obliging(packet, connection) }
      }
      let agent = try scene.agent(scene.settings(port: broker.port))
      let third = try await broker.connection(3)
      try await until("readings go on") { third.publishes("load").count > 5 }
      try await agent.line("self-heal unavailable: the broker closes the connection on SUBSCRIBE")
      #expect(third.closed == nil)
    }
  }

  @Test("a reading that the broker closes on each time is set aside, and those after it arrive")
  func poison() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker { packet, connection in
        if case .publish(let publish) = packet, publish.message.isReading(3) {
          connection.close()
        } else {
          FakeBroker.obliging(packet, connection)
        }
      }
      let agent = try scene.agent(scene.settings(port: broker.port))
      try await agent.line("the broker closed the connection on a reading of limpet/board/load three times")
      try await agent.line("closes on us again and again, last packet sent: PUBLISH to limpet/board/")
      let arrived = { broker.connections.flatMap { $0.publishes("load") } }
      try await until("later readings") { arrived().contains { $0.message.isReading(20) } }
      let again = try await eventually("a connection without it") { broker.connections.last }
      #expect(!again.publishes("load").contains { $0.message.isReading(3) })
      #expect(broker.connections.count == 4)
      // One at a time while it was not known which one it is.
      #expect(broker.connections[2].publishes("load").allSatisfy { $0.message.isReading(3) })
    }
  }

  @Test(
    "two devices with one id: who finds out says so and waits minutes, the other stays, and neither ends",
    arguments: ["5", "3.1.1"])
  func twins(_ version: String) async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      var settings = scene.settings(broker)
      settings.version = version
      let first = try scene.agent(settings, name: "first")
      _ = try await subscriber.presence("birth")
      settings.storage = scene.folder + "/twin"
      let second = try scene.agent(settings, name: "second")
      try await until("one of them finds out") {
        [first, second].contains { $0.says("another device uses the client id board (instance ") }
      }
      let waits = try await eventually("one of them waits for minutes") {
        [first, second].compactMap { $0.log.first { $0.contains("uses this client id; next try in ") } }.first
      }
      #expect(waits.contains(" min") || waits.hasSuffix(" s"))
      // Whoever is left says that it is online, and nobody takes it from it.
      try await until("online") { subscriber.records(of: "limpet/board/status").last?.payload == "online" }
      let births = subscriber.records(of: "limpet/board/presence").count { $0.payload.contains("\"birth\"") }
      #expect(births <= 8, "they do not fight")
      #expect(first.process.ending == nil && second.process.ending == nil)
      #expect(try await first.end() == .exited(0))
      #expect(try await second.end() == .exited(0))
    }
  }
}

extension Message {
  fileprivate func isReading(_ sequence: Int) -> Bool {
    (try? Reading(json: String(buffer: payload)))?.seq == sequence && topic.description == "limpet/board/load"
  }
}
