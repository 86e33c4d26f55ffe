import Foundation
import MQTT
import MQTTCore
import TestScene
import Testing

@Suite("A server that does not accept the whole will", .showsLogs, .timed)
struct WillTests {
  struct Server: CustomTestStringConvertible {
    let line: String
    let version: String
    var qos = 1
    /// What arrives live.
    let live: QoS
    let isKept: Bool
    let isReduced: Bool
    var testDescription: String { "\(line), MQTT \(version), presence.qos \(qos)" }
  }

  static let servers = ["5", "3.1.1"].flatMap { version in
    [
      // On 3.1.1 the lower QoS is tried first, and the retain flag goes with the QoS as it was.
      Server(line: "retain_available false", version: version, live: .atLeastOnce, isKept: false, isReduced: true),
      Server(line: "max_qos 0", version: version, live: .atMostOnce, isKept: true, isReduced: true),
      Server(line: "max_qos 1", version: version, live: .atLeastOnce, isKept: true, isReduced: false),
      Server(line: "max_qos 1", version: version, qos: 2, live: .atLeastOnce, isKept: true, isReduced: true),
    ]
  }

  @Test(
    "mosquitto: the agent connects with what the server takes, says what is given up, and publishes", arguments: servers
  )
  func mosquitto(_ server: Server) async throws {
    try await withScene { scene in
      // `max_qos` is a listener's.
      let port = try freePort()
      let broker = try await scene.mosquitto(lines: ["listener \(port) 127.0.0.1", server.line])
      var settings = scene.settings(port: port)
      settings.version = server.version
      settings.lines = ["presence: {qos: \(server.qos)}"]
      let subscriber = try await scene.subscriber(to: broker)
      let agent = try scene.agent(settings)
      let online = try await subscriber.record(of: "limpet/board/status", "online") { $0.payload == "online" }
      #expect(online.qos == server.live)
      try await subscriber.readings("load", atLeast: 5)
      #expect((try await scene.retained(by: broker)["limpet/board/status"] != nil) == server.isKept)
      #expect(broker.count("Client board ") < 12)

      let says = "does not accept the whole will: "
      #expect(agent.says(says) == server.isReduced)
      let status = try await scene.limpet("status", "--json", "--config", "\(scene.folder)/agent.yaml")
      #expect(
        status.output.first?.contains("\"reduced_will\":{\"qos\":\(server.live.rawValue),\"retain\":\(server.isKept),")
          == server.isReduced)
      let text = try await scene.limpet("status", "--config", "\(scene.folder)/agent.yaml")
      #expect(text.output.contains { $0.hasPrefix("WILL ") } == server.isReduced)
      if !server.isKept { #expect(agent.says("presence works live only")) }

      // The will that it has is published.
      agent.process.signal(SIGKILL)
      let will = try await subscriber.record(of: "limpet/board/status", "the will") { $0.payload == "offline" }
      #expect(will.qos == server.live)

      let probe = try await scene.limpet("probe", "--config", "\(scene.folder)/agent.yaml", "--client-id", "other")
      #expect(probe.output.contains { $0.hasPrefix("warning: will: ") && $0.contains(says) } == server.isReduced)
    }
  }

  @Test("a server that refuses both, one after the other; the next connection asks for no more")
  func both() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker { packet, connection in
        guard case .connect(let connect) = packet, let will = connect.will, will.retain || will.qos > .atMostOnce else {
          return FakeBroker.obliging(packet, connection)
        }
        let code = will.retain ? ReasonCode.retainNotSupported : .qosNotSupported
        connection.send(.connack(ConnAck(sessionPresent: false, reasonCode: code)))
        connection.close()
      }
      let agent = try scene.agent(scene.settings(port: broker.port))
      let third = try await broker.connection(3)
      try await until("readings flow") { third.publishes("load").count > 3 }
      #expect(third.publishes.allSatisfy { !$0.message.retain && $0.message.qos == .atMostOnce })
      try await agent.line(
        "limpet publishes online and offline, and sets the will, with QoS 0, which may be lost on the way")
      third.close()
      let fourth = try await broker.connection(4)
      try await until("readings flow") { fourth.publishes("load").count > 3 }
      #expect(fourth.connect?.will?.retain == false)
    }
  }
}
