import MQTT
import NIOCore
import TestScene
import Testing

@testable import MQTTCore

/// A server that does not take the will as it is asked for.
@Suite("A will that cannot be had", .timed, .timeLimit(.minutes(1 * Patience.factor)))
struct RefusedWillTests {
  private static let will = Message(topic: "will", text: "gone", qos: .exactlyOnce, retain: true)

  private func configuration(
    _ broker: FakeBroker, _ version: MQTTCore.ProtocolVersion = .v5
  ) -> MQTTClient.Configuration {
    var configuration = MQTTClient.Configuration(
      servers: [ServerAddress(transport: .tcp, host: "127.0.0.1", port: broker.port)], clientIdentifier: "will")
    configuration.connection.version = version
    // A refusal that says why is not waited after.
    let wait = Duration.milliseconds(version == .v5 ? 3_600_000 : 20)
    configuration.connection.reconnect.minimum = wait
    configuration.connection.reconnect.maximum = wait
    configuration.connect.will = Self.will
    return configuration
  }

  /// Takes wills of QoS 1 that are not retained.
  private static func answer(_ packet: Packet, _ connection: FakeConnection) {
    guard case .connect(let connect) = packet, let will = connect.will else {
      return FakeBroker.obliging(packet, connection)
    }
    let code: ReasonCode =
      will.qos > .atLeastOnce ? .qosNotSupported : will.retain ? .retainNotSupported : .success
    connection.send(
      .connack(
        ConnAck(
          sessionPresent: false, reasonCode: code,
          properties: Properties {
            $0.maximumQoS = .atLeastOnce
            $0.retainAvailable = false
          })))
  }

  private func wills(_ broker: FakeBroker) -> [Message?] {
    broker.connections.compactMap {
      if case .connect(let connect)? = $0.packets.first { connect.will } else { nil }
    }
  }

  @Test("it goes as the server takes it, and the events say how")
  func takenBack() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker { Self.answer($0, $1) }
      let client = MQTTClient(configuration(broker))
      var events = client.events.makeAsyncIterator()
      let run = Task { try await client.run() }
      var told: [Message] = []
      while let event = await events.next() {
        if case .willTakenBack(_, let will) = event { told.append(will) }
        if case .connected = event { break }
      }
      var lower = Self.will
      lower.qos = .atLeastOnce
      var smallest = lower
      smallest.retain = false
      #expect(told == [lower, smallest])
      #expect(wills(broker) == [Self.will, lower, smallest])
      await client.abort()
      _ = await run.result
    }
  }

  @Test("or it is the end of the client, where the application says so, and the loss says why")
  func fails() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker { Self.answer($0, $1) }
      var configuration = configuration(broker)
      configuration.whenWillIsRefused = .fails
      let client = MQTTClient(configuration)
      let loss = await #expect(throws: ConnectionLoss.self) { try await client.run() }
      guard case .session(.refused(.qosNotSupported, _, _))? = loss else {
        Issue.record("\(String(describing: loss))")
        return
      }
      #expect(broker.connections.count == 1)
    }
  }

  @Test("on 3.1.1, where a server just closes, smaller wills are tried after two closes")
  func closesSilently() async throws {
    try await withScene { scene in
      let broker = try await scene.fakeBroker { packet, connection in
        guard case .connect(let connect) = packet, let will = connect.will, will.qos > .atLeastOnce else {
          return FakeBroker.obliging(packet, connection)
        }
        connection.close()
      }
      let client = MQTTClient(configuration(broker, .v311))
      let run = Task { try await client.run() }
      try await until("connected") { await client.isConnected }
      #expect(wills(broker).map { $0?.qos } == [.exactlyOnce, .exactlyOnce, .atLeastOnce])
      #expect(await client.limits?.maximumQoS == .atLeastOnce)
      await client.abort()
      _ = await run.result
    }
  }
}
