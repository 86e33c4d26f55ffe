import Foundation
import Logging
import MQTTService
import NIOCore
import ServiceLifecycle
import TestScene
import Testing

@testable import LimpetInstants
@testable import LimpetPlatform
@testable import MQTT
@testable import MQTTCore

extension MQTTClientBrokerTests {
  func message(_ topic: String, _ payload: String = "", qos: QoS = .atLeastOnce) throws -> Message {
    Message(topic: try TopicName(topic), payload: ByteBuffer(string: payload), qos: qos)
  }

  func configuration(_ broker: Mosquitto, _ name: String) -> MQTTClient.Configuration {
    var configuration = MQTTClient.Configuration(
      servers: [ServerAddress(transport: .tcp, host: "127.0.0.1", port: broker.port)], clientIdentifier: name)
    configuration.connection.reconnect.minimum = .milliseconds(50)
    configuration.connection.reconnect.maximum = .milliseconds(200)
    return configuration
  }

  func withClient(
    _ broker: Mosquitto, _ name: String, _ body: @escaping @Sendable (MQTTClient) async throws -> Void
  ) async throws {
    try await run(MQTTClient(configuration(broker, name)), body)
  }

  func run(_ client: MQTTClient, _ body: @escaping @Sendable (MQTTClient) async throws -> Void) async throws {
    try await run(client) { try await body(client) }
  }

  /// Runs a client as long as the body.
  func run(_ client: MQTTClient, _ body: () async throws -> Void) async throws {
    let running = Task { try await client.run() }
    do { try await body() } catch {
      running.cancel()
      throw error
    }
    await client.disconnect()
    try await running.value
  }

  func withBroker(
    authorisations: String? = nil, _ body: (Mosquitto) async throws -> Void
  ) async throws {
    try await withScene { scene in
      let lines = try authorisations.map { ["acl_file \(try scene.write($0, to: "acl"))"] } ?? []
      try await body(try await scene.mosquitto(isPersistent: false, lines: lines))
    }
  }
}
