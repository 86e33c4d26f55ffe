import Foundation
import MQTT
import MQTTCore
import NIOCore
import TestScene
import Testing

@Suite("A reload leaves no online behind", .showsLogs, .timed)
struct FarewellTests {
  private func reload(_ scene: Scene, _ settings: Settings) async throws {
    let file = try scene.write(settings.text, to: "agent.yaml")
    #expect(try await scene.limpet("reload", "--config", file).ending == .exited(0))
  }

  @Test("a broker that hangs with a full window says offline by the will when it goes on")
  func hangingBroker() async throws {
    try await withScene { scene in
      let first = try await scene.mosquitto("first")
      let second = try await scene.mosquitto("second")
      let subscriber = try await scene.subscriber(to: second)
      var settings = scene.settings(first)
      settings.sensors = (0..<4).map { "{name: load\($0), type: system, value: load1, interval: 10ms}" }
      let agent = try scene.agent(settings)
      try await until("it is online") {
        try await scene.retained(by: first)["limpet/board/status"]?.payload == "online"
      }
      first.signal(SIGSTOP)
      try await until("the window is full") {
        let outcome = try await scene.limpet("status", "--json", "--config", scene.folder + "/agent.yaml")
        return try ControlStatus(json: outcome.output.joined()).buffer.underWay >= 19
      }
      settings.url = second.url(.tcp5)
      try await reload(scene, settings)
      try await subscriber.status("online")
      first.signal(SIGCONT)
      try await until("the first broker does not say online") {
        try await scene.retained(by: first)["limpet/board/status"]?.payload == "offline"
      }
      #expect(!first.log.contains { $0.contains("Received DISCONNECT from board") })
      _ = try await agent.end()
    }
  }

  /// A broker on whose first connection nobody hears what becomes of `offline`.
  private func broker(_ scene: Scene, answer: ReasonCode?) async throws -> FakeBroker {
    try await scene.fakeBroker { packet, connection in
      if case .publish(let publish) = packet, connection.number == 1, publish.message.payload == Self.offline {
        guard let answer, let identifier = publish.packetIdentifier else { return }
        return connection.send(.puback(Acknowledgement(identifier, reasonCode: answer)))
      }
      FakeBroker.obliging(packet, connection)
    }
  }

  private static let offline = ByteBuffer(string: "offline")
  private static let online = ByteBuffer(string: "online")

  @Test(
    "where offline is refused or not acknowledged the connection is cut, and no DISCONNECT deletes the will",
    arguments: [ReasonCode.notAuthorized, nil])
  func notAccepted(_ answer: ReasonCode?) async throws {
    try await withScene { scene in
      let broker = try await broker(scene, answer: answer)
      var settings = scene.settings(port: broker.port)
      let agent = try scene.agent(settings)
      let first = try await broker.connection(1)
      try await until("readings come") { first.publishes("load").count > 2 }
      settings.broker.append("keepalive: 17s")
      try await reload(scene, settings)
      let second = try await broker.connection(2)
      try await until("it is online again") { second.publishes("status").first?.message.payload == Self.online }
      #expect(first.publishes("status").map(\.message.payload) == [Self.online, Self.offline])
      #expect(first.disconnect == nil)
      try await first.end()
      _ = try await agent.end()
    }
  }

  @Test("nothing says online again on a connection that offline was said on: a storage that fails meanwhile neither")
  func storageFails() async throws {
    try await withScene { scene in
      let broker = try await broker(scene, answer: nil)
      var settings = scene.settings(port: broker.port)
      settings.storage += ", sync: always"
      let agent = try scene.agent(settings)
      let first = try await broker.connection(1)
      try await until("readings come") { first.publishes("load").count > 2 }
      settings.broker.append("keepalive: 17s")
      try await reload(scene, settings)
      try await first.arrival("offline") {
        if case .publish(let publish) = $0 { publish.message.payload == Self.offline } else { false }
      }
      let readings = first.publishes("load").count
      try FileManager.default.removeItem(atPath: scene.folder + "/storage/session.db")
      try await agent.line("limpet goes on in memory")
      _ = try await broker.connection(2)
      #expect(first.publishes("status").map(\.message.payload) == [Self.online, Self.offline])
      #expect(first.publishes("load").count == readings, "a reading takes no place of the farewell's")
      _ = try await agent.end()
    }
  }

  @Test("another presence topic on the same broker: the old one says offline")
  func otherTopic() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let subscriber = try await scene.subscriber(to: broker)
      var settings = scene.settings(broker)
      let agent = try scene.agent(settings)
      try await subscriber.status("online")
      settings.lines.append("presence: {topic: \"limpet/{device}/here\"}")
      try await reload(scene, settings)
      try await subscriber.record(of: "limpet/board/here") { $0.payload == "online" }
      #expect(try await scene.retained(by: broker)["limpet/board/status"]?.payload == "offline")
      _ = try await agent.end()
    }
  }

  @Test("a will that waits dies with the next connection: the old topic is told offline there")
  func delayedWill() async throws {
    try await withScene { scene in
      let broker = try await broker(scene, answer: nil)
      var settings = scene.settings(port: broker.port)
      settings.lines = ["presence: {will_delay: 60s}"]
      let agent = try scene.agent(settings)
      let first = try await broker.connection(1)
      try await until("readings come") { first.publishes("load").count > 2 }
      settings.lines = ["presence: {will_delay: 60s, topic: \"limpet/{device}/here\"}"]
      try await reload(scene, settings)
      let second = try await broker.connection(2)
      try await until("the old topic is told") { second.publishes("status").first?.message.payload == Self.offline }
      #expect(second.publishes("here").first?.message.payload == Self.online)
      #expect(first.disconnect == nil)
      _ = try await agent.end()
    }
  }

  @Test("a stop in the middle of a farewell says offline on the topic that says online, and goes")
  func stopMeanwhile() async throws {
    try await withScene { scene in
      let broker = try await broker(scene, answer: nil)
      var settings = scene.settings(port: broker.port)
      settings.broker.append("shutdown_timeout: 2s")
      let agent = try scene.agent(settings)
      let first = try await broker.connection(1)
      try await until("readings come") { first.publishes("load").count > 2 }
      settings.lines.append("presence: {topic: \"limpet/{device}/here\"}")
      try await reload(scene, settings)
      try await first.arrival("offline") {
        if case .publish(let publish) = $0 { publish.message.payload == Self.offline } else { false }
      }
      _ = try await agent.end()
      #expect(first.publishes("here").isEmpty)
      #expect(first.disconnect == nil, "offline was never acknowledged")
    }
  }
}
