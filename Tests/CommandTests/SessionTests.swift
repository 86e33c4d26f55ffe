import Foundation
import MQTT
import MQTTCore
import TestScene
import Testing

@Suite("An agent's MQTT session outlives its process", .showsLogs, .timed)
struct SessionTests {
  @Test(
    "readings under way when the agent is killed are sent again, with DUP and under their identifiers",
    arguments: [1, 2], ["5", "3.1.1"])
  func resumes(qos: Int, version: String) async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker { packet, connection in
        switch packet {
        case .connect:
          connection.send(.connack(ConnAck(sessionPresent: connection.number > 1, reasonCode: .success)))
        case .publish(let publish) where publish.message.topic.description.hasSuffix("/load") && connection.number == 1:
          break
        case .publish(let publish) where publish.message.qos == .exactlyOnce:
          guard let identifier = publish.packetIdentifier else { return }
          connection.send(.pubrec(Acknowledgement(identifier)))
        case .pubrel(let release): connection.send(.pubcomp(Acknowledgement(release.packetIdentifier)))
        default: FakeBroker.obliging(packet, connection)
        }
      }
      var settings = scene.settings(port: broker.port, version: version)
      settings.storage += ", sync: always"
      settings.lines.append("qos: \(qos)")
      let agent = try scene.agent(settings)
      let first = try await broker.connection(1)
      try await until("readings are under way") { first.publishes("load").count >= 6 }
      try await agent.end(SIGKILL)
      // The last of them may have been on its way to the disk.
      let sent = first.publishes("load").prefix(3)

      let next = try scene.agent(settings)
      let second = try await broker.connection(2)
      try await until("new readings are sent") {
        second.publishes("load").contains { !$0.duplicate }
      }
      let again = second.publishes("load").filter(\.duplicate)
      for publish in sent {
        var expected = publish
        expected.duplicate = true
        #expect(again.contains(expected))
      }
      #expect(
        again.map(\.packetIdentifier?.rawValue) == again.map(\.packetIdentifier?.rawValue).sorted { $0 ?? 0 < $1 ?? 0 })
      if qos == 2 { #expect(again.count >= first.publishes("load").count, "each was stored before it was sent") }
      let ending = try await next.end()
      #expect(ending == .exited(0))
      let third = try scene.agent(settings)
      let last = try await broker.connection(3)
      try await until("the third one sends") { last.publishes("load").count > 1 }
      #expect(!last.publishes("load").contains { $0.duplicate }, "all of it was acknowledged")
      try await third.end()
    }
  }

  @Test("QoS 2: no reading comes twice, however often the agent is killed", arguments: [Way.tcp5, .tcp311])
  func exactlyOnce(_ way: Way) async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      var settings = scene.settings(broker, way)
      settings.lines.append("qos: 2")
      settings.sensors = ["{name: load, type: system, value: load1, interval: 10ms}"]
      for round in 1...5 {
        let seen = try subscriber.readings("load").count
        let agent = try scene.agent(settings)
        try await subscriber.readings("load", atLeast: seen + 5 * round)
        try await agent.end(round < 5 ? SIGKILL : SIGTERM)
      }
      try await subscriber.status("offline", skipping: 9)
      let numbers = try subscriber.readings("load").map(\.seq)
      #expect(Set(numbers).count == numbers.count)
      // The runs begin at 1, 1001, 2001 ...; within each there is no gap.
      for run in Dictionary(grouping: numbers, by: { ($0 - 1) / 1000 }).values {
        #expect(run.sorted() == Array((run.min() ?? 0)...(run.max() ?? 0)))
      }
    }
  }

  @Test("a session that somebody else has taken over is not believed by the next process either")
  func takenOver() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker { packet, connection in
        switch packet {
        case .connect:
          connection.send(.connack(ConnAck(sessionPresent: connection.number == 2, reasonCode: .success)))
        case .publish(let publish) where connection.number == 1 && publish.message.topic.description.hasSuffix("/load"):
          connection.send(.disconnect(Disconnect(reasonCode: .sessionTakenOver)))
          connection.close()
        default: FakeBroker.obliging(packet, connection)
        }
      }
      let settings = scene.settings(port: broker.port)
      let agent = try scene.agent(settings)
      try await agent.line("uses this client id; next try in ")
      try await agent.end()
      let next = try scene.agent(settings)
      let second = try await broker.connection(2)
      try await until("it asks for the session") { second.connect?.cleanStart == false }
      let third = try await broker.connection(3)
      try await until("it begins a session anew") { third.connect?.cleanStart == true }
      try await until("what was under way is sent as new") {
        third.publishes("load").contains { !$0.duplicate }
      }
      #expect(second.publishes.isEmpty)
      try await next.end()
    }
  }

  @Test("another client id does not send what the one before it had under way; it says how many were set aside")
  func anotherIdentity() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker { packet, connection in
        if case .publish = packet, connection.number == 1 { return }
        FakeBroker.obliging(packet, connection)
      }
      var settings = scene.settings(port: broker.port)
      settings.storage += ", sync: always"
      settings.lines.append("qos: 2")
      settings.broker.append("client_id: old")
      let agent = try scene.agent(settings)
      let first = try await broker.connection(1)
      try await until("readings are under way") { first.publishes("load").count >= 3 }
      try await agent.end(SIGKILL)
      settings.broker[settings.broker.count - 1] = "client_id: new"
      let next = try scene.agent(settings)
      try await next.line("messages that were under way as")
      let second = try await broker.connection(2)
      try await until("new readings are sent") { second.publishes("load").count > 1 }
      #expect(!second.publishes("load").contains { $0.duplicate })
      #expect(second.connect?.clientIdentifier == "new")
      try await next.end()
    }
  }
}
